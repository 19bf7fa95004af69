"""Model servers that fall behind, by the metrics of each engine.

Signal: serving.queue, serving.cache_full, serving.preemptions, serving.ttft, serving.tpot, serving.latency,
serving.failures or serving.transfer on the most specific entity of the series; quality.corrupted on a pod that counts
corrupted answers.
Condition: for two minutes in a row, the waiting queue is above five and four times its usual; the KV cache is 95 % full
and usually is not; preemptions, failed requests or failed transfers come at five times their usual rate and at least
one in five seconds; a latency is twice its usual. One corrupted answer suffices. What users wait for is a faint
symptom by itself, because load and rollouts cause it as well.
Why it matters: a shift of an unnamed metric says that something moved, these say what users wait for: a queue that
grows with a full cache is load, one that grows without is lost capacity. NaN in answers is a fault of hardware or
weights that no other metric shows.
Source: https://docs.vllm.ai/en/latest/usage/metrics.html and the others that the `serving` catalogue names
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.frames import Frames
from correlate.identity import most_specific
from correlate.rule import Rule
from correlate.series_values import values
from correlate.sessions import evidence_of, sessions
from correlate.usual import against_past

BUCKET = "60s"
SERVERS = r"^(?:vllm[:_]|sglang[:_]|nv_inference_|tgi_|request_predict_seconds|ray_serve_|gen_ai[._]server)"
"""Names of every metric in the `serving` catalogue, and of some more."""
_QUEUE, _QUEUE_FACTOR = 5.0, 4.0
_FULL, _NOT_FULL = 0.95, 0.85
_PER_S, _RATE_FACTOR = 0.2, 5.0
_SLOW_FACTOR, _SLOW_S = 2.0, {"ttft": 0.2, "tpot": 0.01, "latency": 0.2}
# A wave of requests or one replica less in a rollout makes users wait without a fault: by itself it opens no incident.
FAINT = 3.2
_KINDS = {
    "queue": ("serving.queue", FAINT, "requests wait"),
    "cache": ("serving.cache_full", FAINT, "the KV cache is full"),
    "preemption": ("serving.preemptions", FAINT, "requests are preempted"),
    "ttft": ("serving.ttft", FAINT, "first tokens take long"),
    "tpot": ("serving.tpot", FAINT, "tokens take long"),
    "latency": ("serving.latency", FAINT, "requests take long"),
    "failure": ("serving.failures", 5.5, "requests fail"),
    "transfer": ("serving.transfer", 6.0, "KV transfers fail"),
    "corrupted": ("quality.corrupted", 8.0, "answers are corrupted"),
}


def _series(frames: Frames) -> pl.LazyFrame:
    table = catalog.table("serving")
    name = pl.col("metric").str.replace_all(":", "_", literal=True).str.replace(r"_total$", "")
    what, unit = pl.lit(""), pl.lit(1.0)
    for pattern, meant, factor in table.iter_rows():
        what = pl.when(name.str.contains(pattern)).then(pl.lit(meant)).otherwise(what)
        unit = pl.when(name.str.contains(pattern)).then(float(factor)).otherwise(unit)
    kind, entity = most_specific()
    return (
        frames["metric_series"]
        .with_columns(what=what, unit_s=unit, entity_type=kind, entity=entity)
        .filter(pl.col("what") != "", pl.col("entity") != "")
    )


def _judged(frames: Frames) -> pl.LazyFrame:
    """Per entity, meaning and minute: the worst series' value against that entity's past."""
    series = _series(frames)
    keys = ("entity_type", "entity", "what")
    rows = values(frames, series, BUCKET).join(series.select("series", "metric", "unit_s", *keys), on="series")
    return against_past(
        rows.group_by(*keys, "bucket").agg(
            (pl.col("value") * pl.col("unit_s")).max().alias("value"),
            pl.col("time").max(),
            pl.col("metric").min(),
        ),
        keys,
    )


def _bad() -> pl.Expr:
    what, now, usual = pl.col("what"), pl.col("least_now"), pl.col("usual")
    often = (now >= _PER_S) & (now >= _RATE_FACTOR * usual)
    slow = (now >= _SLOW_FACTOR * usual) & (
        now - usual >= what.replace_strict(_SLOW_S, default=0.0, return_dtype=pl.Float64)
    )
    # A queue of a hundred that usually is thirty is no news by its factor, one that varies by as much even less.
    queue = (now >= _QUEUE) & (now >= _QUEUE_FACTOR * usual) & (now - usual >= 4 * pl.col("spread"))
    return (
        pl.when(what == "queue")
        .then(queue)
        .when(what == "cache")
        .then((now >= _FULL) & (usual < _NOT_FULL))
        .when(what == "corrupted")
        .then(pl.col("value") > 0)
        .when(what.is_in(list(_SLOW_S)))
        .then(slow)
        .otherwise(often)
        .fill_null(value=False)
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Servers in trouble in the window; onset is the first of the two minutes."""
    told = {n: pl.col("what").replace_strict({k: v[n] for k, v in _KINDS.items()}) for n in range(3)}
    entity_type = pl.col("entity_type")
    facts = (
        _judged(frames)
        .filter(_bad())
        .select(
            "time",
            onset=pl.col("bucket") - pl.duration(seconds=60),
            kind=told[0],
            entity_type=entity_type,
            entity="entity",
            score=told[1].cast(pl.Float64),
            direction=pl.lit(1),
            value="value",
            baseline="usual",
            explanation=pl.format(
                "{} on {}: {} (usually {})",
                told[2], "entity", pl.col("value").round(3), pl.col("usual").round(3).fill_null(0.0),
            ),
            evidence=evidence_of(metric="metric"),
        )
    )  # fmt: skip
    return sessions(facts, frames, gap_s=300.0)


RULE = Rule("serving_health", "metric", ("metric_series", "metric_points", "histogram_points"), detect, SERVERS)
