"""What raw telemetry looks like in answers: log records, spans, series. Times are RFC 3339, durations milliseconds."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, Field

Attributes = dict[str, str]


class LogRecord(BaseModel):
    """A log record as it is stored; `source` is the frame in which rules see it."""

    type: Literal["log"] = "log"
    time: str = Field(examples=["2026-03-02T08:26:17.260Z"])
    source: str = Field(
        description="logs, kernel_logs, k8s_events, k8s_objects, evaluations, changes or alerts",
        examples=["kernel_logs"],
    )
    service: str = Field(examples=["chat-gateway"])
    severity: str = Field(description="The severity's text as sent.", examples=["ERROR"])
    severity_number: int = Field(
        description="OTLP's severity number, or that of the text; 0 is unknown.", examples=[17]
    )
    body: str = Field(examples=["NVRM: Xid (PCI:0000:9b:00): 79, GPU has fallen off the bus."])
    event_name: str = ""
    trace_id: str = ""
    span_id: str = ""
    scope: str = ""
    attributes: Attributes = Field(default_factory=dict)
    resource: Attributes = Field(default_factory=dict)


class SpanEvent(BaseModel):
    """Something that happened inside a span."""

    time: str
    name: str
    attributes: Attributes = Field(default_factory=dict)


class SpanLink(BaseModel):
    """Another span that a span names."""

    trace_id: str
    span_id: str


class Span(BaseModel):
    """A span as it is stored; `failed` says whether rules take the call for a failed one."""

    type: Literal["span"] = "span"
    time: str
    trace_id: str = Field(examples=["4bf92f3577b34da6a3ce929d0e0e4736"])
    span_id: str = Field(examples=["00f067aa0ba902b7"])
    parent_id: str = Field(description="Empty for a root span.")
    service: str
    name: str
    kind: str = Field(examples=["Server"])
    duration_ms: float
    status: str = Field(examples=["Error"])
    status_message: str = ""
    failed: bool
    scope: str = ""
    attributes: Attributes = Field(default_factory=dict)
    resource: Attributes = Field(default_factory=dict)
    events: list[SpanEvent] = Field(default_factory=list)
    links: list[SpanLink] = Field(default_factory=list)


class Point(BaseModel):
    """A step of a series: the chosen figure of its values, and their least and greatest."""

    time: str
    value: float | None
    min: float | None
    max: float | None


class Series(BaseModel):
    """A metric series over a stretch of time; a histogram's or summary's values are means of what it counted."""

    type: Literal["series"] = "series"
    metric: str = Field(examples=["DCGM_FI_DEV_GPU_UTIL"])
    kind: str = Field(description="gauge, sum, histogram, exponential_histogram or summary", examples=["gauge"])
    unit: str
    service: str
    labels: Attributes = Field(default_factory=dict)
    resource: Attributes = Field(default_factory=dict)
    step_s: float = Field(description="Length of a step in seconds.")
    points: list[Point] = Field(default_factory=list)


class LogPage(BaseModel):
    """A page of log records; pass `next_cursor` as `cursor` for the following one."""

    logs: list[LogRecord]
    next_cursor: str | None


class SpanPage(BaseModel):
    """A page of spans."""

    spans: list[Span]
    next_cursor: str | None


class SeriesPage(BaseModel):
    """A page of series."""

    series: list[Series]
    next_cursor: str | None


class Trace(BaseModel):
    """Spans of one trace in the order in which they began."""

    trace_id: str
    start: str
    end: str
    services: list[str] = Field(description="Services of the spans on this page.")
    spans: list[Span]
    next_cursor: str | None


class EvidenceItem(BaseModel):
    """One record behind a signal."""

    signal_id: str
    record: Annotated[LogRecord | Span | Series, Field(discriminator="type")]


class Sought(BaseModel):
    """How the records behind a signal were chosen."""

    signal_id: str
    kind: str
    rule: str
    start: str
    end: str
    sources: list[str] = Field(description="The frames that the signal's rule reads.", examples=[["kernel_logs"]])
    names: list[str] = Field(description="Names of the entity, and places that the signal's evidence tells.")
    quotes: list[str] = Field(default_factory=list, description="Text that the signal's evidence quotes.")
    traces: list[str] = Field(default_factory=list)
    metrics: list[str] = Field(default_factory=list)


class EvidencePage(BaseModel):
    """A page of the log records, spans, events and series behind signals."""

    sought: list[Sought] = Field(description="One for each signal that this page looked at.")
    items: list[EvidenceItem]
    next_cursor: str | None
