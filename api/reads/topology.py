"""Entities and the relations between them at a time, read for one tenant."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from api.errors import NotFound
from api.protocol.cursor import decode_key, encode_cursor, scope
from api.reads import investigation as shown
from api.reads.models import Entity, SignalSummary
from api.reads.reading import IncidentFilter, Reader
from api.times import EARLIEST_NS, LATEST_NS, format_time

_NS = 10**9
# A relation is seen again with every pass over telemetry that shows it.
_SEEN_AGAIN_NS = 600 * _NS
_SIGNALS, _INCIDENTS, _NEIGHBOURS = 50, 20, 100
_KEY = "\x1f"


@dataclass(frozen=True, slots=True)
class Places:
    """Reads entities and topology."""

    reader: Reader

    def search(self, entity_type: str, text: str, limit: int, cursor: str | None) -> shown.EntityPage:
        """A page of entities. Raises BadParameter for another query's cursor."""
        of = scope(self.reader.tenant, "entities", entity_type, text)
        after = decode_key(cursor, of, (str, str)) if cursor else ("", "")
        params = {"type": entity_type, "text": text, "after_type": after[0], "after_name": after[1], "limit": limit + 1}
        rows = self.reader.rows("entity_search", params)
        more = encode_cursor((rows[limit - 1]["type"], rows[limit - 1]["name"]), of) if len(rows) > limit else None
        return shown.EntityPage(entities=[known(row) for row in rows[:limit]], next_cursor=more)

    def detail(self, entity_type: str, name: str, at: int | None) -> shown.EntityDetail:
        """What happened to an entity, and its neighbours at that time, its last unless given. Raises NotFound."""
        row = self.known(entity_type, name)
        if row is None:
            raise NotFound(f"telemetry names no {entity_type[:60]} {name[:100]!r}")
        when = max(row["last_seen"], self.latest()) if at is None else at
        # One that is no more had its neighbours until it was named last.
        since = row["last_seen"] if at is None else at
        key = [entity_type + _KEY + row["name"]]
        return shown.EntityDetail(
            **known(row).model_dump(),
            at=format_time(when),
            signals=self.signals(entity_type, [row["name"], *row["aliases"]]),
            incidents=self.reader.incidents(IncidentFilter(entity=row["name"], limit=_INCIDENTS)).incidents,
            depends_on=[edge(found) for found in self.edges(when, targets=key, limit=_NEIGHBOURS, since=since)],
            carries=[edge(found) for found in self.edges(when, sources=key, limit=_NEIGHBOURS, since=since)],
        )

    def known(self, entity_type: str, name: str) -> dict[str, Any] | None:
        """The entity of that name, or that has it as an alias."""
        exact = self.reader.rows("entity_get", {"type": entity_type, "name": name})
        if exact:
            return exact[0]
        params = {"type": entity_type, "text": name, "after_type": "", "after_name": "", "limit": _NEIGHBOURS}
        folded = name.lower()
        for row in self.reader.rows("entity_search", params):
            if folded in {known.lower() for known in (row["name"], *row["aliases"])}:
                return row
        return None

    def signals(
        self, entity_type: str, names: list[str], start: int = EARLIEST_NS, end: int = LATEST_NS
    ) -> list[SignalSummary]:
        """Signals of an entity that touch the range, newest first."""
        params = {"type": entity_type, "names": names, "family": "", "start": start, "end": end, "limit": _SIGNALS}
        return [summary(row) for row in self.signals_about(params)]

    def signals_about(self, params: dict[str, Any]) -> list[dict[str, Any]]:
        """Rows of the query of that name, each with the incidents that have `held` the signal."""
        rows = self.reader.rows("signals_about", params)
        holders = self.reader.holders([row["signal_id"] for row in rows])
        return [row | {"held": holders.get(row["signal_id"], [])} for row in rows]

    def topology(self, at: int | None, entity: str, limit: int, cursor: str | None) -> shown.Topology:
        """Relations that held at a time; `entity` (type/name) bounds them to its own."""
        when = self.latest() if at is None else at
        of = scope(self.reader.tenant, "topology", at, entity)
        (after,) = decode_key(cursor, of, (str,)) if cursor else ("",)
        key = [entity.replace("/", _KEY, 1)] if entity else []
        rows = self.edges(when, sources=key, targets=key, limit=limit + 1, after=after)
        more = encode_cursor((rows[limit - 1]["edge_key"],), of) if len(rows) > limit else None
        edges = [edge(row) for row in rows[:limit]]
        ends = {(end.type, end.name) for each in edges for end in (each.src, each.dst)}
        nodes = [Entity(type=kind, name=name) for kind, name in sorted(ends)]
        return shown.Topology(at=format_time(when), nodes=nodes, edges=edges, next_cursor=more)

    def ailing(self) -> set[str]:
        """Names of entities that take part in incidents which are not resolved."""
        return {row["name"] for row in self.reader.rows("ailing_entities", {})}

    def latest(self) -> int:
        """The last moment at which any relation was seen (ns); 0 when none was."""
        return int(self.reader.rows("topology_last", {})[0]["at"])

    def edges(
        self,
        at: int,
        *,
        sources: Iterable[str] = (),
        targets: Iterable[str] = (),
        limit: int,
        after: str = "",
        since: int | None = None,
    ) -> list[dict[str, Any]]:
        """Rows of relations that held at `at` or, if given, at some time from `since` to it."""
        start = max((at if since is None else since) - _SEEN_AGAIN_NS, EARLIEST_NS)
        params = {"start": start, "end": min(at, LATEST_NS), "sources": list(sources), "targets": list(targets)}
        return self.reader.rows("topology_edges", params | {"limit": limit, "after": after})


def known(row: dict[str, Any]) -> shown.KnownEntity:
    """A row of the entities table."""
    return shown.KnownEntity(
        type=row["type"], name=row["name"], aliases=sorted(row["aliases"]),
        first_seen=format_time(row["first_seen"]), last_seen=format_time(row["last_seen"]),
    )  # fmt: skip


def edge(row: dict[str, Any]) -> shown.TopologyEdge:
    """A row of the edges table."""
    return shown.TopologyEdge(
        kind=row["kind"],
        src=Entity(type=row["src_type"], name=row["src"]),
        dst=Entity(type=row["dst_type"], name=row["dst"]),
        valid_from=format_time(row["valid_from"]),
        valid_to=format_time(row["valid_to"]),
    )


def summary(row: dict[str, Any]) -> SignalSummary:
    """A row of the signals table."""
    return SignalSummary(
        id=row["signal_id"],
        entity=Entity(type=row["entity_type"], name=row["entity_name"]),
        onset=format_time(row["onset"]),
        until=format_time(row["until"]),
        incident_ids=row["held"],
        href=f"/api/v1/signals/{row['signal_id']}",
        **{name: row[name] for name in ("kind", "family", "score", "severity", "explanation")},
    )
