"""What is near an incident, and why some entity is not its cause: read from what ranking stored, never ranked anew."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from api.arguments import arguments
from api.reads import investigation as shown
from api.reads.models import Change, NamedEntity
from api.reads.topology import Places, summary
from api.times import EARLIEST_NS, LATEST_NS, format_time

_NS = 10**9
_BEFORE_NS = 2 * 3600 * _NS
_CHANGES, _EDGES = 20, 100
_HOPS = 3
_HALF = 0.5
_KEY = "\x1f"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Reads what is around one tenant's incidents. Methods take the row of an incident (query incident_get)."""

    places: Places

    def changes(self, row: dict[str, Any]) -> list[Change]:
        """Changes from two hours before the incident until its end, the nearest first."""
        params = {"type": "", "names": [], "family": "change", "limit": _CHANGES, **_around(row, _BEFORE_NS)}
        found = [
            Change(
                **summary(signal).model_dump(),
                before_s=round((row["started"] - signal["onset"]) / _NS, 3),
                involved=row["id"] in signal["held"],
            )
            for signal in self.places.signals_about(params)
        ]
        return sorted(found, key=lambda change: (abs(change.before_s), change.id))

    def carried(self, row: dict[str, Any]) -> list[tuple[str, str]]:
        """Type and name of what depends on the first cause, over at most three relations, the nearest first."""
        causes = json.loads(row["root_causes"] or "[]")
        if not causes:
            return []
        first = min(causes, key=lambda cause: int(cause["rank"]))["entity"]
        reached = {(first["type"], first["name"])}
        frontier = set(reached)
        found: list[tuple[str, str]] = []
        end = row["ended"] if row["ended"] is not None else row["updated"]
        for _ in range(_HOPS):
            keys = [kind + _KEY + name for kind, name in sorted(frontier)]
            edges = self.places.edges(end, sources=keys, limit=_EDGES, since=row["started"]) if keys else []
            frontier = {(edge["dst_type"], edge["dst"]) for edge in edges} - reached
            reached |= frontier
            found += sorted(frontier)
        return found

    def why_not(self, incident_id: str, entity_type: str, name: str) -> shown.WhyNot:
        """Why that entity is not the first cause. Raises NotFound for an incident that is not there."""
        row = self.places.reader.incident_row(incident_id)
        causes = sorted(json.loads(row["root_causes"] or "[]"), key=lambda cause: int(cause["rank"]))
        known = self.places.known(entity_type, name)
        names = {name, *([known["name"], *known["aliases"]] if known else [])}
        asked = NamedEntity(
            type=entity_type, name=known["name"] if known else name, aliases=sorted(known["aliases"]) if known else []
        )
        around = _around(row, _BEFORE_NS)
        signals = self.places.signals(entity_type, sorted(names), around["start"], around["end"])
        answer = shown.WhyNot(
            incident_id=incident_id, entity=asked, verdict="", reasons=[], signals=signals,
            compared_with=causes[0]["terms"] if causes else None,
        )  # fmt: skip
        ranked = next((cause for cause in causes if _is(cause["entity"], entity_type, names)), None)
        if ranked is not None:
            return _of_candidate(answer, ranked, causes[0])
        return _of_stranger(answer, row, causes, known)


def _around(row: dict[str, Any], before: int) -> dict[str, int]:
    ended = row["ended"] if row["ended"] is not None else row["updated"]
    return {"start": max(row["started"] - before, EARLIEST_NS), "end": min(ended, LATEST_NS)}


def _is(entity: dict[str, Any], entity_type: str, names: set[str]) -> bool:
    return entity["type"] == entity_type and bool(names & {entity["name"], *entity.get("aliases", ())})


def _of_candidate(answer: shown.WhyNot, cause: dict[str, Any], first: dict[str, Any]) -> shown.WhyNot:
    """It is a candidate: its terms beside those of the first one."""
    terms, best = cause.get("terms") or {}, first.get("terms") or {}
    if cause["rank"] == 1:
        reasons = [argument["text"] for argument in arguments(terms)["speaks_for"]]
        verdict = "is_cause"
        reasons.insert(0, f"it is the first candidate, with {cause['score']:.0%} confidence")
    else:
        against = [argument["text"] for argument in arguments(terms)["speaks_against"]]
        lead = f"it ranks {cause['rank']}. with {cause['score']:.1%}, behind {_name(first)} with {first['score']:.0%}"
        reasons = [*against, *_compared(terms, best, _name(first)), lead]
        own, left = terms.get("own") or 0.0, terms.get("residual")
        explained = terms.get("explained_by") and left is not None and own and left / own <= _HALF
        verdict = "explained_by" if explained else "began_later" if terms.get("late_s") else "ranked_lower"
    return answer.model_copy(
        update={
            "verdict": verdict, "reasons": reasons, "rank": cause["rank"], "score": cause["score"], "terms": terms,
        }
    )  # fmt: skip


def _compared(terms: dict[str, Any], best: dict[str, Any], name: str) -> list[str]:
    words = {"own": "evidence of its own", "coverage": "a share of the rest that it would explain", "fit": "a fit"}
    return [
        f"it has {text} of {terms[key]:.2f}, {name} {best[key]:.2f}"
        for key, text in words.items()
        if terms.get(key) is not None and best.get(key) is not None and terms[key] < best[key]
    ]


def _of_stranger(
    answer: shown.WhyNot, row: dict[str, Any], causes: list[dict[str, Any]], known: dict[str, Any] | None
) -> shown.WhyNot:
    """It is no candidate: nothing was seen of it, what was seen is elsewhere, or is never a first cause."""
    inside = [signal for signal in answer.signals if row["id"] in signal.incident_ids]
    if inside:
        kinds = ", ".join(sorted({signal.kind for signal in inside}))
        verdict = "no_root"
        reasons = [
            f"its signals ({kinds}) are part of the incident, but as symptoms or background: "
            f"it is not among the {len(causes)} candidates that were kept"
        ]
        late = min(signal.onset for signal in inside)
        if late > format_time(row["started"]):
            reasons.append(f"they began at {late}, after the incident began at {format_time(row['started'])}")
    elif answer.signals:
        verdict = "apart"
        reasons = [
            f"{len(answer.signals)} signals of it lie near, but no path of relations and time links them to this one"
        ]
        others = sorted({other for signal in answer.signals for other in signal.incident_ids})
        if others:
            reasons.append(f"they belong to {', '.join(others[:5])}")
    elif known:
        verdict = "no_signal"
        reasons = [
            "no signal at all of it from two hours before the incident until its end",
            f"telemetry named it from {format_time(known['first_seen'])} to {format_time(known['last_seen'])}",
        ]
    else:
        verdict = "unknown_entity"
        reasons = ["no telemetry has ever named such an entity"]
    return answer.model_copy(update={"verdict": verdict, "reasons": reasons})


def _name(cause: dict[str, Any]) -> str:
    return f"{cause['entity']['type']} {cause['entity']['name']}"
