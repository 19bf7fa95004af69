"""Structured messages: every valid one is stored, item by item; and bytes that once were one get an answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from ingest.envelope import Signal
from store import Store
from tests.attacks.victim import Victim, attackable
from tests.fuzz.mutate import mutated
from tests.kit.otlp import SECOND, T0, serialized

# Members of a collection, and how deep arrays and maps go.
MOST, DEEPEST = 3, 4
TABLES = {
    Signal.TRACES: ("otel_traces",),
    Signal.LOGS: ("otel_logs",),
    Signal.METRICS: tuple(
        f"otel_metrics_{kind}" for kind in ("gauge", "sum", "histogram", "exponential_histogram", "summary")
    ),
}
REQUESTS: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
ITEMS = {
    "Span",
    "LogRecord",
    "NumberDataPoint",
    "HistogramDataPoint",
    "ExponentialHistogramDataPoint",
    "SummaryDataPoint",
}
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
# Times that are kept: three days, so that a request has few partitions.
TIMES = st.integers(T0, T0 + 3 * 86_400 * SECOND)
SCALARS: dict[int, st.SearchStrategy[Any]] = {
    FieldDescriptor.TYPE_STRING: TEXT,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=8),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: st.floats(),
    FieldDescriptor.TYPE_INT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_SINT32: st.integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_SFIXED64: st.integers(-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_FIXED32: st.integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: st.integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_FIXED64: st.integers(0, 2**64 - 1),
}
IDS = {"trace_id": 16, "span_id": 8, "parent_span_id": 8}


@st.composite
def messages(draw: st.DrawFn, descriptor: Descriptor, depth: int = 0) -> Message:
    """Any message of a type, all of its fields drawn; of a oneof one member or none."""
    out: Message = GetMessageClass(descriptor)()
    chosen = {oneof.name: draw(st.sampled_from([None, *oneof.fields])) for oneof in descriptor.oneofs}
    for field in descriptor.fields:
        of = field.containing_oneof
        if of is not None and chosen[of.name] is not field:
            continue
        if descriptor.name in ITEMS and field.name == "time_unix_nano":
            out.time_unix_nano = draw(TIMES)  # type: ignore[attr-defined]
        elif descriptor.name in ITEMS and field.name == "start_time_unix_nano":
            out.start_time_unix_nano = draw(TIMES)  # type: ignore[attr-defined]
        elif field.name in IDS and descriptor.name in {"Span", "Link"}:
            setattr(out, field.name, draw(st.binary(min_size=IDS[field.name], max_size=IDS[field.name])))
        else:
            fill(draw, out, field, depth)
    return out


def fill(draw: st.DrawFn, out: Message, field: FieldDescriptor, depth: int) -> None:
    inner = field.message_type
    if inner is not None and (depth > DEEPEST and inner.name in {"AnyValue", "ArrayValue", "KeyValueList"}):
        return
    deeper = depth + (inner is not None and inner.name == "AnyValue")
    if inner is not None:
        strategy: st.SearchStrategy[Any] = messages(inner, deeper)
    elif field.enum_type is not None:
        strategy = st.sampled_from([value.number for value in field.enum_type.values])
    else:
        strategy = SCALARS[field.type]
    if field.is_repeated:
        getattr(out, field.name).extend(draw(st.lists(strategy, max_size=MOST)))
    elif inner is not None:
        if draw(st.booleans()):
            getattr(out, field.name).CopyFrom(draw(strategy))
    else:
        setattr(out, field.name, draw(strategy))


def items(message: Message) -> int:
    """Spans, records or points anywhere in a request."""
    if message.DESCRIPTOR.name in ITEMS:
        return 1
    count = 0
    for field, value in message.ListFields():
        if field.message_type is not None:
            count += sum(items(each) for each in (value if field.is_repeated else [value]))
    return count


@pytest.fixture(scope="module")
def strategies() -> dict[Signal, st.SearchStrategy[Message]]:
    return {signal: messages(request.DESCRIPTOR) for signal, request in REQUESTS.items()}


@pytest.fixture
def receiver(store: Store) -> Iterator[Victim]:
    with attackable(store, "http") as running:
        yield running


def stored(victim: Victim, signal: Signal) -> int:
    return sum(victim.count(table) for table in TABLES[signal])


@pytest.mark.parametrize("signal", list(Signal))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_item_of_a_valid_message_is_stored_or_refused(
    receiver: Victim, strategies: dict[Signal, st.SearchStrategy[Message]], signal: Signal, data: st.DataObject
) -> None:
    request = data.draw(strategies[signal])
    body = serialized(request)
    before = stored(receiver, signal)
    answer = receiver.http(signal, body)
    assert answer.status == 200, answer.text
    # The same request again, which may be drawn, is answered the same and stored no second time.
    new = items(request) - answer.refused if body not in receiver.seen else 0
    receiver.seen.add(body)
    assert stored(receiver, signal) - before == new


@pytest.mark.parametrize("signal", list(Signal))
@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data(), seed=st.integers(0, 2**32))
def test_a_broken_message_gets_an_answer(
    receiver: Victim,
    strategies: dict[Signal, st.SearchStrategy[Message]],
    signal: Signal,
    data: st.DataObject,
    seed: int,
) -> None:
    body = mutated(serialized(data.draw(strategies[signal])), seed)
    assert receiver.http(signal, body).status in {200, 400, 413}
    assert receiver.grpc(signal, body).status in {200, 400, 413}
