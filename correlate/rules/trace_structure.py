"""What an operation calls is not what it used to call.

Signal: trace.structure on a service; trace.mix where operations go another way but do not end early more often,
which a change of what users ask for does as well.
Condition: per operation, the distribution of the set of operations called inside it (in the same service or in
others), or of nothing called at all, diverges from the past by a likelihood-ratio test.
Why it matters: a wrong value, an exception or a skipped step ends an operation early or sends it another way, often
without a failed status; the operation where the flow turned is the suspect, and its callers keep their shape.
Source: Nezha (FSE'23), event patterns of traces and logs, https://doi.org/10.1145/3611643.3616249
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import EVIDENCE, above_calm, episodes
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.traces import spans
from correlate.transitions import KEYS, divergence

# Nothing was called inside.
_NOTHING = 0
_CODES = 2**40
# Spans arrive when they end, and exporters send them in batches: what was called may still be on its way.
_SETTLE_NS = 15_000_000_000
_FLOOR = 1.0
# Growth of the share of operations that call nothing, up to which a change is taken for another mix of requests.
_HARMLESS = 0.05
_SHOWN = 80


def shapes(distinct: pl.LazyFrame, before: pl.Expr) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """(a row per span of an operation that calls others at all, with what it called as a number; that in words).

    `bad` rows called nothing, or at most half of what their operation called in the median before `before`.
    """
    # The sum of its members' hashes stands for a set; cut so that no sum overflows.
    inner = (
        distinct.filter(pl.col("parent_id") != "")
        .select("trace_id", span_id="parent_id", inner=pl.concat_str("service", pl.lit(" "), "name"))
        .unique()
        .with_columns(code=pl.col("inner").hash() % _CODES + 1)
        .cache()
    )
    called = (
        inner.group_by("trace_id", "span_id")
        .agg(pl.col("code").sum().cast(pl.UInt64).alias("next"), pl.len().cast(pl.Float64).alias("calls"))
        .cache()
    )
    rows = (
        distinct.select("trace_id", "span_id", "time", "duration_ms", "name", entity="service")
        .join(called, on=["trace_id", "span_id"], how="left")
        .with_columns(
            state=pl.concat_str("entity", "name", separator="\x1f").hash(),
            next=pl.col("next").fill_null(_NOTHING),
            calls=pl.col("calls").fill_null(0.0),
        )
    )
    usual = (
        rows.group_by("state")
        .agg(
            pl.col("calls").max().alias("most"), pl.col("calls").filter(pl.col("time") < before).median().alias("usual")
        )
        .filter(pl.col("most") > 0)
    )
    shaped = rows.join(usual, on="state").with_columns(
        entity_type=pl.lit("service"),
        bad=(pl.col("next") == _NOTHING) | (pl.col("calls") <= pl.col("usual").fill_null(0.0) / 2),
    )
    one_each = called.unique(subset="next", keep="any").select("trace_id", "span_id", gained="next")
    words = (
        one_each.join(inner, on=["trace_id", "span_id"]).group_by("gained").agg(pl.col("inner").sort().str.join(", "))
    )
    return shaped, words.select("gained", called="inner")


def detect(frames: Frames) -> pl.LazyFrame:
    """Signals trace.structure, and trace.mix where operations took another way without ending early."""
    over = pl.col("time") + pl.duration(nanoseconds=(pl.col("duration_ms") * 1e6).round().cast(pl.Int64))
    settled = over < frames.end - pl.duration(nanoseconds=_SETTLE_NS)
    shaped, words = shapes(spans(frames).cache(), frames.start)
    rows = shaped.filter(settled).cache()
    judged = above_calm(
        divergence(rows.select(*KEYS, "next", "bad", "time", "trace_id")),
        floor=_FLOOR,
        by=KEYS,
        harmless=pl.col("worse") <= _HARMLESS,
    )
    names = rows.select("state", "name").unique(subset="state", keep="any")
    return episodes(told(judged, names, words), frames)


def told(judged: pl.LazyFrame, names: pl.LazyFrame, ways: pl.LazyFrame) -> pl.LazyFrame:
    """Evidence per entity and bucket: its oddest operation, in words."""
    oddest = (
        judged.sort("stat", "state", descending=[True, False])
        .group_by("entity_type", "entity", "bucket")
        .agg(pl.all().first())
        .join(names, on="state", how="left")
        .join(ways, on="gained", how="left")
    )
    calls = (
        pl.when(pl.col("gained") == _NOTHING)
        .then(pl.lit("nothing"))
        .otherwise(pl.col("called").fill_null("?").str.slice(0, _SHOWN))
    )
    sentence = pl.format(
        "In {}, '{}' calls {} in {}% of {} cases, before in {}%",
        "entity", "name", calls, _percent("share"), pl.col("seen").cast(pl.Int64), _percent("past_share"),
    )  # fmt: skip
    return oddest.with_columns(
        pl.when(pl.col("worse") > _HARMLESS)
        .then(pl.lit("trace.structure"))
        .otherwise(pl.lit("trace.mix"))
        .alias("kind"),
        pl.col("share").alias("value"),
        pl.col("past_share").alias("baseline"),
        pl.lit(1, pl.Int8).alias("direction"),
        sentence.alias("explanation"),
        pl.struct(part="name", traces="traces").struct.json_encode().alias("evidence"),
    ).select(*EVIDENCE)


def _percent(share: str) -> pl.Expr:
    return (pl.col(share) * 100).round(0).cast(pl.Int64)


RULE = Rule(name="trace_structure", family="trace", reads=("spans",), detect=detect)
