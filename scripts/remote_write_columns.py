"""The columns of the otel_metrics_* tables as expressions over Prometheus remote-write messages.

Mapping: https://opentelemetry.io/docs/specs/otel/compatibility/prometheus_and_openmetrics/ and docs/prometheus.md.
Steps are ordered: one reads the columns of those before it, and a step's columns do not read each other, because
the engine would analyse a column's expression once more for each reader.
"""

from __future__ import annotations

from scripts.landing_columns import METRIC, SERIES_HASH, Columns
from scripts.otlp_expressions import LAST_TIME, MAP, literal, time
from scripts.rejection_expressions import UNKNOWN_SERIES

# https://github.com/prometheus/prometheus/blob/main/model/value/value.go
STALE_NAN = 0x7FF0000000000002
SCOPE = "causeline.remote_write"
COUNTER, HISTOGRAM, GAUGE_HISTOGRAM, SUMMARY = 1, 3, 4, 5
TYPES = ("", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")
GAUGE_RESET = 3
CUSTOM_BUCKETS = -53
# Beyond as many buckets, or times as many as were sent, a histogram is stored at a coarser scale: two buckets far
# apart would become an array of millions.
MOST_BUCKETS, MOST_PER_BUCKET = 512, 8
# The labels of a request may be so many times larger than what they are told by: one symbol of a megabyte could be
# meant a million times.
MOST_TEXT = 64

LAST_MS = LAST_TIME // 1_000_000
UNITS = {
    "seconds": "s", "milliseconds": "ms", "microseconds": "us", "nanoseconds": "ns", "minutes": "min", "hours": "h",
    "days": "d", "bytes": "By", "kibibytes": "KiBy", "mebibytes": "MiBy", "gibibytes": "GiBy", "tebibytes": "TiBy",
    "kilobytes": "KBy", "megabytes": "MBy", "gigabytes": "GBy", "terabytes": "TBy", "meters": "m", "volts": "V",
    "amperes": "A", "joules": "J", "watts": "W", "grams": "g", "celsius": "Cel", "hertz": "Hz", "percent": "%",
    "ratio": "1",
}  # fmt: skip
PER_UNITS = {
    "second": "s", "minute": "min", "hour": "h", "day": "d", "week": "wk", "month": "mo", "year": "a"
}  # fmt: skip


# The limits that come with a request, as the steps use them. Where Latest is 0 there are none.
LIMITS: Columns = {
    "EarliestMs": "toInt64(intDiv(earliest, 1000000))",
    "LatestMs": f"if(latest = 0, {LAST_MS}, toInt64(least({LAST_MS}, intDiv(latest, 1000000))))",
    "MostLabels": "if(latest = 0, 4294967295, attributes)",
    "ValueSize": "if(latest = 0, 4294967295, value_size)",
}
LIMIT_TYPES: Columns = {"EarliestMs": "Int64", "LatestMs": "Int64", "MostLabels": "UInt32", "ValueSize": "UInt32"}


def utf8(text: str) -> str:
    """The text, with U+FFFD for what is not UTF-8."""
    return f"toValidUTF8({text})"


def storable(milliseconds: str) -> str:
    """Whether a partition can hold the time."""
    return f"({milliseconds} > 0 AND {milliseconds} <= {LAST_MS})"


def within(milliseconds: str) -> str:
    """Whether the time is one that may be stored."""
    return f"({milliseconds} > 0 AND {milliseconds} >= EarliestMs AND {milliseconds} <= LatestMs)"


UNSTORABLE = "a time that cannot be stored"
IN_FUTURE = "a time too far in the future"
TOO_OLD = "a time older than what is kept"
TOO_MANY = "too many new series"


def known(milliseconds: str) -> str:
    """The time, or 0 for unknown when no partition can hold it."""
    return f"if({storable(milliseconds)}, {milliseconds}, 0)"


def at(milliseconds: str) -> str:
    """Milliseconds since the epoch as a DateTime64(9)."""
    return time(f"{milliseconds} * 1000000")


def is_stale(value: str) -> str:
    """Whether the value is Prometheus' mark of a series that has ended."""
    return f"reinterpretAsUInt64({value}) = {STALE_NAN}"


def _listed(texts: tuple[str, ...]) -> str:
    return f"[{', '.join(map(literal, texts))}]"


def _renamed(value: str, names: dict[str, str]) -> str:
    return f"transform({value}, {_listed(tuple(names))}, {_listed(tuple(names.values()))}, {value})"


def unit(text: str) -> str:
    """A Prometheus unit in UCUM's spelling: seconds -> s, bytes_per_second -> By/s."""
    parts = f"splitByString('_per_', {text})"
    rate = f"concat({_renamed(f'{parts}[1]', UNITS)}, '/', {_renamed(f'{parts}[2]', PER_UNITS)})"
    return f"if(length({parts}) = 2, {rate}, {_renamed(text, UNITS)})"


def label(name: str) -> str:
    """A label's value, '' when there is none."""
    return f"Values[indexOf(Names, {literal(name)})]"


def without(condition: str, names: str = "Names", values: str = "Values") -> str:
    """The map of the labels whose name n meets the condition."""
    keys = f"arrayFilter(n -> {condition}, {names})"
    kept = f"arrayFilter((v, n) -> {condition}, {values}, {names})"
    return f"CAST(mapFromArrays({keys}, {kept}), '{MAP}')"


def strings(mapping: str) -> str:
    """Types of a map's values when all are strings."""
    return f"arrayResize(CAST([], 'Array(Int8)'), length(mapKeys({mapping})), 1)"


# Two references to each symbol table entry would copy the table for each series: a request's references and
# symbols are sorted together instead, so that each reference follows its symbol and takes its text.
_REFERENCE = "bitAnd(k, 4294967295)"
SYMBOLS: tuple[Columns, ...] = (
    {
        "Flat": "arrayFlatten(Refs)",
        "Heads": "arrayFlatten(arrayMap(r -> arrayResize([1], length(r)), Refs))",
        "RefsExist": "arrayMap(r -> arrayMax(r) < length(Symbols), Refs)",
    },
    {
        "Keys": "arrayConcat(arrayMap(i -> bitShiftLeft(toUInt64(i - 1), 32), arrayEnumerate(Symbols)),"
        " arrayMap((r, i) -> bitShiftLeft(toUInt64(r), 32) + i, Flat, arrayEnumerate(Flat)))",
    },
    {
        "Sorted": "arraySort(Keys)",
        "Sizes": "arraySort((s, k) -> k, "
        "arrayConcat(arrayMap(t -> length(t), Symbols), arrayWithConstant(length(Flat), toUInt64(0))), Keys)",
    },
    {
        "TooLong": f"arraySum(arrayFill((s, k) -> {_REFERENCE} = 0, Sizes, Sorted)) > "
        f"{MOST_TEXT} * (arraySum(Sizes) + length(Flat) + 32 * length(Refs))",
    },
    {
        "Texts": "arraySort((t, k) -> k, arrayResize(if(TooLong, emptyArrayString(), Symbols), length(Keys)), Keys)",
    },
    {"Filled": f"arrayFill((t, k) -> {_REFERENCE} = 0, Texts, Sorted)"},
    {"Resolved": f"arraySlice(arraySort((t, k) -> {_REFERENCE}, Filled, Sorted), length(Symbols) + 1)"},
    {"SeriesTexts": "arraySplit((t, h) -> h, Resolved, Heads)"},
)


def every(texts: str, condition: str) -> str:
    """The texts whose position i meets the condition."""
    return f"arrayFilter((t, i) -> {condition}, {texts}, arrayEnumerate({texts}))"


# What the references of one series say: help and unit, then its labels, then '' and the labels of each exemplar.
SYMBOL_SERIES: tuple[Columns, ...] = (
    {
        "Help": "SeriesTexts[1]",
        "Unit": "SeriesTexts[2]",
        "LabelTexts": "arraySlice(SeriesTexts, 3, LabelRefs)",
        "ExemplarTexts": "arraySplit((t, h) -> h, arraySlice(SeriesTexts, 3 + LabelRefs),"
        " arrayFlatten(arrayMap(r -> arrayResize([1], length(r) + 1), ExemplarRefs)))",
        "Problem": "multiIf(TooLong, 'labels too large for the request',"
        " NOT RefsExist, 'a reference to a symbol that is not there',"
        " LabelRefs % 2 = 1 OR arrayExists(r -> length(r) % 2 = 1, ExemplarRefs), 'a label without a value', '')",
    },
    {
        "LabelNames": every("LabelTexts", "i % 2 = 1"),
        "LabelValues": f"arrayResize({every('LabelTexts', 'i % 2 = 0')}, intDiv(LabelRefs + 1, 2))",
        "ExemplarNames": f"arrayMap(x -> {every('x', 'i % 2 = 0')}, ExemplarTexts)",
        "ExemplarTextValues": "arrayMap(x -> arrayResize("
        f"{every('x', 'i % 2 = 1 AND i > 1')}, intDiv(length(x), 2)), ExemplarTexts)",
    },
)

# A series of either version, before its metadata is looked up.
LABELS: tuple[Columns, ...] = (
    {
        # An empty value is the same as no label (https://prometheus.io/docs/concepts/data_model/).
        "Names": f"arrayMap(n -> {utf8('n')}, arrayFilter((n, v) -> v != '', LabelNames, LabelValues))",
        "Values": f"arrayMap(v -> {utf8('v')}, arrayFilter(v -> v != '', LabelValues))",
    },
    {
        "MetricName": label("__name__"),
        "Job": f"splitByChar('/', {label('job')})",
        "Instance": label("instance"),
        "Labels": without("n NOT IN ('__name__', 'job', 'instance') AND NOT startsWith(n, 'otel_scope_')"),
        "Fault": f"multiIf(Problem != '', Problem, {label('__name__')} = '', 'a series without a name', "
        "has(Names, ''), 'a label without a name', length(arrayDistinct(Names)) < length(Names), 'a label twice', "
        "arrayMax(arrayMap(n -> length(n), arrayPushBack(ExemplarNames, LabelNames))) > MostLabels, 'too many labels', "
        "arrayMax(arrayMap(v -> arrayMax(arrayMap(t -> length(t), v)), arrayPushBack(ExemplarTextValues, LabelValues)))"
        " > ValueSize, 'a label value that is too long', '')",
    },
)

_CUMULATIVE = "'_(bucket|sum|count)$'"
_GUESSED = "'(?i)_(total|counter|bucket|sum|count)$'"
TYPED: tuple[Columns, ...] = (
    {
        "SentType": "if(Type != 0, Type, d.KnownType)",
        "MetricDescription": utf8("if(Help != '', Help, d.KnownHelp)"),
        "SentUnit": utf8("if(Unit != '', Unit, d.KnownUnit)"),
        "Sampled": f"if(Fault = '', arrayMap(t -> {within('t')}, SampleTimes), "
        "arrayWithConstant(length(SampleTimes), 0))",
        "WithExemplars": "Fault = '' AND notEmpty(ExemplarTimes)",
        "AsHistograms": "if(Fault = '', Histograms, [])",
    },
    {
        "MetricUnit": unit("SentUnit"),
        "MetricMetadata": f"CAST(if(SentType BETWEEN 1 AND {len(TYPES) - 1}, "
        f"map('prometheus.type', {_listed(TYPES)}[SentType + 1]), map()), '{MAP}')",
        "IsSum": f"multiIf(SentType = {COUNTER}, 1, SentType IN ({HISTOGRAM}, {SUMMARY}), "
        f"match(MetricName, {_CUMULATIVE}), SentType = 0, match(MetricName, {_GUESSED}), 0)",
        "IsGaugeHistogram": f"SentType = {GAUGE_HISTOGRAM}",
        "ResourceAttributes": "CAST(arrayFilter(p -> p.2 != '', ["
        "('service.namespace', if(length(Job) = 2 AND Job[1] != '' AND Job[2] != '', Job[1], '')), "
        "('service.name', if(length(Job) = 2 AND Job[1] != '' AND Job[2] != '', Job[2], arrayStringConcat(Job, '/'))), "
        f"('service.instance.id', Instance)]), '{MAP}')",
        "ScopeName": f"if({label('otel_scope_name')} = '', {literal(SCOPE)}, {label('otel_scope_name')})",
        "ScopeVersion": label("otel_scope_version"),
        "ScopeSchemaUrl": label("otel_scope_schema_url"),
        "ScopeAttributes": "mapApply((k, v) -> (substring(k, 12), v), "
        + without(
            "startsWith(n, 'otel_scope_') AND n NOT IN"
            " ('otel_scope_name', 'otel_scope_version', 'otel_scope_schema_url')"
        )
        + ")",
        "SeriesTimes": "arrayFilter((t, o) -> o, SampleTimes, Sampled)",
        "SeriesStarts": "arrayFilter((t, o) -> o, arrayMap(s -> if(s != 0, s, Created), SampleStarts), Sampled)",
        "SeriesValues": "arrayFilter((t, o) -> o, SampleValues, Sampled)",
        # Prometheus sends exemplars as series without samples: a point without a value holds them.
        "ExemplarsAlone": "WithExemplars AND empty(AsHistograms) AND NOT has(Sampled, 1)",
        "SamplesRejected": "if(Fault = '', countEqual(Sampled, 0), length(SampleTimes))",
        "HistogramsRejected": "if(Fault = '', 0, length(Histograms))",
        "ExemplarsRejected": "if(Fault = '', 0, length(ExemplarTimes))",
    },
    {
        "ServiceName": "ResourceAttributes['service.name']",
        "AllTimes": f"if(ExemplarsAlone, [if({within('arrayMax(ExemplarTimes)')}, arrayMax(ExemplarTimes), "
        "toInt64(intDiv(Received, 1000000)))], SeriesTimes)",
        "PointStarts": "if(ExemplarsAlone, [toInt64(0)], SeriesStarts)",
        "PointValues": "if(ExemplarsAlone, [toFloat64(0)], SeriesValues)",
        "AllSamples": "length(SeriesTimes)",
        # Those beside histograms count with the histogram that carries them.
        "AllExemplars": "if(WithExemplars AND empty(AsHistograms), length(ExemplarTimes), 0)",
        "AllRejected": "SamplesRejected + HistogramsRejected + ExemplarsRejected",
        "AllReason": "multiIf(Fault != '', Fault, SamplesRejected = 0, '', "
        f"arrayExists(t -> NOT {storable('t')}, SampleTimes), {UNSTORABLE!r}, "
        f"arrayExists(t -> t > LatestMs, SampleTimes), {IN_FUTURE!r}, {TOO_OLD!r})",
    },
    {"ResourceHash": METRIC["ResourceHash"]},
    {"SeriesHash": SERIES_HASH.replace("Attributes", "Labels")},
    {"IsUnknown": UNKNOWN_SERIES},
    # A series too many keeps nothing, and all of it counts as refused.
    {
        "PointTimes": "if(IsUnknown, [], AllTimes)",
        "KeptHistograms": "if(IsUnknown, [], AsHistograms)",
        "Samples": "if(IsUnknown, 0, AllSamples)",
        "Exemplars": "if(IsUnknown, 0, AllExemplars)",
        "Rejected": "AllRejected + if(IsUnknown, AllSamples + length(AsHistograms)"
        " + if(WithExemplars, length(ExemplarTimes), 0), 0)",
        "Reason": f"if(AllReason = '' AND IsUnknown, {TOO_MANY!r}, AllReason)",
    },
)

# Of the points of all kinds: exemplars, on the last point of a series in a request.
_HEX = "match({0}, '^[0-9a-fA-F]{{{1}}}$')"


def exemplar_id(name: str, size: int) -> str:
    """The ids in exemplar labels, '' for what is not one of `size` hexadecimal digits."""
    value = f"v[indexOf(n, '{name}')]"
    found = f"lower(if({_HEX.format(value, size)}, {value}, ''))"
    return f"arrayMap((n, v) -> {found}, CarriedNames, CarriedTexts)"


def _exemplar_attributes() -> str:
    ids = [f"(a = '{name}' AND {_HEX.format('b', size)})" for name, size in (("trace_id", 32), ("span_id", 16))]
    others = f"NOT ({' OR '.join(ids)})"
    keys = f"arrayMap(a -> {utf8('a')}, arrayFilter((a, b) -> {others}, n, v))"
    texts = f"arrayMap(b -> {utf8('b')}, arrayFilter((b, a) -> {others}, v, n))"
    return f"arrayMap((n, v) -> CAST(mapFromArrays({keys}, {texts}), '{MAP}'), CarriedNames, CarriedTexts)"


CARRIED = {
    "CarriedNames": "if(Nth = Last, ExemplarNames, [])",
    "CarriedTexts": "if(Nth = Last, ExemplarTextValues, [])",
    "CarriedTimes": "if(Nth = Last, ExemplarTimes, [])",
    "CarriedValues": "if(Nth = Last, ExemplarValues, [])",
}
EXEMPLARS = {
    "`Exemplars.FilteredAttributes`": _exemplar_attributes(),
    "`Exemplars.TimeUnix`": f"arrayMap(t -> {at(known('t'))}, CarriedTimes)",
    "`Exemplars.Value`": "CarriedValues",
    "`Exemplars.SpanId`": exemplar_id("span_id", 16),
    "`Exemplars.TraceId`": exemplar_id("trace_id", 32),
}
SHARED_POINT = {
    "ResourceAttributeTypes": strings("ResourceAttributes"),
    "Attributes": "Labels",
    "AttributeTypes": strings("Labels"),
}
NUMBER_POINT = {
    **SHARED_POINT,
    "StartTimeUnix": at(known("PointStart")),
    "TimeUnix": at("PointTime"),
    "Value": f"if({is_stale('PointValue')}, 0, PointValue)",
    # 1: no recorded value (https://opentelemetry.io/docs/specs/otel/metrics/data-model/#no-recorded-value).
    "Flags": f"toUInt32({is_stale('PointValue')} OR ExemplarsAlone)",
    "ValueType": f"toInt8(if({is_stale('PointValue')} OR ExemplarsAlone, 0, 4))",
    **EXEMPLARS,
}
SUM_POINT = {**NUMBER_POINT, "AggregationTemporality": "2", "IsMonotonic": "true"}
