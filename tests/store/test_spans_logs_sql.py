"""The queries behind the spans and logs frames: identity, failures and levels in several vocabularies."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from correlate.frames import FRAMES, load
from store import Store, Window
from tests.kit.causal import nanos

PARAMS = {"tenant": "default", "start": nanos(0), "end": nanos(900), "one_in": 1}


def insert(store: Store, table: str, **columns: Any) -> None:
    whole, rest = divmod(nanos(10.0), 10**9)
    row = {"Tenant": "default", "Timestamp": f"{whole}.{rest:09d}"} | columns
    store.command(f"INSERT INTO {table} FORMAT JSONEachRow {json.dumps(row)}")


def one(store: Store, frame: str) -> dict[str, Any]:
    return store.frame(frame, PARAMS).collect().row(0, named=True)


def test_both_return_the_columns_of_their_frames(store: Store) -> None:
    insert(store, "otel_traces", TraceId="t", SpanId="s")
    insert(store, "otel_logs", Body="b")
    frames = load(store, "default", Window(nanos(0), nanos(900)), 0.0, ["spans", "logs"])
    for name in ("spans", "logs"):
        table = frames[name].collect()
        assert table.schema == pl.Schema(FRAMES[name])
        assert table.height == 1
        assert table.null_count().sum_horizontal().item() == 0


def test_a_span_by_its_resource(store: Store) -> None:
    insert(
        store,
        "otel_traces",
        TraceId="t",
        SpanId="s",
        ParentSpanId="0000000000000000",
        ServiceName="api",
        SpanName="chat",
        SpanKind="Client",
        Duration=1_500_000,
        ResourceAttributes={
            "k8s.pod.name": "api-0", "k8s.node.name": "n1", "service.version": "1.2", "k8s.deployment.name": "api-d",
            "host.name": "api-0",
        },
        SpanAttributes={"server.address": "phi.svc", "gen_ai.request.model": "phi-4"},
    )  # fmt: skip
    span = one(store, "spans")
    expected = {
        "parent_id": "", "service": "api", "name": "chat", "kind": "Client", "duration_ms": 1.5, "pod": "api-0",
        "node": "n1", "version": "1.2", "workload": "api-d", "peer": "phi.svc", "model": "phi-4", "error": False,
        "error_type": "",
    }  # fmt: skip
    assert expected.items() <= span.items()


def test_a_service_without_a_name_has_none(store: Store) -> None:
    insert(store, "otel_traces", ServiceName="unknown_service:java", ResourceAttributes={"host.name": "vm-7"})
    assert (one(store, "spans")["service"], one(store, "spans")["node"]) == ("", "vm-7")


@pytest.mark.parametrize(
    ("columns", "error", "error_type"),
    [
        ({"StatusCode": "Error", "SpanAttributes": {"error.type": "timeout"}}, True, "timeout"),
        ({"StatusCode": "Error", "StatusMessage": "refused"}, True, "refused"),
        ({"SpanAttributes": {"http.response.status_code": "503"}}, True, "503"),
        ({"SpanAttributes": {"http.status_code": "500"}}, True, "500"),
        ({"SpanAttributes": {"http.response.status_code": "404"}}, False, ""),
        ({"SpanAttributes": {"rpc.grpc.status_code": "14"}}, True, "14"),
        ({"SpanAttributes": {"rpc.grpc.status_code": "5"}}, False, ""),
        ({"StatusCode": "Ok"}, False, ""),
    ],
)
def test_what_counts_as_failed(store: Store, columns: dict[str, Any], error: bool, error_type: str) -> None:
    insert(store, "otel_traces", **columns)
    span = one(store, "spans")
    assert (span["error"], span["error_type"]) == (error, error_type)


@pytest.mark.parametrize(("status", "error"), [("Unset", True), ("Ok", False)])
def test_a_recorded_exception_counts_unless_the_span_is_fine(store: Store, status: str, error: bool) -> None:
    whole = nanos(10.0) // 10**9
    events = {
        "Events.Timestamp": [f"{whole}.0", f"{whole}.1"],
        "Events.Name": ["log", "exception"],
        "Events.Attributes": [{}, {"exception.type": "IOError"}],
        "Events.DroppedAttrCount": [0, 0],
    }
    insert(store, "otel_traces", StatusCode=status, **events)
    span = one(store, "spans")
    assert (span["error"], span["error_type"]) == (error, "IOError" if error else "")


def test_logs_are_what_no_other_frame_reads(store: Store) -> None:
    insert(store, "otel_logs", Body="mine", ServiceName="api")
    insert(store, "otel_logs", Body="event", LogAttributes={"k8s.event.reason": "BackOff"})
    insert(store, "otel_logs", Body="{}", LogAttributes={"k8s.resource.name": "events"})
    insert(store, "otel_logs", Body="", EventName="gen_ai.evaluation.result")
    insert(store, "otel_logs", Body="NVRM: Xid (PCI:0000:43:00): 79")
    insert(store, "otel_logs", Body="NVRM: quoted by an application", ResourceAttributes={"k8s.container.name": "c"})
    bodies = store.frame("logs", PARAMS).collect()["body"].to_list()
    assert sorted(bodies) == ["NVRM: quoted by an application", "mine"]


@pytest.mark.parametrize(
    ("columns", "severity"),
    [
        ({"SeverityNumber": 18, "SeverityText": "INFO"}, 18),
        ({"SeverityText": "error"}, 17),
        ({"SeverityText": "Warning"}, 13),
        ({"SeverityText": "CRITICAL"}, 21),
        ({}, 0),
    ],
)
def test_level_of_a_line(store: Store, columns: dict[str, Any], severity: int) -> None:
    insert(store, "otel_logs", Body="b", **columns)
    assert one(store, "logs")["severity"] == severity


def test_trace_ids_may_be_attributes(store: Store) -> None:
    insert(store, "otel_logs", Body="b", LogAttributes={"trace_id": "t1", "span_id": "s1"})
    row = one(store, "logs")
    assert (row["trace_id"], row["span_id"]) == ("t1", "s1")


def test_of_many_spans_whole_traces_are_kept(store: Store) -> None:
    store.command(
        "INSERT INTO otel_traces (Timestamp, TraceId, SpanId, ServiceName, Tenant) SELECT "
        f"fromUnixTimestamp64Nano({nanos(0)} + number * 1000000), hex(intDiv(number, 10)), hex(number), 's', 'default' "
        "FROM numbers(10000)"
    )
    kept = []
    for limit in (0, 10_000, 2_500):
        given = load(store, "default", Window(nanos(0), nanos(900)), 0.0, ["spans"], max_spans=limit)
        traces = given["spans"].group_by("trace_id").len().collect()
        assert set(traces["len"]) == {10}
        kept.append((given.traces_one_in, traces.height))
    assert kept[:2] == [(1, 1000), (1, 1000)]
    assert kept[2][0] == 4
    assert 150 < kept[2][1] < 350
