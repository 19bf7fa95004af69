"""Raw telemetry of one tenant, read in pages: logs, spans, traces and series."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

from api.errors import BadParameter, NotFound
from api.protocol.cursor import decode_key, encode_cursor, scope
from api.protocol.parameters import Range
from api.reads import records
from api.times import EARLIEST_NS, LATEST_NS, format_time
from store import Store
from store.series import METRIC_KINDS

_NS = 10**9
_MOST_POINTS = 1000
_INT64, _MOST_EQUAL = 2**63, 100_000
_OBJECTS = {"k8s_events", "k8s_objects"}
_FIGURES = {"avg": "mean", "min": "least", "max": "greatest", "last": "last"}


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which log records are wanted; empty values mean "any". `newest` first, or in time order."""

    within: Range
    service: str = ""
    trace: str = ""
    severity: int = 0
    text: str = ""
    sources: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    quotes: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    newest: bool = True


@dataclass(frozen=True, slots=True)
class SpanQuery:
    """Which spans are wanted; empty values mean "any"."""

    within: Range
    service: str = ""
    name: str = ""
    status: str = ""
    failed: bool = False
    min_ns: int = 0
    traces: list[str] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    newest: bool = True


@dataclass(frozen=True, slots=True)
class SeriesQuery:
    """Which series are wanted, and in what steps (ns; 0 chooses); `figure` of a step's values is shown."""

    within: Range
    metrics: list[str] = field(default_factory=list)
    pattern: str = ""
    names: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    values: list[str] = field(default_factory=list)
    step_ns: int = 0
    figure: str = "avg"


class Place(NamedTuple):
    """Where a page of records begins: the last row's sort key, and how many rows with just that key are done."""

    time: int
    tie: int | str
    done: int


@dataclass(frozen=True, slots=True)
class Raw:
    """Reads one tenant's telemetry. Every read raises BadParameter for a cursor that another query made."""

    store: Store
    tenant: str

    def logs(self, wanted: LogQuery, limit: int, cursor: str | None) -> records.LogPage:
        """One page of log records."""
        of = scope(self.tenant, "logs", asdict(wanted))
        place = Place(*decode_key(cursor, of, (int, int, int))) if cursor else None
        rows, after = self.log_rows(wanted, limit, place)
        return records.LogPage(logs=rows, next_cursor=encode_cursor(after, of) if after else None)

    def log_rows(
        self, wanted: LogQuery, limit: int, place: Place | None
    ) -> tuple[list[records.LogRecord], Place | None]:
        """Records from `place` on, and where the next page begins."""
        params = self._log_params(wanted, limit, place)
        page, after = _page(self.store.rows("log_search", params), limit, place, "hash", int(params["sign"]))
        return [_log(row) for row in page], after

    def narrowest_logs(
        self, narrow: LogQuery, wide: LogQuery, limit: int
    ) -> tuple[list[records.LogRecord], Place | None, bool]:
        """The first page of `narrow`, or of `wide` where that finds nothing, and whether it is the former's.

        They differ in names only, and one look at the records finds both.
        """
        params = self._log_params(wide, limit, None) | {"nearer": narrow.names}
        rows = self.store.rows("log_search", params)
        near = [row for row in rows if row["preferred"]]
        page, after = _page(near or rows, limit, None, "hash", int(params["sign"]))
        return [_log(row) for row in page], after, bool(near)

    def _log_params(self, wanted: LogQuery, limit: int, place: Place | None) -> dict[str, Any]:
        params = _common(self.tenant, wanted.within, wanted.names, wanted.keys, wanted.values, limit, place)
        params |= {"service": wanted.service, "trace": wanted.trace, "severity": wanted.severity, "text": wanted.text}
        params |= {"sources": wanted.sources, "quotes": wanted.quotes, "sign": -1 if wanted.newest else 1}
        objects = not wanted.sources or not _OBJECTS.isdisjoint(wanted.sources)
        return params | {"from_hash": place.tie if place else 0, "bodies": wanted.names if objects else []}

    def spans(self, wanted: SpanQuery, limit: int, cursor: str | None) -> records.SpanPage:
        """One page of spans."""
        of = scope(self.tenant, "spans", asdict(wanted))
        place = Place(*decode_key(cursor, of, (int, str, int))) if cursor else None
        rows, after = self.span_rows(wanted, limit, place)
        return records.SpanPage(spans=rows, next_cursor=encode_cursor(after, of) if after else None)

    def span_rows(self, wanted: SpanQuery, limit: int, place: Place | None) -> tuple[list[records.Span], Place | None]:
        """Spans from `place` on, and where the next page begins."""
        params = _common(self.tenant, wanted.within, wanted.names, wanted.keys, wanted.values, limit, place)
        params |= {"service": wanted.service, "name": wanted.name, "status": wanted.status.lower()}
        params |= {"failed": int(wanted.failed), "min_ns": wanted.min_ns, "traces": wanted.traces}
        params |= {"sign": -1 if wanted.newest else 1, "from_id": place.tie if place else ""}
        rows = self.store.rows("span_search", params)
        for row in rows:
            row["tie"] = row["span_id"] + row["trace_id"]
        page, after = _page(rows, limit, place, "tie", int(params["sign"]))
        return [_span(row) for row in page], after

    def trace(self, trace_id: str, limit: int, cursor: str | None) -> records.Trace:
        """A trace's spans in the order in which they began. Raises NotFound."""
        found = self.store.rows("trace_bounds", {"tenant": self.tenant, "trace": trace_id})
        if not found:
            raise NotFound(f"there is no trace {trace_id[:100]!r}")
        within = Range(int(found[0]["start"]), int(found[0]["end"]))
        page = self.spans(SpanQuery(within, traces=[trace_id], newest=False), limit, cursor)
        return records.Trace(
            trace_id=trace_id,
            start=format_time(within.start),
            end=format_time(within.end),
            services=sorted({span.service for span in page.spans}),
            spans=page.spans,
            next_cursor=page.next_cursor,
        )

    def series(self, wanted: SeriesQuery, limit: int, cursor: str | None) -> records.SeriesPage:
        """One page of series with their values."""
        of = scope(self.tenant, "series", asdict(wanted))
        metric, series = decode_key(cursor, of, (str, int)) if cursor else ("", 0)
        rows, after = self.series_rows(wanted, limit, (metric, series))
        return records.SeriesPage(series=rows, next_cursor=encode_cursor(after, of) if after else None)

    def series_rows(
        self, wanted: SeriesQuery, limit: int, after: tuple[str, int]
    ) -> tuple[list[records.Series], tuple[str, int] | None]:
        """Series behind `after` (metric, hash), and behind which the next page begins."""
        window = {"tenant": self.tenant, "start": wanted.within.start, "end": wanted.within.end}
        params = window | {"metrics": wanted.metrics, "pattern": wanted.pattern, "names": wanted.names}
        params |= {"keys": wanted.keys, "values": wanted.values, "limit": limit + 1}
        found = self.store.rows("series_search", params | {"from_metric": after[0], "from_series": after[1]})
        page = found[:limit]
        step = wanted.step_ns or _step(wanted.within)
        values: dict[int, list[records.Point]] = {}
        if page:
            chosen = {"metrics": sorted({row["metric"] for row in page}), "step": step}
            kinds = {kind: [row["series"] for row in page if kind in row["kinds"]] for kind in METRIC_KINDS}
            for row in self.store.rows("series_values", window | chosen | kinds):
                values.setdefault(row["series"], []).append(_point(row, wanted.figure))
        more = (page[-1]["metric"], page[-1]["series"]) if len(found) > limit else None
        return [_series(row, step, values.get(row["series"], [])) for row in page], more


def _common(
    tenant: str, within: Range, names: list[str], keys: list[str], values: list[str], limit: int, place: Place | None
) -> dict[str, Any]:
    start, end = max(within.start, EARLIEST_NS), min(within.end, LATEST_NS)
    if place is not None and not (abs(place.time) < _INT64 and 0 <= place.done <= _MOST_EQUAL):
        raise BadParameter("cursor", "not a cursor that this API handed out for this query")
    if place is not None and isinstance(place.tie, int) and not 0 <= place.tie < 2 * _INT64:
        raise BadParameter("cursor", "not a cursor that this API handed out for this query")
    return {
        "tenant": tenant, "start": start, "end": end, "names": names, "keys": keys, "values": values,
        "from_time": place.time if place else 0, "limit": limit + 1 + (place.done if place else 0),
    }  # fmt: skip


def _page(
    rows: list[dict[str, Any]], limit: int, place: Place | None, tie: str, sign: int
) -> tuple[list[dict[str, Any]], Place | None]:
    """`limit` rows behind the ones already seen, and the next page's place: records can be equal in everything."""
    rest = rows[place.done :] if place else rows
    page = rest[:limit]
    if len(rest) <= limit:
        return page, None
    last = page[-1]
    same = sum(1 for row in page if row["time"] == last["time"] and row[tie] == last[tie])
    going_on = place is not None and same == len(page) and (place.time, place.tie) == (sign * last["time"], last[tie])
    done = same + (place.done if going_on and place else 0)
    return page, Place(sign * int(last["time"]), last[tie], done)


def _step(within: Range) -> int:
    """A step of whole seconds that cuts the range into about a hundred."""
    return max(1, -(-(within.end - within.start) // (100 * _NS))) * _NS


def most_steps(within: Range, step_ns: int) -> bool:
    """Whether the range has more steps than an answer may have points of a series."""
    return (within.end - within.start) // step_ns >= _MOST_POINTS


def _log(row: dict[str, Any]) -> records.LogRecord:
    told = ("source", "service", "severity", "severity_number", "body", "event_name", "trace_id", "span_id", "scope")
    return records.LogRecord(
        time=format_time(row["time"]),
        attributes=_attributes(row["attributes"]),
        resource=_attributes(row["resource"]),
        **{name: row[name] for name in told},
    )


def _span(row: dict[str, Any]) -> records.Span:
    told = (
        "trace_id",
        "span_id",
        "parent_id",
        "service",
        "name",
        "kind",
        "duration_ms",
        "status",
        "status_message",
        "scope",
    )
    return records.Span(
        time=format_time(row["time"]),
        failed=bool(row["failed"]),
        attributes=_attributes(row["attributes"]),
        resource=_attributes(row["resource"]),
        events=[
            records.SpanEvent(time=format_time(int(at)), name=name, attributes=attributes)
            for at, name, attributes in json.loads(row["events"])
        ],
        links=[records.SpanLink(trace_id=trace, span_id=span) for trace, span in json.loads(row["links"])],
        **{name: row[name] for name in told},
    )


def _series(row: dict[str, Any], step: int, points: list[records.Point]) -> records.Series:
    return records.Series(
        labels=_attributes(row["labels"]),
        resource=_attributes(row["resource"]),
        step_s=step / _NS,
        points=points,
        kind=row["kinds"][0],
        **{name: row[name] for name in ("metric", "unit", "service")},
    )


def _point(row: dict[str, Any], figure: str) -> records.Point:
    return records.Point(
        time=format_time(row["time"]),
        value=_finite(row[_FIGURES[figure]]),
        min=_finite(row["least"]),
        max=_finite(row["greatest"]),
    )


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _attributes(text: str) -> dict[str, str]:
    found: dict[str, str] = json.loads(text)
    return found
