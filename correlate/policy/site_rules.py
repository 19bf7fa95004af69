"""Site rules as rules: each condition of a policy file becomes polars expressions over the frames.

Nothing is evaluated as code, no text of a file reaches SQL, and patterns run in linear time (Rust's regex crate).
"""

from __future__ import annotations

import re
from collections.abc import Callable

import polars as pl

from correlate.frames import Frames
from correlate.policy.models import Absence, CoOccurrence, Match, Rate, SiteRule, Source, Test, Threshold
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

_BUCKET_S = 30
# Of one thing nothing is heard between samples; a hole of a few buckets is no end.
_HOLE_S = 120


def compiled(rule: SiteRule) -> Rule:
    """The rule that a site rule describes."""
    condition, facts = _condition(rule)
    sources = condition.all_of if isinstance(condition, CoOccurrence) else [condition]
    reads = {
        name
        for source in sources
        for name in (("metric_points", "metric_series") if source.frame == "metrics" else (source.frame,))
    }
    metrics = "|".join(sorted({f"^{re.escape(source.metric)}$" for source in sources if source.metric}))

    def detect(frames: Frames) -> pl.LazyFrame:
        said = facts(frames).with_columns(kind=pl.lit(rule.signal_kind), score=pl.lit(rule.score))
        return sessions(said, frames)

    return Rule(rule.name, "site", tuple(sorted(reads)), detect, metrics)


def _condition(rule: SiteRule) -> tuple[Source | CoOccurrence, Callable[[Frames], pl.LazyFrame]]:
    if rule.threshold:
        threshold = rule.threshold
        return threshold, lambda frames: _threshold(threshold, frames)
    if rule.match:
        match = rule.match
        return match, lambda frames: _match(match, frames)
    if rule.rate:
        rate = rule.rate
        return rate, lambda frames: _rate(rate, frames)
    if rule.absence:
        absence = rule.absence
        return absence, lambda frames: _absence(absence, frames)
    assert rule.co_occurrence is not None, "the model sees to it that there is one condition"
    together = rule.co_occurrence
    return together, lambda frames: _together(together, frames)


def _rows(source: Source, frames: Frames) -> pl.LazyFrame:
    """The source's rows with `entity_type, entity`, for those that say whose they are."""
    if source.frame == "metrics":
        named = pl.col("metric") == source.metric
        series = frames["metric_series"].filter(named, *_tests(source)).drop("first", "last")
        rows = frames["metric_points"].join(series, on="series")
        value = [name for name in source.where if name == "value"]
        rows = rows.filter(*(_test(pl.col("value"), source.where[name]) for name in value))
    else:
        rows = frames[source.frame].filter(*_tests(source))
    kind = pl.lit(source.about)
    if source.frame == "k8s_events" and source.about == "object":
        kind = pl.col("object_kind").str.to_lowercase()
    return rows.with_columns(entity_type=kind, entity=source.about).filter(pl.col("entity") != "")


def _tests(source: Source) -> list[pl.Expr]:
    tests = []
    for name, test in source.where.items():
        if source.frame == "metrics" and name == "value":
            continue
        label = name.removeprefix("labels.")
        column = pl.col(name) if label == name else pl.col("labels").str.json_path_match(f"$['{label}']").fill_null("")
        tests.append(_test(column, test))
    return tests or [pl.lit(value=True)]


def _test(column: pl.Expr, test: Test) -> pl.Expr:
    parts = []
    if test.equals is not None:
        parts.append(column == test.equals)
    if test.one_of is not None:
        parts.append(column.is_in(test.one_of))
    if test.matches is not None:
        parts.append(column.str.contains(test.matches))
    if test.contains is not None:
        parts.append(column.str.contains(test.contains, literal=True))
    if test.not_ is not None:
        parts.append(column != test.not_)
    if test.above is not None:
        parts.append(column > test.above)
    if test.below is not None:
        parts.append(column < test.below)
    return pl.all_horizontal(parts)


def _threshold(source: Threshold, frames: Frames) -> pl.LazyFrame:
    rows = _rows(source, frames).select("entity_type", "entity", "time", *_series(source), number=source.judged)
    if source.per_second:
        took = (pl.col("time").diff().dt.total_milliseconds() / 1000).over("series")
        step = pl.col("number").diff().over("series")
        # A counter that falls was reset.
        grown = pl.when(step < 0).then("number").otherwise(step)
        rows = rows.sort("series", "time").with_columns(number=grown / took).filter(took > 0)
    number = pl.col("number")
    judged = {
        "mean": number.mean(), "max": number.max(), "min": number.min(), "median": number.median(), "sum": number.sum(),
    }[source.statistic]  # fmt: skip
    buckets = (
        rows.group_by("entity_type", "entity", bucket=pl.col("time").dt.truncate(f"{_BUCKET_S}s"))
        .agg(number=judged, began=pl.col("time").min(), time=pl.col("time").max())
        .sort("entity_type", "entity", "bucket")
    )
    by = ["entity_type", "entity"]
    hot = number > source.above if source.above is not None else number < source.below
    bound = source.above if source.above is not None else source.below
    apart = pl.col("bucket").diff().over(by) > pl.duration(seconds=_HOLE_S)
    runs = buckets.with_columns(hot=hot).with_columns(
        run=((~pl.col("hot")) | apart.fill_null(value=False)).cum_sum().over(by)
    )
    since = pl.col("bucket").min().over(*by, "run")
    lasting = pl.col("bucket") + pl.duration(seconds=_BUCKET_S) - since >= pl.duration(seconds=source.for_)
    return (
        runs.filter("hot")
        .with_columns(onset=pl.col("began").min().over(*by, "run"))
        .filter(lasting)
        .select(
            *by, "time", "onset",
            value="number",
            baseline=pl.lit(bound, pl.Float64),
            direction=pl.lit(1 if source.above is not None else -1),
            explanation=pl.format(
                "{} of {} is {}, {} {}", pl.lit(source.metric or source.judged), "entity", pl.col("number").round(3),
                pl.lit("above" if source.above is not None else "below"), pl.lit(bound),
            ),
            evidence=evidence_of(value="number"),
        )
    )  # fmt: skip


def _series(source: Source) -> list[str]:
    return ["series"] if source.frame == "metrics" else []


def _text(source: Source) -> pl.Expr:
    """What to show of a row."""
    shown = {
        "logs": "body", "kernel_logs": "body", "k8s_events": "message", "spans": "name", "evaluations": "name",
        "changes": "title", "metrics": "metric",
    }[source.frame]  # fmt: skip
    return pl.col(shown).str.slice(0, 160)


def _match(source: Match, frames: Frames) -> pl.LazyFrame:
    text = _text(source)
    return _rows(source, frames).select(
        "entity_type", "entity", "time",
        explanation=pl.format("{}: {}", "entity", text),
        evidence=evidence_of(text=text),
    )  # fmt: skip


def _rate(source: Rate, frames: Frames) -> pl.LazyFrame:
    by = ["entity_type", "entity"]
    rows = _rows(source, frames).select(*by, "time", text=_text(source)).sort(*by, "time", "text")
    counted = rows.rolling("time", period=f"{source.per}s", group_by=by).agg(
        number=pl.len(), since=pl.col("time").min(), text=pl.col("text").last()
    )
    return counted.filter(pl.col("number") > source.more_than).select(
        *by, "time",
        onset="since",
        value="number",
        baseline=pl.lit(float(source.more_than)),
        direction=pl.lit(1),
        explanation=pl.format("{} times within {} s at {}: {}", "number", pl.lit(source.per), "entity", "text"),
        evidence=evidence_of(text="text"),
    )  # fmt: skip


def _absence(source: Absence, frames: Frames) -> pl.LazyFrame:
    by = ["entity_type", "entity"]
    rows = _rows(source, frames).filter(pl.col("time") < frames.end).select(*by, "time").sort(*by, "time")
    until = pl.coalesce(pl.col("time").shift(-1).over(by), frames.end)
    wait = pl.duration(seconds=source.for_)
    return (
        rows.with_columns(until=until)
        .filter(pl.col("until") - pl.col("time") >= wait)
        .select(
            *by,
            onset="time",
            # It is still missing when the window ends, or was until it came back.
            time=(pl.col("until") - pl.duration(nanoseconds=1)).cast(TIME),
            value=(pl.col("until") - pl.col("time")).dt.total_seconds(),
            baseline=pl.lit(float(source.for_)),
            direction=pl.lit(-1),
            explanation=pl.format("nothing of the kind from {} for {} s", "entity", pl.lit(source.for_)),
        )
    )


def _together(source: CoOccurrence, frames: Frames) -> pl.LazyFrame:
    by = ["entity_type", "entity"]
    parts = [
        _rows(part, frames).select(*by, "time", part=pl.lit(number), text=_text(part))
        for number, part in enumerate(source.all_of)
    ]
    rows = pl.concat(parts).sort(*by, "time", "part", "text")
    words = pl.col("texts").list.head(3).list.join("; ")
    return (
        rows.rolling("time", period=f"{source.within}s", group_by=by)
        .agg(number=pl.col("part").n_unique(), since=pl.col("time").min(), texts=pl.col("text").unique().sort())
        .filter(pl.col("number") == len(source.all_of))
        .select(
            *by, "time",
            onset="since",
            explanation=pl.format("{} facts together at {}: {}", "number", "entity", words),
            evidence=evidence_of(texts=pl.col("texts").list.head(5)),
        )
    )  # fmt: skip
