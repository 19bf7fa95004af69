"""The Collector's own examples in three encodings; those of the protocol are in tests/ingest/test_receiver.py."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from google.protobuf import json_format
from google.protobuf.message import Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from ingest.envelope import Signal
from store import Store
from tests.conformance.target import JSON, Target, serving
from tests.kit.otlp import T0, google_form, serialized

GO_ZERO = "11651379494838206464"
KINDS: dict[Signal, tuple[type[Message], type[Message]]] = {
    Signal.TRACES: (ExportTraceServiceRequest, ExportTraceServiceResponse),
    Signal.LOGS: (ExportLogsServiceRequest, ExportLogsServiceResponse),
}


@pytest.fixture
def target(store: Store) -> Iterator[Target]:
    with serving(store) as running:
        yield running


def _example(shared: Path, signal: Signal) -> Any:
    path = shared / f"suites/otlp/collector-contrib-golden/{signal}-roundtrip.expected.yaml"
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def _answers(target: Target, signal: Signal, document: Any) -> list[Any]:
    """What each encoding is answered, as a message."""
    request, response = KINDS[signal]
    text = json.dumps(document).encode()
    body = serialized(json_format.ParseDict(google_form(document), request()))
    return [
        json_format.Parse(target.post(text, signal, JSON).raise_for_status().content, response()),
        response.FromString(target.post(body, signal).raise_for_status().content),
        response.FromString(target.call(body, signal).body),
    ]


@pytest.mark.parametrize("dated", [False, True], ids=["as it is", "with a time"])
@pytest.mark.parametrize("signal", KINDS)
def test_an_example_is_one_request_in_three_encodings(
    target: Target, shared: Path, signal: Signal, dated: bool
) -> None:
    text = json.dumps(_example(shared, signal))
    assert GO_ZERO in text
    answers = _answers(target, signal, json.loads(text.replace(GO_ZERO, str(T0)) if dated else text))
    assert answers[0] == answers[1] == answers[2]
    # Go's zero time is no time, and no reason to refuse anything; a dated example is nothing to remark on.
    partial = answers[0].partial_success
    assert (partial.ByteSize() == 0) == dated
    assert dated or "time they were received" in partial.error_message
    # The receiver stores a body once: the three were the same bytes, and so the same rows.
    stats = target.pipeline.stats()
    assert (stats["requests"], stats["duplicates"]) == (1, 2)
    assert target.count(f"otel_{signal}") == 1
