"""Any metric whose level moved away from its own past, up or down.

Signal: metric.shift on the most specific entity of the series, naming the strongest metrics; metric.traffic where
nothing but traffic fell, which is what a fault elsewhere does to an entity.
Condition: per series, the median of three minutes (or one sample, where samples are rarer) against the trailing
median of an hour or 60 samples, in units of max(1.4826 MAD, IQR / 1.349, its upper twentieth / 1.645, 10 % of the
median, 0.2 % for a share). Per entity, the sum of log1p of that over what its metrics measure (latency, errors,
traffic, saturation), so that many small movements add up and one idle series' noise does not. It must last two minutes.
Latency and errors that fall are no symptom, and those of an entity without requests are none either.
Why it matters: no list of metrics is complete; most faults move something, and its own past is what every
series can be compared with.
Source: the scale is a robust one, https://en.wikipedia.org/wiki/Robust_measures_of_scale; levels and windows are
this project's, chosen on labelled data.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from correlate import golden
from correlate.episodes import EVIDENCE, episodes
from correlate.frames import Frames
from correlate.identity import most_specific
from correlate.relations import call_ends
from correlate.rule import Rule
from correlate.series_values import NOT_MEASURES, values
from correlate.sightings import EXPORTED
from correlate.signals import TIME

BUCKET_S = 60.0


@dataclass(frozen=True, slots=True)
class Pace:
    """How series sampled every `every_s` or more are judged, in buckets that hold a sample.

    The median of `now` buckets is judged (fewer than half of them moved is not a shift) against the 60 that ended
    `lag` before, of which at least `least` must exist.
    """

    every_s: float
    now: int
    lag: int
    least: int


PACES = (Pace(0.0, 3, 5, 10), Pace(90.0, 2, 3, 8), Pace(150.0, 1, 2, 6))
REFERENCE = 60
"""How many earlier buckets say what is usual."""

_RELATIVE_FLOOR = 0.1
_SHARE_FLOOR = 0.002
_FROM_NOTHING, _OF_NOW = 0.05, 0.01
_NOTABLE = 4.0
# Samples in a row that far off make an episode.
_EPISODE = 3
# Metrics of one entity move together, and often: what moved beside the strongest counts by this divisor.
_ONE_FACT = 2.5
_SAME_MEANING = 0.25
# Of m meanings one moves by chance the sooner the larger m is; a single one's move is a fact of its own.
_PER_LOG_MEANINGS = 0.55
_MEASURED_FROM_OUTSIDE = 0.8
# Traffic that is asked for, not bytes.
_REQUESTS = r"(?i)request|calls|rps|qps|quer(?:y|ies)"
THRESHOLD = 3.0
# Buckets before the window that a run of hot ones may have begun in and still last.
_BEFORE_S = 600
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
    return own.with_columns(entity_type=kind, entity=name).filter(pl.col("entity") != "")


def _described(rows: pl.LazyFrame, series: pl.LazyFrame) -> pl.LazyFrame:
    """What is known of each series that can be notable: its pace, its meaning, and the whole it is a share of."""
    value = pl.col("value")
    stats = rows.group_by("series").agg(
        (value.max() - value.min()).alias("range"),
        value.abs().min().alias("least"),
        value.max().alias("most"),
        pl.len().alias("buckets"),
        (pl.col("bucket").sort().diff().dt.total_seconds().median()).alias("every_s"),
    )
    meanings = pl.col("meaning").n_unique().over("entity_type", "entity")
    meant = series.with_columns(meaning=golden.meaning()).with_columns(meanings=meanings)
    named = stats.join(meant, on="series").with_columns(whole=golden.whole(), success=golden.counts_successes())
    # By the floor of the scale, a level must differ by this share of itself; of a share, the failing part counts.
    least = _NOTABLE * _RELATIVE_FLOOR * pl.col("least")
    can = (pl.col("range") > 0) & (pl.col("whole").is_not_null() | (pl.col("range") >= least))
    return named.filter(can, pl.col("buckets") > PACES[-1].least).select(
        "series", "metric", "entity_type", "entity", "whole", "meaning", "success", "meanings",
        pl.col("every_s").fill_null(BUCKET_S),
    )  # fmt: skip


def _worth_a_look(rows: pl.LazyFrame, pace: Pace, since: pl.Expr) -> pl.LazyFrame:
    """`rows` of entities with a series that is off its usual level since then: scales are not cheap to compute."""
    value = pl.col("value")
    first = rows.with_columns(
        now=value.rolling_quantile(0.5, "linear", window_size=pace.now, min_samples=pace.now).over("series"),
        first_usual=_trailing("value", 0.5, pace),
    )
    # What is usual changes a little once earlier faults are left out.
    off = (pl.col("now") - pl.col("first_usual")).abs() >= 0.5 * _NOTABLE * _floor("first_usual", "now")
    moving = first.filter(pl.col("bucket") >= since, off).select("entity_type", "entity").unique()
    return first.join(moving, on=["entity_type", "entity"], how="semi", maintain_order="left")


def shifts(rows: pl.LazyFrame, pace: Pace) -> pl.LazyFrame:
    """Add `usual, stat` to `series, bucket, value, whole, now, first_usual` (sorted): how many scales it is off."""
    value = pl.col("value")
    # What looks like an earlier fault is no reference: it would hide the next one for as long as the reference reaches.
    calm = (
        rows.with_columns(first_residual=(value - pl.col("first_usual")).abs())
        .with_columns(first_mad=1.4826 * _trailing("first_residual", 0.5, pace))
        .with_columns(
            far=(pl.col("first_residual") >= _NOTABLE * pl.max_horizontal("first_mad", _floor("first_usual", "value")))
            .cast(pl.Int32)
            .fill_null(0)
        )
        .with_columns(
            known=pl.when(
                pl.col("far").rolling_sum(_EPISODE, min_samples=_EPISODE).over("series").fill_null(0) < _EPISODE
            ).then("value")
        )
    )
    moved = calm.with_columns(
        usual=_trailing("known", 0.5, pace),
        iqr=_trailing("known", 0.75, pace) - _trailing("known", 0.25, pace),
        high=_trailing("known", 0.95, pace),
        past=pl.col("known").shift(pace.lag).over("series"),
    ).with_columns(residual=(pl.col("past") - pl.col("usual")).abs())
    mad = (
        pl.col("residual").rolling_quantile(0.5, "linear", window_size=REFERENCE, min_samples=pace.least).over("series")
    )
    # What jumps now and then must jump further to be odd.
    occasional = (pl.col("high") - pl.col("usual")) / 1.645
    scale = pl.max_horizontal(1.4826 * mad, pl.col("iqr") / 1.349, occasional, _floor("usual", "now"))
    return moved.with_columns(scale=scale).with_columns(
        stat=pl.when(pl.col("scale") > 0).then((pl.col("now") - pl.col("usual")).abs() / pl.col("scale")).otherwise(0.0)
    )


def _trailing(column: str, quantile: float, pace: Pace) -> pl.Expr:
    past = pl.col(column).shift(pace.lag)
    return past.rolling_quantile(quantile, "linear", window_size=REFERENCE, min_samples=pace.least).over("series")


def _floor(usual: str, now: str) -> pl.Expr:
    """The least that one scale can be."""
    # A rise by orders of magnitude says little more than a rise by one, and from nothing there is no scale at all.
    share = pl.when(pl.col(usual) == 0).then(_FROM_NOTHING).otherwise(_OF_NOW)
    return pl.max_horizontal(
        _RELATIVE_FLOOR * pl.col(usual).abs(),
        share * pl.col(now).abs(),
        _SHARE_FLOOR * pl.col("whole").fill_null(0.0),
    )


def _moved(frames: Frames) -> pl.LazyFrame:
    """Notable moves per series and bucket, with the series' description."""
    series = _identified(frames)
    rows = values(frames, series, f"{round(BUCKET_S)}s")
    described = _described(rows, series).cache()
    failing = pl.when(pl.col("success") & pl.col("whole").is_not_null()).then(pl.col("whole") - pl.col("value"))
    kept = rows.join(described, on="series").with_columns(value=pl.coalesce(failing, "value")).sort("series", "bucket")
    parts = []
    judged = frames.start - pl.duration(seconds=_BEFORE_S)
    for pace, next_pace in zip(PACES, (*PACES[1:], None), strict=True):
        own = pl.col("every_s") >= pace.every_s
        if next_pace is not None:
            own &= pl.col("every_s") < next_pace.every_s
        parts.append(shifts(_worth_a_look(kept.filter(own), pace, judged), pace))
    up = pl.col("now") >= pl.col("usual")
    # A success that is no share counts for its fall; other errors and latency for their rise.
    symptom = (
        pl.when(pl.col("success") & pl.col("whole").is_null())
        .then(~up)
        .when(pl.col("meaning").is_in([golden.ERRORS, golden.LATENCY]))
        .then(up)
        .otherwise(pl.lit(value=True))
    )
    moved = pl.concat(parts).filter(pl.col("stat") >= _NOTABLE, symptom).with_columns(up=up)
    # Latency and failures of requests that nobody made say nothing.
    requested = pl.col("meaning").is_in([golden.LATENCY, golden.ERRORS])
    busy = moved.filter(requested).join(_idle(rows, series), on=["entity_type", "entity", "bucket"], how="anti")
    return pl.concat([moved.filter(~requested), busy])


def _idle(rows: pl.LazyFrame, series: pl.LazyFrame) -> pl.LazyFrame:
    """(entity_type, entity, bucket) in which the entity's own request counters say that nothing was asked of it."""
    asked = series.filter(golden.meaning() == golden.TRAFFIC, pl.col("metric").str.contains(_REQUESTS))
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
            evidence=pl.struct(metrics=pl.col("metrics").list.head(5)).struct.json_encode(),
        )
        .select(*(pl.col(name).cast(dtype) for name, dtype in EVIDENCE.items()), "first", "last", "every_s")
    )


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


RULE = Rule("metric_shift", "metric", ("metric_series", "metric_points", "histogram_points"), detect)
