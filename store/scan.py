"""Reading a table's window as a lazy frame."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import polars as pl

from store.client import Store, to_frame
from store.errors import QueryFailed
from store.settings import DEFAULT_TENANT

# The time column that bounds a scan, per table; a table missing here cannot be scanned.
TIME_COLUMN = {
    "otel_traces": "Timestamp",
    "otel_logs": "Timestamp",
    "otel_metrics_gauge": "TimeUnix",
    "otel_metrics_sum": "TimeUnix",
    "otel_metrics_histogram": "TimeUnix",
    "otel_metrics_exponential_histogram": "TimeUnix",
    "otel_metrics_summary": "TimeUnix",
    "signals": "Onset",
    "incidents": "StartedAt",
}
REPLACING = frozenset(
    {
        "signals", "incidents", "incident_signals", "entities", "entity_edges", "correlation_jobs",
        "incident_decisions", "incident_pins", "incident_feedback", "idempotent_answers", "notifications",
    }
)  # fmt: skip
_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_.]*$")


@dataclass(frozen=True, slots=True)
class Window:
    """A half-open span of time, [start, end), in nanoseconds since the epoch."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"window ends ({self.end}) before it starts ({self.start})")

    @classmethod
    def between(cls, start: datetime, end: datetime) -> Window:
        """The window between two aware datetimes."""
        return cls(to_nanos(start), to_nanos(end))

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return (self.end - self.start) / 1e9


def to_nanos(time: datetime) -> int:
    """Nanoseconds since the epoch of an aware datetime, exact to the microsecond."""
    delta = time.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return ((delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds) * 1_000


@dataclass(frozen=True, slots=True)
class Attr:
    """One key of a map column, as a column of its own: `Attr("LogAttributes", "k8s.event.reason", "reason")`."""

    column: str
    key: str
    name: str


def scan(
    store: Store,
    table: str,
    window: Window,
    columns: Sequence[str | Attr],
    *,
    tenant: str = DEFAULT_TENANT,
) -> pl.LazyFrame:
    """Rows of `table` whose time lies in `window`, only the named columns, as a lazy frame.

    Map keys travel as query parameters, so any key is safe. Raises QueryFailed for a table or
    column name that is not an identifier.
    """
    if table not in TIME_COLUMN:
        raise QueryFailed(f"table {table!r} cannot be scanned by time")
    params: dict[str, Any] = {"tenant": tenant, "start": window.start, "end": window.end}
    select = [_column(column, index, params) for index, column in enumerate(columns)]
    time = TIME_COLUMN[table]
    final = " FINAL" if table in REPLACING else ""
    text = (
        f"SELECT {', '.join(select)} FROM {table}{final} WHERE Tenant = {{tenant:String}}"
        f" AND {time} >= fromUnixTimestamp64Nano({{start:Int64}}) AND {time} < fromUnixTimestamp64Nano({{end:Int64}})"
    )
    return to_frame(store.arrow_text(text, params, what=f"scan of {table}")).lazy()


def _column(column: str | Attr, index: int, params: dict[str, Any]) -> str:
    if isinstance(column, Attr):
        if not _IDENTIFIER.match(column.column) or not _IDENTIFIER.match(column.name):
            raise QueryFailed(f"{column.column!r} or {column.name!r} is not a column name")
        params[f"key{index}"] = column.key
        return f"{column.column}[{{key{index}:String}}] AS {column.name}"
    if not _IDENTIFIER.match(column):
        raise QueryFailed(f"{column!r} is not a column name")
    return f"`{column}`"
