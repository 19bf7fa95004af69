"""Any metric whose level moved away from its own past, up or down.

Signal: metric.shift on the most specific entity of the series, naming the strongest metrics; metric.traffic where
nothing but traffic fell, which is what a fault elsewhere does to an entity.
Condition: per series, the median of three minutes (or one sample, where samples are rarer) against the trailing
median of an hour or 60 samples, in units of max(1.4826 MAD, IQR / 1.349, its upper twentieth / 1.645, 10 % of the
median, 0.2 % for a share). Per entity, the sum of log1p of that over what its metrics measure (latency, errors,
traffic, saturation), so that many small movements add up and one idle series' noise does not. It must last two minutes.
Of a histogram the mean is judged or, where that moved further, the 95th percentile of minutes with 40 observations.
Latency and errors that fall are no symptom, and those of an entity without requests are none either.
Why it matters: no list of metrics is complete; most faults move something, and its own past is what every
series can be compared with.
Source: the scale is a robust one, https://en.wikipedia.org/wiki/Robust_measures_of_scale; levels and windows are
this project's, chosen on labelled data.
"""

from __future__ import annotations

import polars as pl

from correlate import golden
from correlate.episodes import EVIDENCE, episodes
from correlate.frames import Frames
from correlate.identity import most_specific
from correlate.levels import BEFORE_S, BUCKET_S, NOT_MEASURES, REQUESTS
from correlate.relations import call_ends
from correlate.rule import Rule
from correlate.shifts import NOTABLE, PACES, described, shifts, worth_a_look
from correlate.sightings import EXPORTED
from correlate.signals import TIME

# Metrics of one entity move together, and often: what moved beside the strongest counts by this divisor.
_ONE_FACT = 2.5
_SAME_MEANING = 0.25
# Of m meanings one moves by chance the sooner the larger m is; a single one's move is a fact of its own.
_PER_LOG_MEANINGS = 0.55
_MEASURED_FROM_OUTSIDE = 0.8
THRESHOLD = 3.0
# Tells the two values of one histogram apart, in the series and in what is said of it.
_TAIL, _P95 = 1 << 63, " p95"
# Samples further apart than this stand until the next one.
_SPARSE_S = 90.0
_LONGEST_S = 900.0


def _identified(frames: Frames) -> pl.LazyFrame:
    exported = pl.col("metric").str.contains(EXPORTED)
    own = (
        frames["metric_series"]
        .filter(~pl.col("metric").str.contains(NOT_MEASURES))
        .with_columns(service=pl.when(exported).then(pl.lit("")).otherwise("service"))
    )
    kind, name = most_specific()
    # Read by every pace: naming a hundred thousand series once is enough.
    return own.with_columns(entity_type=kind, entity=name).filter(pl.col("entity") != "").cache()


def _moved(frames: Frames) -> pl.LazyFrame:
    """Notable moves per series and bucket, with the series' description."""
    series = _identified(frames)
    rows = frames["metric_levels"]
    means = rows.filter("judged").drop("judged")
    tails = frames["metric_tails"].with_columns(_other_value())
    judged = pl.concat([means, tails])
    known = pl.concat(
        [
            described(means, series).with_columns(tail=pl.lit(value=False)),
            described(tails, series.with_columns(_other_value())).with_columns(
                metric=pl.col("metric") + _P95, tail=pl.lit(value=True)
            ),
        ]
    ).cache()
    failing = pl.when(pl.col("success") & pl.col("whole").is_not_null()).then(pl.col("whole") - pl.col("value"))
    kept = (
        judged.join(known, on="series")
        .with_columns(value=pl.coalesce(failing, "value"))
        .sort("series", "bucket")
        .cache()
    )
    parts = []
    since = frames.start - pl.duration(seconds=BEFORE_S)
    for pace, next_pace in zip(PACES, (*PACES[1:], None), strict=True):
        own = pl.col("every_s") >= pace.every_s
        if next_pace is not None:
            own &= pl.col("every_s") < next_pace.every_s
        parts.append(shifts(worth_a_look(kept.filter(own), pace, since), pace))
    up = pl.col("now") >= pl.col("usual")
    # A success that is no share counts for its fall; other errors and latency for their rise.
    symptom = (
        pl.when(pl.col("success") & pl.col("whole").is_null())
        .then(~up)
        .when(pl.col("meaning").is_in([golden.ERRORS, golden.LATENCY]))
        .then(up)
        .otherwise(pl.lit(value=True))
    )
    moved = _once(pl.concat(parts).filter(pl.col("stat") >= NOTABLE, symptom).with_columns(up=up))
    # Latency and failures of requests that nobody made say nothing.
    requested = pl.col("meaning").is_in([golden.LATENCY, golden.ERRORS])
    busy = moved.filter(requested).join(_idle(rows, series), on=["entity_type", "entity", "bucket"], how="anti")
    return pl.concat([moved.filter(~requested), busy])


def _other_value() -> pl.Expr:
    """The series of a histogram's tail by that of its mean, and the other way round."""
    return pl.col("series") ^ pl.lit(_TAIL, pl.UInt64)


def _once(moved: pl.LazyFrame) -> pl.LazyFrame:
    """`moved` with one value of each histogram, the mean or the tail: what moved further tells of both."""
    whose = pl.when("tail").then(_other_value()).otherwise("series")
    return (
        moved.with_columns(whose=whose)
        .sort("stat", "tail", descending=[True, False])
        .unique(["whose", "bucket"], keep="first", maintain_order=True)
        .drop("whose")
    )


def _idle(rows: pl.LazyFrame, series: pl.LazyFrame) -> pl.LazyFrame:
    """(entity_type, entity, bucket) in which the entity's own request counters say that nothing was asked of it."""
    asked = series.filter(golden.meaning() == golden.TRAFFIC, pl.col("metric").str.contains(REQUESTS))
    return (
        rows.join(asked.select("series", "entity_type", "entity"), on="series")
        .group_by("entity_type", "entity", "bucket")
        .agg(pl.col("value").max())
        .filter(pl.col("value") <= 0)
        .select("entity_type", "entity", "bucket")
    )


def _virtual(frames: Frames) -> pl.LazyFrame:
    """Services that nothing instruments: what is known of them their callers measured, and may be the way there.

    https://grafana.com/docs/tempo/latest/metrics-from-traces/service_graphs/#virtual-nodes
    """
    _, callee = call_ends()
    virtual = pl.col("labels").str.json_path_match("$.connection_type") == "virtual_node"
    return (
        frames["metric_series"]
        .filter(virtual)
        .select(entity_type=pl.lit("service"), entity=callee, certain=pl.lit(_MEASURED_FROM_OUTSIDE))
        .unique()
    )


def evidence(frames: Frames) -> pl.LazyFrame:
    """EVIDENCE rows per entity and bucket, with the strongest metrics named; `first` is where the shift began."""
    entity = ["entity_type", "entity", "bucket"]
    told = ["metric", "stat", "now", "usual", "up", "meanings", "every_s"]
    moved = (
        _moved(frames)
        .sort("stat", "metric", "series", descending=True)
        .unique([*entity, "metric"], keep="first", maintain_order=True)
    )
    logs = pl.col("stat").log1p()
    # Quantiles of one latency are one fact told many times.
    by_meaning = moved.group_by(*entity, "meaning", maintain_order=True).agg(
        (logs.max() + _SAME_MEANING * (logs.sum() - logs.max())).alias("fact"),
        *(pl.col(name) for name in told[:2]),
        *(pl.col(name).first() for name in told[2:]),
        pl.col("time").max(),
    )
    width = pl.duration(seconds=round(BUCKET_S))
    fact = pl.col("fact")
    lead = 1 / (1 + _PER_LOG_MEANINGS * pl.col("meanings").first().log())
    only_less = ((pl.col("meaning") == golden.TRAFFIC) & ~pl.col("up")).all()
    return (
        by_meaning.sort("fact", "meaning", descending=True)
        .group_by(entity, maintain_order=True)
        .agg(
            (fact.max() * lead + (fact.sum() - fact.max()) / _ONE_FACT).alias("stat"),
            pl.col("now").first().alias("value"),
            pl.col("usual").first().alias("baseline"),
            pl.col("metric").explode(empty_as_null=False).alias("metrics"),
            pl.col("time").max().cast(TIME).alias("last"),
            pl.col("every_s").min(),
            only_less.alias("only_less"),
            pl.col("up").first(),
        )
        .join(_virtual(frames), on=["entity_type", "entity"], how="left")
        .with_columns(stat=pl.col("stat") * pl.col("certain").fill_null(1.0))
        .with_columns(
            kind=pl.when("only_less").then(pl.lit("metric.traffic")).otherwise(pl.lit("metric.shift")),
            # The median of the buckets judged turns when the middle one does.
            first=pl.when(pl.col("every_s") < _SPARSE_S)
            .then(pl.col("bucket") - width * (PACES[0].now // 2))
            .otherwise("bucket")
            .cast(TIME),
            direction=pl.when("up").then(1).otherwise(-1).cast(pl.Int8),
            explanation=pl.format(
                "{} metrics of {} shifted: {}",
                pl.col("metrics").list.len(),
                "entity",
                pl.col("metrics").list.head(3).list.join(", "),
            ),
            evidence=pl.struct(metrics=_metrics().list.head(5)).struct.json_encode(),
        )
        .select(*(pl.col(name).cast(dtype) for name, dtype in EVIDENCE.items()), "first", "last", "every_s")
    )


def _metrics() -> pl.Expr:
    """The names that the metrics are stored by."""
    return pl.col("metrics").list.eval(pl.element().str.strip_suffix(_P95).unique(maintain_order=True))


def _lasting(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Evidence that lasts: of dense samples two buckets in a row; a sparse sample stands until the next one."""
    keys = ("kind", "entity_type", "entity")
    width = pl.duration(seconds=round(BUCKET_S))
    sparse = pl.col("every_s") >= _SPARSE_S
    ordered = rows.sort(*keys, "bucket")
    beside = (pl.col("bucket").diff().over(keys) <= width) | (
        pl.col("bucket").shift(-1).over(keys) - pl.col("bucket") <= width
    )
    dense = ordered.filter(~sparse, beside.fill_null(value=False))
    stands = (pl.col("every_s").clip(upper_bound=_LONGEST_S) / BUCKET_S).ceil().cast(pl.Int64)
    standing = (
        ordered.filter(sparse)
        .with_columns(step=pl.int_ranges(pl.lit(0, pl.Int64), stands))
        .explode("step", empty_as_null=False)
        .with_columns(bucket=(pl.col("bucket") + width * pl.col("step")).cast(TIME))
        .with_columns(
            last=(pl.col("bucket") + width - pl.duration(nanoseconds=1)).cast(TIME), first=pl.col("bucket").cast(TIME)
        )
        # Two samples' buckets may meet; the stronger speaks.
        .sort("stat", "explanation", descending=True)
        .unique(subset=[*keys, "bucket"], keep="first", maintain_order=True)
        .select(ordered.collect_schema().names())
    )
    return pl.concat([dense, standing]).drop("every_s")


def detect(frames: Frames) -> pl.LazyFrame:
    """Entities whose metrics shifted for at least two buckets, seen in the window."""
    rows = _lasting(evidence(frames)).filter(pl.col("bucket") < frames.end)
    return episodes(rows, frames, bucket_s=BUCKET_S, threshold=THRESHOLD)


RULE = Rule("metric_shift", "metric", ("metric_series", "metric_levels", "metric_tails"), detect)
