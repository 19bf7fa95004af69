"""From a tree to a value: selectors, subqueries and the dispatch to functions, aggregations and operators."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import promql_parser as pp

from query.errors import BadQuery
from query.promql import aggregate, binary, functions
from query.promql.context import Context
from query.promql.source import Match, Matcher
from query.promql.values import (
    NAME,
    Ints,
    Samples,
    Scalar,
    String,
    Value,
    Vector,
    Windows,
    empty,
    is_stale,
    positions,
    relabelled,
    windows,
    without_name,
)

_MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # subtracted from times whose zone was taken off
_OPS = {
    "MatchOp.Equal": Match.EQUAL, "MatchOp.NotEqual": Match.NOT_EQUAL,
    "MatchOp.Re": Match.REGEX, "MatchOp.NotRe": Match.NOT_REGEX,
}  # fmt: skip


def evaluate(node: pp.Expr, context: Context) -> Value:
    """The value of an expression at the context's times. Raises QueryError."""
    context.limits.check()
    match node:
        case pp.NumberLiteral():
            return Scalar(np.full(context.steps, node.val))
        case pp.StringLiteral():
            return String(node.val)
        case pp.ParenExpr():
            return evaluate(node.expr, context)
        case pp.UnaryExpr():
            return _negated(evaluate(node.expr, context))
        case pp.VectorSelector():
            return selected(node, context)[0]
        case pp.MatrixSelector() | pp.SubqueryExpr():
            return ranged(node, context)
        case pp.AggregateExpr():
            return aggregate.aggregated(node, context, evaluate)
        case pp.BinaryExpr():
            return binary.combined(node, context, evaluate)
        case pp.Call():
            return functions.called(node, context, evaluate)
    raise BadQuery(f"{type(node).__name__} is not supported")


def matchers(node: pp.VectorSelector) -> list[Matcher]:
    """A selector's conditions, that on the name among them. Raises BadQuery."""
    if node.matchers.or_matchers:
        raise BadQuery('1:1: parse error: unexpected "or" in label matching, expected "," or "}"')
    found = [Matcher.of(each.name, _OPS[str(each.op)], each.value) for each in node.matchers.matchers]
    if node.name is not None:
        found.append(Matcher.of(NAME, Match.EQUAL, node.name))
    return found


def selected(node: pp.VectorSelector, context: Context) -> tuple[Vector, Ints]:
    """An instant vector: the newest sample within the lookback, unless stale; and each cell's time of that sample."""
    times = moved(node, context)
    samples = _read(node, times, context.lookback, context)
    context.limits.take(len(samples.labels) * len(times))
    at = positions(samples, times) - 1
    has = at >= samples.offsets[:-1, None]
    at = np.where(has, at, -1)
    when = np.append(samples.times, 0)[at]
    values = np.append(samples.values, np.nan)[at]
    has &= when > (times - context.lookback)[None, :]
    hists = None
    if samples.hists is not None:
        hists = np.where(has, np.append(samples.hists, None)[at], None)
        has &= ~(is_stale(values) & np.equal(hists, None).astype(np.bool_))
    else:
        has &= ~is_stale(values)
    rows = has.any(axis=1)
    vector = _spread(Vector(samples.labels, values, has, hists).take(rows), context)
    return vector, np.broadcast_to(when[rows], vector.values.shape)


def ranged(node: pp.Expr, context: Context) -> Windows:
    """A range vector, of a selector or a subquery."""
    while isinstance(node, pp.ParenExpr):
        node = node.expr
    if isinstance(node, pp.MatrixSelector):
        inner = node.vector_selector
        times, length = moved(inner, context), node.range // _MS
        samples = _read(inner, times, length, context).fresh()
    elif isinstance(node, pp.SubqueryExpr):
        assert node.range is not None
        times, length = moved(node, context), node.range // _MS
        samples = _subquery(node, times, length, context)
    else:
        raise BadQuery("expected type range vector")
    context.limits.take(len(samples.labels) * len(times))
    found = windows(samples, times - length, times)
    if len(times) < context.steps:
        shape = (len(samples.labels), context.steps)
        ends = np.repeat(times, context.steps)
        return Windows(samples, np.broadcast_to(found.lo, shape), np.broadcast_to(found.hi, shape), ends - length, ends)
    return found


def moved(node: pp.VectorSelector | pp.SubqueryExpr, context: Context) -> Ints:
    """The times a selector looks at, after @ and offset: one where @ makes all the same."""
    times = context.times
    if node.at is not None:
        times = np.array([_fixed(node.at, context)], dtype=np.int64)
    return times - node.offset // _MS if node.offset is not None else times


def _fixed(at: pp.AtModifier, context: Context) -> int:
    if at.at is not None:
        return (at.at.replace(tzinfo=None) - _EPOCH) // _MS
    return context.start if str(at.type) == "AtModifierType.Start" else context.end


def _read(node: pp.VectorSelector, times: Ints, before: int, context: Context) -> Samples:
    samples = context.source.select(matchers(node), int(times.min()) - before, int(times.max()))
    context.limits.take(len(samples.times))
    return samples


def _subquery(node: pp.SubqueryExpr, times: Ints, length: int, context: Context) -> Samples:
    step = node.step // _MS if node.step is not None else context.step
    if step <= 0:
        raise BadQuery("zero or negative step of a subquery is not accepted")
    first = (int(times.min()) - length) // step * step + step
    inner_times = np.arange(first, int(times.max()) + 1, step, dtype=np.int64)
    context.limits.take(len(inner_times))
    if not len(inner_times):
        return Samples([], np.zeros(1, dtype=np.int64), inner_times, np.empty(0))
    value = evaluate(node.expr, replace(context, times=inner_times))
    return as_samples(value, inner_times)


def as_samples(value: Value, times: Ints) -> Samples:
    """What a vector or scalar holds at its steps, as if it had been stored."""
    if isinstance(value, Scalar):
        return Samples([{}], np.array([0, len(times)]), times, value.values)
    assert isinstance(value, Vector)
    offsets = np.concatenate([[0], np.cumsum(value.present.sum(axis=1))]).astype(np.int64)
    where = np.nonzero(value.present)
    hists = None if value.hists is None else value.hists[where]
    return Samples(value.labels, offsets, times[where[1]], value.values[where], hists)


def _spread(vector: Vector, context: Context) -> Vector:
    """A vector of one column, fixed by @, at every step."""
    if vector.values.shape[1] == context.steps or not vector.labels:
        return vector if vector.labels else empty(context.steps)
    shape = (len(vector.labels), context.steps)
    hists = None if vector.hists is None else np.broadcast_to(vector.hists, shape).copy()
    return Vector(
        vector.labels, np.broadcast_to(vector.values, shape).copy(), np.broadcast_to(vector.present, shape).copy(), hists
    )


def _negated(value: Value) -> Value:
    if isinstance(value, Scalar):
        return Scalar(-value.values)
    assert isinstance(value, Vector)
    hists = value.hists
    if hists is not None:
        hists = hists.copy()
        for where in zip(*np.nonzero(value.is_hist()), strict=True):
            hists[where] = hists[where].scaled(-1.0)
    return relabelled(replace_values(value, -value.values, hists), without_name)


def replace_values(vector: Vector, values: np.ndarray, hists: np.ndarray | None) -> Vector:
    """The same series and presence with other values."""
    return Vector(vector.labels, values, vector.present, hists)
