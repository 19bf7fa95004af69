"""Selectors: which series, at which times, and the newest sample of each."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import promql_parser as pp

from query.errors import BadQuery
from query.promql.context import Context
from query.promql.source import Match, Matcher
from query.promql.values import NAME, Ints, Samples, Vector, empty, filled, is_stale, positions

MS = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  # subtracted from times whose zone was taken off
_OPS = {
    "MatchOp.Equal": Match.EQUAL, "MatchOp.NotEqual": Match.NOT_EQUAL,
    "MatchOp.Re": Match.REGEX, "MatchOp.NotRe": Match.NOT_REGEX,
}  # fmt: skip


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
    samples = read(node, times, context.lookback, context)
    context.limits.take(len(samples.labels) * len(times))
    at = positions(samples, times) - 1
    has = at >= samples.offsets[:-1, None]
    at = np.where(has, at, 0)
    when = _taken(samples.times, at, has, 0)
    values = _taken(samples.values, at, has, np.nan)
    has &= when > (times - context.lookback)[None, :]
    hists = None
    if samples.hists is not None:
        hists = _taken(samples.hists, at, has, None)
        has &= ~(is_stale(values) & ~filled(hists))
    else:
        has &= ~is_stale(values)
    rows = np.asarray(has.any(axis=1))
    vector = _spread(Vector(samples.labels, values, has, hists).take(rows), context)
    return vector, np.broadcast_to(when[rows], vector.values.shape)


def _taken(column: np.ndarray, at: Ints, has: np.ndarray, nothing: Any) -> np.ndarray:
    """What a column has at some places, and `nothing` where there is no place."""
    if not len(column):
        return np.full(at.shape, nothing, dtype=column.dtype)
    return np.asarray(np.where(has, column[at], nothing), dtype=column.dtype)


def moved(node: pp.VectorSelector | pp.SubqueryExpr, context: Context) -> Ints:
    """The times a selector looks at, after @ and offset: one where @ makes all the same."""
    times = context.times
    if node.at is not None:
        times = np.array([_fixed(node.at, context)], dtype=np.int64)
    return times - node.offset // MS if node.offset is not None else times


def _fixed(at: pp.AtModifier, context: Context) -> int:
    if at.at is not None:
        return (at.at.replace(tzinfo=None) - _EPOCH) // MS
    return context.start if str(at.type) == "AtModifierType.Start" else context.end


def read(node: pp.VectorSelector, times: Ints, before: int, context: Context) -> Samples:
    """Samples of a selector from `before` milliseconds before the first of the times to the last."""
    samples = context.source.select(matchers(node), int(times.min()) - before, int(times.max()))
    context.limits.take(len(samples.times))
    return samples


def _spread(vector: Vector, context: Context) -> Vector:
    """A vector of one column, fixed by @, at every step."""
    if vector.values.shape[1] == context.steps or not vector.labels:
        return vector if vector.labels else empty(context.steps)
    shape = (len(vector.labels), context.steps)
    hists = None if vector.hists is None else np.broadcast_to(vector.hists, shape).copy()
    return Vector(
        vector.labels,
        np.broadcast_to(vector.values, shape).copy(),
        np.broadcast_to(vector.present, shape).copy(),
        hists,
    )
