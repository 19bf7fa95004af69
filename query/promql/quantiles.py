"""Quantiles, fractions and spread of histograms, classic and native.

https://github.com/prometheus/prometheus/blob/main/promql/quantile.go
"""

from __future__ import annotations

import math

import numpy as np

from query.promql.histogram import Histogram
from query.promql.values import Floats

# Counts that fall by less than this share are rounding, not a broken histogram.
_TOLERANCE = 1e-12


def classic(q: float, bounds: Floats, counts: Floats) -> tuple[float, bool]:
    """The quantile of cumulative buckets whose bounds ascend, and whether counts had to be made to ascend."""
    if math.isnan(q):
        return math.nan, False
    if q < 0:
        return -math.inf, False
    if q > 1:
        return math.inf, False
    if len(bounds) < 2 or bounds[-1] != math.inf:
        return math.nan, False
    counts, forced = ascending(counts)
    total = counts[-1]
    if not total > 0:
        return math.nan, forced
    rank = q * total
    at = int(np.searchsorted(counts[:-1], rank, side="left"))
    if at == len(bounds) - 1:
        return float(bounds[-2]), forced
    if at == 0 and bounds[0] <= 0:
        return float(bounds[0]), forced
    start = float(bounds[at - 1]) if at else 0.0
    below = float(counts[at - 1]) if at else 0.0
    inside = float(counts[at]) - below
    return start + (float(bounds[at]) - start) * ((rank - below) / inside), forced


def ascending(counts: Floats) -> tuple[Floats, bool]:
    """Counts none of which is below the one before, and whether that changed more than rounding explains."""
    highest = np.maximum.accumulate(np.nan_to_num(counts, nan=-np.inf))
    with np.errstate(invalid="ignore"):
        forced = bool((counts < highest - np.abs(highest) * _TOLERANCE).any())
    return np.where(np.isnan(counts), counts, highest), forced


def native(q: float, histogram: Histogram) -> float:
    """The quantile of a native histogram; exponential within a bucket, linear in the one for zero and custom ones."""
    if math.isnan(q):
        return math.nan
    if q < 0:
        return -math.inf
    if q > 1:
        return math.inf
    cells = list(histogram.cells())
    if histogram.count == 0 or math.isnan(histogram.count) or not cells:
        return math.nan
    # Observations that are NaN are counted, but lie in no bucket: with them the rank is from below.
    rank = q * histogram.count
    seen = 0.0
    lower, upper, number = cells[0]
    for cell in cells:
        lower, upper, number = cell
        seen += number
        if seen >= rank:
            break
    else:
        if math.isnan(histogram.sum):
            return math.nan
        seen = max(seen, rank)
    if histogram.custom:
        if lower == -math.inf:
            if upper <= 0:
                return upper
            lower = 0.0
        if upper == math.inf:
            return lower
    if lower < 0 < upper and not histogram.custom:
        if not histogram.negative and histogram.positive:
            lower = 0.0
        elif histogram.negative and not histogram.positive:
            upper = 0.0
    part = (rank - (seen - number)) / number if number else 0.0
    if histogram.custom or lower < 0 < upper or lower == 0 or upper == 0:
        return lower + (upper - lower) * part
    if lower >= 0:
        low, high = math.log2(lower), math.log2(upper)
        return _power(low + (high - low) * part)
    low, high = math.log2(-lower), math.log2(-upper)
    return -_power(low + (high - low) * part)


def _power(exponent: float) -> float:
    return 2.0**exponent if exponent < 1024 else math.inf


def fraction(lower: float, upper: float, histogram: Histogram) -> float:
    """The share of observations between two values."""
    if histogram.count == 0 or math.isnan(lower) or math.isnan(upper):
        return math.nan
    if lower >= upper:
        return 0.0
    low, high = rank_of(lower, histogram), rank_of(upper, histogram)
    return (high - low) / histogram.count


def rank_of(value: float, histogram: Histogram) -> float:
    """About how many observations lie below a value."""
    rank = 0.0
    for low, high, number in histogram.cells():
        if histogram.custom and low == -math.inf and high > 0:
            low = 0.0
        if value <= low:
            break
        if value >= high:
            rank += number
            continue
        rank += number * _share(value, low, high, histogram)
        break
    return rank


def _share(value: float, low: float, high: float, histogram: Histogram) -> float:
    """The part of a bucket that lies below a value within it."""
    if low < 0 < high and not histogram.custom:
        if not histogram.negative and histogram.positive:
            low = 0.0
        elif histogram.negative and not histogram.positive:
            high = 0.0
        if value <= low:
            return 0.0
        return min((value - low) / (high - low), 1.0)
    if histogram.custom:
        if math.isinf(low) or math.isinf(high):
            return 0.0 if math.isinf(high) else 1.0
        return (value - low) / (high - low)
    if low >= 0:
        if low == 0:
            return (value - low) / (high - low)
        return (math.log2(value) - math.log2(low)) / (math.log2(high) - math.log2(low))
    if high == 0:
        return (value - low) / (high - low)
    return 1.0 - (math.log2(-value) - math.log2(-high)) / (math.log2(-low) - math.log2(-high))


def classic_fraction(lower: float, upper: float, bounds: Floats, counts: Floats) -> float:
    """The share of observations of cumulative buckets between two values."""
    counts, _ = ascending(counts)
    if not len(bounds) or bounds[-1] != math.inf or counts[-1] == 0 or math.isnan(lower) or math.isnan(upper):
        return math.nan
    if lower >= upper:
        return 0.0
    return (_classic_rank(upper, bounds, counts) - _classic_rank(lower, bounds, counts)) / float(counts[-1])


def _classic_rank(value: float, bounds: Floats, counts: Floats) -> float:
    if value == math.inf:
        return float(counts[-1])
    at = int(np.searchsorted(bounds, value, side="left"))
    below = float(counts[at - 1]) if at else 0.0
    high = float(bounds[at])
    if value == high:
        return float(counts[at])
    low = float(bounds[at - 1]) if at else (0.0 if high > 0 else -math.inf)
    if math.isinf(high) or math.isinf(low) or value <= low:
        return below
    return below + (float(counts[at]) - below) * (value - low) / (high - low)


def variance(histogram: Histogram) -> float:
    """Estimated variance: each bucket's observations at its middle, geometric where it is exponential."""
    if histogram.count == 0:
        return math.nan
    mean = histogram.sum / histogram.count
    total, lost = 0.0, 0.0
    for low, high, number in histogram.cells():
        if histogram.custom:
            middle = _middle_of_custom(low, high)
        elif low <= 0 <= high:
            middle = 0.0
        else:
            middle = math.copysign(math.sqrt(abs(low)) * math.sqrt(abs(high)), low)
        part = number * (middle - mean) ** 2
        fresh = total + part
        lost += (total - fresh) + part if abs(total) >= abs(part) else (part - fresh) + total
        total = fresh
    return (total + lost) / histogram.count


def _middle_of_custom(low: float, high: float) -> float:
    if math.isinf(low):
        return 0.0 if high > 0 else high
    if math.isinf(high):
        return low
    return (low + high) / 2
