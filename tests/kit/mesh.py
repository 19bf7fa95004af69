"""OTLP of a small call graph with one slow and failing service: storefront -> checkout -> ledger, each with a pod."""

from __future__ import annotations

import math
import random
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from ingest.envelope import Signal
from tests.kit.otlp import resource
from tests.kit.recorded import Request

_MS = 10**6
SERVICES = ("storefront", "checkout", "ledger")
NODE = "worker-node-d"


class Mesh:
    """Requests of a stretch of time, one trace every few seconds; the ledger is slow and fails for a while."""

    def __init__(self, seed: int = 5) -> None:
        self._chance = random.Random(seed)
        self._spans: dict[str, list[Span]] = {service: [] for service in SERVICES}
        self._lines: list[LogRecord] = []

    def requests(self, start: int, end: int, fault: int, lasts_s: float = 300.0) -> list[Request]:
        """Traces and logs from `start` to `end`, nanoseconds, with the fault from `fault` on."""
        at, number = start, 0
        while at < end:
            number += 1
            bad = fault <= at < fault + int(lasts_s * 1e9)
            own = [self._chance.lognormvariate(math.log(median), 0.2) for median in (4.0, 6.0, 9.0)]
            own[2] *= 12 if bad else 1
            failed = bad and self._chance.random() < 0.4
            self._trace(at, number, own, failed=failed)
            self._write(at, number, own[2], failed=failed)
            at += int(self._chance.uniform(1.5, 4.5) * 1e9)
        traces = ExportTraceServiceRequest(
            resource_spans=[
                ResourceSpans(resource=_resource(service), scope_spans=[ScopeSpans(spans=spans)])
                for service, spans in self._spans.items()
            ]
        )
        logs = ExportLogsServiceRequest(
            resource_logs=[ResourceLogs(resource=_resource("ledger"), scope_logs=[ScopeLogs(log_records=self._lines)])]
        )
        return [(Signal.TRACES, traces.SerializeToString()), (Signal.LOGS, logs.SerializeToString())]

    def _trace(self, at: int, number: int, own: list[float], *, failed: bool) -> None:
        """A server span in each service and a client span for each call between them."""
        parent, begin = b"", at
        status = Status(code=Status.STATUS_CODE_ERROR, message="503") if failed else Status()
        for depth, service in enumerate(SERVICES):
            inside = sum(own[depth:]) + len(own) - depth - 1
            server, client = ((number * 8 + depth * 2 + side).to_bytes(8, "big") for side in (0, 1))
            common: dict[str, Any] = {"trace_id": number.to_bytes(16, "big"), "status": status}
            took = begin + int(inside * _MS)
            self._spans[service].append(
                Span(
                    span_id=server, parent_span_id=parent, name=f"/{service}", kind=Span.SPAN_KIND_SERVER,
                    start_time_unix_nano=begin, end_time_unix_nano=took, **common,
                )
            )  # fmt: skip
            if depth + 1 == len(SERVICES):
                return
            begin += int(own[depth] * _MS / 2)
            took = begin + int((inside - own[depth]) * _MS)
            self._spans[service].append(
                Span(
                    span_id=client, parent_span_id=server, name=f"call {SERVICES[depth + 1]}",
                    kind=Span.SPAN_KIND_CLIENT, start_time_unix_nano=begin, end_time_unix_nano=took, **common,
                )
            )  # fmt: skip
            parent, begin = client, begin + _MS // 2

    def _write(self, at: int, number: int, took_ms: float, *, failed: bool) -> None:
        lines = [(2, SeverityNumber.SEVERITY_NUMBER_INFO, f"posting entry took {took_ms:.1f} ms")]
        if failed:
            lines.append((9, SeverityNumber.SEVERITY_NUMBER_ERROR, "could not post entry: too many connections"))
        for after_ms, severity, body in lines:
            record = LogRecord(
                time_unix_nano=at + after_ms * _MS, severity_number=severity, trace_id=number.to_bytes(16, "big")
            )
            record.body.string_value = body
            self._lines.append(record)


def _resource(service: str) -> Resource:
    """Resource attributes as the Collector's k8sattributes processor leaves them."""
    return resource(
        {
            "service.name": service,
            "k8s.pod.name": f"{service}-7c9f8d6b5-{'xkvzt' if service == 'ledger' else 'bqwrt'}",
            "k8s.node.name": NODE,
            "k8s.deployment.name": service,
            "k8s.namespace.name": "shop",
        }
    )
