"""Metric queries: counts come from the engine as one long frame, aggregations and arithmetic are polars on it.

A vector is a frame of series number, step and value, beside the labels of each series; steps without a value have no
row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from query import bounds
from query.errors import BadQuery, QueryLimitExceeded
from query.logql import syntax as s
from query.logql.lines import Labels, prepared
from store import Store, Window
from store.log_lines import Grid

# Loki's own limits (https://grafana.com/docs/loki/latest/configure/#limits_config): points of a series, series of an
# answer. What is aggregated further may be more.
MAX_STEPS = 11_000
MAX_SERIES = 500
MAX_INNER_SERIES = 20_000
# What DateTime64(9) can hold, https://clickhouse.com/docs/sql-reference/data-types/datetime64
_EARLIEST, _LATEST = -2_208_988_800 * 10**9, 9_223_372_036 * 10**9
_SCHEMA = {"series": pl.Int64, "step": pl.Int64, "value": pl.Float64}
# Functions that add up over disjoint streams, so that `sum by` of them is one GROUP BY in the engine.
_MEASURES = {"count_over_time": "count", "rate": "count", "bytes_over_time": "bytes", "bytes_rate": "bytes"}


@dataclass(frozen=True, slots=True)
class Times:
    """Steps of an answer: start, start + step, ... in nanoseconds."""

    start: int
    step: int
    steps: int

    @classmethod
    def between(cls, start: int, end: int, step: int) -> Times:
        """Every step from start to end. Raises QueryLimitExceeded for more than MAX_STEPS of them."""
        steps = (end - start) // step + 1
        if steps > MAX_STEPS:
            raise QueryLimitExceeded(
                f"exceeded maximum resolution of {MAX_STEPS:,} points per time series. "
                "Try increasing the value of the step parameter"
            )
        return cls(start, step, steps)


@dataclass(frozen=True, slots=True)
class Vectors:
    """Series with their values: `labels[n]` are those of the rows whose `series` is n."""

    labels: Sequence[Labels]
    values: pl.DataFrame


Value = Vectors | float


def evaluate(store: Store, tenant: str, query: s.Metric, times: Times) -> Value:
    """The query's values at all steps; a float when it is a scalar. Raises QueryError, StoreError."""
    found = _evaluate(store, tenant, query, times)
    if isinstance(found, Vectors) and len(found.labels) > MAX_SERIES:
        raise QueryLimitExceeded(
            f"maximum number of series ({MAX_SERIES}) reached for a single query; consider reducing query cardinality "
            "by adding more specific stream selectors, reducing the time range, or aggregating results with functions "
            "like sum, count or topk"
        )
    return found


def _evaluate(store: Store, tenant: str, query: s.Metric, times: Times) -> Value:
    match query:
        case s.Number(value):
            return value
        case s.Vector(value):
            return Vectors([{}], _frame([0] * times.steps, range(times.steps), [value] * times.steps))
        case s.RangeAggregation():
            return _counted(store, tenant, query, times, None)
        case s.VectorAggregation("sum", s.RangeAggregation() as inner, grouping) if not (grouping and grouping.without):
            return _counted(store, tenant, inner, times, grouping.names if grouping else ())
        case s.VectorAggregation(op, of, grouping, param):
            inner_value = _evaluate(store, tenant, of, times)
            if not isinstance(inner_value, Vectors):
                raise BadQuery(f"{op} needs series, and gets a number")
            return _aggregated(op, param, grouping, inner_value)
        case s.Binary(op, left, right, returns_bool):
            sides = (_evaluate(store, tenant, left, times), _evaluate(store, tenant, right, times))
            return _binary(op, *sides, returns_bool=returns_bool)


def _counted(store: Store, tenant: str, query: s.RangeAggregation, times: Times, by: Sequence[str] | None) -> Vectors:
    start = times.start - query.offset
    end = start + times.step * (times.steps - 1)
    # A step counts what lies after its time less the range, up to and with its time.
    window, grid = checked(start - query.range + 1, end + 1), Grid(start, times.step, times.steps, query.range)
    parts = []
    for lines in prepared(query.query, tenant, window):
        text = lines.counts(by, _MEASURES[query.op], grid)
        parts.append(bounds.frame(store, text, lines.params))
    if not parts:
        return Vectors([], _frame([], [], []))
    # Logs and incidents may have a group in common.
    found = pl.concat(parts).group_by("labels", "step").agg(pl.col("total").sum()).sort("labels", "step")
    keys = found["labels"].unique(maintain_order=True)
    if len(keys) > MAX_INNER_SERIES:
        raise QueryLimitExceeded(f"the query has more than {MAX_INNER_SERIES} series before they are aggregated")
    numbered = pl.DataFrame({"labels": keys, "series": range(len(keys))}, schema_overrides={"series": pl.Int64})
    divisor = query.range / 1e9 if query.op in ("rate", "bytes_rate") else 1.0
    values = found.join(numbered, on="labels").select("series", "step", value=pl.col("total") / divisor)
    decoded = map(json.loads, keys)
    if by is None:
        return Vectors([{name: value for name, value in each.items() if value} for each in decoded], values)
    return Vectors([{name: value for name, value in zip(by, each, strict=True) if value} for each in decoded], values)


def checked(start: int, end: int) -> Window:
    """The window, with what the engine's times cannot hold cut off."""
    return Window(max(start, _EARLIEST), max(min(end, _LATEST), _EARLIEST))


def _frame(series: Sequence[int], steps: Sequence[int], values: Sequence[float]) -> pl.DataFrame:
    return pl.DataFrame({"series": series, "step": steps, "value": values}, schema=_SCHEMA)


_AGGREGATES: dict[str, Callable[[pl.Expr], pl.Expr]] = {
    "sum": pl.Expr.sum,
    "min": pl.Expr.min,
    "max": pl.Expr.max,
    "avg": pl.Expr.mean,
    "count": lambda value: value.count().cast(pl.Float64),
}


def _aggregated(op: str, param: int, grouping: s.Grouping | None, of: Vectors) -> Vectors:
    kept = [_kept(labels, grouping) for labels in of.labels]
    numbers: dict[tuple[tuple[str, str], ...], int] = {}
    group = [numbers.setdefault(tuple(sorted(labels.items())), len(numbers)) for labels in kept]
    groups = pl.DataFrame({"series": range(len(group)), "group": group}, schema={"series": pl.Int64, "group": pl.Int64})
    joined = of.values.join(groups, on="series")
    if op in ("topk", "bottomk"):
        # Equal values go by the series' number, so that the same query gives the same answer.
        ordered = joined.sort("value", "series", descending=[op == "topk", False])
        best = ordered.group_by("group", "step", maintain_order=True).head(param)
        return _renumbered(of.labels, best.select("series", "step", "value").sort("series", "step"))
    values = joined.group_by("group", "step").agg(_AGGREGATES[op](pl.col("value")).alias("value"))
    return Vectors([dict(key) for key in numbers], values.rename({"group": "series"}).sort("series", "step"))


def _kept(labels: Labels, grouping: s.Grouping | None) -> Labels:
    if grouping is None:
        return {}
    return {name: value for name, value in labels.items() if (name in grouping.names) != grouping.without}


def _renumbered(labels: Sequence[Labels], values: pl.DataFrame) -> Vectors:
    """Without the series that have no values left."""
    left = values["series"].unique().sort()
    numbered = pl.DataFrame({"series": left, "number": range(len(left))}, schema_overrides={"number": pl.Int64})
    shown = values.join(numbered, on="series").select("number", "step", "value").rename({"number": "series"})
    return Vectors([labels[number] for number in left], shown.sort("series", "step"))


_ARITHMETIC: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": lambda a, b: a / b,
    # The remainder has the sign of the dividend, as in Go.
    "%": lambda a, b: a - b * (a / b).abs().floor() * (a / b).sign(),
    "^": lambda a, b: a.pow(b),
}
_COMPARISON: dict[str, Callable[[pl.Expr, pl.Expr], pl.Expr]] = {
    "==": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    ">": lambda a, b: a > b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
    "<=": lambda a, b: a <= b,
}


def _binary(op: str, left: Value, right: Value, *, returns_bool: bool) -> Value:
    if isinstance(left, float) and isinstance(right, float):
        if op in _COMPARISON and not returns_bool:
            raise BadQuery("comparisons between scalars must use BOOL modifier")
        row = pl.DataFrame({"a": [left], "b": [right]}, schema={"a": pl.Float64, "b": pl.Float64})
        return float(row.select(_result(op))[:, 0][0])
    if isinstance(left, Vectors) and isinstance(right, Vectors):
        labels, joined = _matched(left, right)
        shown = pl.col("a")
    elif isinstance(left, Vectors):
        labels, shown = left.labels, pl.col("a")
        joined = left.values.rename({"value": "a"}).with_columns(b=pl.lit(right, pl.Float64))
    else:
        assert isinstance(right, Vectors)
        labels, shown = right.labels, pl.col("b")
        joined = right.values.rename({"value": "b"}).with_columns(a=pl.lit(left, pl.Float64))
    if op in _COMPARISON and not returns_bool:
        met = joined.filter(_COMPARISON[op](pl.col("a"), pl.col("b"))).select("series", "step", value=shown)
        return _renumbered(labels, met)
    return Vectors(labels, joined.select("series", "step", value=_result(op)))


def _result(op: str) -> pl.Expr:
    a, b = pl.col("a"), pl.col("b")
    return _ARITHMETIC[op](a, b) if op in _ARITHMETIC else _COMPARISON[op](a, b).cast(pl.Float64)


def _matched(left: Vectors, right: Vectors) -> tuple[Sequence[Labels], pl.DataFrame]:
    """Series with the same labels on both sides, with both values at the steps that both have."""
    numbers = {tuple(sorted(labels.items())): number for number, labels in enumerate(right.labels)}
    pairs = [
        (number, numbers[key])
        for number, labels in enumerate(left.labels)
        if (key := tuple(sorted(labels.items()))) in numbers
    ]
    schema = {"series": pl.Int64, "other": pl.Int64}
    matching = pl.DataFrame(pairs, schema=schema, orient="row")
    theirs = right.values.rename({"series": "other", "value": "b"})
    joined = left.values.rename({"value": "a"}).join(matching, on="series").join(theirs, on=["other", "step"])
    chosen = _renumbered(left.labels, joined.select("series", "step", value="a"))
    numbered = pl.DataFrame(
        {"series": sorted(set(joined["series"])), "number": range(len(chosen.labels))},
        schema={"series": pl.Int64, "number": pl.Int64},
    )
    return chosen.labels, joined.join(numbered, on="series").drop("series").rename({"number": "series"})
