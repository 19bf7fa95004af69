"""Calls: which function is computed how, and which of its arguments are what."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import promql_parser as pp

from query.errors import BadQuery, QueryFailed
from query.promql import bucketed, info, native, over_time, relabel
from query.promql.context import Context
from query.promql.dates import DATES
from query.promql.number import formatted
from query.promql.selectors import selected
from query.promql.values import (
    NAME,
    Bools,
    Floats,
    Labels,
    Scalar,
    String,
    Value,
    Vector,
    Windows,
    filled,
    key,
    relabelled,
    windows,
    without_name,
)

Evaluate = Callable[[pp.Expr, Context], Value]


@dataclass(frozen=True, slots=True)
class Call:
    """A function's arguments and what it needs beside them."""

    node: pp.Call
    context: Context
    evaluate: Evaluate

    def vector(self, place: int) -> Vector:
        """The argument at `place`, a vector."""
        value = self.evaluate(self.node.args[place], self.context)
        assert isinstance(value, Vector)
        return value

    def scalar(self, place: int, default: float | None = None) -> Floats:
        """The argument at `place`, a number for each step."""
        if place >= len(self.node.args) and default is not None:
            return np.full(self.context.steps, default)
        value = self.evaluate(self.node.args[place], self.context)
        assert isinstance(value, Scalar)
        return value.values

    def string(self, place: int) -> str:
        """The argument at `place`, a text."""
        value = self.evaluate(self.node.args[place], self.context)
        assert isinstance(value, String)
        return value.text

    def windows(self, place: int) -> Windows:
        """The argument at `place`, a range vector."""
        value = self.evaluate(self.node.args[place], self.context)
        assert isinstance(value, Windows)
        return value


def called(node: pp.Call, context: Context, evaluate: Evaluate) -> Value:
    """The value of a call. Raises QueryError."""
    call, name = Call(node, context, evaluate), node.func.name
    if name in over_time.SIMPLE or name in _WINDOWED:
        return _over_windows(name, call)
    if name in MATHS:
        return _mapped(call.vector(0), MATHS[name])
    if name in DATES:
        vector = call.vector(0) if node.args else _instant(context.seconds())
        return _mapped(vector, DATES[name])
    if name in FUNCTIONS:
        return FUNCTIONS[name](call)
    raise BadQuery(f'1:1: parse error: unknown function with name "{name}"')


def _over_windows(name: str, call: Call) -> Vector:
    place = 1 if name == "quantile_over_time" else 0
    win = call.windows(place)
    floats = win
    mixed = win.samples.hists is not None and bool(filled(win.samples.hists).any())
    if mixed:
        assert win.samples.hists is not None
        only = win.samples.only(~filled(win.samples.hists))
        floats = windows(only, win.starts, win.ends)
        _note_ignored(name, win, floats, call.context)
    values, present = _WINDOWED[name](call, floats) if name in _WINDOWED else over_time.SIMPLE[name](floats)
    hists = None
    if mixed and name in native.WITH_HISTOGRAMS:
        held, has, hists = native.over_time(name, win, call.context.notes)
        affected = win.hi - win.lo > floats.hi - floats.lo
        values, present = np.where(affected, held, values), np.where(affected, has, present)
    out = Vector(win.samples.labels, np.asarray(values, dtype=np.float64), np.asarray(present), hists)
    out = out.nonempty()
    if name in ("last_over_time", "first_over_time"):
        return out
    return relabelled(out, without_name, strict=True)


def _note_ignored(name: str, win: Windows, floats: Windows, context: Context) -> None:
    both = (win.hi - win.lo > floats.hi - floats.lo) & (floats.hi > floats.lo)
    if name not in native.WITH_HISTOGRAMS and bool(both.any()):
        context.notes.info("ignored histograms in a range containing both floats and histograms for metric name")


def _mapped(vector: Vector, change: Callable[[Floats], Floats]) -> Vector:
    """Every float changed; histograms are left out."""
    with np.errstate(all="ignore"):
        values = np.asarray(change(vector.values), dtype=np.float64)
    out = Vector(vector.labels, values, vector.floats())
    return relabelled(out.nonempty(), without_name)


def _instant(values: Floats) -> Vector:
    """A vector of one series without labels."""
    return Vector([{}], values[None, :], np.ones((1, len(values)), dtype=np.bool_))


def _quantile(call: Call, win: Windows) -> tuple[Floats, Bools]:
    q = call.scalar(0)
    if win.samples.labels:
        for each in np.unique(q):
            if not 0 <= each <= 1:
                call.context.notes.warn(f"quantile value should be between 0 and 1, got {formatted(each)}")
    return over_time.quantile(win, q)


def _smoothed(call: Call, win: Windows) -> tuple[Floats, Bools]:
    factor, trend = call.scalar(1), call.scalar(2)
    for value, what in ((factor, "smoothing"), (trend, "trend")):
        if not ((value >= 0) & (value <= 1)).all():
            raise QueryFailed(f"invalid {what} factor. Expected: 0 <= {what[0]}f <= 1, got: {formatted(value[0])}")
    return over_time.smoothed(win, factor, trend)


_WINDOWED: dict[str, Callable[[Call, Windows], tuple[Floats, Bools]]] = {
    "quantile_over_time": _quantile,
    "predict_linear": lambda call, win: over_time.predicted(win, call.scalar(1), call.context.times),
    "double_exponential_smoothing": _smoothed,
}


def _rounded(call: Call) -> Vector:
    nearest = call.scalar(1, 1.0)
    inverse = 1.0 / nearest
    return _mapped(call.vector(0), lambda values: np.floor(values * inverse + 0.5) / inverse)


def _clamped(call: Call) -> Vector:
    low, high = call.scalar(1), call.scalar(2)
    out = _mapped(
        call.vector(0), lambda values: np.fmax(low, np.fmin(high, values)) + 0 * values + 0 * (low + high) * 0
    )
    out.values = np.where(np.isnan(low) | np.isnan(high), np.nan, out.values)
    out.present = out.present & (low <= high) | out.present & (np.isnan(low) | np.isnan(high))
    return out.nonempty()


def _scalar(call: Call) -> Scalar:
    vector = call.vector(0)
    floats = vector.floats()
    alone = floats.sum(axis=0) == 1
    held = np.where(floats, vector.values, 0.0)
    with np.errstate(all="ignore"):
        return Scalar(np.where(alone, held.sum(axis=0), np.nan))


def _note_order(call: Call) -> None:
    if call.context.interval:
        name = call.node.func.name
        call.context.notes.warn(f"{name} is ineffective for range queries since results are always ordered by labels")


def _sorted(call: Call, *, descending: bool) -> Vector:
    _note_order(call)
    vector = call.vector(0)
    vector = Vector(vector.labels, vector.values, vector.floats()).nonempty()
    last = vector.values[:, -1] if vector.labels else np.empty(0)
    order = np.lexsort((-last if descending else last, np.isnan(last)))
    return vector.take(order)


def _sorted_by_label(call: Call, *, descending: bool) -> Vector:
    _note_order(call)
    vector = call.vector(0)
    names = [call.string(place) for place in range(1, len(call.node.args))]
    rows = sorted(
        range(len(vector.labels)),
        key=lambda row: (
            [relabel.natural(vector.labels[row].get(name, "")) for name in names],
            key(vector.labels[row]),
        ),
        reverse=descending,
    )
    return vector.take(rows)


def _absent(call: Call) -> Vector:
    return _missing(call, call.vector(0).present)


def _absent_over_time(call: Call) -> Vector:
    win = call.windows(0)
    return _missing(call, win.hi > win.lo)


def _missing(call: Call, present: Bools) -> Vector:
    """1 where no series is present, with the labels that the selector names."""
    absent = np.ones(call.context.steps, dtype=np.bool_)
    if len(present):
        absent = ~np.logical_or.reduce(present, axis=0)
    node = call.node.args[0]
    while isinstance(node, pp.ParenExpr):
        node = node.expr
    if isinstance(node, pp.MatrixSelector):
        node = node.vector_selector
    labels = _told(node) if isinstance(node, pp.VectorSelector) else {}
    return Vector([labels], np.ones((1, len(absent))), absent[None, :]).nonempty()


def _told(node: pp.VectorSelector) -> Labels:
    """Labels that a selector fixes: those it compares for equality, once."""
    labels: Labels = {}
    seen: set[str] = set()
    for each in node.matchers.matchers:
        if each.name == NAME:
            continue
        if str(each.op) == "MatchOp.Equal" and each.name not in seen:
            labels[each.name] = each.value
            seen.add(each.name)
        else:
            labels.pop(each.name, None)
    return {name: value for name, value in labels.items() if value}


def _timestamp(call: Call) -> Vector:
    node, context = call.node.args[0], call.context
    while isinstance(node, pp.ParenExpr):
        node = node.expr
    if isinstance(node, pp.VectorSelector):
        vector, when = selected(node, context)
        values = when / 1000.0
    else:
        vector = call.vector(0)
        values = np.broadcast_to(context.seconds()[None, :], vector.values.shape)
    return relabelled(Vector(vector.labels, values.astype(np.float64), vector.present), without_name)


def _label_replace(call: Call) -> Vector:
    return relabel.replaced(call.vector(0), *(call.string(place) for place in range(1, 5)))


def _label_join(call: Call) -> Vector:
    target, separator = call.string(1), call.string(2)
    sources = [call.string(place) for place in range(3, len(call.node.args))]
    return relabel.joined(call.vector(0), target, separator, sources)


def _info(call: Call) -> Vector:
    chosen = call.node.args[1] if len(call.node.args) > 1 else None
    return info.enriched(call.vector(0), chosen, call.context)


def _steps(call: Call, value: float) -> Scalar:
    return Scalar(np.full(call.context.steps, value))


FUNCTIONS: dict[str, Callable[[Call], Value]] = {
    "absent": _absent,
    "absent_over_time": _absent_over_time,
    "clamp": _clamped,
    "clamp_max": lambda call: (lambda high: _mapped(call.vector(0), lambda values: np.minimum(values, high)))(
        call.scalar(1)
    ),
    "clamp_min": lambda call: (lambda low: _mapped(call.vector(0), lambda values: np.maximum(values, low)))(
        call.scalar(1)
    ),
    "info": _info,
    "label_join": _label_join,
    "label_replace": _label_replace,
    "pi": lambda call: _steps(call, np.pi),
    "round": _rounded,
    "scalar": _scalar,
    "sort": lambda call: _sorted(call, descending=False),
    "sort_by_label": lambda call: _sorted_by_label(call, descending=False),
    "sort_by_label_desc": lambda call: _sorted_by_label(call, descending=True),
    "sort_desc": lambda call: _sorted(call, descending=True),
    "start": lambda call: _steps(call, call.context.start / 1000.0),
    "end": lambda call: _steps(call, call.context.end / 1000.0),
    "range": lambda call: _steps(call, (call.context.end - call.context.start) / 1000.0),
    "step": lambda call: _steps(call, call.context.interval / 1000.0),
    "min_of": lambda call: Scalar(np.minimum(call.scalar(0), call.scalar(1))),
    "max_of": lambda call: Scalar(np.maximum(call.scalar(0), call.scalar(1))),
    "time": lambda call: Scalar(call.context.seconds()),
    "timestamp": _timestamp,
    "vector": lambda call: _instant(call.scalar(0)),
    "histogram_quantile": lambda call: bucketed.quantile(call.scalar(0), call.vector(1), call.context.notes),
    "histogram_quantiles": lambda call: bucketed.quantiles(
        call.vector(0), call.string(1), [call.scalar(i) for i in range(2, len(call.node.args))], call.context.notes
    ),
    "histogram_fraction": lambda call: bucketed.fraction(
        call.scalar(0), call.scalar(1), call.vector(2), call.context.notes
    ),
    **{name: (lambda call, name=name: bucketed.described(name, call.vector(0))) for name in bucketed.DESCRIBED},  # type: ignore[misc]
}
MATHS: dict[str, Callable[[Floats], Floats]] = {
    "abs": np.abs, "acos": np.arccos, "acosh": np.arccosh, "asin": np.arcsin, "asinh": np.arcsinh, "atan": np.arctan,
    "atanh": np.arctanh, "ceil": np.ceil, "cos": np.cos, "cosh": np.cosh, "deg": np.degrees, "exp": np.exp,
    "floor": np.floor, "ln": np.log, "log10": np.log10, "log2": np.log2, "rad": np.radians, "sgn": np.sign,
    "sin": np.sin, "sinh": np.sinh, "sqrt": np.sqrt, "tan": np.tan, "tanh": np.tanh,
}  # fmt: skip
