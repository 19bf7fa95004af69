"""Requests that fail, from counters that carry a status.

Signal: metric.errors on the most specific entity of the series.
Condition: per minute, the share of counts whose status says failure (HTTP 5xx, DNS SERVFAIL or REFUSED, gRPC
UNAVAILABLE, error types, aborted requests) is far above the entity's own past; at least five requests. A 4xx
is the client's.
Why it matters: a status that has never occurred has no series to compare with, so a shift of it is invisible;
the ratio of errors to everything has a past of zero.
Source: https://opentelemetry.io/docs/specs/semconv/http/http-metrics/
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import EVIDENCE, calibrate, episodes
from correlate.frames import Frames
from correlate.identity import most_specific
from correlate.rule import Rule
from correlate.sightings import EXPORTED

BUCKET_S = 60.0
_STATUS = (
    "http.response.status_code",
    "http.status_code",
    "status_code",
    "status",
    "code",
    "response_code",
    "rcode",
    "grpc.status_code",
    "error.type",
    "finished_reason",
)
# Server-side failures only: a client that asks for nonsense (4xx) is not our fault.
_ERRORS = (
    r"(?i)^(?:5\d\d|5xx|servfail|refused|notimp|unavailable|internal|deadline_exceeded|failed|abort"
    r"|\S*(?:error|exception|timeout)\S*)$"
)
# DNS says NOERROR.
_FINE = r"(?i)^no[_ ]?error$"
_COUNTS = r"(?i)(?:request|response|call|rpc|quer|duration|success|decision|operation)"
_MIN_REQUESTS = 5.0
# One bucket's ratio may be off by this much without meaning anything.
_FLOOR = 0.03
_NEW_S = 180
_MIN_PAST = 5


def _tallies(frames: Frames) -> pl.LazyFrame:
    """`entity_type, entity, metric, bucket, errors, total` counts per bucket of series with a status."""
    label = pl.col("labels")
    status = pl.coalesce(*(label.str.json_path_match(f"$['{name}']").replace("", None) for name in _STATUS))
    kind, name = most_specific()
    counted = (pl.col("type").is_in(["sum", "delta_sum"]) & pl.col("monotonic")) | (pl.col("type") == "histogram")
    series = (
        frames["metric_series"]
        .filter(counted, pl.col("metric").str.contains(_COUNTS))
        .with_columns(
            status=status,
            service=pl.when(pl.col("metric").str.contains(EXPORTED)).then(pl.lit("")).otherwise("service"),
        )
        .filter(pl.col("status").is_not_null())
        .select(
            "series",
            "metric",
            "type",
            entity_type=kind,
            entity=name,
            bad=pl.col("status").str.contains(_ERRORS) & ~pl.col("status").str.contains(_FINE),
        )
        .filter(pl.col("entity") != "")
    )
    points = pl.concat(
        [
            frames["metric_points"].select("series", "time", count="value", delta=pl.lit(value=False)),
            frames["histogram_points"].select("series", "time", "count", "delta"),
        ]
    )
    born = pl.lit(frames.since).cast(pl.Datetime("ns", "UTC")) + pl.duration(seconds=_NEW_S)
    before = pl.col("count").shift(1).over("series")
    # A counter that appears while we watch has counted from zero.
    step = (
        pl.when(pl.col("delta") | (pl.col("type") == "delta_sum"))
        .then("count")
        .when(before.is_null())
        .then(pl.when(pl.col("time") > born).then("count").otherwise(0.0))
        .when(pl.col("count") >= before)
        .then(pl.col("count") - before)
        .otherwise("count")
    )
    return (
        points.join(series, on="series")
        .sort("series", "time")
        .with_columns(step=step)
        .group_by("entity_type", "entity", "metric", pl.col("time").dt.truncate(f"{round(BUCKET_S)}s").alias("bucket"))
        .agg(
            pl.col("step").filter("bad").sum().alias("errors"),
            pl.col("step").sum().alias("total"),
            pl.col("time").max().alias("last"),
        )
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Entities whose share of failed requests left its past, seen in the window."""
    counts = [pl.col(name).round(0).cast(pl.Int64) for name in ("errors", "total")]
    ratio = (
        _tallies(frames)
        .filter(pl.col("total") >= _MIN_REQUESTS)
        # Shrunk towards zero, so that one error among five requests is not twenty per cent.
        .with_columns(value=pl.col("errors") / (pl.col("total") + 10.0))
        .sort("value", "metric", descending=True)
        .group_by("entity_type", "entity", "bucket")
        .agg(pl.col("value", "metric", "errors", "total", "last").first())
        .select(
            "entity_type", "entity", "bucket", "value", "last",
            kind=pl.lit("metric.errors"),
            stat="value",
            baseline=pl.lit(0.0),
            direction=pl.lit(1, pl.Int8),
            explanation=pl.format("{} of {} requests at {} failed ({})", *counts, "entity", "metric"),
            evidence=pl.struct("metric", "errors", "total").struct.json_encode(),
        )
    )  # fmt: skip
    nth = pl.col("bucket").rank("ordinal").over("entity_type", "entity")
    # Without a past nothing can be said to be unusual.
    found = calibrate(ratio, floor=_FLOOR, relative=0.5).filter(nth > _MIN_PAST)
    return episodes(found.select(*EVIDENCE, "last").cast(pl.Schema(EVIDENCE)), frames, bucket_s=BUCKET_S)


RULE = Rule("metric_errors", "metric", ("metric_series", "metric_points", "histogram_points"), detect, _COUNTS)
