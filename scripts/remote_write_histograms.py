"""Prometheus native histograms as OpenTelemetry's: sparse buckets in spans become dense ones.

Source: https://prometheus.io/docs/specs/native_histograms/. A bucket of index i and schema s reaches up to
2^(i * 2^-s); OpenTelemetry's of index i and scale s begins there, so indices differ by one. Counts that are not
whole, which recording rules make, are rounded in the exporter's columns and exact in the Float* columns.
"""

from __future__ import annotations

from scripts.landing_columns import Columns
from scripts.remote_write_columns import (
    CUSTOM_BUCKETS,
    EXEMPLARS,
    GAUGE_RESET,
    IN_FUTURE,
    MOST_BUCKETS,
    MOST_PER_BUCKET,
    SHARED_POINT,
    TOO_OLD,
    UNSTORABLE,
    at,
    is_stale,
    known,
    storable,
)

# Fields of a histogram -> our column, in the order of their use.
FIELDS = {
    "count": "CountKind", "count_int": "CountInt", "count_float": "CountFloat", "sum": "HSum", "schema": "Schema",
    "zero_threshold": "Threshold", "zero_count_int": "ZeroInt", "zero_count_float": "ZeroFloat",
    "negative_spans.offset": "NegOffsets", "negative_spans.length": "NegLengths", "negative_deltas": "NegDeltas",
    "negative_counts": "NegCounts", "positive_spans.offset": "PosOffsets", "positive_spans.length": "PosLengths",
    "positive_deltas": "PosDeltas", "positive_counts": "PosCounts", "reset_hint": "ResetHint",
    "timestamp": "PointTime", "custom_values": "Bounds", "start_timestamp": "PointStart",
}  # fmt: skip

_LAST_INDEX = "bitShiftLeft(toInt64(1100), greatest(Schema, 0))"
_SIDES = ("Pos", "Neg")


def _starts(side: str) -> str:
    """Index of each span's first bucket."""
    lengths = f"arrayMap(l -> toInt64(l), {side}Lengths)"
    return (
        "arrayMap((o, l, own) -> o + l - own, "
        f"arrayCumSum(arrayMap(x -> toInt64(x), {side}Offsets)), arrayCumSum({lengths}), {lengths})"
    )


def _miscounted(side: str) -> str:
    counts = f"if(IsFloat, length({side}Counts), length({side}Deltas))"
    return f"arraySum({side}Lengths) != {counts}"


def _negative(side: str) -> str:
    floats = f"arrayExists(c -> NOT (c >= 0 AND c < 1.8e19), {side}Counts)"
    return f"if(IsFloat, {floats}, arrayExists(c -> c < 0, {side}Whole))"


def _backwards(side: str) -> str:
    return f"arrayExists(o -> o < 0, arraySlice({side}Offsets, 2))"


def _outside(side: str) -> str:
    return f"arrayExists(s -> abs(s) > {_LAST_INDEX}, arrayConcat({side}Starts, {side}Ends))"


def _indices(side: str) -> str:
    """Index of each bucket; nothing where something is wrong, since a length may be any number."""
    sound = f"if(Fault = '' AND NOT IsStale, {side}Lengths, [])"
    starts = f"if(Fault = '' AND NOT IsStale, {side}Starts, [])"
    # OpenTelemetry's index of the same bucket, or the place among custom buckets.
    shift = f"- (Schema != {CUSTOM_BUCKETS})"
    spans = f"arrayMap((s, l) -> range(s {shift}, s + toInt64(l) {shift}), {starts}, {sound})"
    return f"arrayMap(i -> toInt64(i), arrayFlatten({spans}))"


def _merged(side: str, counts: str) -> str:
    """(indices, counts) at the scale that is stored."""
    coarser = f"arrayMap(i -> bitShiftRight(i, Coarser), {side}Indices)"
    return f"if(Coarser = 0, ({side}Indices, {counts}), arrayReduce('sumMap', [{coarser}], [{counts}]))"


def _dense(pairs: str) -> str:
    return f"mapPopulateSeries({pairs}.1, {pairs}.2)"


def _dense_floats(pairs: str) -> str:
    """As `_dense`, by way of the bits, because the engine fills gaps among integers only."""
    bits = f"mapPopulateSeries({pairs}.1, arrayMap(c -> reinterpretAsUInt64(c), {pairs}.2)).2"
    return f"arrayMap(c -> reinterpretAsFloat64(c), {bits})"


def _both(**columns: str) -> Columns:
    """The columns for both sides of zero; `{side}` in a text is Pos or Neg."""
    return {f"{side}{name}": text.replace("{side}", side) for side in _SIDES for name, text in columns.items()}


def _narrow(side: str) -> str:
    """How often the resolution must be halved until the buckets fit."""
    high, low = f"arrayMax({side}Indices)", f"arrayMin({side}Indices)"
    most = f"greatest({MOST_BUCKETS}, {MOST_PER_BUCKET} * length({side}Indices))"
    return f"arrayFirst(s -> bitShiftRight({high}, s) - bitShiftRight({low}, s) < {most}, range(32))"


def _starts_and_ends() -> Columns:
    columns = _both(Starts=_starts("{side}"), Whole="arrayCumSum({side}Deltas)")
    ends = {f"{side}Ends": f"arrayMap((s, l) -> s + toInt64(l) - 1, {_starts(side)}, {side}Lengths)" for side in _SIDES}
    return {
        "IsFloat": "CountKind = 'count_float'",
        "IsStale": is_stale("HSum"),
        "IsCustom": f"Schema = {CUSTOM_BUCKETS}",
        **columns,
        **ends,
    }


_FAULTS = (
    (f"NOT {storable('PointTime')}", UNSTORABLE),
    ("PointTime > LatestMs", IN_FUTURE),
    ("PointTime < EarliestMs", TOO_OLD),
    ("NOT IsCustom AND (Schema < -10 OR Schema > 20)", "a histogram of an unknown schema"),
    (f"{_miscounted('Pos')} OR {_miscounted('Neg')}", "a histogram with more or fewer counts than buckets"),
    (f"{_backwards('Pos')} OR {_backwards('Neg')}", "a histogram whose spans overlap"),
    (f"{_negative('Pos')} OR {_negative('Neg')}", "a histogram with a negative count"),
    ("IsFloat AND NOT IsStale AND NOT (CountFloat >= 0 AND CountFloat < 1.8e19 AND ZeroFloat >= 0"
     " AND ZeroFloat < 1.8e19)", "a histogram with a negative count"),
    (f"NOT IsCustom AND ({_outside('Pos')} OR {_outside('Neg')})", "a histogram with a bucket beyond every number"),
    ("IsCustom AND (notEmpty(NegLengths) OR arrayExists(s -> s < 0, PosStarts)"
     " OR arrayExists(e -> e > toInt64(length(Bounds)), PosEnds))", "a histogram with a bucket it has no bound for"),
    ("IsCustom AND arrayExists((b, p) -> NOT (b > p), arraySlice(Bounds, 2), arraySlice(Bounds, 1, -1))",
     "a histogram whose bounds do not rise"),
)  # fmt: skip

HISTOGRAMS: tuple[Columns, ...] = (
    _starts_and_ends(),
    {"Fault": f"multiIf({', '.join(f'{condition}, {text!r}' for condition, text in _FAULTS)}, '')"},
    {
        **{f"{side}Indices": _indices(side) for side in _SIDES},
        **{f"{side}Exact": f"if(IsFloat AND Fault = '' AND NOT IsStale, {side}Counts, [])" for side in _SIDES},
        **{
            f"{side}Rounded": f"if(Fault = '' AND NOT IsStale, if(IsFloat, arrayMap(c -> toUInt64(round(c)), "
            f"{side}Counts), arrayMap(c -> toUInt64(greatest(c, 0)), {side}Whole)), [])"
            for side in _SIDES
        },
    },
    {"Coarser": f"if(IsCustom, 0, greatest({_narrow('Pos')}, {_narrow('Neg')}))"},
)
"""Steps from the fields of one histogram to sparse buckets of the scale that is stored."""

SHARED = {
    **SHARED_POINT,
    "StartTimeUnix": at(known("if(PointStart != 0, PointStart, Created)")),
    "TimeUnix": at("PointTime"),
    "Flags": "toUInt32(IsStale)",
    "Count": "multiIf(IsStale, 0, IsFloat, toUInt64(round(CountFloat)), CountInt)",
    "Sum": "if(IsStale, 0, HSum)",
    "HasSum": "NOT IsStale",
    "FloatCount": "if(IsFloat AND NOT IsStale, CountFloat, 0)",
    # A gauge histogram starts anew with every point and so has neither temporality.
    "AggregationTemporality": f"if(IsGaugeHistogram OR ResetHint = {GAUGE_RESET}, 0, 2)",
    **EXEMPLARS,
}

_NO_BUCKETS = "(CAST([], 'Array(Int64)'), CAST([], 'Array(Float64)'))"
MERGED = {
    "Positive": _merged("Pos", "PosRounded"),
    "Negative": _merged("Neg", "NegRounded"),
    "PositiveExact": f"if(IsFloat, {_merged('Pos', 'PosExact')}, {_NO_BUCKETS})",
    "NegativeExact": f"if(IsFloat, {_merged('Neg', 'NegExact')}, {_NO_BUCKETS})",
}
EXPONENTIAL = {
    **SHARED,
    "Scale": "toInt32(Schema) - Coarser",
    "ZeroCount": "multiIf(IsStale, 0, IsFloat, toUInt64(round(ZeroFloat)), ZeroInt)",
    "ZeroThreshold": "Threshold",
    "PositiveOffset": "arrayMin(Positive.1)",
    "PositiveBucketCounts": f"{_dense('Positive')}.2",
    "NegativeOffset": "arrayMin(Negative.1)",
    "NegativeBucketCounts": f"{_dense('Negative')}.2",
    "FloatZeroCount": "if(IsFloat AND NOT IsStale, ZeroFloat, 0)",
    "PositiveFloatCounts": _dense_floats("PositiveExact"),
    "NegativeFloatCounts": _dense_floats("NegativeExact"),
}


def _custom(counts: str) -> str:
    """Counts of all custom buckets: the one before the first is put there to begin with and taken away again."""
    keys = "arrayPushFront(PosIndices, toInt64(-1))"
    bits = f"arrayPushFront(arrayMap(c -> reinterpretAsUInt64(c), {counts}), toUInt64(0))"
    filled = f"arraySlice(mapPopulateSeries({keys}, {bits}, toInt64(length(Bounds))).2, 2)"
    return f"if(IsStale, [], {filled})"


CUSTOM = {
    **SHARED,
    "ExplicitBounds": "if(IsStale, [], Bounds)",
    "BucketCounts": _custom("PosRounded"),
    "FloatBucketCounts": f"if(IsFloat, arrayMap(c -> reinterpretAsFloat64(c), {_custom('PosExact')}), [])",
}
