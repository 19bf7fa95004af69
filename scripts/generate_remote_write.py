"""Write store/migrations/0017_remote_write.sql from store/proto/remote_write.proto.

The landing tables' columns mirror the messages, and both versions of remote write flatten by way of one stage
into the same tables as OTLP; the .sql file is committed and a test compares the two.

    python -m scripts.generate_remote_write           write the file
    python -m scripts.generate_remote_write --check   exit 1 when the file is stale
"""

from __future__ import annotations

import sys
from pathlib import Path
from textwrap import indent

from scripts.landing_columns import STAGED, Columns
from scripts.otlp_expressions import MAP, Message, column_type, parse
from scripts.redaction_expressions import GUARD, READ, counted, dropped, found, policy, redacted_pairs, rule_of
from scripts.remote_write_columns import (
    CARRIED,
    LABELS,
    LIMIT_TYPES,
    LIMITS,
    NUMBER_POINT,
    SUM_POINT,
    SYMBOL_SERIES,
    SYMBOLS,
    TYPED,
    is_stale,
)
from scripts.remote_write_histograms import CUSTOM, EXPONENTIAL, FIELDS, HISTOGRAMS, MERGED
from store.proto import remote_write_schema

TARGET = Path(__file__).resolve().parent.parent / "store" / "migrations" / "0017_remote_write.sql"

ENVELOPE = {"Tenant": "tenant", "Batch": "batch", "Received": "received", "Request": "key", **LIMITS}
GIVEN = {
    "Tenant": "LowCardinality(String)",
    "Batch": "UInt64",
    "Received": "UInt64",
    "Request": "String",
    **LIMIT_TYPES,
}
# For requests in which redaction may find something.
PADS = {"HashInner": "hash_inner", "HashOuter": "hash_outer"}
PAD_TYPES = dict.fromkeys(PADS, "String")

_EXEMPLARS = {
    "ExemplarNames": "Array(Array(String))",
    "ExemplarTextValues": "Array(Array(String))",
    "ExemplarValues": "Array(Float64)",
    "ExemplarTimes": "Array(Int64)",
}
_SERIES = {
    "Problem": "LowCardinality(String)",
    "LabelNames": "Array(String)",
    "LabelValues": "Array(String)",
    "Type": "Int32",
    "Help": "String",
    "Unit": "String",
    "Created": "Int64",
    "SampleValues": "Array(Float64)",
    "SampleTimes": "Array(Int64)",
    "SampleStarts": "Array(Int64)",
    **_EXEMPLARS,
}
# What the points of a series share.
_SHARED = {
    "ResourceAttributes": MAP,
    "ServiceName": STAGED["ServiceName"],
    "ScopeName": "String",
    "ScopeVersion": "String",
    "ScopeAttributes": MAP,
    "ScopeSchemaUrl": "String",
    "MetricName": STAGED["MetricName"],
    "MetricDescription": "String",
    "MetricUnit": "String",
    "MetricMetadata": MAP,
    "SeriesHash": "UInt64",
    "Labels": MAP,
    **_EXEMPLARS,
}
_COUNTED = {"Samples": "UInt64", "Exemplars": "UInt64", "Rejected": "UInt64", "Reason": "LowCardinality(String)"}
_NUMBERS = {
    "IsSum": "Bool",
    "ExemplarsAlone": "Bool",
    "PointTimes": "Array(Int64)",
    "PointStarts": "Array(Int64)",
    "PointValues": "Array(Float64)",
}
_HISTOGRAM_SERIES = {"IsGaugeHistogram": "Bool", "Created": "Int64"}
_BUCKETS = {
    "Fault": "LowCardinality(String)",
    "IsFloat": "Bool",
    "IsStale": "Bool",
    "IsCustom": "Bool",
    "Coarser": "UInt8",
    "Schema": "Int32",
    "ResetHint": "Int32",
    "Threshold": "Float64",
    "HSum": "Float64",
    "CountInt": "UInt64",
    "CountFloat": "Float64",
    "ZeroInt": "UInt64",
    "ZeroFloat": "Float64",
    "Bounds": "Array(Float64)",
    **{
        f"{side}{name}": kind
        for side in ("Pos", "Neg")
        for name, kind in (("Indices", "Array(Int64)"), ("Rounded", "Array(UInt64)"), ("Exact", "Array(Float64)"))
    },
    "PointTime": "Int64",
    "PointStart": "Int64",
    "CarriedNames": "Array(Array(String))",
    "CarriedTexts": "Array(Array(String))",
    "CarriedValues": "Array(Float64)",
    "CarriedTimes": "Array(Int64)",
}


def listed(columns: Columns) -> str:
    """Expressions with their names, one a line."""
    return ",\n".join(f"    {name if name == text else f'{text} AS {name}'}" for name, text in columns.items())


def same(*types: Columns) -> Columns:
    """Columns passed on as they are."""
    return {name: name for group in types for name in group}


def step(source: str, columns: Columns, rest: str = "") -> str:
    """A query over a table or another query."""
    inner = f"(\n{indent(source, '  ')}\n)" if source.startswith("SELECT") else source
    return f"SELECT\n{listed(columns)}\nFROM {inner}{rest}"


def steps(source: str, groups: tuple[Columns, ...]) -> str:
    """Groups of columns, each computed over the one before it."""
    for group in groups:
        source = step(source, {"*": "*", **group})
    return source


def table(name: str, *columns: Columns) -> str:
    """A table between two views, which keeps nothing."""
    kinds = ",\n".join(f"    {column} {kind}" for group in (GIVEN, *columns) for column, kind in group.items())
    return f"CREATE TABLE IF NOT EXISTS {name}${{on_cluster}}\n(\n{kinds}\n)\nENGINE = Null;\n"


def view(name: str, target: str, query: str) -> str:
    """A materialized view that writes to `target`."""
    return f"CREATE MATERIALIZED VIEW IF NOT EXISTS {name}${{on_cluster}} TO {target} AS\n{query};\n"


def landing(name: str, messages: dict[str, Message], request: str) -> str:
    """The table that envelopes are inserted into, and the one that only parses them."""
    kind = column_type(messages, request)
    columns = (
        "tenant LowCardinality(String), batch UInt64, received UInt64, key String, earliest UInt64, latest UInt64,"
        f" attributes UInt32, value_size UInt32, hash_inner String, hash_outer String, request {kind}"
    )
    alike = "".join(
        f"\nCREATE TABLE IF NOT EXISTS {other}${{on_cluster}} AS landing_{name} ENGINE = Null;\n"
        for other in (f"landing_{name}_suspect", f"check_{name}")
    )
    return f"CREATE TABLE IF NOT EXISTS landing_{name}${{on_cluster}}\n({columns})\nENGINE = Null;\n{alike}"


def first_version(source: str, pads: Columns) -> str:
    """Series of a 1.0 request."""
    fields = {
        "LabelNames": "labels.name", "LabelValues": "labels.value", "SampleValues": "samples.value",
        "SampleTimes": "samples.timestamp", "SampleStarts": "samples.start_timestamp",
        "ExemplarNames": "exemplars.labels.name", "ExemplarTextValues": "exemplars.labels.value",
        "ExemplarValues": "exemplars.value", "ExemplarTimes": "exemplars.timestamp", "Histograms": "histograms",
    }  # fmt: skip
    requests = step(
        source, {**ENVELOPE, **pads, **{name: f"request.timeseries.{field}" for name, field in fields.items()}}
    )
    absent = {"Problem": "''", "Type": "0", "Help": "''", "Unit": "''", "Created": "0"}
    columns = {**same(GIVEN, pads), **{name: absent.get(name, name) for name in (*_SERIES, "Histograms")}}
    return step(requests, columns, f"\nARRAY JOIN {', '.join(fields)}")


def second_version(source: str, pads: Columns) -> str:
    """Series of a 2.0 request."""
    fields = {
        "SampleValues": "samples.value", "SampleTimes": "samples.timestamp",
        "SampleStarts": "samples.start_timestamp", "ExemplarValues": "exemplars.value",
        "ExemplarTimes": "exemplars.timestamp", "Histograms": "histograms", "Type": "metadata.type",
        "Created": "created_timestamp", "ExemplarRefs": "exemplars.labels_refs",
    }  # fmt: skip
    below = "request.timeseries"
    refs = (
        "arrayMap((h, u, l, e) -> arrayConcat([h, u], l, arrayFlatten(arrayMap(x -> arrayPushFront(x, 0), e))), "
        f"{below}.metadata.help_ref, {below}.metadata.unit_ref, {below}.labels_refs, {below}.exemplars.labels_refs)"
    )
    columns = {
        **ENVELOPE,
        **pads,
        **{name: f"{below}.{field}" for name, field in fields.items()},
        "Symbols": "request.symbols",
        "LabelRefs": f"arrayMap(r -> length(r), {below}.labels_refs)",
        "Refs": refs,
    }
    requests = steps(step(source, columns), SYMBOLS)
    joined = [*fields, "LabelRefs", "RefsExist", "SeriesTexts"]
    passed = same(GIVEN, pads, dict.fromkeys(["TooLong", *joined], ""))
    series = step(requests, passed, f"\nARRAY JOIN {', '.join(joined)}")
    return step(steps(series, SYMBOL_SERIES), same(GIVEN, pads, _SERIES, {"Histograms": ""}))


def suspected() -> str:
    """Series in which redaction may find something, with R, the rules of the keys, and V, the texts that go with them.

    The name of a metric is no value, as that of an OTLP metric is none.
    """
    names = "arrayMap(n -> if(n = '__name__', '', n), LabelNames)"
    values = "arrayMap((n, v) -> if(n = '__name__', '', v), LabelNames, LabelValues)"
    keys = f"arrayConcat({names}, arrayFlatten(ExemplarNames), [''])"
    texts = f"arrayConcat({values}, arrayFlatten(ExemplarTextValues), [Help])"
    columns = {"*": "*", "R": rule_of(keys), "V": texts}
    return f"{READ}\n{step('remote_write_suspected', columns)}\nWHERE {GUARD}"


def redacting() -> str:
    """The same series as they may be stored."""
    texts = {"* EXCEPT (V)": "* EXCEPT (V)", "C": redacted_pairs("V", "R"), "D": dropped("R")}
    rules = f"{READ}\n{query(suspected(), texts)}"
    sizes = "arrayMap(n -> length(n), ExemplarNames)"
    before = f"arrayMap((e, n) -> length(LabelNames) + e - n, arrayCumSum({sizes}), {sizes})"

    def kept(what: str) -> str:
        place = "b + 1, length(n)"
        some = f"arrayFilter((x, d) -> NOT d, {what.format(place)}, arraySlice(D, {place}))"
        return f"arrayMap((n, b) -> {some}, ExemplarNames, {before})"

    changed = {
        # A label that is dropped has the value '', which is none.
        "LabelValues": "arrayMap((n, v, c) -> if(n = '__name__', v, c), LabelNames, LabelValues, "
        "arraySlice(C, 1, length(LabelNames)))",
        "ExemplarNames": kept("n"),
        "ExemplarTextValues": kept("arraySlice(C, {})"),
        "Help": "C[length(C)]",
    }
    # An expression must not bear the name of a column that another expression reads.
    renamed = query(rules, {"*": "*", **{f"New{name}": text for name, text in changed.items()}})
    names = {name: f"New{name}" if name in changed else name for name in (*GIVEN, *_SERIES, "Histograms")}
    return step(renamed, names)


def redactions() -> str:
    """What the rules find in them, to be counted."""
    texts = {**same({"Tenant": "", "Batch": "", "R": ""}), "T": "arrayStringConcat(V, '\\n')"}
    pairs = {**same({"Tenant": "", "Batch": ""}), "Target": "'remote_write'", "F": f"arrayJoin({found('T', 'R')})"}
    return counted(f"{READ}\n{query(query(suspected(), texts), pairs)}")


def query(source: str, columns: Columns) -> str:
    """As `step`, over a query that begins with its constants."""
    return f"SELECT\n{listed(columns)}\nFROM (\n{indent(source, '  ')}\n)"


def labelled() -> str:
    """Series with what their points share."""
    named = steps("landing_remote_write_series", LABELS)
    known = (
        "SELECT Tenant AS KnownTenant, MetricName AS KnownName, argMax(Type, (Exact, At)) AS KnownType,"
        " argMax(Help, (Exact, At)) AS KnownHelp, argMax(Unit, (Exact, At)) AS KnownUnit\n"
        "FROM prometheus_metadata\nGROUP BY KnownTenant, KnownName"
    )
    on = "s.Tenant = d.KnownTenant AND s.MetricName = d.KnownName"
    joined = (
        f"SELECT s.*,\n{listed(TYPED[0])}\nFROM (\n{indent(named, '  ')}\n) AS s\n"
        f"LEFT ANY JOIN (\n{indent(known, '  ')}\n) AS d ON {on}"
    )
    columns = {**same(GIVEN, _SHARED, _NUMBERS, _COUNTED, _HISTOGRAM_SERIES), "Histograms": "KeptHistograms"}
    return step(steps(joined, TYPED[1:]), columns)


def numbers(columns: Columns, condition: str) -> str:
    """Points of gauges or sums."""
    some = f"\nWHERE {condition} AND notEmpty(PointTimes)"
    given = same(GIVEN, _SHARED, _NUMBERS)
    # Exemplars go to the last point that has a value.
    last = f"arrayLastIndex(v -> NOT ({is_stale('v')}), PointValues)"
    points = step("landing_remote_write_points", {**given, "Last": f"if({last} = 0, length(PointTimes), {last})"}, some)
    joined = {"PointTime": "PointTimes", "PointStart": "PointStarts", "PointValue": "PointValues"}
    each = ", ".join(f"{array} AS {name}" for name, array in joined.items())
    rows = step(
        points, {"*": "*", **same(joined), "Nth": "Nth"}, f"\nARRAY JOIN {each}, arrayEnumerate(PointTimes) AS Nth"
    )
    return step(step(rows, {"*": "*", **CARRIED}), {**stored(), **columns})


def stored() -> Columns:
    """Columns of a point that are as they were in the stage."""
    kept = [name for name in _SHARED if name not in {"Labels", *_EXEMPLARS}]
    return {**same({"Tenant": "", "Batch": ""}), **{name: name for name in kept}}


def histograms() -> str:
    """One row per native histogram, its buckets found."""
    given = same(GIVEN, _SHARED, _HISTOGRAM_SERIES)
    fields = {column: f"Histograms.{field}" for field, column in FIELDS.items()}
    points = step(
        "landing_remote_write_points",
        {**given, **fields, "Last": "length(Histograms)"},
        "\nWHERE notEmpty(Histograms)",
    )
    rows = step(points, {"*": "*", "Nth": "Nth"}, f"\nARRAY JOIN {', '.join(fields)}, arrayEnumerate(PointTime) AS Nth")
    found = steps(step(rows, {"*": "*", **CARRIED}), HISTOGRAMS)
    kept = {name: kind for name, kind in _SHARED.items() if name not in _EXEMPLARS}
    return step(found, same(GIVEN, kept, _HISTOGRAM_SERIES, _BUCKETS))


def written(source: str, counts: Columns) -> str:
    """What became of each request, to be added up."""
    totals = {name: f"sum({text})" for name, text in counts.items() if name != "Reason"}
    columns = {
        "Tenant": "Tenant",
        "Request": "toFixedString(Request, 16)",
        "Batch": "Batch",
        "At": "fromUnixTimestamp64Milli(toInt64(intDiv(any(Received), 1000000)), 'UTC')",
        **totals,
        "Reason": f"max({counts['Reason']})",
    }
    return step(source, columns, "\nGROUP BY Tenant, Request, Batch")


def metadata(source: str, help_text: str = "help", begin: str = "", guard: str = "") -> str:
    """Type, help and unit by the names of the series a family has (1.0 sends them apart from samples)."""
    suffixes = (
        "multiIf(type = 1, ['', '_total'], type = 3, ['', '_bucket', '_sum', '_count'],"
        " type = 4, ['', '_bucket', '_gsum', '_gcount'], type = 5, ['', '_sum', '_count'],"
        " type = 6, ['', '_info'], [''])"
    )
    fields = {"type": "type", "family": "metric_family_name", "help": "help", "unit": "unit"}
    requests = step(
        source,
        {**ENVELOPE, **{name: f"request.metadata.{field}" for name, field in fields.items()}},
        "\nWHERE notEmpty(request.metadata.type)",
    )
    families = step(requests, {"*": "*"}, f"\nARRAY JOIN {', '.join(fields)}")
    columns = {
        "Tenant": "Tenant",
        "MetricName": "toValidUTF8(concat(family, suffix))",
        "Exact": "suffix = ''",
        "Type": "type",
        "Help": f"toValidUTF8({help_text})",
        "Unit": "toValidUTF8(unit)",
        "At": "fromUnixTimestamp64Milli(toInt64(intDiv(Received, 1000000)), 'UTC')",
    }
    rest = f"\nARRAY JOIN {suffixes} AS suffix\nWHERE type BETWEEN 1 AND 7 AND family != ''{guard}"
    return f"{begin}{step(families, columns, rest)}"


def suspected_metadata() -> str:
    """The same where redaction may find something. A help text that holds a secret is an accident: none of it stays."""
    masked = f"if(match(help, {policy('Any')}), '[redacted]', help)"
    return metadata("landing_remote_write_suspect", masked, f"{READ}\n", f" AND {GUARD}")


HEADER = """-- Generated by scripts/generate_remote_write.py from store/proto/remote_write.proto; do not edit.
--
-- Prometheus remote write 1.0 (landing_remote_write) and 2.0 (landing_remote_write2): one insert of length-delimited
-- envelopes flattens into the same otel_metrics_* tables as OTLP. Mapping: docs/prometheus.md.
"""
KEPT = """-- What became of a remote-write request, by its key: rows of one Request and Batch add up. The answer's
-- X-Prometheus-Remote-Write-*-Written headers come from here, also when the request is sent again.
CREATE TABLE IF NOT EXISTS remote_write_written${on_cluster}
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    Request FixedString(16) CODEC(NONE),
    Batch UInt64 CODEC(ZSTD(1)),
    At DateTime64(3, 'UTC') CODEC(ZSTD(1)),
    Samples UInt64 CODEC(ZSTD(1)),
    Histograms UInt64 CODEC(ZSTD(1)),
    Exemplars UInt64 CODEC(ZSTD(1)),
    Rejected UInt64 CODEC(ZSTD(1)),
    Reason LowCardinality(String) CODEC(ZSTD(1))
)
ENGINE = ${MergeTree}
PARTITION BY toDate(At)
ORDER BY (Request, Batch)
SETTINGS index_granularity = 512, ${durable};

-- Type, help and unit of metrics, as remote write 1.0 sends them apart from the samples, by the name of the series.
-- Exact: the name is the family's own and not made with a suffix such as _bucket.
CREATE TABLE IF NOT EXISTS prometheus_metadata${on_cluster}
(
    Tenant LowCardinality(String) CODEC(ZSTD(1)),
    MetricName String CODEC(ZSTD(1)),
    Exact Bool CODEC(ZSTD(1)),
    Type Int32 CODEC(ZSTD(1)),
    Help String CODEC(ZSTD(1)),
    Unit String CODEC(ZSTD(1)),
    At DateTime64(3, 'UTC') CODEC(ZSTD(1))
)
ENGINE = ${ReplacingMergeTree(At)}
ORDER BY (Tenant, MetricName, Exact)
SETTINGS ${durable};

ALTER TABLE otel_metrics_histogram${on_cluster}
    ADD COLUMN IF NOT EXISTS FloatCount Float64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS FloatBucketCounts Array(Float64) CODEC(ZSTD(1));

ALTER TABLE otel_metrics_exponential_histogram${on_cluster}
    ADD COLUMN IF NOT EXISTS FloatCount Float64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS FloatZeroCount Float64 CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS PositiveFloatCounts Array(Float64) CODEC(ZSTD(1)),
    ADD COLUMN IF NOT EXISTS NegativeFloatCounts Array(Float64) CODEC(ZSTD(1));
"""


def migration() -> str:
    """The text of 0017_remote_write.sql."""
    messages = parse(remote_write_schema())
    histogram = {"Histograms": f"Array({column_type(messages, 'Histogram')})"}
    buckets = {name: kind for name, kind in _SHARED.items() if name not in _EXEMPLARS}
    sound = "\nWHERE Fault = '' AND "
    suspects = "remote_write_suspected"
    stage, points = "landing_remote_write_series", "landing_remote_write_points"
    each = "landing_remote_write_histograms"
    merged = step(each, {"*": "*", **MERGED}, f"{sound}NOT IsCustom")
    series_counts = {"Histograms": "0", **{name: name for name in _COUNTED}}
    histogram_counts = {
        "Samples": "0", "Histograms": "Fault = ''", "Exemplars": "if(Fault = '', length(CarriedTimes), 0)",
        "Rejected": "if(Fault = '', 0, 1 + length(CarriedTimes))", "Reason": "Fault",
    }  # fmt: skip
    parts = [
        HEADER,
        KEPT,
        landing("remote_write", messages, "WriteRequest"),
        landing("remote_write2", messages, "SymbolRequest"),
        table(stage, _SERIES, histogram),
        table(points, _SHARED, _NUMBERS, _COUNTED, _HISTOGRAM_SERIES, histogram),
        table(each, buckets, _HISTOGRAM_SERIES, _BUCKETS),
        view("prometheus_metadata_mv", "prometheus_metadata", metadata("landing_remote_write")),
        view("landing_remote_write_series_mv", stage, first_version("landing_remote_write", {})),
        view("landing_remote_write2_series_mv", stage, second_version("landing_remote_write2", {})),
        table("remote_write_suspected", PAD_TYPES, _SERIES, histogram),
        view("landing_remote_write_suspect_mv", suspects, first_version("landing_remote_write_suspect", PADS)),
        view("landing_remote_write2_suspect_mv", suspects, second_version("landing_remote_write2_suspect", PADS)),
        view("prometheus_metadata_suspect_mv", "prometheus_metadata", suspected_metadata()),
        view("remote_write_redacted_mv", stage, redacting()),
        view("remote_write_redactions_mv", "ingest_redacted", redactions()),
        view("landing_remote_write_points_mv", points, labelled()),
        view("remote_write_gauge_mv", "otel_metrics_gauge", numbers(NUMBER_POINT, "NOT IsSum")),
        view("remote_write_sum_mv", "otel_metrics_sum", numbers(SUM_POINT, "IsSum")),
        view("landing_remote_write_histograms_mv", each, histograms()),
        view(
            "remote_write_exponential_histogram_mv",
            "otel_metrics_exponential_histogram",
            step(merged, {**stored(), **EXPONENTIAL}),
        ),
        view(
            "remote_write_histogram_mv",
            "otel_metrics_histogram",
            step(each, {**stored(), **CUSTOM}, f"{sound}IsCustom"),
        ),
        view("remote_write_written_mv", "remote_write_written", written(points, series_counts)),
        view("remote_write_written_histograms_mv", "remote_write_written", written(each, histogram_counts)),
    ]
    return "\n".join(parts)


def main() -> int:
    """Write or check the file."""
    wanted = migration()
    if "--check" in sys.argv[1:]:
        return int(not TARGET.exists() or TARGET.read_text(encoding="utf-8") != wanted)
    TARGET.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
