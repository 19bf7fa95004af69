"""A scenario played, landed, correlated and scored."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from api.evaluation.ablation import listed
from api.evaluation.labels import Labels
from api.evaluation.scoring import Verdict, entity_names, score
from correlate.passes import windows
from ingest.envelope import Signal
from store import Store
from tests.kit.judged import judged
from tests.kit.landing import insert
from tests.scenarios import (
    dependency_faults,
    fabric_faults,
    gpu_faults,
    job_faults,
    node_faults,
    plan_faults,
    software_faults,
    telemetry_faults,
)
from tests.scenarios.background import emit
from tests.scenarios.decoys import scatter
from tests.scenarios.load import Load
from tests.scenarios.records import log_requests, metric_requests, trace_requests, write_lines
from tests.scenarios.traffic import Traffic
from tests.scenarios.world import BACKGROUND_S, LENGTH_S, START, World

FAULTS = {
    **gpu_faults.FAULTS,
    **fabric_faults.FAULTS,
    **job_faults.FAULTS,
    **node_faults.FAULTS,
    **plan_faults.FAULTS,
    **software_faults.FAULTS,
    **dependency_faults.FAULTS,
    **telemetry_faults.FAULTS,
}
"""A function for each archetype, by its number."""

_NS = 10**9
# One pass over the fault and what follows: scenarios are judged by the dozen.
_STEP_S = 2400
_UNSURE = 0.5
_LOUD = ("high", "critical")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was said of a scenario. `right` also counts silence and doubt where these are right."""

    archetype: str
    seed: int
    verdict: Verdict
    right: bool
    among_three: bool
    jaccard: float | None
    incidents: list[dict[str, Any]]
    seconds: float


def play(archetype: str, seed: int) -> World:
    """The scenario of that archetype and seed, with all its telemetry."""
    world = World(archetype, seed)
    begin = BACKGROUND_S + world.rng.uniform(150, 420)
    FAULTS[archetype](world, begin)
    scatter(world, begin)
    load = Load(world)
    emit(world, load)
    Traffic(world, load).run()
    return world


def requests(world: World) -> Iterator[tuple[Signal, Message]]:
    """Every OTLP request of the scenario."""
    times = [START + round(at * _NS) + 7_000_000 for at in world.t.tolist()]
    for message in metric_requests(world.series, times):
        yield Signal.METRICS, message
    for message in log_requests(world.lines, START):
        yield Signal.LOGS, message
    for message in trace_requests(world.calls, START):
        yield Signal.TRACES, message


def labels(world: World) -> dict[str, Any]:
    """The scenario's labels.json."""
    truth = world.truth
    return {
        "dataset": world.archetype,
        "faults": [{
            "id": "f01", "archetype": world.archetype, "fault": world.archetype,
            "time_unix_nano": START + round(truth.begin * _NS), "until_unix_nano": START + round(truth.end * _NS),
            "accept": truth.accept, "blast_radius": truth.blast,
        }],
        "decoys": [
            {"time_unix_nano": START + round(begin * _NS), "until_unix_nano": START + round(end * _NS),
             "names": names, "name": names[0], "standalone": True}
            for begin, end, names in world.decoys
        ],
    }  # fmt: skip


def write(world: World, folder: Path) -> None:
    """The scenario as a dataset that `causeline evaluate` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    write_lines(folder, requests(world))
    (folder / "labels.json").write_text(json.dumps(labels(world), indent=1), encoding="utf-8")


def judge(store: Store, archetype: str, seed: int) -> Outcome:
    """Play the scenario into a tenant of its own, correlate it from the fault on, and score what is said."""
    began = time.process_time()
    world = play(archetype, seed)
    tenant = f"{archetype.lower()}-{seed}-{time.time_ns()}"
    sent: dict[Signal, list[Message]] = {}
    for signal, message in requests(world):
        sent.setdefault(signal, []).append(message)
    for batch, (signal, messages) in enumerate(sent.items(), 1):
        insert(store, signal, *messages, batch=batch, tenant=tenant)
    steps = windows(START + BACKGROUND_S * _NS, START + LENGTH_S * _NS, _STEP_S)
    incidents = listed(judged(store, tenant, steps).incidents)
    return outcome(world, seed, incidents, time.process_time() - began)


def outcome(world: World, seed: int, incidents: Sequence[dict[str, Any]], seconds: float) -> Outcome:
    """Score the incidents of a scenario."""
    card = score(Labels.parse(labels(world), world.archetype), incidents)
    verdict = card.verdicts[0]
    rank = verdict.rank
    doubtful = world.truth.nothing and not any(_blames(world, incident) for incident in incidents)
    return Outcome(
        world.archetype, seed, verdict, rank == 1 or doubtful, (rank is not None and rank <= 3) or doubtful,
        verdict.blast_jaccard, list(incidents), seconds,
    )  # fmt: skip


def _blames(world: World, incident: dict[str, Any]) -> bool:
    """Whether an incident is loud and sure of a cause that is none."""
    right = {name.lower() for name in world.truth.accept}
    return incident["severity"] in _LOUD and any(
        cause["rank"] == 1 and cause["score"] >= _UNSURE and not entity_names(cause["entity"]) & right
        for cause in incident["root_causes"]
    )
