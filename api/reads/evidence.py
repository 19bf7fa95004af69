"""The records behind signals: log lines, Kubernetes events, spans and windows of series, in pages.

What to look for is `correlate.evidence`'s to say. Each kind of record is first looked for as narrowly as the signal's
evidence allows, and wider only where that finds nothing: a line may have been quoted differently, a series may name the
node and not the device.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from api.errors import BadParameter
from api.protocol.cursor import decode_key, encode_cursor, scope
from api.protocol.parameters import Range
from api.reads import records
from api.reads.raw import LogQuery, Place, Raw, SeriesQuery, SpanQuery
from api.reads.reading import Reader
from api.times import format_time
from correlate.evidence import Selection, selection
from store import Store

KINDS = ("log", "span", "series")
# Signals without a record cost queries and fill no page.
_SIGNALS_A_PAGE = 8


class _Place(NamedTuple):
    """Where a page begins: the signal's and the kind's number, and the place among its records."""

    signal: int
    kind: int
    time: int
    tie: str
    done: int


_REFUSED = "not a cursor that this API handed out for this query"
_START = _Place(0, 0, 0, "", 0)


@dataclass(frozen=True, slots=True)
class Proof:
    """Reads what is behind one tenant's signals."""

    reader: Reader

    @property
    def store(self) -> Store:
        """Where the records are."""
        return self.reader.store

    @property
    def tenant(self) -> str:
        """Whose they are."""
        return self.reader.tenant

    def of_signal(self, signal_id: str, kinds: Sequence[str], limit: int, cursor: str | None) -> records.EvidencePage:
        """A page of a signal's records. Raises NotFound, and BadParameter for another query's cursor."""
        signals = [self.reader.signal_row(signal_id)]
        return self._page(signals, kinds, limit, cursor, scope(self.tenant, "signal", signal_id, kinds))

    def of_incident(
        self, incident_id: str, kinds: Sequence[str], limit: int, cursor: str | None
    ) -> records.EvidencePage:
        """A page of the records of an incident's signals, causes first. Raises NotFound and BadParameter."""
        row = self.reader.incident_row(incident_id)
        order = ("cause", "effect", "context")
        signals = sorted(
            self.reader.timeline(row),
            key=lambda signal: (order.index(signal["role"]), signal["onset"], signal["signal_id"]),
        )
        ids = [signal["signal_id"] for signal in signals]
        return self._page(signals, kinds, limit, cursor, scope(self.tenant, "incident", incident_id, kinds, ids))

    def _page(
        self, signals: list[dict[str, Any]], kinds: Sequence[str], limit: int, cursor: str | None, of: str
    ) -> records.EvidencePage:
        place = _Place(*decode_key(cursor, of, (int, int, int, str, int))) if cursor else _START
        if not 0 <= place.signal <= len(signals) or place.kind < 0 or place.done < 0:
            raise BadParameter("cursor", _REFUSED)
        items: list[records.EvidenceItem] = []
        sought: list[records.Sought] = []
        following: _Place | None = place
        while following is not None and len(items) < limit and len(sought) < _SIGNALS_A_PAGE:
            if following.signal >= len(signals):
                following = None
                break
            signal = signals[following.signal]
            chosen = self._selection(signal)
            sought.append(_sought(signal, chosen))
            got, following = self._of_one(chosen, kinds, limit - len(items), following)
            items += [records.EvidenceItem(signal_id=signal["signal_id"], record=record) for record in got]
        done = following is None or following.signal >= len(signals)
        return records.EvidencePage(
            sought=sought, items=items, next_cursor=None if done or following is None else encode_cursor(following, of)
        )

    def _of_one(self, chosen: Selection, kinds: Sequence[str], limit: int, place: _Place) -> tuple[list[Any], _Place]:
        """Up to `limit` records of one signal from `place` on, and the place behind them."""
        got: list[Any] = []
        begin, at = place.kind % len(KINDS), place
        for number in range(begin, len(KINDS)):
            at = at if number == begin else _Place(place.signal, number, 0, "", 0)
            if KINDS[number] not in kinds:
                continue
            if len(got) >= limit:
                return got, at
            rows, after, width = self._of_kind(number, chosen, limit - len(got), at)
            got += rows
            if after is not None:
                return got, _Place(place.signal, number + width * len(KINDS), *after)
        return got, _Place(place.signal + 1, 0, 0, "", 0)

    def _of_kind(
        self, number: int, chosen: Selection, limit: int, at: _Place
    ) -> tuple[list[Any], tuple[int, str, int] | None, int]:
        """Records of one kind, where the next page begins, and how widely they were looked for."""
        reads = ((_log_queries, self._logs), (_span_queries, self._spans), (_series_queries, self._series))
        queries, read = reads[number]
        wanted = list(queries(chosen))
        if at.tie:
            # A page goes on as the one before it.
            width = at.kind // len(KINDS)
            if width >= len(wanted):
                raise BadParameter("cursor", _REFUSED)
            return *read(wanted[width], limit, at), width
        if read == self._logs:
            return self._narrowest_logs(wanted, limit)
        for width, query in enumerate(wanted):
            rows, after = read(query, limit, None)
            if rows:
                return rows, after, width
        return [], None, 0

    def _narrowest_logs(self, wanted: Sequence[Any], limit: int) -> tuple[list[Any], tuple[int, str, int] | None, int]:
        """The first page of the narrowest query that finds any, and its number; in twos they differ in names only."""
        raw = Raw(self.store, self.tenant)
        for width in range(0, len(wanted), 2):
            narrow, wide = wanted[width], wanted[min(width + 1, len(wanted) - 1)]
            rows, after, near = raw.narrowest_logs(narrow, wide, limit)
            if rows:
                return rows, _log_place(after), width + (not near)
        return [], None, 0

    def _logs(self, wanted: Any, limit: int, at: _Place | None) -> tuple[list[Any], tuple[int, str, int] | None]:
        if at is not None and not at.tie.isdecimal():
            raise BadParameter("cursor", _REFUSED)
        place = None if at is None else Place(at.time, int(at.tie), at.done)
        rows, after = Raw(self.store, self.tenant).log_rows(wanted, limit, place)
        return rows, _log_place(after)

    def _spans(self, wanted: Any, limit: int, at: _Place | None) -> tuple[list[Any], tuple[int, str, int] | None]:
        place = None if at is None else Place(at.time, at.tie, at.done)
        rows, after = Raw(self.store, self.tenant).span_rows(wanted, limit, place)
        return rows, (after.time, str(after.tie), after.done) if after else None

    def _series(self, wanted: Any, limit: int, at: _Place | None) -> tuple[list[Any], tuple[int, str, int] | None]:
        behind = ("", 0) if at is None else (at.tie, at.done)
        rows, after = Raw(self.store, self.tenant).series_rows(wanted, limit, behind)
        return rows, (0, after[0], after[1]) if after else None

    def _selection(self, signal: dict[str, Any]) -> Selection:
        known = self.reader.rows("entity_get", {"type": signal["entity_type"], "name": signal["entity_name"]})
        return selection(
            signal["rule"],
            signal["family"],
            signal["kind"],
            signal["entity_name"],
            known[0]["aliases"] if known else [],
            signal["onset"],
            signal["until"],
            json.loads(signal["evidence"]) if signal["evidence"] else None,
        )


def _log_place(after: Place | None) -> tuple[int, str, int] | None:
    return (after.time, str(after.tie), after.done) if after else None


def _log_queries(chosen: Selection) -> Iterator[LogQuery]:
    """From what is quoted to whatever is about the entity; two by two, of which the second has wider names."""
    everywhere = [*chosen.names, *chosen.places]
    if not chosen.logs:
        return
    wanted = LogQuery(Range(chosen.start, chosen.end), sources=chosen.logs, names=everywhere, newest=False)
    if chosen.quotes:
        yield replace(wanted, quotes=chosen.quotes)
        # The kernel's lines name a device by its address, and collectors may not name the node at all.
        yield replace(wanted, quotes=chosen.quotes, names=[])
    yield replace(wanted, names=chosen.names)
    if chosen.places:
        yield wanted


def _span_queries(chosen: Selection) -> Iterator[SpanQuery]:
    if not chosen.spans:
        return
    about = SpanQuery(Range(chosen.start, chosen.end), names=chosen.names, failed=chosen.failed, newest=False)
    if chosen.traces:
        yield replace(about, traces=chosen.traces)
        yield replace(about, traces=chosen.traces, names=[], failed=False)
    if chosen.only_spans:
        yield about
        yield replace(about, names=[*chosen.names, *chosen.places])


def _series_queries(chosen: Selection) -> Iterator[SeriesQuery]:
    if not chosen.series:
        return
    within = Range(chosen.series_start, chosen.end)
    about = SeriesQuery(within, metrics=chosen.metrics, pattern=chosen.pattern, names=chosen.names)
    yield about
    if chosen.places:
        yield replace(about, names=chosen.places)


def _sought(signal: dict[str, Any], chosen: Selection) -> records.Sought:
    return records.Sought(
        signal_id=signal["signal_id"],
        kind=signal["kind"],
        rule=signal["rule"],
        start=format_time(chosen.start),
        end=format_time(chosen.end),
        sources=chosen.sources,
        names=[*chosen.names, *chosen.places],
        quotes=chosen.quotes,
        traces=chosen.traces,
        metrics=chosen.metrics,
    )
