"""What OTLP answers with, in protobuf and in JSON, over HTTP and over gRPC.

Success is an Export*ServiceResponse, anything else a google.rpc.Status
(https://opentelemetry.io/docs/specs/otlp/#otlphttp-response, #otlpgrpc-response).
"""

from __future__ import annotations

import random
from enum import StrEnum

from google.protobuf import json_format
from google.rpc.error_details_pb2 import BadRequest, RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from ingest.envelope import Signal
from ingest.errors import BodyTimeout, IngestError, MalformedBody, Overloaded
from ingest.outcome import Outcome

# An answer is refused by clients beyond 4 MiB, and gRPC's trailers, which repeat the message and escape it,
# beyond 8 KiB (https://grpc.github.io/grpc/core/group__grpc__arg__keys.html, GRPC_ARG_MAX_METADATA_SIZE).
_LONGEST_WARNING = 16 * 1024
_LONGEST_REASON = 512
# Python's and JavaScript's exporters drop when asked to wait longer than a few seconds.
_LONGEST_PAUSE_S = 3


class Encoding(StrEnum):
    """How a request is encoded, and so its answer; the value is the media type."""

    PROTOBUF = "application/x-protobuf"
    JSON = "application/json"


def success(signal: Signal, outcome: Outcome, encoding: Encoding = Encoding.PROTOBUF) -> bytes:
    """The response to a request that was stored; partial_success is set unless all went well."""
    if outcome.full:
        return b"{}" if encoding is Encoding.JSON else b""
    response: ExportTraceServiceResponse | ExportLogsServiceResponse | ExportMetricsServiceResponse
    if signal is Signal.TRACES:
        response = ExportTraceServiceResponse()
        response.partial_success.rejected_spans = outcome.rejected
    elif signal is Signal.LOGS:
        response = ExportLogsServiceResponse()
        response.partial_success.rejected_log_records = outcome.rejected
    else:
        response = ExportMetricsServiceResponse()
        response.partial_success.rejected_data_points = outcome.rejected
    response.partial_success.error_message = _shortened(outcome.message, _LONGEST_WARNING)
    if encoding is Encoding.JSON:
        return json_format.MessageToJson(response, indent=None).encode()
    return response.SerializeToString()


def reason(error: IngestError) -> str:
    """The error's text, short enough for a trailer."""
    return _shortened(str(error), _LONGEST_REASON)


def pause(error: IngestError) -> int | None:
    """Seconds to wait before sending again, different for each, so that not all come at once; None: never again."""
    return random.randint(1, _LONGEST_PAUSE_S) if isinstance(error, Overloaded | BodyTimeout) else None  # noqa: S311


def status(error: IngestError, wait_s: int | None) -> Status:
    """The error as a google.rpc.Status: with RetryInfo when there is a pause, with BadRequest for bad data."""
    answer = Status(code=error.code, message=reason(error))
    if wait_s is not None:
        answer.details.add().Pack(retry_info(wait_s))
    elif isinstance(error, MalformedBody):
        answer.details.add().Pack(BadRequest(field_violations=[{"description": answer.message}]))
    return answer


def retry_info(wait_s: int) -> RetryInfo:
    """The pause as gRPC clients read it."""
    return RetryInfo(retry_delay={"seconds": wait_s})


def failure(error: IngestError, wait_s: int | None, encoding: Encoding = Encoding.PROTOBUF) -> bytes:
    """The body of an HTTP answer that is no success."""
    answer = status(error, wait_s)
    if encoding is Encoding.JSON:
        return json_format.MessageToJson(answer, indent=None).encode()
    return bytes(answer.SerializeToString())


def refusal(status_code: int, text: str) -> tuple[str, bytes]:
    """What is answered, in protobuf, to what is not even a request: its media type and its bytes."""
    error = Overloaded(text) if status_code == Overloaded.status else MalformedBody(text)
    return Encoding.PROTOBUF.value, failure(error, pause(error))


def _shortened(text: str, limit: int) -> str:
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return data.decode()
    return data[: limit - 3].decode(errors="ignore") + "…"
