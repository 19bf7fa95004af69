"""What real clients send, over every transport they have, is in the tables to the last column."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, Summary, SummaryDataPoint

from tests.clients import expected, node_sdk, python_sdk, rotel, tables
from tests.clients.expected import DELTA, NODE, PYTHON, Row, Sdk
from tests.clients.tables import check
from tests.conformance.target import PROTOBUF, Target, serving
from tests.conftest import Embedded, migrated, missing
from tests.kit.otlp import T0, metrics, serialized

MS = 1_000_000
# No SDK makes summaries; collectors forward those of others.
SUMMARY = Metric(
    name="rpc.duration",
    unit="s",
    description="From elsewhere",
    summary=Summary(
        data_points=[
            SummaryDataPoint(
                start_time_unix_nano=T0,
                time_unix_nano=T0 + 7,
                count=3,
                sum=1.5,
                quantile_values=[
                    SummaryDataPoint.ValueAtQuantile(quantile=0.5, value=0.25),
                    SummaryDataPoint.ValueAtQuantile(quantile=1, value=1),
                ],
                flags=1,
            )
        ]
    ),
)
SPANS, LOGS, POINTS = "SpanId", "Timestamp", "MetricName, ScopeName, TimeUnix"


class Client(NamedTuple):
    """What sends, and how."""

    sdk: Sdk
    send: Callable[[Target, str, Path], None]


class Sent(NamedTuple):
    """Something a client has sent, and when, in nanoseconds."""

    target: Target
    sdk: Sdk
    instance: str
    before: int
    after: int

    def rows(self, table: str, order: str) -> list[Row]:
        """What is in a table of it."""
        return tables.rows(self.target.store, table, self.instance, order)


def _python(protocol: str) -> Client:
    def send(target: Target, instance: str, _: Path) -> None:
        python_sdk.send(protocol, target.address if protocol == "grpc" else target.url, instance)

    return Client(PYTHON, send)


def _node(protocol: str) -> Client:
    def send(target: Target, instance: str, _: Path) -> None:
        if not node_sdk.installed():
            missing(node_sdk.ABSENT)
        node_sdk.send(protocol, f"http://{target.address}" if protocol == "grpc" else target.url, instance)

    return Client(NODE, send)


def _rotel(protocol: str) -> Client:
    """The Python SDK sends to rotel as rotel sends to us."""

    def send(target: Target, instance: str, folder: Path) -> None:
        if not rotel.OFFERED:
            pytest.skip("rotel's wheel is for Linux on x86-64 and Python below 3.14")
        if rotel.program() is None:
            missing(rotel.ABSENT)
        endpoint = f"http://{target.address}" if protocol == "grpc" else target.url
        with rotel.forwarding(folder, protocol, endpoint) as at:
            python_sdk.send(protocol, at.grpc if protocol == "grpc" else at.http, instance)
            body = serialized(metrics(SUMMARY, **{"service.instance.id": instance}))
            httpx.post(
                f"{at.http}/v1/metrics", content=body, headers={"content-type": PROTOBUF}, timeout=60
            ).raise_for_status()

    return Client(PYTHON, send)


CLIENTS = {
    "python grpc": _python("grpc"),
    "python http": _python("http"),
    "node grpc": _node("grpc"),
    "node http/protobuf": _node("http/protobuf"),
    "node http/json": _node("http/json"),
    "rotel grpc": _rotel("grpc"),
    "rotel http": _rotel("http"),
}


@pytest.fixture(scope="module")
def target(embedded: Embedded) -> Iterator[Target]:
    for store in migrated(embedded.open("migrated")):
        with serving(store) as running:
            yield running


@pytest.fixture(scope="module")
def already() -> dict[str, Sent]:
    return {}


@pytest.fixture(params=CLIENTS)
def sent(request: pytest.FixtureRequest, target: Target, already: dict[str, Sent], tmp_path: Path) -> Sent:
    """A client that has sent everything, once for the tests of this file."""
    name: str = request.param
    if name not in already:
        client, before = CLIENTS[name], time.time_ns()
        client.send(target, name, tmp_path)
        already[name] = Sent(target, client.sdk, name, before // MS * MS, time.time_ns())
    return already[name]


def test_spans(sent: Sent) -> None:
    check(sent.rows("otel_traces", SPANS), expected.spans(sent.sdk, sent.instance))


def test_logs(sent: Sent) -> None:
    check(sent.rows("otel_logs", LOGS), expected.logs(sent.sdk, sent.instance))


@pytest.mark.parametrize("table", expected.TABLES)
def test_metrics(sent: Sent, table: str) -> None:
    got = sent.rows(f"otel_metrics_{table}", POINTS)
    times = [{name: row.pop(name) for name in list(row) if name.endswith("TimeUnix")} for row in got]
    check(got, expected.metrics(sent.sdk, sent.instance)[table])
    for first, second, row in zip(times[::2], times[1::2], got[::2], strict=True):
        assert sent.before <= first["TimeUnix"] < second["TimeUnix"] <= sent.after
        for point in (first, second):
            assert all(sent.before <= at <= point["TimeUnix"] for at in point["Exemplars.TimeUnix"])
        _check_starts(sent, first, second, row)


def _check_starts(sent: Sent, first: Row, second: Row, row: Row) -> None:
    starts = first["StartTimeUnix"], second["StartTimeUnix"]
    temporality = row.get("AggregationTemporality")
    if temporality is None and not sent.sdk.gauge_start:
        assert starts == (0, 0)
        return
    assert sent.before <= starts[0] <= first["TimeUnix"]
    if temporality is None:
        # Which of its measurements a gauge starts with is for the SDK to say.
        assert sent.before <= starts[1] <= second["TimeUnix"]
    else:
        assert starts[1] == (first["TimeUnix"] if temporality == DELTA else starts[0])


@pytest.mark.parametrize("sent", ["rotel grpc", "rotel http"], indirect=True)
def test_summaries_that_a_collector_forwards(sent: Sent) -> None:
    (row,) = sent.rows("otel_metrics_summary", POINTS)
    assert row == {
        "Tenant": "default",
        "ServiceName": "svc",
        "ResourceAttributes": expected.typed({"service.name": "svc", "service.instance.id": sent.instance}),
        "ResourceSchemaUrl": "",
        "ResourceDroppedAttrCount": 0,
        "ScopeName": "",
        "ScopeVersion": "",
        "ScopeSchemaUrl": "",
        "ScopeAttributes": {},
        "ScopeDroppedAttrCount": 0,
        "MetricName": "rpc.duration",
        "MetricDescription": "From elsewhere",
        "MetricUnit": "s",
        "MetricMetadata": {},
        "Attributes": {},
        "StartTimeUnix": T0,
        "TimeUnix": T0 + 7,
        "Count": 3,
        "Sum": 1.5,
        "ValueAtQuantiles.Quantile": [0.5, 1.0],
        "ValueAtQuantiles.Value": [0.25, 1.0],
        "Flags": 1,
    }
