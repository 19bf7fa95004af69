"""Checks over HTTP."""

from __future__ import annotations

import gzip
import json
import random
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import Any

import zstandard
from google.rpc.error_details_pb2 import BadRequest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from ingest.envelope import Signal
from ingest.errors import Forbidden, Overloaded, Unauthenticated
from ingest.outcome import Outcome
from tests.conformance.requirements import over_http
from tests.conformance.target import ERRORS, JSON, LIMIT, PROTOBUF, Target, bomb, status_of
from tests.kit.fill import filled
from tests.kit.otlp import T0, busy_request, logs, serialized, traces

MEDIA = (PROTOBUF, JSON)
# What a refused bomb may take at most: the body twice, and the decoder's own step of 16 MiB in and out.
MOST_GROWTH = 2 * LIMIT + 32 * 1024 * 1024
BOMB_TRIES = 5
NOTHING = {PROTOBUF: b"", JSON: b"{}"}
BAD = {PROTOBUF: b"\x0a\x05abc", JSON: b"[]"}


def not_utf8() -> bytes:
    """A request with a span name that is not text."""
    whole = Span(
        name="text", trace_id=b"\xab" * 16, span_id=b"\xcd" * 8, start_time_unix_nano=T0, end_time_unix_nano=T0
    )
    return serialized(traces(whole)).replace(b"text", b"t\xff\xfet")


def request(seed: int, spans: int = 2) -> bytes:
    """A body nobody else sends."""
    return serialized(busy_request(random.Random(seed), spans))


@over_http("C01")
def paths_and_methods(target: Target) -> None:
    """POST to each of the three paths is 200; GET, PUT and DELETE are 405; other paths, also with a slash more or
    for profiles, are 404.
    """
    for signal in Signal:
        assert target.post(b"", signal).status_code == 200
        for method in ("GET", "PUT", "DELETE", "HEAD"):
            answer = target.http.request(method, f"{target.url}/v1/{signal}")
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    for path in ("/", "/v1", "/v1/traces/", "/v1/trace", "/v1development/profiles", "/V1/traces", "/v1/traces%2f"):
        assert target.http.post(target.url + path, headers={"content-type": PROTOBUF}).status_code == 404


@over_http("C02")
def media_types(target: Target) -> None:
    """Both media types, in other cases and with parameters, are 200 on one port; others and none are 415."""
    for media in MEDIA:
        for written in (media, media.upper(), f"{media}; charset=utf-8", f"{media.title()} ;charset=UTF-8"):
            assert target.post(NOTHING[media], media=written).status_code == 200, written
    for media_or_none in ("text/plain", "application/xml", "application/jsonp", "application/protobuf", "", None):
        assert target.post(b"{}", media=media_or_none).status_code == 415


@over_http("C03", "C09", "C11")
def every_error(target: Target) -> None:
    """Every error there is, raised in answer to a protobuf and to a JSON request: the media type is the request's,
    the body a Status, and 429 and 503 alone ask to be sent again, with Retry-After.
    """
    for media in MEDIA:
        good = target.post(NOTHING[media], media=media)
        assert (good.status_code, good.headers["content-type"]) == (200, media)
        for kind in ERRORS:
            target.pipeline.dictated = kind("this is why")
            answer = target.post(request(1) if media == PROTOBUF else _span(name="n"), media=media)
            assert (answer.status_code, answer.headers["content-type"]) == (kind.status, media)
            assert (status_of(answer).code, status_of(answer).message) == (kind.code, "this is why")
            assert ("retry-after" in answer.headers) == (kind.status in {429, 502, 503, 504})
            assert answer.status_code not in {408, 409, 425, 500}
        target.pipeline.dictated = None


@over_http("C03", "C09")
def errors_before_a_body_is_read(target: Target) -> None:
    """404, 405, 413, 415 and 401 carry a Status in the request's encoding; so do 400 and 431 to what is no request,
    and 500 to a defect, without its text.
    """
    for media in MEDIA:
        target.refuse = None
        answers = {
            404: target.http.post(f"{target.url}/nowhere", headers={"content-type": media}),
            405: target.http.request("PUT", f"{target.url}/v1/logs", headers={"content-type": media}),
            413: target.post(bytes(LIMIT + 1), media=media),
            415: target.post(b"x", media=media, content_encoding="br"),
        }
        target.pipeline.dictated = KeyError("secret")
        answers[500] = target.post(request(1) if media == PROTOBUF else _span(name="n"), media=media)
        target.pipeline.dictated, target.refuse = None, Unauthenticated
        answers[401] = target.post(NOTHING[media], media=media)
        for code, answer in answers.items():
            assert (answer.status_code, answer.headers["content-type"]) == (code, media)
            assert status_of(answer).message
            assert "secret" not in status_of(answer).message
    large = b"POST / HTTP/1.1\r\nX: " + b"a" * 66_000
    for raw, line in ((b"nonsense\r\n\r\n", b"HTTP/1.1 400 "), (large, b"HTTP/1.1 431 ")):
        with target.connected() as connection:
            connection.sendall(raw)
            answered = connection.recv(65536)
        assert answered.startswith(line)
        assert b"content-type: application/x-protobuf" in answered


@over_http("C04")
def codings(target: Target) -> None:
    """One body plain, in gzip (also of several members, also written GZIP), deflate and zstd (also of several
    frames) is stored once; br and snappy are 415; a body that is not in the coding it claims is 400.
    """
    body = request(4, 3)
    half = len(body) // 2
    sent = [
        ("identity", body),
        ("gzip", gzip.compress(body)),
        ("GZIP", gzip.compress(body[:half]) + gzip.compress(body[half:])),
        ("deflate", zlib.compress(body)),
        ("zstd", zstandard.compress(body)),
        ("zstd", zstandard.compress(body[:half]) + zstandard.compress(body[half:])),
    ]
    for coding, data in sent:
        assert target.post(data, content_encoding=coding).status_code == 200, coding
    assert target.count("otel_traces") == 3
    for coding in ("br", "snappy", "compress", "gzip, gzip", "aws-chunked"):
        assert target.post(body, content_encoding=coding).status_code == 415
    for coding in ("gzip", "deflate", "zstd"):
        for data in (body, dict(sent)[coding][:-5], dict(sent)[coding] + b"more"):
            assert target.post(data, content_encoding=coding).status_code == 400, coding


@over_http("C05")
def full_success(target: Target) -> None:
    """A stored request is answered with no bytes in protobuf and with {} in JSON."""
    assert target.post(request(5)).content == b""
    assert target.post(_span(name="five"), media=JSON).content == b"{}"
    assert target.count("otel_traces") == 3


@over_http("C06")
def nothing(target: Target) -> None:
    """No bytes, {} and resources without spans are 200; no bytes of JSON are 400, as they are not JSON."""
    for signal in Signal:
        assert target.post(b"", signal).status_code == 200
        assert target.post(b"", signal, content_encoding="gzip").status_code == 200
        assert target.post(b"{}", signal, JSON).status_code == 200
        assert target.post(b"", signal, JSON).status_code == 400
    assert target.post(serialized(traces())).status_code == 200
    assert target.post({"resourceSpans": [{"scopeSpans": [{}]}]}, media=JSON).status_code == 200


@over_http("C07", "C08", "C14")
def partial_success(target: Target) -> None:
    """An outcome with two items rejected, one with a warning alone, and one with a message of 9 MB: 200, read back
    from both encodings of all three signals, and below 4 MiB.
    """
    responses: dict[Signal, tuple[Any, str, str, Any]] = {
        Signal.TRACES: (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans", _span(name="n")),
        Signal.LOGS: (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords", _record(flags=1)),
        Signal.METRICS: (
            ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints", _point(flags=1),
        ),
    }  # fmt: skip
    for signal, (kind, name, json_name, document) in responses.items():
        for outcome in (Outcome(2, "why"), Outcome(0, "a warning"), Outcome(10_000, "ä so long " * 900_000)):
            target.pipeline.dictated = outcome
            answer = target.post(b"x", signal)
            partial = kind.FromString(answer.content).partial_success
            assert (answer.status_code, getattr(partial, name)) == (200, outcome.rejected)
            assert outcome.message.startswith(partial.error_message.rstrip("…"))
            assert len(partial.error_message) > 2
            written = target.post(document, signal, JSON)
            assert len(written.content) < 4 * 1024 * 1024
            said = written.json()["partialSuccess"]
            assert int(said.get(json_name, 0)) == outcome.rejected
            assert said["errorMessage"] == partial.error_message


@over_http("C07")
def mixed_requests(target: Target) -> None:
    """One good span and two with a trace id of three bytes: 200 and rejected_spans is 2; the good one is stored."""
    good = Span(name="good", trace_id=b"\xab" * 16, span_id=b"\xcd" * 8, start_time_unix_nano=T0, end_time_unix_nano=T0)
    bad = Span(name="bad", trace_id=b"abc", span_id=b"\xcd" * 8, start_time_unix_nano=T0, end_time_unix_nano=T0)
    answer = target.post(serialized(traces(good, bad, bad)))
    assert answer.status_code == 200
    rejected = ExportTraceServiceResponse.FromString(answer.content).partial_success.rejected_spans
    names = [row["n"] for row in target.rows("SELECT SpanName AS n FROM otel_traces ORDER BY n DESC")]
    assert (rejected, names) == (2, ["good"])


@over_http("C08")
def warnings(target: Target) -> None:
    """A log record without a time: 200, nothing rejected, a message that says so, and the record is stored."""
    answer = target.post(serialized(logs(LogRecord(severity_text="INFO"))), Signal.LOGS)
    partial = ExportLogsServiceResponse.FromString(answer.content).partial_success
    assert (answer.status_code, partial.rejected_log_records) == (200, 0)
    assert partial.error_message
    assert target.count("otel_logs") == 1


@over_http("C10")
def bad_data(target: Target) -> None:
    """Garbage, truncated protobuf, texts that are not UTF-8, JSON that is an array, is cut off or has the wrong types:
    400, a Status with BadRequest, no Retry-After, and nothing stored.
    """
    bodies = [(PROTOBUF, request(10)[:-4]), (PROTOBUF, random.Random(1).randbytes(300)), (PROTOBUF, b"\xff")]
    bodies.append((PROTOBUF, not_utf8()))
    documents = [b"[]", b"7", b'{"resourceSpans":[', b'{"resourceSpans":{}}', b'{"resourceSpans":[7]}', b'{"a":"\xff"}']
    for media, body in [*bodies, *((JSON, document) for document in documents)]:
        answer = target.post(body, media=media)
        assert answer.status_code == 400
        assert "retry-after" not in answer.headers
        violations = BadRequest()
        assert status_of(answer).details[0].Unpack(violations)
        assert violations.field_violations[0].description == status_of(answer).message
    assert target.count("otel_traces") == 0


@over_http("C11", "C12")
def overload(target: Target) -> None:
    """With no room for bodies, and with a store that does not answer: 503 and an integer Retry-After from 1 to 3."""
    with filled(target.pipeline):
        answers = [target.post(request(n)) for n in range(8)]
    target.pipeline.dictated = Overloaded("the store does not answer")
    answers.append(target.post(request(1)))
    for answer in answers:
        assert answer.status_code == 503
        assert answer.headers["retry-after"] in {"1", "2", "3"}
        assert status_of(answer).code == 14


@over_http("C13")
def sizes(target: Target) -> None:
    """One byte too many, declared and in chunks without a length, and bombs of 256 MiB in gzip, deflate and zstd:
    413, nothing held afterwards, and memory grows by less than twice the limit and the decoder's own step of 16 MiB.
    """
    assert target.post(bytes(LIMIT + 1)).status_code == 413
    assert target.post(iter([bytes(LIMIT // 2)] * 3)).status_code == 413
    bombs = {coding: bomb(coding, 256 * 1024 * 1024) for coding in ("gzip", "deflate", "zstd")}
    for coding, data in bombs.items():
        grown = []
        for _ in range(BOMB_TRIES):
            with peak_growth() as growth:
                answer = target.post(iter([data]) if len(data) > LIMIT else data, content_encoding=coding)
            assert answer.status_code == 413, coding
            assert status_of(answer).code == 8
            grown.append(growth[0])
            if growth[0] < MOST_GROWTH:
                break
        assert min(grown) < MOST_GROWTH, (coding, grown)
    assert target.pipeline.stats()["inflight_bytes"] == 0


@contextmanager
def peak_growth() -> Iterator[list[int]]:
    """Bytes that this process grew by at its largest while the block ran, sampled every 2 ms.

    The engine merges parts in the same process, so one reading may show memory that is not the receiver's: whoever
    asks takes the least of several. A bomb that is really unpacked holds its 256 MiB every time.
    """
    before, growth, done = _resident(), [0], Event()

    def sample() -> None:
        while not done.wait(0.002):
            growth[0] = max(growth[0], _resident() - before)

    watcher = Thread(target=sample, daemon=True)
    watcher.start()
    try:
        yield growth
    finally:
        done.set()
        watcher.join()
        growth[0] = max(growth[0], _resident() - before)


def _resident() -> int:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * 4096


@over_http("C15")
def connections(target: Target) -> None:
    """1,000 requests on one connection; a client that expects 100-continue gets it before it sends the body, and
    does not get it when the request is refused anyway.
    """
    head = b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\nContent-Length: %d\r\n"
    with target.connected() as connection:
        for _ in range(1000):
            connection.sendall(head % 0 + b"\r\n")
            assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        body = request(15)
        connection.sendall(head % len(body) + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(4096) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert connection.recv(4096).startswith(b"HTTP/1.1 200 ")
        connection.sendall(head % (LIMIT + 1) + b"Expect: 100-continue\r\n\r\n")
        assert connection.recv(4096).startswith(b"HTTP/1.1 413 ")
    assert target.count("otel_traces") == 2


def _span(**fields: Any) -> dict[str, Any]:
    span = {
        "traceId": "ab" * 16,
        "spanId": "cd" * 8,
        "startTimeUnixNano": f"{T0}",
        "endTimeUnixNano": f"{T0}",
        **fields,
    }
    return {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}


def _record(**fields: Any) -> dict[str, Any]:
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"timeUnixNano": f"{T0}", **fields}]}]}]}


def _point(**fields: Any) -> dict[str, Any]:
    metric = {"name": "m", "gauge": {"dataPoints": [{"timeUnixNano": f"{T0}", **fields}]}}
    return {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]}


@over_http("C20")
def identifiers(target: Target) -> None:
    """Spans, links, log records and exemplars with identifiers in upper, lower and mixed case have the same rows;
    digits that are not hexadecimal, or odd in number, are 400.
    """
    trace, span = "5b8efff798038103d269b633813fc60c", "eee19b7ec3c1b174"
    for number, write in enumerate((str.lower, str.upper, str.title)):
        ids = {"traceId": write(trace), "spanId": write(span)}
        exemplar = {**ids, "asDouble": 1, "timeUnixNano": f"{T0}"}
        assert (
            target.post(_span(**ids, parentSpanId=write(span), links=[ids], name=f"{number}"), media=JSON).status_code
            == 200
        )
        assert target.post(_record(**ids, severityText=f"{number}"), Signal.LOGS, JSON).status_code == 200
        point = _point(exemplars=[exemplar], asDouble=1, timeUnixNano=f"{T0 + number}")
        assert target.post(point, Signal.METRICS, JSON).status_code == 200
    for sql in (
        "SELECT TraceId AS t, SpanId AS s FROM otel_traces",
        "SELECT `Links.TraceId`[1] AS t, `Links.SpanId`[1] AS s FROM otel_traces",
        "SELECT TraceId AS t, SpanId AS s FROM otel_logs",
        "SELECT `Exemplars.TraceId`[1] AS t, `Exemplars.SpanId`[1] AS s FROM otel_metrics_gauge",
    ):
        assert target.rows(sql) == [{"t": trace, "s": span}] * 3
    for wrong in (trace[1:], "z" + trace[1:]):
        assert target.post(_span(traceId=wrong), media=JSON).status_code == 400


@over_http("C21")
def enums(target: Target) -> None:
    """Kind 2, kind SPAN_KIND_SERVER and kind 99 are 200 and stored as Server, Server and 99; an unknown name is 400."""
    for number, kind in enumerate((2, "SPAN_KIND_SERVER", 99)):
        assert target.post(_span(name=f"{number}", kind=kind), media=JSON).status_code == 200
    kinds = target.rows("SELECT SpanKind AS k FROM otel_traces ORDER BY SpanName")
    assert [row["k"] for row in kinds] == ["Server", "Server", "99"]
    assert target.post(_span(kind="SPAN_KIND_BUTLER"), media=JSON).status_code == 400


@over_http("C22")
def integers(target: Target) -> None:
    """A time as a string, as a number and as 1.5e18 is 200 and stored exactly; beyond 64 bits, and of 5,000 digits,
    it is 400.
    """
    for name, value in (("a", "1500000000000000000"), ("b", 1500000000000000000), ("c", 1.5e18)):
        assert (
            target.post(_span(name=name, startTimeUnixNano=value, endTimeUnixNano=value), media=JSON).status_code == 200
        )
    times = target.rows("SELECT toUnixTimestamp64Nano(Timestamp) AS t FROM otel_traces")
    assert times == [{"t": 1_500_000_000_000_000_000}] * 3
    for wrong in (2**64, str(2**64), -1, 1e20, "soon"):
        assert target.post(_span(startTimeUnixNano=wrong), media=JSON).status_code == 400
    digits = json.dumps(_span(startTimeUnixNano=0)).replace(": 0", ": " + "9" * 5000).encode()
    assert target.post(digits, media=JSON).status_code == 400


@over_http("C23")
def unknown_keys(target: Target) -> None:
    """Keys of no meaning in every object are 200, and the rows are those without them."""
    foo: dict[str, Any] = {"foo": [{"bar": None}]}
    attribute = {**foo, "key": "k", "value": {**foo, "stringValue": "v"}}
    (span,) = _span(name="n", attributes=[attribute])["resourceSpans"][0]["scopeSpans"][0]["spans"]
    span |= {**foo, "status": {**foo, "code": 2}, "events": [{**foo, "name": "e", "timeUnixNano": f"{T0}"}]}
    scope_spans = {**foo, "scope": foo, "spans": [span]}
    document = {**foo, "resourceSpans": [{**foo, "resource": foo, "scopeSpans": [scope_spans]}]}
    assert target.post(document, media=JSON).status_code == 200
    columns = "SpanName AS n, StatusCode AS s, SpanAttributes['k'] AS a, `Events.Name` AS e"
    assert target.rows(f"SELECT {columns} FROM otel_traces") == [{"n": "n", "s": "Error", "a": "v", "e": ["e"]}]


@over_http("C24")
def snake_case(target: Target) -> None:
    """trace_state and parent_span_id, which is not even hexadecimal, are 200 and the span is stored without them."""
    assert target.post(_span(name="n", trace_state="a=b", parent_span_id="zz"), media=JSON).status_code == 200
    (row,) = target.rows("SELECT SpanName AS n, TraceState AS t, ParentSpanId AS p FROM otel_traces")
    assert row == {"n": "n", "t": "", "p": ""}


@over_http("C25")
def words_and_bytes(target: Target) -> None:
    """NaN and Infinity as strings, bytes in base64 and null are 200 and stored as what they mean; NaN bare is 400."""
    for at, value in enumerate(("NaN", "Infinity", "-Infinity")):
        assert target.post(_point(asDouble=value, timeUnixNano=f"{T0 + at}"), Signal.METRICS, JSON).status_code == 200
    got = target.rows("SELECT toString(Value) AS v FROM otel_metrics_gauge ORDER BY TimeUnix")
    assert [row["v"] for row in got] == ["nan", "inf", "-inf"]
    attributes = [{"key": "raw", "value": {"bytesValue": "+/8A"}}, {"key": "none", "value": None}]
    assert target.post(_span(name=None, status=None, attributes=attributes), media=JSON).status_code == 200
    (row,) = target.rows("SELECT SpanName AS n, SpanAttributes['raw'] AS r FROM otel_traces")
    assert row == {"n": "", "r": "+/8A"}
    assert target.post(b'{"resourceMetrics":[{"a":NaN}]}', Signal.METRICS, JSON).status_code == 400


@over_http("C26")
def sent_again(target: Target) -> None:
    """One request in protobuf, in gzip and in JSON, twice each, is 200 six times and stored once."""
    document = _span(name="n")
    for _ in range(2):
        assert target.post(document, media=JSON).status_code == 200
    span = Span(name="n", trace_id=b"\xab" * 16, span_id=b"\xcd" * 8, start_time_unix_nano=T0)
    span.end_time_unix_nano = T0
    scope_spans = ScopeSpans(spans=[span])
    body = serialized(ExportTraceServiceRequest(resource_spans=[ResourceSpans(scope_spans=[scope_spans])]))
    for data, coding in [(body, "identity"), (gzip.compress(body), "gzip")] * 2:
        assert target.post(data, content_encoding=coding).status_code == 200
    assert target.count("otel_traces") == 1


@over_http("C27")
def unknown_fields(target: Target) -> None:
    """A request with a field 1000 is 200 and stored."""
    assert target.post(request(27) + b"\xc2\x3e\x03abc").status_code == 200
    assert target.count("otel_traces") == 2


@over_http("C28")
def keys(target: Target) -> None:
    """401 and 403, without Retry-After, come after the head alone, while the body is still owed."""
    for kind, code in ((Unauthenticated, b"401"), (Forbidden, b"403")):
        target.refuse = kind
        with target.connected() as connection:
            connection.sendall(
                b"POST /v1/traces HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer x\r\nContent-Length: 100000\r\n"
                b"Content-Type: application/x-protobuf\r\n\r\n"
            )
            answer = connection.recv(4096)
        assert answer.startswith(b"HTTP/1.1 " + code)
        assert b"retry-after" not in answer
    assert target.pipeline.stats()["inflight_bytes"] == 0
