"""Fuzz the JSON decoder: any bytes give protobuf that protobuf's own parser takes, or an error with a status."""

from __future__ import annotations

import json
from typing import Any

import atheris
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

with atheris.instrument_imports(include=["ingest.otlp_json", "ingest.json_values"]):
    from ingest import otlp_json
from ingest.envelope import Signal
from ingest.errors import MalformedBody
from tests.fuzz.harness import fuzz
from tests.fuzz.mutate_json import mutated
from tests.fuzz.seeds import bodies

_REQUESTS: dict[Signal, Any] = {
    Signal.TRACES: ExportTraceServiceRequest,
    Signal.LOGS: ExportLogsServiceRequest,
    Signal.METRICS: ExportMetricsServiceRequest,
}
_SIGNALS = tuple(_REQUESTS)


def check(data: bytes) -> None:
    """The first byte chooses the signal, the rest is the body."""
    if not data:
        return
    signal = _SIGNALS[data[0] % len(_SIGNALS)]
    try:
        body = otlp_json.protobuf_of(signal, data[1:])
    except MalformedBody:
        return
    # How deep values nest is judged afterwards, on the protobuf; its own parser stops at a hundred messages.
    if data.count(b"{") < 40:
        _REQUESTS[signal].FromString(body)


def documents() -> list[tuple[int, Any]]:
    """The valid requests as OTLP's JSON, each with the number of its signal."""
    found = []
    for signal, body in bodies():
        document = json_format.MessageToDict(_REQUESTS[signal].FromString(body), use_integers_for_enums=True)
        found.append((_SIGNALS.index(signal), _hexadecimal(document)))
    return found


def _hexadecimal(document: object) -> object:
    """Identifiers in hexadecimal, which protobuf's own JSON has in base64."""
    if isinstance(document, list):
        return [_hexadecimal(item) for item in document]
    if not isinstance(document, dict):
        return document
    return {
        key: "0102030405060708" * (2 if key == "traceId" else 1)
        if key in {"traceId", "spanId", "parentSpanId"}
        else _hexadecimal(item)
        for key, item in document.items()
    }


def main() -> None:
    """Half of the inputs are valid requests changed as JSON, the others bytes changed by what they cover."""
    valid = documents()
    seeds = [bytes((signal,)) + json.dumps(document).encode() for signal, document in valid]
    seeds += [b"\0{}", b"\0[]", b'\x01{"x": [null, true, -1.5e3, "\\ud83d\\ude00"]}']

    def mutator(data: bytes, longest: int, seed: int) -> bytes:
        if seed % 2:
            return bytes(atheris.Mutate(data, longest))
        signal, document = valid[seed // 2 % len(valid)]
        return (bytes((signal,)) + mutated(document, seed))[:longest]

    fuzz("otlp_json", check, seeds, mutator=mutator)


if __name__ == "__main__":
    main()
