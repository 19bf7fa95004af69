"""How well incidents name the causes of labelled faults.

A fault is detected when an incident overlaps its window, give or take some slack. Of those that
overlap, the one that covers most of the window, then the one that starts nearest to it, speaks for
the fault. A root cause is right when its entity's name, an alias, or the last part of either after
a slash is among the names the label accepts, in any case. Times are unix seconds.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from api.evaluation.labels import DecoyLabel, Fault, Labels, read_faults

Json = dict[str, Any]

SLACK_S = 60.0
RETRIEVED = 15
"""How many candidates of an incident count as retrieved."""

_LOUD = frozenset({"high", "critical"})
_AROUND_S = 1800.0


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the incidents say about one fault; None where nothing was said.

    `confidence` is what was shown for the first cause, `raw` the same before calibration.
    """

    fault: str
    start: float
    incident: str | None
    rank: int | None
    delay_s: float | None
    decoy_first: bool
    blast_jaccard: float | None
    first: str | None = None
    confidence: float | None = None
    raw: float | None = None


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Totals over a dataset's faults, shares in 0..1, times in seconds."""

    faults: int
    detected: float
    ac1: float
    ac3: float
    ac5: float
    avg5: float
    mrr: float
    retrieval15: float
    rerank1: float | None
    median_delay_s: float | None
    onset_error_s: float | None
    decoy_first: int
    decoy_rate: float
    decoy_loud: int
    blast_jaccard: float | None
    incidents: int
    unmatched_incidents: int
    verdicts: tuple[Verdict, ...]

    def as_json(self) -> Json:
        """Plain values for a report."""
        return asdict(self)


def labelled_span(faults: Iterable[Fault]) -> tuple[float, float]:
    """Unix seconds between which incidents are asked for: half an hour around all faults."""
    known = list(faults)
    return min(f.start for f in known) - _AROUND_S, max(f.end for f in known) + _AROUND_S


def _time(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def entity_names(entity: Json) -> frozenset[str]:
    """Everything an entity may be called, in lower case."""
    names = {entity["name"].lower(), *(alias.lower() for alias in entity.get("aliases") or ())}
    return frozenset(names | {name.rsplit("/", 1)[-1] for name in names})


def rank_of(causes: Iterable[Json], accept: frozenset[str]) -> int | None:
    """Place, from 1, of the first cause in order of rank that names an accepted entity."""
    ordered = sorted(causes, key=lambda cause: int(cause["rank"]))
    return next((place for place, cause in enumerate(ordered, 1) if entity_names(cause["entity"]) & accept), None)


def score(
    labels: Labels, incidents: Sequence[Json], accept: Sequence[str] = ("accept",), slack_s: float = SLACK_S
) -> Scorecard:
    """Score the API's incidents (its list form, all pages) against labels."""
    faults = read_faults(labels, accept)
    spans = [incident_span(incident) for incident in incidents]
    matched: set[str] = set()
    verdicts = []
    for fault in faults:
        near = [
            (incident, span)
            for incident, span in zip(incidents, spans, strict=True)
            if span[1] >= fault.start - slack_s and span[0] <= fault.end + slack_s
        ]
        matched.update(incident["id"] for incident, _ in near)
        verdicts.append(_verdict(fault, near))
    delays = [v.delay_s for v in verdicts if v.delay_s is not None]
    jaccards = [v.blast_jaccard for v in verdicts if v.blast_jaccard is not None]
    ranks = [v.rank for v in verdicts]
    places = [accuracy(ranks, k) for k in range(1, 6)]
    retrieved = accuracy(ranks, RETRIEVED)
    return Scorecard(
        faults=len(faults),
        detected=_share(v.incident is not None for v in verdicts),
        ac1=places[0],
        ac3=places[2],
        ac5=places[4],
        avg5=statistics.mean(places),
        mrr=reciprocal(ranks),
        retrieval15=retrieved,
        rerank1=places[0] / retrieved if retrieved else None,
        median_delay_s=statistics.median(delays) if delays else None,
        onset_error_s=statistics.median(map(abs, delays)) if delays else None,
        decoy_first=sum(v.decoy_first for v in verdicts),
        decoy_rate=_share(v.decoy_first for v in verdicts),
        decoy_loud=sum(_is_loud(decoy, incidents, spans, slack_s) for decoy in labels.decoys),
        blast_jaccard=statistics.mean(jaccards) if jaccards else None,
        incidents=len(incidents),
        unmatched_incidents=sum(incident["id"] not in matched for incident in incidents),
        verdicts=tuple(verdicts),
    )


def accuracy(ranks: Sequence[int | None], k: int) -> float:
    """AC@k: the share of faults whose cause is among the first k."""
    return _share(rank is not None and rank <= k for rank in ranks)


def reciprocal(ranks: Sequence[int | None]) -> float:
    """Mean reciprocal rank; a cause not named counts 0."""
    return sum(1 / rank for rank in ranks if rank) / len(ranks) if ranks else 0.0


def _share(flags: Iterable[bool]) -> float:
    listed = list(flags)
    return sum(listed) / len(listed) if listed else 0.0


def incident_span(incident: Json) -> tuple[float, float]:
    """Unix seconds at which an incident began and was last active."""
    ended = incident.get("ended_at") or incident.get("updated_at") or incident["started_at"]
    return _time(incident["started_at"]), _time(ended)


def _verdict(fault: Fault, near: Sequence[tuple[Json, tuple[float, float]]]) -> Verdict:
    if not near:
        return Verdict(fault.name, fault.start, None, None, None, decoy_first=False, blast_jaccard=None)

    def fit(candidate: tuple[Json, tuple[float, float]]) -> tuple[float, float]:
        began, ended = candidate[1]
        return min(ended, fault.end) - max(began, fault.start), -abs(began - fault.start)

    incident, (began, _) = max(near, key=fit)
    first = next((cause for cause in incident["root_causes"] if cause["rank"] == 1), None)
    hurt = [entity_names(entity) for entity in incident.get("blast_radius", ())]
    both = sum(any(name in names for names in hurt) for name in fault.blast)
    shown = first.get("score") if first else None
    return Verdict(
        fault=fault.name,
        start=fault.start,
        incident=incident["id"],
        rank=rank_of(incident["root_causes"], fault.accept),
        delay_s=round(began - fault.start, 1),
        decoy_first=first is not None and bool(entity_names(first["entity"]) & fault.decoys),
        blast_jaccard=both / (len(fault.blast) + len(hurt) - both) if fault.blast else None,
        first=f"{first['entity']['type']} {first['entity']['name']}" if first else None,
        confidence=shown,
        raw=(first.get("terms") or {}).get("raw_confidence", shown) if first else None,
    )


def _is_loud(
    decoy: DecoyLabel, incidents: Sequence[Json], spans: Sequence[tuple[float, float]], slack_s: float
) -> bool:
    """Whether a stand-alone decoy came first in a high or critical incident while it lasted."""
    if not decoy.standalone:
        return False
    start, end = decoy.time_unix_nano / 1e9, decoy.end_ns / 1e9
    return any(
        incident.get("severity") in _LOUD
        and began < end + slack_s
        and ended > start - slack_s
        and any(
            cause["rank"] == 1 and entity_names(cause["entity"]) & decoy.own_names for cause in incident["root_causes"]
        )
        for incident, (began, ended) in zip(incidents, spans, strict=True)
    )
