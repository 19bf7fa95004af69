"""From a tree to a value: selectors, subqueries and the dispatch to functions, aggregations and operators."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import promql_parser as pp

from query.errors import BadQuery
from query.promql import aggregate, binary, functions
from query.promql.context import Context
from query.promql.selectors import MS, moved, read, selected
from query.promql.values import (
    Ints,
    Samples,
    Scalar,
    String,
    Value,
    Vector,
    Windows,
    relabelled,
    windows,
    without_name,
)


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


def ranged(node: pp.Expr, context: Context) -> Windows:
    """A range vector, of a selector or a subquery."""
    while isinstance(node, pp.ParenExpr):
        node = node.expr
    if isinstance(node, pp.MatrixSelector):
        inner = node.vector_selector
        times, length = moved(inner, context), node.range // MS
        samples = read(inner, times, length, context).fresh()
    elif isinstance(node, pp.SubqueryExpr):
        assert node.range is not None
        times, length = moved(node, context), node.range // MS
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


def _subquery(node: pp.SubqueryExpr, times: Ints, length: int, context: Context) -> Samples:
    step = node.step // MS if node.step is not None else context.step
    if step <= 0:
        raise BadQuery("zero or negative step of a subquery is not accepted")
    first = (int(times.min()) - length) // step * step + step
    last = int(times.max())
    context.limits.take(max((last - first) // step + 1, 0))
    inner_times = np.arange(first, last + 1, step, dtype=np.int64)
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


def _negated(value: Value) -> Value:
    if isinstance(value, Scalar):
        return Scalar(-value.values)
    assert isinstance(value, Vector)
    hists = value.hists
    if hists is not None:
        hists = hists.copy()
        for where in zip(*np.nonzero(value.is_hist()), strict=True):
            hists[where] = hists[where].scaled(-1.0)
    return relabelled(Vector(value.labels, -value.values, value.present, hists), without_name)
