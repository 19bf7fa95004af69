"""Binary operators: between numbers, between a vector and numbers, and between vectors with their matching."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import promql_parser as pp

from query.errors import Incompatible, QueryFailed
from query.promql.context import Context, Notes
from query.promql.histogram import Histogram
from query.promql.values import (
    NAME,
    Bools,
    Floats,
    Key,
    Labels,
    Objects,
    Scalar,
    Value,
    Vector,
    empty,
    filled,
    key,
    no_hists,
    relabelled,
    without_name,
)

Evaluate = Callable[[pp.Expr, Context], Value]
COMPARISONS: dict[str, Callable[[Floats, Floats], Bools]] = {
    "==": np.equal, "!=": np.not_equal, ">": np.greater, "<": np.less, ">=": np.greater_equal, "<=": np.less_equal,
}  # fmt: skip
ARITHMETIC: dict[str, Callable[[Floats, Floats], Floats]] = {
    "+": np.add, "-": np.subtract, "*": np.multiply, "/": np.divide, "%": np.fmod, "^": np.power, "atan2": np.arctan2,
}  # fmt: skip
_SETS = frozenset({"and", "or", "unless"})


def combined(node: pp.BinaryExpr, context: Context, evaluate: Evaluate) -> Value:
    """The value of one operator. Raises QueryError."""
    left, right = evaluate(node.lhs, context), evaluate(node.rhs, context)
    op = str(node.op)
    returns_bool = node.modifier is not None and node.modifier.return_bool
    if isinstance(left, Scalar) and isinstance(right, Scalar):
        return Scalar(computed(op, left.values, right.values))
    if isinstance(left, Vector) and isinstance(right, Vector):
        if op in _SETS:
            return _set(op, Matching(node), left, right)
        return _matched(op, Matching(node), left, right, context, returns_bool=returns_bool)
    if isinstance(left, Vector):
        assert isinstance(right, Scalar)
        return _with_scalar(op, left, right.values, context.notes, swapped=False, returns_bool=returns_bool)
    assert isinstance(left, Scalar)
    assert isinstance(right, Vector)
    return _with_scalar(op, right, left.values, context.notes, swapped=True, returns_bool=returns_bool)


def computed(op: str, left: Floats, right: Floats) -> Floats:
    """Arithmetic, or 1 and 0 for a comparison."""
    with np.errstate(all="ignore"):
        if op in COMPARISONS:
            return COMPARISONS[op](left, right).astype(np.float64)
        return np.asarray(ARITHMETIC[op](left, right))


def _with_scalar(
    op: str, vector: Vector, numbers: Floats, notes: Notes, *, swapped: bool, returns_bool: bool
) -> Vector:
    row = np.broadcast_to(numbers[None, :], vector.values.shape)
    left, right = (row, vector.values) if swapped else (vector.values, row)
    values = computed(op, left, right)
    floats = vector.floats()
    present, hists = floats, None
    if vector.hists is not None:
        hists, has = _histogram_scalar(op, vector, row, notes, swapped=swapped)
        present = floats | has
    if op not in COMPARISONS:
        return relabelled(Vector(vector.labels, values, present, hists), without_name)
    if returns_bool:
        return relabelled(Vector(vector.labels, values, present), without_name)
    found = Vector(vector.labels, vector.values, floats & (values != 0))
    return found.nonempty()


def _histogram_scalar(
    op: str, vector: Vector, numbers: Floats, notes: Notes, *, swapped: bool
) -> tuple[Objects, Bools]:
    """Histograms times or divided by numbers; nothing else is defined."""
    assert vector.hists is not None
    out = no_hists(vector.values.shape)
    for where in zip(*np.nonzero(vector.is_hist()), strict=True):
        number, histogram = float(numbers[where]), vector.hists[where]
        if op == "*":
            out[where] = histogram.scaled(number)
        elif op == "/" and not swapped:
            out[where] = histogram.divided(number)
        else:
            sides = ("float", "histogram") if swapped else ("histogram", "float")
            notes.info(f"incompatible sample types encountered for binary operator {op!s}: {sides[0]} {op} {sides[1]}")
    return out, filled(out)


class Matching:
    """Which labels of two vectors must be equal, and what the result's labels are."""

    def __init__(self, node: pp.BinaryExpr) -> None:
        modifier = node.modifier
        matching = modifier.matching if modifier is not None else None
        self.on = matching is not None and str(matching.type) == "LabelModifierType.Include"
        self.names = frozenset(matching.labels) if matching is not None else frozenset()
        card = str(modifier.card) if modifier is not None else ""
        self.card = card.removeprefix("VectorMatchCardinality.") or "OneToOne"
        self.include = list(modifier.group_labels or []) if modifier is not None else []
        fill = modifier.fill_values if modifier is not None else None
        self.fill_left = fill.lhs if fill is not None else None
        self.fill_right = fill.rhs if fill is not None else None

    def kept(self, labels: Labels) -> Labels:
        """The labels that are compared."""
        if self.on:
            return {name: value for name, value in labels.items() if name in self.names}
        return {name: value for name, value in labels.items() if name not in self.names | {NAME}}

    def signature(self, labels: Labels) -> Key:
        """Equal for series that match."""
        return key(self.kept(labels))

    def result(self, many: Labels, one: Labels, *, drop_name: bool) -> Labels:
        """Labels of what comes of two matching series."""
        out = without_name(many) if drop_name else dict(many)
        if self.card == "OneToOne":
            if self.on:
                out = {name: value for name, value in out.items() if name in self.names}
            else:
                out = {name: value for name, value in out.items() if name not in self.names}
        for name in self.include:
            if one.get(name):
                out[name] = one[name]
            else:
                out.pop(name, None)
        return out


def _set(op: str, matching: Matching, left: Vector, right: Vector) -> Vector:
    presence: dict[Key, Bools] = {}
    source = left if op == "or" else right
    for row, labels in enumerate(source.labels):
        found = matching.signature(labels)
        presence[found] = presence[found] | source.present[row] if found in presence else source.present[row]
    nowhere = np.zeros(left.present.shape[1], dtype=np.bool_)
    filtered = right if op == "or" else left
    there = np.array([presence.get(matching.signature(labels), nowhere) for labels in filtered.labels])
    if not len(filtered.labels):
        return left if op == "or" else filtered
    present = filtered.present & (there if op == "and" else ~there)
    kept = Vector(filtered.labels, filtered.values, present, filtered.hists)
    kept = kept.take(present.any(axis=1))
    return kept if op != "or" else joined(left, kept)


def joined(one: Vector, two: Vector) -> Vector:
    """The series of both; those with the same labels are one."""
    if not one.labels or not two.labels:
        return one if one.labels else two
    hists = None
    if one.hists is not None or two.hists is not None:
        parts = [each.hists if each.hists is not None else no_hists(each.values.shape) for each in (one, two)]
        hists = np.concatenate(parts)
    both = Vector(
        [*one.labels, *two.labels],
        np.concatenate([one.values, two.values]),
        np.concatenate([one.present, two.present]),
        hists,
    )
    return relabelled(both, dict)


def _matched(
    op: str, matching: Matching, left: Vector, right: Vector, context: Context, *, returns_bool: bool
) -> Vector:
    filled = matching.fill_left is not None or matching.fill_right is not None
    if (not left.labels or not right.labels) and not filled:
        return empty(context.steps)
    many, one = (right, left) if matching.card == "OneToMany" else (left, right)
    ones = _by_signature(matching, one, "left" if matching.card == "OneToMany" else "right", many)
    pairs = _pairs(matching, many, one, ones)
    if filled:
        many, one, pairs = _with_fill(matching, many, one, pairs, context.steps)
    if not pairs:
        return empty(context.steps)
    m, o = np.array([p[0] for p in pairs]), np.array([p[1] for p in pairs])
    both = many.present[m] & one.present[o]
    drop_name = op in ARITHMETIC or returns_bool
    labels = [matching.result(many.labels[i], one.labels[j], drop_name=drop_name) for i, j in pairs]
    values, hists, defined = _cells(op, many, one, m, o, both, matching, context.notes, returns_bool=returns_bool)
    _check_unique(labels, both, matching)
    found = Vector(labels, values, both & defined, hists)
    return relabelled(found.nonempty(), dict)


def _by_signature(matching: Matching, one: Vector, side: str, many: Vector) -> dict[Key, list[int]]:
    """Rows of the "one" side by signature. Raises QueryFailed where two are there at the same step."""
    ones: dict[Key, list[int]] = {}
    for row, labels in enumerate(one.labels):
        ones.setdefault(matching.signature(labels), []).append(row)
    busy = many.present.any(axis=0) if len(many.labels) else np.zeros(one.present.shape[1], dtype=np.bool_)
    for rows in ones.values():
        if len(rows) > 1 and ((one.present[rows].sum(axis=0) > 1) & busy).any():
            column = int(np.argmax((one.present[rows].sum(axis=0) > 1) & busy))
            first, second = [row for row in rows if one.present[row, column]][:2]
            raise QueryFailed(
                f"found duplicate series for the match group {shown(matching.kept(one.labels[first]))} on the {side} "
                f"hand-side of the operation: [{shown(one.labels[second])}, {shown(one.labels[first])}]"
                ";many-to-many matching not allowed: matching labels must be unique on one side"
            )
    return ones


def _pairs(matching: Matching, many: Vector, one: Vector, ones: dict[Key, list[int]]) -> list[tuple[int, int]]:
    return [
        (row, other)
        for row, labels in enumerate(many.labels)
        for other in ones.get(matching.signature(labels), ())
        if (many.present[row] & one.present[other]).any()
    ]


def _with_fill(
    matching: Matching, many: Vector, one: Vector, pairs: list[tuple[int, int]], steps: int
) -> tuple[Vector, Vector, list[tuple[int, int]]]:
    """Both sides with series that stand for absent partners, and the pairs that they make."""
    many_fill, one_fill = matching.fill_left, matching.fill_right
    if matching.card == "OneToMany":
        many_fill, one_fill = one_fill, many_fill
    pairs = list(pairs)
    filled_many, filled_one = many, one
    if one_fill is not None:
        filled_one, places = _absent(matching, many, one, one_fill, steps)
        pairs += list(enumerate(places))
    if many_fill is not None:
        filled_many, places = _absent(matching, one, many, many_fill, steps)
        pairs += [(place, row) for row, place in enumerate(places)]
    return filled_many, filled_one, pairs


def _absent(matching: Matching, own: Vector, other: Vector, fill: float, steps: int) -> tuple[Vector, list[int]]:
    """`other` and a series for each signature of `own`, present where `other` has none; and those series' rows."""
    nowhere = np.zeros(steps, dtype=np.bool_)
    present: dict[Key, Bools] = {}
    for row, labels in enumerate(other.labels):
        found = matching.signature(labels)
        present[found] = present.get(found, nowhere) | other.present[row]
    names = {matching.signature(labels): matching.kept(labels) for labels in own.labels}
    absent = np.array([~present.get(name, nowhere) for name in names], dtype=np.bool_).reshape(-1, steps)
    added = Vector(list(names.values()), np.full(absent.shape, fill), absent)
    place = {name: len(other.labels) + number for number, name in enumerate(names)}
    return _appended(other, added), [place[matching.signature(labels)] for labels in own.labels]


def _appended(one: Vector, two: Vector) -> Vector:
    hists = None if one.hists is None else np.concatenate([one.hists, no_hists(two.values.shape)])
    return Vector(
        [*one.labels, *two.labels],
        np.concatenate([one.values.reshape(-1, two.values.shape[1]), two.values]),
        np.concatenate([one.present.reshape(-1, two.values.shape[1]), two.present]),
        hists,
    )


def _cells(
    op: str, many: Vector, one: Vector, m: np.ndarray, o: np.ndarray, both: Bools, matching: Matching, notes: Notes,
    *, returns_bool: bool,
) -> tuple[Floats, Objects | None, Bools]:  # fmt: skip
    """Values of all pairs, and where there is one: a comparison keeps the left side's."""
    swapped = matching.card == "OneToMany"
    left, right = (one.values[o], many.values[m]) if swapped else (many.values[m], one.values[o])
    values = computed(op, left, right)
    defined = np.ones(both.shape, dtype=np.bool_)
    if op in COMPARISONS and not returns_bool:
        defined = values != 0
        values = left
    if many.hists is None and one.hists is None:
        return values, None, defined
    m_hists = many.hists[m] if many.hists is not None else no_hists(both.shape)
    o_hists = one.hists[o] if one.hists is not None else no_hists(both.shape)
    l_hists, r_hists = (o_hists, m_hists) if swapped else (m_hists, o_hists)
    hists = no_hists(both.shape)
    some = both & (filled(l_hists) | filled(r_hists))
    for where in zip(*np.nonzero(some), strict=True):
        found = _histogram_cell(op, l_hists[where], r_hists[where], float(left[where]), float(right[where]), notes)
        defined[where] = found is not None
        if isinstance(found, Histogram):
            hists[where] = found
        elif found is not None and returns_bool:
            values[where] = found
        elif found is not None:
            defined[where] = bool(found)
            hists[where] = l_hists[where]
    return values, hists, defined


def _histogram_cell(
    op: str, left: Histogram | None, right: Histogram | None, left_float: float, right_float: float, notes: Notes
) -> Histogram | float | None:
    if left is not None and right is not None:
        if op in ("==", "!="):
            return float(left.same(right) == (op == "=="))
        if op in ("+", "-"):
            try:
                found = left.plus(right, 1.0 if op == "+" else -1.0)
            except Incompatible:
                notes.warn("vector contains a mix of histograms with exponential and custom buckets schemas")
                return None
            if left.bounds != right.bounds:
                name = "addition" if op == "+" else "subtraction"
                notes.info(f"mismatched custom buckets were reconciled during {name}")
            return found
    elif op == "*":
        return left.scaled(right_float) if left is not None else right.scaled(left_float) if right is not None else None
    elif op == "/" and left is not None:
        return left.divided(right_float)
    kinds = ["float" if each is None else "histogram" for each in (left, right)]
    notes.info(f"incompatible sample types encountered for binary operator {op}: {kinds[0]} {op} {kinds[1]}")
    return None


def _check_unique(labels: list[Labels], present: Bools, matching: Matching) -> None:
    """Raise QueryFailed when two pairs give the same series at the same step."""
    seen: dict[Key, Bools] = {}
    for row, each in enumerate(labels):
        found = key(each)
        if found in seen and bool((seen[found] & present[row]).any()):
            if matching.card == "OneToOne":
                raise QueryFailed(
                    "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                )
            raise QueryFailed("multiple matches for labels: grouping labels must ensure unique matches")
        seen[found] = seen[found] | present[row] if found in seen else present[row]


def shown(labels: Labels) -> str:
    """Labels as messages show them."""
    return "{" + ", ".join(f'{name}="{value}"' for name, value in key(labels)) + "}"
