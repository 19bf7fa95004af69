"""Aggregations over groups of series at each step."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import promql_parser as pp

from query.errors import BadQuery, QueryFailed
from query.promql import native
from query.promql.context import Context
from query.promql.number import formatted, plain
from query.promql.over_time import interpolated
from query.promql.values import NAME, Bools, Floats, Ints, Key, Labels, Scalar, String, Value, Vector, empty, key

Evaluate = Callable[[pp.Expr, Context], Value]
_CANCELLED = 1e3
_PICKING = frozenset({"topk", "bottomk", "limitk", "limit_ratio"})


def aggregated(node: pp.AggregateExpr, context: Context, evaluate: Evaluate) -> Vector:
    """sum, topk and the others. Raises QueryError."""
    op = str(node.op)
    value = evaluate(node.expr, context)
    assert isinstance(value, Vector)
    parameter = evaluate(node.param, context) if node.param is not None else None
    if op in _PICKING:
        return _picked(op, node, value, _numbers(parameter, context), context)
    if op == "count_values":
        assert isinstance(parameter, String)
        return _count_values(node, value, parameter.text, context)
    if not value.labels:
        if op == "quantile":
            _check_quantile(_numbers(parameter, context), context)
        return empty(context.steps)
    groups = Groups.of(node, value.labels)
    if op == "quantile":
        q = _numbers(parameter, context)
        _check_quantile(q, context)
        return _quantile(groups, value, q, context)
    if op in ("count", "group"):
        counts = groups.counts(value.present)
        return Vector(groups.labels, counts if op == "count" else np.ones(counts.shape), counts > 0)
    return _reduced(op, groups, value, context)


class Groups:
    """Series in groups: `order` sorts rows so that groups are contiguous from `starts` on."""

    def __init__(self, labels: list[Labels], members: list[list[int]]) -> None:
        self.labels = labels
        self.members = members
        self.order = np.array([row for rows in members for row in rows], dtype=np.int64)
        self.starts = np.cumsum([0, *(len(rows) for rows in members)])[:-1].astype(np.int64)

    @classmethod
    def of(cls, node: pp.AggregateExpr, labels: list[Labels]) -> Groups:
        """Groups by an aggregation's modifier."""
        found: dict[Key, tuple[Labels, list[int]]] = {}
        chosen = grouping(node)
        for row, each in enumerate(labels):
            kept = chosen(each)
            found.setdefault(key(kept), (kept, []))[1].append(row)
        return cls([kept for kept, _ in found.values()], [rows for _, rows in found.values()])

    def counts(self, present: Bools) -> Floats:
        """How many series of each group are present at each step."""
        return np.add.reduceat(present[self.order].astype(np.float64), self.starts, axis=0)

    def reduce(self, ufunc: np.ufunc, values: Floats) -> Floats:
        """A ufunc over each group's rows."""
        with np.errstate(all="ignore"):
            return np.asarray(ufunc.reduceat(values[self.order], self.starts, axis=0))

    def sums(self, values: Floats) -> Floats:
        """Sums that lose nothing where large numbers cancel out."""
        total = self.reduce(np.add, values)
        size = self.reduce(np.add, np.abs(values))
        with np.errstate(all="ignore"):
            lossy = np.isfinite(size) & (size > _CANCELLED * np.abs(total))
        for group in np.flatnonzero(lossy.any(axis=1)):
            total[group] = _compensated(values[self.members[group]])
        return total

    def spread(self, values: Floats) -> Floats:
        """A group's values for each of its rows, in the order of the rows."""
        out = np.empty((len(self.order), *values.shape[1:]))
        out[self.order] = np.repeat(values, [len(rows) for rows in self.members], axis=0)
        return out


def grouping(node: pp.AggregateExpr) -> Callable[[Labels], Labels]:
    """From a series' labels to its group's."""
    modifier = node.modifier
    if modifier is None:
        return lambda _: {}
    names = frozenset(modifier.labels)
    if str(modifier.type) == "AggModifierType.By":
        return lambda labels: {name: value for name, value in labels.items() if name in names}
    return lambda labels: {name: value for name, value in labels.items() if name not in names and name != NAME}


def _compensated(rows: Floats) -> Floats:
    total, lost = np.zeros(rows.shape[1]), np.zeros(rows.shape[1])
    for row in rows:
        fresh = total + row
        lost += np.where(np.abs(total) >= np.abs(row), (total - fresh) + row, (row - fresh) + total)
        total = fresh
    return np.asarray(total + lost)


def _reduced(op: str, groups: Groups, value: Vector, context: Context) -> Vector:
    floats = value.floats()
    counts = groups.counts(floats)
    if value.hists is not None and op not in ("sum", "avg") and value.is_hist().any():
        context.notes.info(f"ignored histogram in {op} aggregation")
    if op in ("sum", "avg"):
        held = np.where(floats, value.values, 0.0)
        out = groups.sums(held)
        if op == "avg":
            out = _mean(groups, held, out, counts)
    elif op in ("min", "max"):
        out = groups.reduce(np.fmin if op == "min" else np.fmax, np.where(floats, value.values, np.nan))
    else:
        out = _variance(groups, value.values, floats)
        out = np.sqrt(out) if op == "stddev" else out
    result = Vector(groups.labels, out, counts > 0)
    if value.hists is not None and op in ("sum", "avg"):
        result = native.aggregated(op, groups.members, groups.labels, value, result, context.notes)
    return result


def _mean(groups: Groups, held: Floats, sums: Floats, counts: Floats) -> Floats:
    with np.errstate(all="ignore"):
        mean = sums / counts
        over = np.isinf(sums)
        if over.any():
            # Too large to add up, not too large to average.
            mean = np.where(over, groups.sums(held / groups.spread(np.maximum(counts, 1))), mean)
    return mean


def _variance(groups: Groups, values: Floats, present: Bools) -> Floats:
    """By Welford's method, which finds no variance where there is none."""
    out = np.empty((len(groups.labels), values.shape[1]))
    for group, rows in enumerate(groups.members):
        number, mean, squares = (np.zeros(values.shape[1]) for _ in range(3))
        for row in rows:
            has = present[row]
            number += has
            with np.errstate(all="ignore"):
                off = values[row] - mean
                mean = np.where(has, mean + off / number, mean)
                squares = np.where(has, squares + off * (values[row] - mean), squares)
        with np.errstate(all="ignore"):
            out[group] = squares / number
    return out


def _quantile(groups: Groups, value: Vector, q: Floats, context: Context) -> Vector:
    if value.is_hist().any():
        context.notes.info("ignored histogram in quantile aggregation")
    floats = value.floats()
    counts = groups.counts(floats)
    out = np.full(counts.shape, np.nan)
    for group, rows in enumerate(groups.members):
        has = floats[rows]
        values = np.sort(np.where(has, value.values[rows], np.nan).T, axis=1)
        out[group] = interpolated(values, has.sum(axis=0), q)
    return Vector(groups.labels, out, counts > 0)


def _check_quantile(q: Floats, context: Context) -> None:
    for each in np.unique(q):
        if not 0 <= each <= 1:
            context.notes.warn(f"quantile value should be between 0 and 1, got {formatted(each)}")


def _picked(op: str, node: pp.AggregateExpr, value: Vector, numbers: Floats, context: Context) -> Vector:
    if np.isnan(numbers).any():
        raise QueryFailed("Ratio value is NaN" if op == "limit_ratio" else "Parameter value is NaN")
    if op == "limit_ratio":
        for each in np.unique(numbers[np.abs(numbers) > 1]):
            context.notes.warn(
                f"ratio value should be between -1 and 1, got {formatted(each)}, capping to {'1' if each > 0 else '-1'}"
            )
        numbers = np.clip(numbers, -1, 1)
    elif (np.abs(numbers) >= 2.0**63).any():
        raise QueryFailed(f"Scalar value {formatted(float(numbers.max()))} overflows int64")
    if not value.labels:
        return empty(context.steps)
    groups = Groups.of(node, value.labels)
    ranked = op in ("topk", "bottomk")
    present = value.floats() if ranked else value.present
    if ranked and value.is_hist().any():
        context.notes.info(f"ignored histogram in {op} aggregation")
    keep = np.zeros_like(present)
    order: list[int] = []
    for rows in groups.members:
        index = np.array(rows)
        if ranked:
            place, best = _ranks(value.values[index], present[index], largest=op == "topk")
            keep[index] = present[index] & (place < np.trunc(numbers)[None, :])
            order += [int(index[i]) for i in best]
        elif op == "limitk":
            keep[index] = present[index] & (np.cumsum(present[index], axis=0) <= np.trunc(numbers)[None, :])
            order += rows
        else:
            shares = np.array([share(value.labels[row]) for row in rows])[:, None]
            chosen = np.where(numbers >= 0, shares < numbers[None, :], shares >= 1.0 + numbers[None, :])
            keep[index] = present[index] & chosen
            order += rows
    found = Vector(value.labels, value.values, keep, value.hists).take(np.array(order, dtype=np.int64))
    return found.nonempty()


def _ranks(values: Floats, present: Bools, *, largest: bool) -> tuple[Ints, Ints]:
    """Each row's place at each step, the best first, and the rows by their place at the last step; NaN is worst."""
    worth = np.where(np.isnan(values), -np.inf, values if largest else -values)
    order = np.lexsort((-worth, np.isnan(values), ~present), axis=0)
    place = np.empty(order.shape, dtype=np.int64)
    np.put_along_axis(place, order, np.arange(len(order))[:, None], axis=0)
    return place, order[:, -1]


def share(labels: Labels) -> float:
    """Where between 0 and 1 a series lies, by its labels, the same always."""
    from hashlib import blake2b

    text = "\xff".join(f"{name}\xfe{value}" for name, value in key(labels))
    return int.from_bytes(blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big") / 2.0**64


def _count_values(node: pp.AggregateExpr, value: Vector, label: str, context: Context) -> Vector:
    if not valid_label(label):
        raise QueryFailed(f'invalid label name "{label}"')
    chosen = grouping(node)
    found: dict[Key, tuple[Labels, Floats]] = {}
    hist = value.is_hist()
    for row, labels in enumerate(value.labels):
        group = chosen(labels)
        texts = np.array([plain(each) for each in value.values[row]], dtype=object)
        for column in np.flatnonzero(hist[row]):
            assert value.hists is not None
            texts[column] = native.text(value.hists[row, column])
        for text in {text for text, has in zip(texts, value.present[row], strict=True) if has}:
            kept = group | {label: text}
            counts = found.setdefault(key(kept), (kept, np.zeros(context.steps)))[1]
            counts += (texts == text) & value.present[row]
    if not found:
        return empty(context.steps)
    counts = np.array([counts for _, counts in found.values()])
    return Vector([kept for kept, _ in found.values()], counts, counts > 0)


def valid_label(name: str) -> bool:
    """Whether a text can name a label: any UTF-8 but the empty text."""
    return bool(name) and re.search("[\ud800-\udfff]", name) is None


def _numbers(parameter: Value | None, context: Context) -> Floats:
    if not isinstance(parameter, Scalar):
        raise BadQuery("expected type scalar in aggregation parameter")
    return parameter.values
