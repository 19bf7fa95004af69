"""One dataset's figures, from what its system answered and what it stored.

`figures` returns plain values; docs/evaluation.md says what each is.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from api.errors import UsageError
from api.evaluation.ablation import Without, ablation
from api.evaluation.baselines import Baseline, baselines
from api.evaluation.dataset import Dataset
from api.evaluation.grouping import attributed, bcubed
from api.evaluation.labels import ACCEPT, Fault, read_faults
from api.evaluation.scoring import RETRIEVED, SLACK_S, Scorecard, incident_span, labelled_span, score
from api.evaluation.timing import times_to_incident
from api.settings import Settings
from store import Store, StoreSettings, Window

Json = dict[str, Any]
Say = Callable[[str], None]

_MANIFEST = "replayed.json"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to do beside scoring: judge again with parts off, as of earlier moments, or on what a directory holds."""

    accept: str = "strict"
    ablate: bool = False
    time_to_incident: bool = False
    reuse: bool = False


@dataclass(frozen=True, slots=True)
class Replayed:
    """What was sent: the files' sizes by name, the nanoseconds they cover, lines that failed, seconds it took."""

    files: dict[str, int]
    start: int
    end: int
    failed_lines: int
    seconds: float

    @classmethod
    def kept(cls, dataset: Dataset, data: Path) -> Replayed:
        """What an earlier evaluation sent to the system on `data`. Raises UsageError when that was something else."""
        try:
            found = cls(**json.loads((data / _MANIFEST).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise UsageError(f"{data} holds no finished replay; run once without --reuse to make one") from error
        if found.files != dataset.sizes():
            raise UsageError(
                f"{data} holds other telemetry than {dataset.name} has now; remove it and run without --reuse"
            )
        return found

    def keep(self, data: Path) -> None:
        """Write it down beside the data."""
        (data / _MANIFEST).write_text(json.dumps(asdict(self)), encoding="utf-8")


@dataclass(frozen=True, slots=True)
class Heard:
    """What the system's API answered about the labelled time: incidents as listed and in detail, and items stored.

    `seconds` is how long the correlation took.
    """

    incidents: list[Json]
    details: list[Json]
    counts: dict[str, int]
    seconds: float


def figures(dataset: Dataset, data: Path, wanted: Wanted, sent: Replayed, heard: Heard, say: Say) -> Json:
    """Every figure of one dataset; its system has let go of `data`, and `say` hears what is being done."""
    names = ACCEPT[wanted.accept]
    faults = read_faults(dataset.labels, names)
    card = score(dataset.labels, heard.incidents, names)
    settings = Settings()
    chosen = settings.correlate.model_copy(update={"max_candidates": RETRIEVED})
    rows: list[Without] = []
    waits: list[float | None] = []
    store = Store.open(StoreSettings.embedded(data))
    try:
        say(f"{dataset.name}: chance, N-sigma and BARO's scorer on the same telemetry")
        others = baselines(store, settings.tenant, faults)
        if wanted.ablate:
            say(f"{dataset.name}: judging again with one part off at a time")
            covered = Window(sent.start, sent.end + 10**9)
            count = _counting(say, f"{dataset.name}: windows without calibration")
            rows = ablation(store, settings.tenant, covered, dataset.labels, names, chosen, count)
        if wanted.time_to_incident:
            count = _counting(say, f"{dataset.name}: faults asked about as of earlier moments")
            waits = times_to_incident(store, settings.tenant, faults, card.verdicts, chosen, count)
    finally:
        store.close()
    known = [wait for wait in waits if wait is not None]
    return _result(dataset, wanted, sent, heard, faults, card, others) | {
        "ablation": [asdict(row) for row in rows],
        "times_to_incident_s": waits,
        "time_to_incident_s": statistics.median(known) if known else None,
    }


def _counting(say: Say, what: str) -> Callable[[int, int], None]:
    """Says each tenth that is done."""

    def count(done: int, total: int) -> None:
        if done * 10 // total != (done - 1) * 10 // total:
            say(f"{what}: {done}/{total}")

    return count


def _result(
    dataset: Dataset,
    wanted: Wanted,
    sent: Replayed,
    heard: Heard,
    faults: list[Fault],
    card: Scorecard,
    others: list[Baseline],
) -> Json:
    first, last = labelled_span(faults)
    hours = max(min(last, sent.end / 1e9) - max(first, sent.start / 1e9), 0.0) / 3600
    luck = others[0]
    found = bcubed(attributed(faults, heard.details))
    return {
        "dataset": dataset.name,
        "accept": wanted.accept,
        "score": card.as_json(),
        "grouping": None if found is None else asdict(found),
        "baselines": [asdict(other) for other in others],
        "lift": {
            name: getattr(card, name) / chance if (chance := getattr(luck, name)) else None
            for name in ("ac1", "ac3", "ac5")
        },
        "hours": hours,
        "false_incidents_per_hour": card.unmatched_incidents / hours if hours else None,
        "ms_per_case": heard.seconds * 1e3 / len(faults),
        "faults": [{"name": fault.name, "start": fault.start, "end": fault.end} for fault in faults],
        "incidents": [_shown(incident, faults) for incident in heard.incidents],
        "stored": {name: heard.counts[name] for name in ("spans", "log_records", "metric_points")},
        "failed_lines": sent.failed_lines,
        "seconds": {"replay": round(sent.seconds, 1), "correlate": round(heard.seconds, 1)},
    }


def _shown(incident: Json, faults: list[Fault]) -> Json:
    began, ended = incident_span(incident)
    return {
        "id": incident["id"],
        "title": incident["title"],
        "severity": incident["severity"],
        "start": began,
        "end": ended,
        "matched": any(ended >= f.start - SLACK_S and began <= f.end + SLACK_S for f in faults),
    }
