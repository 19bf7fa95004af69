"""Incidents, signals and jobs read from the store as the API's models. No correlation happens here."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache, partial
from typing import Any

from api.arguments import arguments
from api.errors import NotFound
from api.protocol.cursor import Key, decode_cursor, encode_cursor, scope
from api.reads import models
from api.reads.likeness import Kinds, alike
from api.reads.together import together
from api.times import EARLIEST_NS, LATEST_NS, format_time, onsets
from store import ONE_THREAD, Store

_MS = 1_000_000
# Lists of root causes that are kept as they were checked, the latest ones: 15 MB of them at most.
_CAUSES_KEPT = 256


def stored_items(store: Store) -> dict[str, int]:
    """Items stored of each signal, of all tenants."""
    return {row["signal"]: int(row["items"]) for row in store.rows("stored_items")}


@dataclass(frozen=True, slots=True)
class IncidentFilter:
    """Which incidents are wanted; times in nanoseconds, empty values mean "any"."""

    start: int = EARLIEST_NS
    end: int = LATEST_NS
    limit: int = 100
    cursor: str = ""
    states: list[str] = field(default_factory=list)
    severities: list[str] = field(default_factory=list)
    entity: str = ""
    text: str = ""
    service: str = ""
    model: str = ""

    @property
    def typed(self) -> list[tuple[str, str]]:
        """Type and name ('' is any) of entities that must take part."""
        return [("service", self.service), ("model", self.model)]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one tenant's results."""

    store: Store
    tenant: str
    kinds: Kinds = field(default_factory=Kinds)

    def rows(self, query: str, params: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The tenant's rows of a named query that reads a few. Raises StoreError."""
        return self.store.rows(query, {"tenant": self.tenant, **params}, ONE_THREAD)

    def incidents(self, wanted: IncidentFilter) -> models.IncidentPage:
        """One page, newest first."""
        of = scope(self.tenant, "incidents", asdict(replace(wanted, cursor="", limit=0)))
        after = decode_cursor(wanted.cursor, of) if wanted.cursor else Key(0, "")
        rows = self.rows(
            "incident_list",
            {
                "start": wanted.start,
                "end": wanted.end,
                "states": wanted.states,
                "severities": wanted.severities,
                "entity": wanted.entity,
                "text": wanted.text,
                "types": [kind for kind, name in wanted.typed if name],
                "typed": [name for _, name in wanted.typed if name],
                "before": after.started,
                "before_id": after.incident_id,
                "limit": wanted.limit + 1,
            },
        )
        page = rows[: wanted.limit]
        more = encode_cursor(Key(page[-1]["started"], page[-1]["id"]), of) if len(rows) > wanted.limit else None
        whose = self._assignees([row["id"] for row in page])
        incidents = [models.Incident(**_incident(row), assignee=whose.get(row["id"], "")) for row in page]
        return models.IncidentPage(incidents=incidents, next_cursor=more)

    def incident_row(self, incident_id: str) -> dict[str, Any]:
        """One incident as it is stored. Raises NotFound."""
        return self._one("incident_get", incident_id, "incident")

    def root_causes(self, incident_id: str) -> list[models.RootCause]:
        """The ranked causes of one incident. Raises NotFound."""
        return models.Incident(**_incident(self.incident_row(incident_id))).root_causes

    def incident_of(self, row: dict[str, Any]) -> models.IncidentDetail:
        """The incident of a stored row, with its timeline."""
        signals, assignees, history, similar = together(
            partial(self.timeline, row),
            partial(self._assignees, [row["id"]]),
            partial(self._history, row["id"]),
            partial(self._similar, row["id"], row["started"]),
        )
        return models.IncidentDetail(
            **_incident(row),
            assignee=assignees.get(row["id"], ""),
            timeline=[_timeline_entry(signal) for signal in signals],
            graph=models.Graph.model_validate(_parsed(row["graph"], {})),
            evidence=[_evidence(signal) for signal in signals],
            history=history,
            similar=similar,
        )

    def timeline(self, row: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of an incident's signals in time order, each with its role."""
        ended = row["ended"] if row["ended"] is not None else row["updated"]
        roles = {held["signal_id"]: held["role"] for held in self.rows("incident_members", {"id": row["id"]})}
        signals = self.rows("incident_timeline", {"id": row["id"]} | onsets(row["started"], ended))
        # One that was added or let go between the two is left to the next answer.
        return [signal | {"role": roles[signal["signal_id"]]} for signal in signals if signal["signal_id"] in roles]

    def _assignees(self, incident_ids: list[str]) -> dict[str, str]:
        """Whose these incidents are."""
        if not incident_ids:
            return {}
        rows = self.rows("decisions", {"ids": incident_ids})
        return {row["incident_id"]: row["assignee"] for row in rows if row["assignee"]}

    def feedback(self, incident_id: str, limit: int, cursor: str | None) -> tuple[list[models.Feedback], str | None]:
        """What people said of the causes of an incident, '' of all, latest first. Raises BadParameter for a cursor."""
        of = scope(self.tenant, "feedback", incident_id)
        before = decode_cursor(cursor, of) if cursor else Key(0, "")
        asked = {"id": incident_id, "before": before.started, "before_key": before.incident_id, "limit": limit + 1}
        rows = self.rows("feedback_list", asked)
        page = rows[:limit]
        more = encode_cursor(Key(page[-1]["version"], page[-1]["key"]), of) if len(rows) > limit else None
        return [_feedback(row) for row in page], more

    def merged_into(self, incident_id: str) -> str | None:
        """The incident that one which is no more was merged into; None when it was not."""
        found = self.rows("incident_merged", {"id": incident_id})
        return str(found[0]["id"]) if found else None

    def _history(self, incident_id: str) -> list[models.HistoryEntry]:
        rows = self.rows("incident_history", {"id": incident_id})
        return [models.HistoryEntry(time=format_time(row.pop("at") * _MS), **row) for row in rows]

    def _similar(self, incident_id: str, started: int) -> list[models.SimilarIncident]:
        return [
            models.SimilarIncident(
                started_at=format_time(row["started"]),
                ended_at=None if row["ended"] is None else format_time(row["ended"]),
                **{name: row[name] for name in ("id", "title", "state", "severity", "similarity")},
            )
            for row in alike(self.store, self.tenant, self.kinds, incident_id, started)
        ]

    def signal_row(self, signal_id: str) -> dict[str, Any]:
        """One signal as it is stored. Raises NotFound."""
        return self._one("signal_get", signal_id, "signal")

    def signal(self, signal_id: str) -> models.Signal:
        """One signal with its evidence. Raises NotFound."""
        row = self.signal_row(signal_id)
        return models.Signal(
            id=row["signal_id"],
            entity=models.Entity(type=row["entity_type"], name=row["entity_name"]),
            onset=format_time(row["onset"]),
            until=format_time(row["until"]),
            value=_finite(row["value"]),
            baseline=_finite(row["baseline"]),
            evidence=_parsed(row["evidence"], None),
            window_start=format_time(row["window_start"]),
            window_end=format_time(row["window_end"]),
            incident_ids=self.holders([signal_id]).get(signal_id, []),
            **{
                name: row[name]
                for name in ("rule", "family", "kind", "role", "score", "direction", "severity", "explanation")
            },
        )

    def holders(self, signal_ids: list[str]) -> dict[str, list[str]]:
        """Ids of the incidents that hold each signal; of one that none holds nothing is said."""
        if not signal_ids:
            return {}
        rows = self.rows("signal_incidents", {"ids": signal_ids})
        return {row["signal_id"]: row["held"] for row in rows}

    def correlation(self, job_id: str) -> models.Correlation:
        """One job's progress. Raises NotFound."""
        return _correlation(self._one("job_get", job_id, "correlation"))

    def correlations(self, state: str, limit: int) -> models.Correlations:
        """Jobs in that state ('' is any), newest first."""
        rows = self.rows("job_list", {"state": state, "limit": limit})
        return models.Correlations(correlations=[_correlation(row) for row in rows])

    def quarantined(self, job_id: str, limit: int) -> models.QuarantinedWindows:
        """Windows that were given up, of that job or ('') of all."""
        rows = self.rows("quarantined_list", {"job": job_id, "limit": limit})
        windows = [
            models.QuarantinedWindow(
                correlation_id=row["job"],
                start=format_time(row["start"]),
                end=format_time(row["end"]),
                attempts=row["attempts"],
                error=row["error"],
                updated_at=format_time(row["updated"]),
            )
            for row in rows
        ]
        return models.QuarantinedWindows(windows=windows)

    def rule_failures(self, limit: int) -> models.RuleFailures:
        """Rules that raised, newest first."""
        rows = self.rows("rule_failure_list", {"limit": limit})
        failures = [
            models.RuleFailure(
                rule=row["rule"],
                window_start=format_time(row["start"]),
                window_end=format_time(row["end"]),
                error=row["error"],
                at=format_time(row["at"]),
            )
            for row in rows
        ]
        return models.RuleFailures(failures=failures)

    def counts(self) -> dict[str, int]:
        """Rows of each kind that the tenant has."""
        rows = self.store.rows("entity_counts", {"tenant": self.tenant})
        return {row["what"]: int(row["rows"] or 0) for row in sorted(rows, key=lambda row: str(row["what"]))}

    def engine_version(self) -> str:
        """ClickHouse's version; also the cheapest proof that the store answers."""
        return str(self.store.rows("entity_engine")[0]["version"])

    def _one(self, query: str, wanted: str, what: str) -> dict[str, Any]:
        rows = self.rows(query, {"id": wanted})
        if not rows:
            raise NotFound(f"there is no {what} {wanted[:100]!r}")
        return rows[0]


def _correlation(row: dict[str, Any]) -> models.Correlation:
    told = ("id", "state", "steps_done", "steps_total", "signals", "incidents", "attempts", "error")
    return models.Correlation(
        start=format_time(row["start"]),
        end=format_time(row["end"]),
        created_at=format_time(row["created"]),
        updated_at=format_time(row["updated"]),
        **{name: row[name] for name in told},
    )


def _feedback(row: dict[str, Any]) -> models.Feedback:
    told = ("incident_id", "verdict", "kind", "rank", "score", "who", "text")
    return models.Feedback(
        entity=models.Entity(type=row["entity_type"], name=row["entity_name"]),
        terms=_parsed(row["terms"], None),
        time=format_time(row["at"] * _MS),
        **{name: row[name] for name in told},
    )


def _incident(row: dict[str, Any]) -> dict[str, Any]:
    causes = _causes(row["root_causes"])
    return {
        "id": row["id"],
        "title": row["title"],
        "state": row["state"],
        "severity": row["severity"],
        "started_at": format_time(row["started"]),
        "ended_at": None if row["ended"] is None else format_time(row["ended"]),
        "updated_at": format_time(row["updated"]),
        "score": row["score"],
        "root_causes": list(causes),
        "unknown": round(max(0.0, 1.0 - sum(cause.score for cause in causes)), 4),
        "blast_radius": _parsed(row["blast_radius"], []),
        "signal_count": row["signal_count"],
    }


@lru_cache(maxsize=_CAUSES_KEPT)
def _causes(text: str) -> tuple[models.RootCause, ...]:
    """Ranked causes with what speaks for and against them. Pages are asked for again and again, and this is half of
    what one costs; nobody changes a cause that was read."""
    ranked = sorted(_parsed(text, []), key=lambda cause: int(cause["rank"]))
    return tuple(models.RootCause(**(cause | arguments(cause.get("terms")))) for cause in ranked)


def _timeline_entry(row: dict[str, Any]) -> models.TimelineEntry:
    return models.TimelineEntry(
        time=format_time(row["onset"]),
        until=format_time(row["until"]),
        entity=models.Entity(type=row["entity_type"], name=row["entity_name"]),
        kind=row["kind"],
        role=row["role"],
        explanation=row["explanation"],
        score=row["score"],
        severity=row["severity"],
        signal_id=row["signal_id"],
        evidence=_href(row),
    )


def _evidence(row: dict[str, Any]) -> models.Evidence:
    return models.Evidence(
        href=_href(row),
        value=_finite(row["value"]),
        baseline=_finite(row["baseline"]),
        detail=_parsed(row["evidence"], None),
        **{name: row[name] for name in ("signal_id", "family", "rule", "kind")},
    )


def _href(row: dict[str, Any]) -> str:
    return f"/api/v1/signals/{row['signal_id']}"


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _parsed(text: str, default: Any) -> Any:
    return json.loads(text) if text else default
