"""What rules may read: flat, typed frames of one tenant's telemetry in one stretch of time.

Each frame is a named query of the store (store/sql/NAME.sql) taking tenant, start and end, so
map look-ups and the joining of vocabularies happen in SQL and rules see plain columns. Text
columns are '' where the telemetry says nothing, never null.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import polars as pl

from correlate import hours, levels
from correlate.hours import HOUR_NS
from correlate.signals import TIME
from store import Store, Window

S, F = pl.String(), pl.Float64()

FRAMES: dict[str, dict[str, pl.DataType]] = {
    # Spans. duration_ms in milliseconds; kind as the exporter writes it ('Server', 'Client', 'Internal', ...);
    # peer is server.address / peer.service; model is gen_ai.request.model.
    "spans": {
        "time": TIME, "trace_id": S, "span_id": S, "parent_id": S, "service": S, "version": S, "pod": S, "node": S,
        "workload": S, "name": S, "kind": S, "duration_ms": F, "error": pl.Boolean(), "error_type": S, "peer": S,
        "model": S,
    },
    # Application and container logs: everything but kernel lines, Kubernetes events and evaluations.
    "logs": {
        "time": TIME, "service": S, "pod": S, "node": S, "workload": S, "container": S, "severity": pl.Int32(),
        "body": S, "scope": S, "trace_id": S, "span_id": S,
    },
    # Lines of the kernel's ring buffer or journal, by content or source; node is where they were written.
    "kernel_logs": {"time": TIME, "node": S, "severity": pl.Int32(), "body": S},
    # Kubernetes events of both collector shapes (k8s_events and k8sobjects); time is when it happened.
    "k8s_events": {
        "time": TIME, "reason": S, "type": S, "object_kind": S, "object": S, "object_uid": S, "namespace": S, "node": S,
        "message": S, "fieldpath": S, "count": pl.Int64(), "source": S,
    },
    # Facts of watched pods and nodes: what is condition, restarts, waiting, terminated, device, taint, cordon or phase;
    # item is what the fact is about (a condition's type, a container, a device, a taint's key). number counts restarts,
    # and is the exit code of a terminated container.
    "k8s_objects": {
        "time": TIME, "kind": S, "name": S, "namespace": S, "uid": S, "node": S, "what": S, "item": S, "state": S,
        "detail": S, "number": F,
    },
    # gen_ai.evaluation.result events; score is null when only a label was given.
    "evaluations": {
        "time": TIME, "name": S, "score": F, "label": S, "model": S, "response_id": S, "trace_id": S, "service": S,
        "pod": S, "version": S,
    },
    # Alerts that Alertmanager sent; started is when one says that it began, the entities are what its labels name.
    "alerts": {
        "time": TIME, "name": S, "status": S, "severity": S, "started": TIME, "summary": S, "fingerprint": S, "gpu": S,
        "pod": S, "node": S, "workload": S, "service": S, "model": S,
    },
    # Calls of models and guardrails; tokens are null where unknown, decision is allow, modify or block where a
    # guardrail spoke, pool is the node pool or the kind of accelerator.
    "gen_ai_calls": {
        "time": TIME, "trace_id": S, "service": S, "version": S, "pod": S, "node": S, "pool": S, "route": S, "model": S,
        "response_model": S, "provider": S, "input_tokens": F, "output_tokens": F, "decision": S,
    },
    # Deployments, commits and feature-flag changes; id names the change, detail is what it touched.
    "changes": {
        "time": TIME, "what": S, "service": S, "id": S, "revision": S, "version": S, "title": S, "detail": S,
    },
    # One row per metric series with its identity in every vocabulary we join (OTel, Prometheus, DCGM), and its first
    # and last point in the frame's time.
    "metric_series": {
        "series": pl.UInt64(), "metric": S, "unit": S, "type": S, "monotonic": pl.Boolean(), "service": S, "node": S,
        "pod": S, "namespace": S, "workload": S, "workload_kind": S, "container": S, "gpu": S, "gpu_bdf": S,
        "gpu_index": S, "model": S, "version": S, "zone": S, "image": S, "labels": S, "first": TIME, "last": TIME,
        "samples": pl.Int64(),
    },
    # Whole hours of metrics that drift slowly, for up to four weeks; only in passes that reach a full hour. mean is of
    # gauges and of histograms' observations, growth of counters; spread is the gauges' standard deviation.
    "hourly_metrics": {
        "series": pl.UInt64(), "metric": S, "type": S, "service": S, "version": S, "node": S, "pod": S, "workload": S,
        "model": S, "gpu": S, "labels": S, "hour": TIME, "mean": F, "spread": F, "growth": F, "samples": F,
    },
    # Gauges that moved without pause or vary more than before, over the last four hours; only in passes that reach a
    # full hour. rose and rise are what a line through the first and the second two hours moves by, steadiness is how
    # well it fits the second (-1..1), usual_jump and jump are steps between values, of the last hour and before it.
    "metric_trends": {
        "series": pl.UInt64(), "before": F, "now": F, "rose": F, "rise": F, "steadiness": F, "usual_jump": F, "jump": F,
    },
    # Points of gauges and sums (raw value; cumulative sums are not yet rates), of the metrics that a rule asks for.
    "metric_points": {"series": pl.UInt64(), "time": TIME, "value": F},
    # Points of histograms, exponential histograms and summaries (cumulative unless delta is true), as for points.
    "histogram_points": {"series": pl.UInt64(), "time": TIME, "count": F, "sum": F, "delta": pl.Boolean()},
    # Any metric series that may have shifted, a value a minute (correlate.levels); time is the minute's last sample.
    # What is not judged cannot have shifted: a row that only says how much was asked of its entity.
    "metric_levels": {"series": pl.UInt64(), "bucket": TIME, "time": TIME, "value": F, "judged": pl.Boolean()},
    # The slow end of what histograms observed, the 95th percentile of a minute, as far as it may have shifted.
    "metric_tails": {"series": pl.UInt64(), "bucket": TIME, "time": TIME, "value": F},
}  # fmt: skip
"""Frame name -> columns and types. The .sql file of that name must return exactly these."""


REDUCED = ("metric_levels", "metric_tails")
"""Frames made of every series, in as many parts as are asked for."""

SLOW = {"hourly_metrics": 28 * 24 * HOUR_NS, "metric_trends": 4 * HOUR_NS}
"""Frames that reach back this many nanoseconds, and that only passes with a full hour in them read."""


@dataclass(frozen=True, slots=True)
class Frames:
    """The frames of one pass. `window` is what is being judged; rows reach back to `since`.

    A rule reports only what it saw inside `window`; the rows before it are its history. Of many spans the frame has
    those of one trace in `traces_one_in`.
    """

    window: Window
    since: int
    tables: dict[str, pl.LazyFrame] = field(default_factory=dict)
    traces_one_in: int = 1

    def __getitem__(self, name: str) -> pl.LazyFrame:
        """The named frame; empty, with its columns, when there was nothing to read."""
        return self.tables[name] if name in self.tables else pl.LazyFrame(schema=FRAMES[name])

    @property
    def start(self) -> pl.Expr:
        """Start of the judged window as a time literal."""
        return pl.lit(self.window.start).cast(TIME)

    @property
    def end(self) -> pl.Expr:
        """End of the judged window as a time literal."""
        return pl.lit(self.window.end).cast(TIME)


# Queries of a pass that run side by side; each may hold a table of its own in memory.
_AT_ONCE = 2


def full_hour(window: Window) -> int | None:
    """The last full hour (ns since 1970) inside the window, if there is one: when slow frames are read."""
    hour = (window.end - 1) // HOUR_NS * HOUR_NS
    return hour if hour >= window.start else None


def load(
    store: Store,
    tenant: str,
    window: Window,
    history_s: float,
    names: Iterable[str] = tuple(FRAMES),
    *,
    metrics: str = "",
    shards: int = 1,
    max_spans: int = 0,
) -> Frames:
    """Read the named frames for `window` and `history_s` seconds before it, each table once.

    `metrics` is a regular expression of the metrics whose points are read ('' is all); `shards` says in how many
    parts series are reduced to levels: more take less memory at a time and give the same frame.
    Where there are more than `max_spans` spans (0 is no limit), whole traces are left out, chosen by their ids.
    """
    since = window.start - int(history_s * 1e9)
    params: dict[str, str | int] = {"tenant": tenant, "start": since, "end": window.end, "metrics": metrics}
    wanted = list(names)
    if {"metric_series", *REDUCED} & set(wanted):
        # Names and labels are read from points once, when a series is first met.
        store.execute("learn_series", params)
    if "metric_tails" in wanted and not store.rows("histograms_known", {"tenant": tenant})[0]["known"]:
        wanted.remove("metric_tails")
    one_in = _traces_one_in(store, params, max_spans) if "spans" in wanted else 1
    params |= levels.params(window.start) | {"one_in": one_in}
    hour = full_hour(window)
    asked: dict[str, dict[str, str | int]] = {}
    for name in wanted:
        if name not in SLOW:
            asked[name] = params
        elif hour is not None:
            asked[name] = params | {"start": hour - SLOW[name], "end": hour}
            if name == "hourly_metrics":
                hours.learn(store, tenant, hour - SLOW[name], hour)

    def read(name: str) -> pl.LazyFrame:
        return _table(store, name, asked[name], shards if name in REDUCED else 1)

    # A query is mostly planned, by one thread of the engine's: two at a time take half as long.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        tables = dict(zip(asked, pool.map(read, asked), strict=True))
    return Frames(window=window, since=since, tables=tables, traces_one_in=one_in)


def _traces_one_in(store: Store, params: dict[str, str | int], max_spans: int) -> int:
    if not max_spans:
        return 1
    spans = int(store.rows("span_count", params)[0]["spans"])
    return max(1, -(-spans // max_spans))


def _table(store: Store, name: str, params: dict[str, str | int], shards: int) -> pl.LazyFrame:
    schema = pl.Schema(FRAMES[name])
    parts = [
        store.frame(name, params | {"shard": shard, "shards": shards}).select(*schema).cast(schema)
        for shard in range(shards)
    ]
    return parts[0] if shards == 1 else pl.concat(parts)
