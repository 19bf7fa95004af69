"""ClickHouse's decoding of Prometheus remote write, field by field and against the reference decoder."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric

from ingest.envelope import Signal, envelope, request_key
from ingest.remote_write_landing import RemoteWriteLanding, Version
from scripts import generate_remote_write
from store import Store, remote_write
from store.remote_write import Written
from tests.kit.landing import RECEIVED, count, insert, rows
from tests.kit.otlp import T0, metrics, put
from tests.kit.prompb import STALE, Series1, Series2, keyed
from tests.kit.prompb_reference import TABLES, Expected, expected, plain

T = T0 // 1_000_000
TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


def write(store: Store, request: Series1 | Series2 | bytes, version: Version = Version.V1) -> Written:
    """Insert a request, without the pipeline; what was counted of it."""
    if isinstance(request, bytes):
        body = request
    else:
        version = Version.V2 if isinstance(request, Series2) else Version.V1
        body = request.message.SerializeToString(deterministic=True)
    key, landing = request_key("default", version, body), RemoteWriteLanding(version)
    pieces = envelope("default", 1, RECEIVED, body, keyed(key))
    store.insert_bytes(landing.table, pieces, "Protobuf", landing.settings())
    return remote_write.written(store, [key]).get(key, Written())


def stored(store: Store, table: str) -> list[dict[str, Any]]:
    """Rows of a metric table, as the reference spells them."""
    value_type = ", toString(ValueType) AS ValueType" if table in {"gauge", "sum"} else ""
    found = rows(
        store,
        f"SELECT * {value_type}, toUnixTimestamp64Nano(TimeUnix) AS time, "
        "toUnixTimestamp64Nano(StartTimeUnix) AS start, "
        "arrayMap(t -> toUnixTimestamp64Nano(t), `Exemplars.TimeUnix`) AS exemplar_times "
        f"FROM otel_metrics_{table}",
    )
    for row in found:
        row |= {name: plain(row[name]) for name in ("Value", "Sum") if name in row}
        row["Exemplars.Value"] = [plain(value) for value in row["Exemplars.Value"]]
    return found


def check(store: Store, wanted: Expected) -> None:
    """Every row of every table is the reference's."""
    for table in TABLES:
        found = stored(store, table)
        names = list(wanted.rows[table][0]) if wanted.rows[table] else []
        got = [{name: row[name] for name in names} for row in found]
        assert sorted(map(repr, got)) == sorted(map(repr, wanted.rows[table])), table


INTEGER = {
    "count_int": 9, "sum": 3.5, "schema": 1, "zero_threshold": 0.01, "zero_count_int": 1,
    "positive_spans": [{"offset": -2, "length": 2}, {"offset": 3, "length": 1}], "positive_deltas": [1, 1, -1],
    "negative_spans": [{"offset": 5, "length": 2}], "negative_deltas": [1, 2], "timestamp": T + 5,
}  # fmt: skip
FLOAT = {
    "count_float": 0.75, "sum": 3.5, "schema": 3, "zero_count_float": 0.25, "timestamp": T + 6,
    "positive_spans": [{"offset": -2, "length": 1}, {"offset": 3, "length": 1}], "positive_counts": [0.125, 1.5],
}  # fmt: skip
CUSTOM = {
    "count_int": 7, "sum": 3.5, "schema": -53, "custom_values": [0.1, 0.5, 1.0], "timestamp": T + 7,
    "positive_spans": [{"offset": 1, "length": 1}, {"offset": 1, "length": 1}], "positive_deltas": [1, 5],
}  # fmt: skip
WIDE = {
    "count_int": 3, "sum": 1.0, "schema": 8, "timestamp": T + 8,
    "positive_spans": [{"offset": -20_000, "length": 1}, {"offset": 39_998, "length": 2}], "positive_deltas": [1, 0, 0],
}  # fmt: skip


def filled(request: Series1 | Series2) -> Series1 | Series2:
    labels = {
        "__name__": "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", "job": "gpu/dcgm-exporter", "instance": "10.0.0.4:9400",
        "gpu": "0", "UUID": "GPU-5", "otel_scope_name": "lib", "otel_scope_version": "1", "otel_scope_team": "x",
        "otel_scope_schema_url": "https://s", "empty": "",
    }  # fmt: skip
    exemplar = ({"trace_id": TRACE.upper(), "span_id": SPAN, "pod": "p"}, 7.5, T - 3)
    request.add(labels, samples=[(T, 1.5), (T + 1, STALE)], exemplars=[exemplar])
    request.add({"__name__": "up", "job": "a/b/c"}, samples=[(T, float("nan")), (T + 9, float("-inf"))])
    request.add({"__name__": "odd", "job": "/x"}, exemplars=[({"trace_id": "12"}, 1.0, T), ({}, 2.0, T + 4)])
    request.add({"__name__": "target_info", "job": "j", "instance": "i", "host_name": "h"}, samples=[(T, 1)])
    request.add({"__name__": "latency", "job": "j"}, histograms=[INTEGER, FLOAT, CUSTOM, WIDE], exemplars=[exemplar])
    request.add({"__name__": "latency", "job": "j"}, histograms=[{"sum": STALE, "timestamp": T + 9}])
    request.add({"__name__": "rate", "job": "j"}, histograms=[{**FLOAT, "reset_hint": 3}])
    return request


@pytest.mark.parametrize("make", [Series1, Series2])
def test_every_field_arrives_on_every_home(backend_store: Store, make: type[Series1] | type[Series2]) -> None:
    request = filled(make())
    counted = write(backend_store, request)
    assert counted == Written(samples=5, histograms=6, exemplars=4)
    check(backend_store, expected(request.message, RECEIVED))


def test_what_the_reference_says_of_a_histogram_is_right(store: Store) -> None:
    """Numbers worked out by hand, so that the reference and the views are not wrong together."""
    write(store, filled(Series2()))
    found = {row["time"] // 1_000_000 - T: row for row in stored(store, "exponential_histogram") if not row["Flags"]}
    names = ("Scale", "PositiveOffset", "PositiveBucketCounts", "NegativeOffset", "NegativeBucketCounts", "ZeroCount")
    assert [found[5][name] for name in names] == [1, -3, [1, 2, 0, 0, 0, 1], 4, [1, 3], 1]
    assert (found[6]["PositiveBucketCounts"], found[6]["PositiveFloatCounts"]) == (
        [0, 0, 0, 0, 2],
        [0.125, 0, 0, 0, 1.5],
    )
    # 40,001 buckets of 2^(1/256) do not fit: with a scale seven less they are 314.
    assert (found[8]["Scale"], found[8]["PositiveOffset"], len(found[8]["PositiveBucketCounts"])) == (1, -157, 314)
    assert sum(found[8]["PositiveBucketCounts"]) == 3
    (custom,) = stored(store, "histogram")
    assert (custom["BucketCounts"], custom["ExplicitBounds"]) == ([0, 1, 0, 6], [0.1, 0.5, 1.0])


def test_metadata_of_2_0(store: Store) -> None:
    request = Series2()
    for kind in range(9):
        metadata = (kind, f"help {kind}", "bytes_per_second")
        for name in ("x", "x_total", "x_count"):
            request.add({"__name__": name}, samples=[(T, 1, T - 50)], metadata=metadata, created=T - 90)
        request.add({"__name__": "y"}, samples=[(T, 1)], metadata=metadata, created=T - 90)
    write(store, request)
    check(store, expected(request.message, RECEIVED))


def test_metadata_of_1_0_holds_for_what_comes_later(store: Store) -> None:
    names = ("gpu_energy", "nodes_count", "lat_bucket", "lat_sum", "lat", "things", "things_total")

    def samples(at: int) -> Series1:
        request = Series1()
        for name in names:
            request.add({"__name__": name}, samples=[(at, 1)])
        return request

    def tables() -> dict[str, str]:
        return {row["MetricName"]: table for table in ("gauge", "sum") for row in stored(store, table)}

    write(store, samples(T))
    guessed = tables()
    assert {name for name, table in guessed.items() if table == "sum"} == {
        "nodes_count", "lat_bucket", "lat_sum", "things_total",
    }  # fmt: skip
    about = Series1()
    for family, kind in (("gpu_energy", 1), ("nodes_count", 2), ("nodes", 3), ("lat", 3), ("things", 1)):
        about.message.metadata.add(metric_family_name=family, type=kind, help=f"h {family}", unit="joules")
    assert write(store, about) == Written()
    for table in ("gauge", "sum"):
        store.command(f"TRUNCATE TABLE otel_metrics_{table}")
    write(store, samples(T + 1))
    told = tables()
    # A family's own name goes before one made with a suffix: nodes_count is a gauge and no histogram's count.
    assert {name for name, table in told.items() if table == "gauge"} == {"nodes_count", "lat"}
    described = {row["MetricName"]: row for row in [*stored(store, "sum"), *stored(store, "gauge")]}
    assert described["lat_bucket"]["MetricDescription"] == "h lat"
    assert described["gpu_energy"]["MetricUnit"] == "J"
    assert described["nodes_count"]["MetricMetadata"] == [("prometheus.type", "gauge")]


def test_a_series_is_the_same_over_otlp(store: Store) -> None:
    metric = Metric(name="DCGM_FI_DEV_GPU_TEMP")
    put(metric.gauge.data_points.add(time_unix_nano=T0, as_double=1.0).attributes, {"gpu": "0", "Hostname": "node-1"})
    request = metrics(metric, **{"service.name": "dcgm-exporter", "service.instance.id": "10.0.0.4:9400"})
    request.resource_metrics[0].scope_metrics[0].scope.name = "lib"
    insert(store, Signal.METRICS, request)
    labels = {
        "Hostname": "node-1", "__name__": "DCGM_FI_DEV_GPU_TEMP", "gpu": "0", "instance": "10.0.0.4:9400",
        "job": "dcgm-exporter", "otel_scope_name": "lib",
    }  # fmt: skip
    for made in (Series1(), Series2()):
        made.add(labels, samples=[(T, 2.0)])
        write(store, made)
    columns = (
        "ResourceAttributes, ServiceName, ScopeName, MetricName, SeriesHash, ResourceAttributeTypes, AttributeTypes"
    )
    over_otlp, first, second = (
        rows(store, f"SELECT {columns} FROM otel_metrics_gauge ORDER BY Value, MetricUnit LIMIT 1 OFFSET {n}")
        for n in range(3)
    )
    assert over_otlp == first == second
    assert count(store, "otel_metrics_gauge") == 3


def test_the_correlator_reads_values_and_no_stale_markers(store: Store) -> None:
    request = Series1()
    request.add({"__name__": "DCGM_FI_DEV_GPU_TEMP", "Hostname": "node-1", "gpu": "0", "UUID": "GPU-5", "job": "dcgm"},
                samples=[(T, 61.0), (T + 1, STALE)], exemplars=[({}, 1.0, T)])  # fmt: skip
    request.add({"__name__": "latency", "job": "j"}, histograms=[INTEGER, {"sum": STALE, "timestamp": T + 9}])
    write(store, request)
    window = {"tenant": "default", "start": T0 - 1, "end": T0 + 10**9, "metrics": ""}
    store.execute("learn_series", window)
    (point,) = store.rows("metric_points", window)
    (series,) = [row for row in store.rows("metric_series", window) if row["type"] == "gauge"]
    assert (point["series"], point["value"]) == (series["series"], 61.0)
    assert (series["node"], series["gpu"], series["gpu_index"]) == ("node-1", "GPU-5", "0")
    (histogram,) = store.rows("histogram_points", window)
    assert (histogram["count"], histogram["sum"]) == (9.0, 3.5)


BAD: list[tuple[str, dict[str, Any]]] = [
    ("a histogram of an unknown schema", {**INTEGER, "schema": 21}),
    ("a histogram with more or fewer counts than buckets", {**INTEGER, "positive_deltas": [1]}),
    ("a histogram with more or fewer counts than buckets",
     {**INTEGER, "positive_spans": [{"offset": 0, "length": 2**32 - 1}]}),
    ("a histogram with more or fewer counts than buckets", {**FLOAT, "positive_counts": [], "positive_deltas": [1, 2]}),
    ("a histogram whose spans overlap",
     {**INTEGER, "positive_spans": [{"offset": 2, "length": 2}, {"offset": -1, "length": 1}]}),
    ("a histogram with a negative count", {**INTEGER, "positive_deltas": [1, -2, 1]}),
    ("a histogram with a negative count", {**FLOAT, "positive_counts": [0.5, float("nan")]}),
    ("a histogram with a negative count", {**FLOAT, "count_float": -1.0}),
    ("a histogram with a bucket beyond every number",
     {**INTEGER, "positive_spans": [{"offset": 2**31 - 1, "length": 3}]}),
    ("a histogram with a bucket it has no bound for", {**CUSTOM, "custom_values": [0.1]}),
    ("a histogram with a bucket it has no bound for", {**CUSTOM, "negative_spans": [{"offset": 1, "length": 1}],
                                                       "negative_deltas": [1]}),
    ("a histogram whose bounds do not rise", {**CUSTOM, "custom_values": [0.1, 0.5, 0.5]}),
    ("a time that cannot be stored", {**INTEGER, "timestamp": 2**62}),
]  # fmt: skip


@pytest.mark.parametrize(("reason", "histogram"), BAD)
def test_a_histogram_that_makes_no_sense_is_refused_alone(store: Store, reason: str, histogram: dict[str, Any]) -> None:
    request = Series1()
    request.add({"__name__": "latency"}, histograms=[histogram, INTEGER])
    request.add({"__name__": "latency", "a": "b"}, histograms=[histogram], exemplars=[({}, 1, T)])
    assert write(store, request) == Written(0, 1, 0, 3, reason)
    check(store, expected(request.message, RECEIVED))


def test_series_that_cannot_be_named_are_refused_alone(store: Store) -> None:
    request = Series2()
    sample = [(T, 1.0)]
    request.add({"__name__": "good"}, samples=sample)
    request.add({"job": "x"}, samples=sample, exemplars=[({}, 1, T)])
    request.add({"__name__": "", "job": "x"}, samples=sample)
    request.add({"__name__": "a", "": "x"}, samples=sample)
    request.add({"__name__": "a"}, samples=sample).labels_refs.extend(request.refs({"__name__": "b"}))
    request.add({"__name__": "a"}, samples=sample).labels_refs.append(1)
    request.add({"__name__": "a"}, samples=sample).labels_refs.extend([1, 999])
    request.add({"__name__": "a"}, samples=sample).metadata.help_ref = 999
    request.add({"__name__": "a"}, samples=sample, exemplars=[({}, 1, T)]).exemplars[0].labels_refs.append(1)
    counted = write(store, request)
    assert counted[:4] == (1, 0, 0, 10)
    assert rows(store, "SELECT MetricName FROM otel_metrics_gauge") == [{"MetricName": "good"}]


def test_a_symbol_meant_too_often_is_refused(store: Store) -> None:
    """A few hundred kilobytes that would become forty gigabytes of labels."""
    request = Series2()
    request.add({"__name__": "a", "b": "x" * 200_000}, samples=[(T, 1)])
    request.message.timeseries[0].labels_refs.extend([request.ref("c"), request.ref("x" * 200_000)] * 100_000)
    assert write(store, request) == Written(0, 0, 0, 1, "labels too large for the request")
    assert count(store, "otel_metrics_gauge") == 0


def test_labels_that_many_series_share_are_fine(store: Store) -> None:
    request = Series2()
    shared = {f"a_long_name_of_a_label_that_kubernetes_made_{n}": f"a-long-value-of-that-label-{n}" for n in range(20)}
    for n in range(2000):
        request.add({"__name__": "a", "n": str(n), **shared}, samples=[(T, n)])
    assert write(store, request) == Written(samples=2000)
    assert rows(store, "SELECT uniqExact(SeriesHash) AS n FROM otel_metrics_gauge") == [{"n": 2000}]


def test_times_that_no_partition_holds_are_refused_alone(store: Store) -> None:
    request = Series1()
    request.add({"__name__": "a"}, samples=[(0, 1), (-1, 1), (2**63 - 1, 1), (-(2**63), 1), (T, 1)])
    request.add({"__name__": "b"}, samples=[(-1, 1)], exemplars=[({}, 1, -1)])
    assert write(store, request) == Written(1, 0, 1, 5, "a time that cannot be stored")
    check(store, expected(request.message, RECEIVED))


def test_invalid_utf8_is_repaired_everywhere(store: Store) -> None:
    first, second = Series1(), Series2()
    labels = {"__name__": "NAME", "KEYS": "VALUE"}
    first.add(labels, samples=[(T, 1)], exemplars=[(labels, 1, T)])
    second.add(labels, samples=[(T, 1)], exemplars=[(labels, 1, T)], metadata=(2, "HELP", "UNIT"))
    for request, version in ((first, Version.V1), (second, Version.V2)):
        store.command("TRUNCATE TABLE otel_metrics_gauge")
        good = request.message.SerializeToString()
        bad = good.replace(b"NAME", b"N\xffME").replace(b"KEYS", b"K\xfeYS").replace(b"VALUE", b"V\xc3LUE")
        write(store, bad.replace(b"HELP", b"H\xffLP").replace(b"UNIT", b"U\xffIT"), version)
        (row,) = stored(store, "gauge")
        assert (row["MetricName"], row["Attributes"]) == ("N\ufffdME", [("K\ufffdYS", "V\ufffdLUE")])
        assert row["Exemplars.FilteredAttributes"] == [[("__name__", "N\ufffdME"), ("K\ufffdYS", "V\ufffdLUE")]]
    assert (row["MetricDescription"], row["MetricUnit"]) == ("H\ufffdLP", "U\ufffdIT")


def test_unknown_fields_are_skipped_and_the_other_versions_message_is_empty(store: Store) -> None:
    request = filled(Series1()).message.SerializeToString()
    assert write(store, request + b"\xc2\x3e\x03abc", Version.V1).samples == 5
    assert write(store, request, Version.V2) == Written()


TEXT = st.text(st.characters(codec="utf-8"), max_size=6)
NAMES = st.sampled_from(["up", "a_total", "A_TOTAL", "x_bucket", "x_sum", "x_count", "a_counter", "q\n_total"]) | TEXT
KEYS = st.sampled_from(["job", "instance", "otel_scope_name", "otel_scope_version", "otel_scope_x", "le"]) | TEXT
LABELS = st.builds(lambda name, rest: {"__name__": name, **rest}, NAMES, st.dictionaries(KEYS, TEXT | st.just("a/b"),
                                                                                         max_size=4))  # fmt: skip
TIMES = st.integers(T - 10**6, T + 10**6) | st.sampled_from([0, -1, 5_662_224_000_000, 5_662_224_000_001, 2**62])
VALUES = st.floats() | st.just(STALE)
EXEMPLARS = st.lists(
    st.tuples(
        st.dictionaries(
            TEXT | st.sampled_from(["trace_id", "span_id"]), TEXT | st.sampled_from([TRACE, SPAN]), max_size=3
        ),
        st.floats(),
        TIMES,
    ),
    max_size=2,
)
SPANS = st.lists(st.builds(lambda o, n: {"offset": o, "length": n}, st.integers(0, 40), st.integers(0, 3)), max_size=3)


@st.composite
def native(draw: st.DrawFn) -> dict[str, Any]:
    """A native histogram, mostly a sound one."""
    floats = draw(st.booleans())
    custom = draw(st.booleans())
    out: dict[str, Any] = {
        "sum": draw(VALUES), "timestamp": draw(TIMES), "reset_hint": draw(st.integers(0, 3)),
        "schema": -53 if custom else draw(st.integers(-4, 8) | st.sampled_from([-11, 21])),
        "zero_threshold": draw(st.floats(0, 1)),
    }  # fmt: skip
    counts = st.floats(0, 1e6, allow_subnormal=False) if floats else st.integers(0, 10**6)
    out["count_float" if floats else "count_int"] = draw(counts)
    out["zero_count_float" if floats else "zero_count_int"] = draw(counts)
    for side in ("positive",) if custom else ("positive", "negative"):
        spans = draw(SPANS)
        if spans and not custom:
            spans[0]["offset"] = draw(st.integers(-2000, 2000))
        values = [draw(counts) for span in spans for _ in range(span["length"])]
        if draw(st.integers(0, 9)) == 0:
            values.append(draw(counts))
        out[f"{side}_spans"] = spans
        if floats:
            out[f"{side}_counts"] = values
        else:
            out[f"{side}_deltas"] = [b - a for a, b in zip([0, *values], values, strict=False)]
    if custom:
        out["custom_values"] = sorted(draw(st.lists(st.floats(-1e9, 1e9), max_size=130, min_size=draw(
            st.sampled_from([0, 125])))))  # fmt: skip
    return out


SERIES = st.fixed_dictionaries(
    {
        "labels": LABELS,
        "samples": st.lists(st.tuples(TIMES, VALUES, TIMES), max_size=3),
        "exemplars": EXEMPLARS,
        "histograms": st.lists(native(), max_size=2),
        "metadata": st.tuples(
            st.integers(0, 8), TEXT, st.sampled_from(["", "seconds", "furlongs", "bytes_per_second"])
        ),
        "created": TIMES,
    }
)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(SERIES, max_size=5), st.booleans())
def test_random_requests_decode_as_the_reference_does(store: Store, series: list[dict[str, Any]], second: bool) -> None:
    for table in (*(f"otel_metrics_{table}" for table in TABLES), "remote_write_written"):
        store.command(f"TRUNCATE TABLE {table}")
    request: Series1 | Series2 = Series2() if second else Series1()
    for one in series:
        samples = [sample if second else sample[:2] for sample in one["samples"]]
        request.add(**{**one, "samples": samples})
    wanted = expected(request.message, RECEIVED)
    counted = write(store, request)
    assert counted[:4] == (wanted.samples, wanted.histograms, wanted.exemplars, wanted.rejected)
    check(store, wanted)


def test_the_migration_is_what_its_generator_writes() -> None:
    assert generate_remote_write.TARGET.read_text(encoding="utf-8") == generate_remote_write.migration()
