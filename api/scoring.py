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

Json = dict[str, Any]

SLACK_S = 60.0
_DECOY_REACH_S = 600.0
_DEFAULT_WINDOW_S = 300.0
_LOUD = frozenset({"high", "critical"})
_AROUND_S = 1800.0


@dataclass(frozen=True, slots=True)
class Fault:
    """A labelled fault: when, what it is called, and which names are right, misleading or hurt."""

    name: str
    start: float
    end: float
    accept: frozenset[str]
    decoys: frozenset[str]
    blast: frozenset[str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the incidents say about one fault; None where nothing was said."""

    fault: str
    start: float
    incident: str | None
    rank: int | None
    delay_s: float | None
    decoy_first: bool
    blast_jaccard: float | None


@dataclass(frozen=True, slots=True)
class Scorecard:
    """Totals over a dataset's faults, shares in 0..1."""

    faults: int
    detected: float
    ac1: float
    ac3: float
    ac5: float
    mrr: float
    median_delay_s: float | None
    decoy_first: int
    decoy_loud: int
    blast_jaccard: float | None
    incidents: int
    unmatched_incidents: int
    verdicts: tuple[Verdict, ...]

    def as_json(self) -> Json:
        """Plain values for a report."""
        return asdict(self)


def read_faults(labels: Json, accept: Sequence[str] = ("accept",)) -> list[Fault]:
    """The faults of a labels.json; `accept` names the label fields whose entities count as right."""
    window = labels.get("window_seconds", _DEFAULT_WINDOW_S)
    return [_fault(raw, labels, window, accept) for raw in labels["faults"]]


def labelled_span(faults: Iterable[Fault]) -> tuple[float, float]:
    """Unix seconds between which incidents are asked for: half an hour around all faults."""
    known = list(faults)
    return min(f.start for f in known) - _AROUND_S, max(f.end for f in known) + _AROUND_S


def _fault(raw: Json, labels: Json, window: float, accept: Sequence[str]) -> Fault:
    start = _seconds(raw["time_unix_nano"])
    until = raw.get("until_unix_nano")
    end = _seconds(until) if until else start + window
    right = [name for field in accept for name in raw.get(field) or ()]
    if not raw.get("accept"):
        right += [raw.get("pod"), raw.get("service")]
    good = frozenset(name.lower() for name in right if name)
    general = (d for d in labels.get("decoys", ()) if _active(d, start, end))
    bad = frozenset(_label(d) for d in (*raw.get("decoys", ()), *general))
    return Fault(
        name=raw.get("fault") or raw.get("archetype", ""),
        start=start,
        end=end,
        accept=good,
        decoys=bad - good,
        blast=frozenset(_label(b) for b in raw.get("blast_radius", ())),
    )


def _active(decoy: Json, start: float, end: float) -> bool:
    began = _seconds(decoy["time_unix_nano"])
    until = _seconds(decoy.get("until_unix_nano") or decoy["time_unix_nano"])
    return began < end and until > start - _DECOY_REACH_S


def _label(entity: Any) -> str:
    if isinstance(entity, str):
        return entity.lower()
    return str(entity.get("name") or entity["entity"]["name"]).lower()


def _seconds(nanos: str | int) -> float:
    return int(nanos) / 1e9


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
    labels: Json, incidents: Sequence[Json], accept: Sequence[str] = ("accept",), slack_s: float = SLACK_S
) -> Scorecard:
    """Score the API's incidents (its list form, all pages) against a labels.json."""
    faults = read_faults(labels, accept)
    spans = [_span(incident) for incident in incidents]
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
    return Scorecard(
        faults=len(faults),
        detected=_share(v.incident is not None for v in verdicts),
        ac1=accuracy(ranks, 1),
        ac3=accuracy(ranks, 3),
        ac5=accuracy(ranks, 5),
        mrr=reciprocal(ranks),
        median_delay_s=statistics.median(delays) if delays else None,
        decoy_first=sum(v.decoy_first for v in verdicts),
        decoy_loud=sum(_is_loud(decoy, incidents, spans, slack_s) for decoy in labels.get("decoys", ())),
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


def _span(incident: Json) -> tuple[float, float]:
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
    return Verdict(
        fault=fault.name,
        start=fault.start,
        incident=incident["id"],
        rank=rank_of(incident["root_causes"], fault.accept),
        delay_s=round(began - fault.start, 1),
        decoy_first=first is not None and bool(entity_names(first["entity"]) & fault.decoys),
        blast_jaccard=both / (len(fault.blast) + len(hurt) - both) if fault.blast else None,
    )


def _is_loud(decoy: Any, incidents: Sequence[Json], spans: Sequence[tuple[float, float]], slack_s: float) -> bool:
    """Whether a stand-alone decoy came first in a high or critical incident while it lasted."""
    if not isinstance(decoy, dict) or not decoy.get("standalone"):
        return False
    own = {name.lower() for name in decoy.get("names", ())} | {_label(decoy)}
    start, end = _seconds(decoy["time_unix_nano"]), _seconds(decoy["until_unix_nano"])
    return any(
        incident.get("severity") in _LOUD
        and began < end + slack_s
        and ended > start - slack_s
        and any(cause["rank"] == 1 and entity_names(cause["entity"]) & own for cause in incident["root_causes"])
        for incident, (began, ended) in zip(incidents, spans, strict=True)
    )
