"""Telemetry rows written straight into the tables, in seconds after a fixed moment."""

from __future__ import annotations

import json
from typing import Any

from store import Store
from tests.kit.causal import nanos


def at(seconds: float) -> str:
    """A time as ClickHouse reads it."""
    whole, rest = divmod(nanos(seconds), 10**9)
    return f"{whole}.{rest:09d}"


def insert(store: Store, table: str, *rows: dict[str, Any]) -> None:
    """Rows of one table, of the default tenant unless they say another."""
    text = "\n".join(json.dumps({"Tenant": "default"} | row) for row in rows)
    store.command(f"INSERT INTO {table} FORMAT JSONEachRow {text}", settings={"date_time_input_format": "best_effort"})


def log(body: str, seconds: float, **columns: Any) -> dict[str, Any]:
    """A log record."""
    return {"Timestamp": at(seconds), "Body": body} | columns


def span(name: str, seconds: float, trace: str, number: int, **columns: Any) -> dict[str, Any]:
    """A span of a hundred milliseconds."""
    known = {"SpanName": name, "TraceId": trace, "SpanId": f"{number:016x}", "Duration": 100_000_000}
    return {"Timestamp": at(seconds), "SpanKind": "Server", "StatusCode": "Unset"} | known | columns


def gauge(metric: str, seconds: float, value: float, series: int = 1, **columns: Any) -> dict[str, Any]:
    """A point of a gauge."""
    return {"MetricName": metric, "TimeUnix": at(seconds), "Value": value, "SeriesHash": series} | columns
