"""Native histograms: buckets that grow by a factor, or that have bounds of their own, and arithmetic on them.

Bucket i of schema s holds values in (base**(i - 1), base**i] with base 2**2**-s; schema -53 has custom bounds, and its
bucket i holds (bounds[i - 1], bounds[i]]. https://prometheus.io/docs/specs/native_histograms/
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from query.errors import Incompatible

CUSTOM = -53
Buckets = dict[int, float]


@dataclass(slots=True)
class Histogram:
    """One native histogram with float counts. `hint` is unknown, reset, not_reset or gauge."""

    schema: int = 0
    count: float = 0.0
    sum: float = 0.0
    zero_threshold: float = 0.0
    zero_count: float = 0.0
    positive: Buckets = field(default_factory=dict)
    negative: Buckets = field(default_factory=dict)
    bounds: tuple[float, ...] = ()
    hint: str = "unknown"

    @property
    def custom(self) -> bool:
        """Whether its buckets have bounds of their own."""
        return self.schema == CUSTOM

    def upper(self, index: int) -> float:
        """Upper bound of a positive bucket."""
        if self.custom:
            return self.bounds[index] if 0 <= index < len(self.bounds) else (math.inf if index >= 0 else -math.inf)
        return bound(index, self.schema)

    def scaled(self, factor: float, hint: str | None = None) -> Histogram:
        """Everything times a factor."""
        return replace(
            self,
            count=self.count * factor,
            sum=self.sum * factor,
            zero_count=self.zero_count * factor,
            positive={i: n * factor for i, n in self.positive.items()},
            negative={i: n * factor for i, n in self.negative.items()},
            hint=hint or ("gauge" if factor < 0 else self.hint),
        )

    def divided(self, by: float) -> Histogram:
        """Everything divided; by zero, counts become infinite or NaN and buckets go."""
        if by == 0:
            return replace(
                self, count=_divide(self.count, by), sum=_divide(self.sum, by),
                zero_count=_divide(self.zero_count, by), positive={}, negative={},
            )  # fmt: skip
        out = replace(
            self, count=self.count / by, sum=self.sum / by, zero_count=self.zero_count / by,
            positive={i: n / by for i, n in self.positive.items()},
            negative={i: n / by for i, n in self.negative.items()},
        )  # fmt: skip
        if by < 0:
            out.hint = "gauge"
        return out

    def reduced(self, schema: int) -> Histogram:
        """The same at a coarser schema."""
        if schema >= self.schema or self.custom:
            return self
        shift = self.schema - schema
        return replace(
            self, schema=schema, positive=_coarser(self.positive, shift), negative=_coarser(self.negative, shift)
        )

    def with_zero(self, threshold: float) -> Histogram:
        """The same with a wider bucket for zero; grows to the end of the last bucket it cuts."""
        if threshold <= self.zero_threshold:
            return self
        widened = threshold
        for buckets in (self.positive, self.negative):
            for index, number in buckets.items():
                if number and bound(index - 1, self.schema) < widened < bound(index, self.schema):
                    widened = bound(index, self.schema)
        if widened != threshold:
            return self.with_zero(widened)
        out = replace(self, positive=dict(self.positive), negative=dict(self.negative), zero_threshold=threshold)
        for buckets in (out.positive, out.negative):
            for index in [i for i in buckets if bound(i, self.schema) <= threshold]:
                out.zero_count += buckets.pop(index)
        return out

    def plus(self, other: Histogram, sign: float = 1.0) -> Histogram:
        """This and another added, or subtracted with sign -1. Raises Incompatible."""
        one, two = aligned(self, other)
        return replace(
            one,
            count=one.count + sign * two.count,
            sum=one.sum + sign * two.sum,
            zero_count=one.zero_count + sign * two.zero_count,
            positive=_plus(one.positive, two.positive, sign),
            negative=_plus(one.negative, two.negative, sign),
            hint=_hint(one.hint, two.hint) if sign > 0 else "gauge",
        )

    def same(self, other: Histogram) -> bool:
        """Whether both say the same; buckets that hold nothing do not count."""
        return (
            self.schema == other.schema
            and self.zero_threshold == other.zero_threshold
            and all(
                a == b or (a != a and b != b)
                for a, b in ((self.count, other.count), (self.sum, other.sum), (self.zero_count, other.zero_count))
            )
            and compact(self.positive) == compact(other.positive)
            and compact(self.negative) == compact(other.negative)
            and self.bounds == other.bounds
        )

    def is_reset(self, before: Histogram) -> bool:
        """Whether a counter was reset between `before` and this."""
        if self.hint in ("reset", "not_reset"):
            return self.hint == "reset"
        if self.count < before.count or self.custom != before.custom:
            return True
        if self.custom:
            if self.bounds != before.bounds:
                one, two = aligned(self, before)
                return _fewer(one.positive, two.positive)
            return _fewer(self.positive, before.positive)
        if self.schema > before.schema or self.zero_threshold < before.zero_threshold:
            return True
        widened = before.reduced(self.schema).with_zero(self.zero_threshold)
        if widened.zero_threshold != self.zero_threshold or self.zero_count < widened.zero_count:
            return True
        return _fewer(self.positive, widened.positive) or _fewer(self.negative, widened.negative)

    def cells(self) -> Iterator[tuple[float, float, float]]:
        """(lower, upper, count) of all buckets that hold something, from the lowest."""
        for index in sorted((i for i, n in self.negative.items() if n), reverse=True):
            yield -bound(index, self.schema), -bound(index - 1, self.schema), self.negative[index]
        if self.zero_count:
            yield -self.zero_threshold, self.zero_threshold, self.zero_count
        for index in sorted(i for i, n in self.positive.items() if n):
            yield self.upper(index - 1), self.upper(index), self.positive[index]


def bound(index: int, schema: int) -> float:
    """Upper bound of bucket `index` at a schema."""
    try:
        return math.ldexp(1.0, index << -schema) if schema <= 0 else _fine(index, schema)
    except OverflowError:
        return math.inf


def _fine(index: int, schema: int) -> float:
    whole, part = divmod(index, 1 << schema)
    return math.ldexp(2.0 ** (part / (1 << schema)), whole)


def aligned(one: Histogram, two: Histogram) -> tuple[Histogram, Histogram]:
    """Both with the same schema, bucket for zero and bounds. Raises Incompatible."""
    if one.custom != two.custom:
        raise Incompatible
    if one.custom:
        if one.bounds == two.bounds:
            return one, two
        shared = tuple(sorted(set(one.bounds) & set(two.bounds)))
        return _rebound(one, shared), _rebound(two, shared)
    schema = min(one.schema, two.schema)
    one, two = one.reduced(schema), two.reduced(schema)
    while one.zero_threshold != two.zero_threshold:
        widest = max(one.zero_threshold, two.zero_threshold)
        one, two = one.with_zero(widest), two.with_zero(widest)
    return one, two


def _rebound(histogram: Histogram, bounds: tuple[float, ...]) -> Histogram:
    out: Buckets = {}
    for index, number in histogram.positive.items():
        upper = histogram.upper(index)
        at = next((i for i, edge in enumerate(bounds) if upper <= edge), len(bounds))
        out[at] = out.get(at, 0.0) + number
    return replace(histogram, positive=out, bounds=bounds)


def compact(buckets: Buckets) -> Buckets:
    """Only buckets that hold something."""
    return {index: number for index, number in buckets.items() if number != 0}


def _plus(one: Buckets, two: Buckets, sign: float) -> Buckets:
    out = dict(one)
    for index, number in two.items():
        out[index] = out.get(index, 0.0) + sign * number
    return out


def _coarser(buckets: Buckets, shift: int) -> Buckets:
    out: Buckets = {}
    for index, number in buckets.items():
        merged = ((index - 1) >> shift) + 1
        out[merged] = out.get(merged, 0.0) + number
    return out


def _fewer(now: Buckets, before: Buckets) -> bool:
    return any(now.get(index, 0.0) < number for index, number in before.items())


def _hint(one: str, two: str) -> str:
    if "gauge" in (one, two):
        return "gauge"
    return one if one == two else "unknown"


def _divide(number: float, by: float) -> float:
    if number == 0 or number != number:
        return math.nan
    return math.copysign(math.inf, number) * math.copysign(1.0, by)
