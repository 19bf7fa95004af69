"""What a service logs next is not what it used to log next.

Signal: log.next_event on a service.
Condition: inside a span (or a trace, where logs name no span) the distribution of the next log template
after a given one, of the first after a span began, or of nothing more, diverges from the past.
Why it matters: a wrong return value, a swallowed exception or a skipped step changes what follows long
before anything fails visibly. Conditioning on the line before makes it local: a caller that meets a new
error line has no past for what follows it, so the service where the flow first turned is accused.
Source: Nezha (FSE'23), event patterns of traces and logs, https://doi.org/10.1145/3611643.3616249
"""

from __future__ import annotations

import polars as pl

from correlate.episodes import EVIDENCE, above_calm, episodes
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.templates import WARN, level, readable, template
from correlate.traces import spans
from correlate.transitions import KEYS, divergence

# Nothing followed inside the span.
_END = 0
# Lines of a span keep arriving for this long; its last line is not known before.
_SETTLE_NS = 10_000_000_000
_FLOOR = 1.0
# Growth of the share of failures and early ends up to which a change is taken for another mix of requests.
_HARMLESS = 0.05
_SPAN = ["entity", "trace_id", "span_id"]


def events(frames: Frames) -> pl.LazyFrame:
    """Log lines of traces, each once: entity, trace_id, span_id, time, text, event, bad."""
    lines = frames["logs"].filter((pl.col("service") != "") & (pl.col("trace_id") != ""))
    return (
        lines.unique(subset=["service", "pod", "trace_id", "span_id", "time", "body"], keep="any")
        .select(
            pl.col("service").alias("entity"),
            "trace_id",
            "span_id",
            "time",
            template().alias("text"),
            (level() >= WARN).alias("bad"),
        )
        .with_columns(pl.concat_str("entity", "text", separator="\x1f").hash().alias("event"))
    )


def followed(lines: pl.LazyFrame) -> pl.LazyFrame:
    """Each line with the next one of its span: state, next, bad."""
    # Equal times are common (milliseconds); the text decides, in the same way every time.
    ordered = lines.sort(*_SPAN, "time", "event")
    return ordered.select(
        *_SPAN,
        "time",
        pl.col("event").alias("state"),
        pl.col("event").shift(-1).over(_SPAN).fill_null(_END).alias("next"),
        pl.col("bad").shift(-1).over(_SPAN).fill_null(True).alias("bad"),
        pl.col("event").shift(1).over(_SPAN).is_null().alias("opens"),
        pl.col("bad").alias("opens_bad"),
    )


def operations(frames: Frames) -> pl.LazyFrame:
    """Spans as states that their first line follows: entity, trace_id, span_id, time, text, state."""
    return spans(frames).select(
        pl.col("service").alias("entity"),
        "trace_id",
        "span_id",
        "time",
        pl.format("begin of {}", "name").alias("text"),
        pl.concat_str("service", pl.lit("begin"), "name", separator="\x1f").hash().alias("state"),
    )


def opened(begins: pl.LazyFrame, pairs: pl.LazyFrame) -> pl.LazyFrame:
    """Each span with the first line it logged, for operations that log at all."""
    first = pairs.filter(pl.col("opens")).select(*_SPAN, next="state", bad="opens_bad")
    speaking = begins.join(first, on=_SPAN, how="semi").select("state").unique()
    return (
        begins.join(speaking, on="state", how="semi")
        .join(first, on=_SPAN, how="left")
        .select(*_SPAN, "time", "state", pl.col("next").fill_null(_END), pl.col("bad").fill_null(True))
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Signals log.next_event."""
    # Read more than once each: polars does not always see that by itself.
    lines = events(frames).cache()
    begins = operations(frames).cache()
    pairs = followed(lines).cache()
    columns = [*_SPAN, "time", "state", "next", "bad"]
    settled = (pl.col("next") != _END) | (pl.col("time") < frames.end - pl.duration(nanoseconds=_SETTLE_NS))
    transitions = pl.concat([pairs.select(columns), opened(begins, pairs).select(columns)]).filter(settled)
    states = divergence(transitions.with_columns(pl.lit("service").alias("entity_type")))
    # Branches that depend on what users ask for vary all the time: each state has its own calm, and
    # what brings no failures must be more than the usual to and fro.
    calibrated = above_calm(states, floor=_FLOOR, by=KEYS, harmless=pl.col("worse") <= _HARMLESS)
    names = pl.concat([lines.select(state="event", text="text"), begins.select("state", "text")])
    return episodes(told(calibrated, names.unique(subset="state", keep="any")), frames)


def told(states: pl.LazyFrame, names: pl.LazyFrame) -> pl.LazyFrame:
    """Evidence per entity and bucket: its oddest state, in words."""
    ranked = states.sort("stat", "state", descending=[True, False])
    oddest = ranked.group_by("entity_type", "entity", "bucket").agg(pl.all().first())
    worded = oddest.join(names, on="state", how="left").join(
        names.rename({"state": "gained", "text": "gained_text"}), on="gained", how="left"
    )
    follower = (
        pl.when(pl.col("gained") == _END)
        .then(pl.lit("nothing follows"))
        .otherwise(pl.format("'{}' follows", readable(pl.col("gained_text").fill_null("?"))))
    )
    sentence = pl.format(
        "In {}, after '{}' {} in {}% of {} cases, before in {}%",
        "entity", readable(pl.col("text").fill_null("?")), follower,
        _percent("share"), pl.col("seen").cast(pl.Int64), _percent("past_share"),
    )  # fmt: skip
    return worded.with_columns(
        pl.lit("log.next_event").alias("kind"),
        pl.col("share").alias("value"),
        pl.col("past_share").alias("baseline"),
        pl.lit(1, pl.Int8).alias("direction"),
        sentence.alias("explanation"),
        pl.struct("text", next="gained_text", traces="traces").struct.json_encode().alias("evidence"),
    ).select(*EVIDENCE)


def _percent(share: str) -> pl.Expr:
    return (pl.col(share) * 100).round(0).cast(pl.Int64)


RULE = Rule(name="log_next_event", family="log", reads=("spans", "logs"), detect=detect)
