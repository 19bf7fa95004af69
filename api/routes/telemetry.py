"""Raw telemetry, with limits: logs, spans, traces and series, and what is behind signals and incidents."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import Wired
from api.errors import BadParameter
from api.protocol.parameters import Cursor, Name, PageSize, Pairs, Text, TimeRange, pairs
from api.reads import records
from api.reads.evidence import KINDS, Proof
from api.reads.raw import LogQuery, Raw, SeriesQuery, SpanQuery, most_steps

router = APIRouter(prefix="/api/v1", tags=["telemetry"])


class Order(StrEnum):
    """In which order records come."""

    NEWEST = "newest"
    OLDEST = "oldest"


class Status(StrEnum):
    """A span's status as it was sent."""

    OK = "ok"
    ERROR = "error"
    UNSET = "unset"


class Figure(StrEnum):
    """Which figure of a step's values is shown."""

    AVG = "avg"
    MIN = "min"
    MAX = "max"
    LAST = "last"


class Kind(StrEnum):
    """A kind of record."""

    LOG = "log"
    SPAN = "span"
    SERIES = "series"


Sort = Annotated[Order, Query(description="newest first, or oldest first.")]
Kinds = Annotated[list[Kind] | None, Query(description="log, span or series; may be repeated.", max_length=len(KINDS))]
FewSeries = Annotated[int, Query(ge=1, le=100, description="Series on a page, 1 to 100.")]
Attr = Annotated[
    Pairs, Query(description="KEY=VALUE of an attribute, the record's or its resource's; may be repeated.")
]
TraceId = Annotated[str, Query(max_length=64, pattern=r"^[0-9a-fA-F]*$", description="Only records of this trace.")]


def _reader(wired: Wired) -> Raw:
    return Raw(wired.reader.store, wired.reader.tenant)


@router.get("/logs", summary="Search log records")
def search_logs(
    wired: Wired,
    within: TimeRange,
    service: Annotated[Text, Query(description="Only records of this service.")] = "",
    severity: Annotated[int, Query(ge=0, le=24, description="Least severity number: 9 info, 13 warn, 17 error.")] = 0,
    text: Annotated[Text, Query(description="Text that the body holds, in any case.")] = "",
    attribute: Attr = None,
    trace_id: TraceId = "",
    order: Sort = Order.NEWEST,
    limit: PageSize = 100,
    cursor: Cursor = None,
) -> records.LogPage:
    """Log records of at most seven days that match every filter."""
    keys, values = pairs(attribute, "attribute")
    wanted = LogQuery(
        within, service, trace_id.lower(), severity, text, keys=keys, values=values, newest=order is Order.NEWEST
    )
    return _reader(wired).logs(wanted, limit, cursor)


@router.get("/spans", summary="Search spans")
def search_spans(
    wired: Wired,
    within: TimeRange,
    service: Annotated[Text, Query(description="Only spans of this service.")] = "",
    name: Annotated[Text, Query(description="Only spans of this name.")] = "",
    status: Annotated[Status | None, Query(description="Only spans whose status says this.")] = None,
    failed: Annotated[bool, Query(description="Only spans that rules take for failed calls.")] = False,
    min_duration_ms: Annotated[float, Query(ge=0, le=1e9, description="Only spans that took this long.")] = 0.0,
    attribute: Attr = None,
    order: Sort = Order.NEWEST,
    limit: PageSize = 100,
    cursor: Cursor = None,
) -> records.SpanPage:
    """Spans that began in the range and match every filter."""
    keys, values = pairs(attribute, "attribute")
    wanted = SpanQuery(
        within, service, name, status or "", failed, round(min_duration_ms * 1e6),
        keys=keys, values=values, newest=order is Order.NEWEST,
    )  # fmt: skip
    return _reader(wired).spans(wanted, limit, cursor)


@router.get("/traces/{trace_id}", summary="One trace")
def get_trace(trace_id: Name, wired: Wired, limit: PageSize = 1000, cursor: Cursor = None) -> records.Trace:
    """Spans of a trace, by its id in hexadecimal, in the order in which they began."""
    return _reader(wired).trace(trace_id.lower(), limit, cursor)


@router.get("/series", summary="Metric series with their values")
def search_series(
    wired: Wired,
    within: TimeRange,
    metric: Annotated[
        str,
        Query(min_length=1, max_length=400, pattern=r"^[^\x00]*$", description="Name of the metric.", examples=["up"]),
    ],
    label: Annotated[Pairs, Query(description="KEY=VALUE of a label or resource attribute; may be repeated.")] = None,
    step: Annotated[
        float | None,
        Query(ge=0.001, le=604800, description="Seconds of a step; a hundredth of the range unless given."),
    ] = None,
    figure: Annotated[Figure, Query(description="What is shown of a step's values.")] = Figure.AVG,
    limit: FewSeries = 20,
    cursor: Cursor = None,
) -> records.SeriesPage:
    """Series of one metric, one point for each step that has values; at most a thousand steps."""
    keys, values = pairs(label, "label")
    step_ns = 0 if step is None else round(step * 1e9)
    if step_ns and most_steps(within, step_ns):
        raise BadParameter("step", "more than a thousand steps; ask for longer ones or a shorter range")
    wanted = SeriesQuery(within, [metric], keys=keys, values=values, step_ns=step_ns, figure=figure)
    return _reader(wired).series(wanted, limit, cursor)


@router.get("/signals/{signal_id}/evidence", summary="The records behind one signal")
def signal_evidence(
    signal_id: Name, wired: Wired, kind: Kinds = None, limit: PageSize = 100, cursor: Cursor = None
) -> records.EvidencePage:
    """Log lines, events, spans and windows of series that the signal was made of, oldest first.

    They are found again by the sources of the signal's rule, its entity and time, and what its evidence quotes;
    `sought` says how.
    """
    proof = Proof(wired.reader)
    return proof.of_signal(signal_id, sorted(set(kind or KINDS)), limit, cursor)


@router.get("/incidents/{incident_id}/evidence", summary="The records behind an incident's signals")
def incident_evidence(
    incident_id: Name, wired: Wired, kind: Kinds = None, limit: PageSize = 100, cursor: Cursor = None
) -> records.EvidencePage:
    """The same for every signal of an incident, causes first.

    A page may be shorter than asked for; follow the cursor.
    """
    proof = Proof(wired.reader)
    return proof.of_incident(incident_id, sorted(set(kind or KINDS)), limit, cursor)
