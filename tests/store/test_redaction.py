"""Redaction in the store: secrets are in no table, other telemetry is untouched, and rules are counted."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import json
import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.message import Message
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Gauge, Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from ingest.envelope import Landing, Signal, envelope
from ingest.errors import MalformedBody
from ingest.pipeline import Pipeline
from ingest.settings import IngestSettings
from store import Store, redaction
from store.batches import TABLES
from store.errors import QueryFailed
from tests.kit.landing import insert, rows
from tests.kit.otlp import T0, any_value, logs, metrics, put, serialized, span, traces, with_attributes

SECRET = "hunter2-correct-horse"
DSN = f"postgres://app:{SECRET}@db:5432/shop"
KEY = b"a key of sixteen bytes or more"


@contextmanager
def running(store: Store, tmp_path: Path, policy: str = "") -> Iterator[Pipeline]:
    changes: dict[str, Any] = {}
    if policy:
        (tmp_path / "policy.toml").write_text(policy, encoding="utf-8")
        (tmp_path / "key").write_bytes(KEY)
        changes = {"redaction_policy": tmp_path / "policy.toml", "redaction_key_file": tmp_path / "key"}
    pipeline = Pipeline(store, IngestSettings(commit_timeout_s=60, **changes))
    pipeline.start()
    try:
        yield pipeline
    finally:
        pipeline.stop()


def send(pipeline: Pipeline, signal: Signal, request: Message | bytes) -> Any:
    body = request if isinstance(request, bytes) else serialized(request)
    return asyncio.run(pipeline.submit(signal, body, pipeline.budget.hold()))


def everything(store: Store) -> str:
    """All that is stored, as text."""
    return "\n".join(str(row) for table in (*TABLES, "ingest_ledger") for row in rows(store, f"SELECT * FROM {table}"))


def in_base64(text: str) -> list[str]:
    """What a text looks like within base64, wherever it begins."""
    return [base64.b64encode(b"x" * before + text.encode()).decode()[4:-4] for before in range(3)]


def secretive(number: int = 0) -> list[tuple[Signal, Message]]:
    """Requests with the secret in every place that holds text."""
    texts = {
        "http.request.header.authorization": f"Token {SECRET}",
        "note": f"password={SECRET} rest",
        "url": DSN,
        "nested": {"password": SECRET, "more": [{"api_key": SECRET}, f"secret={SECRET}"]},
    }
    one = with_attributes(
        span(
            random.Random(number), name=f"login?password={SECRET}", trace_state=f"password={SECRET}",
            status=Status(message=f"cannot reach {DSN}"),
        ),
        **texts,
    )  # fmt: skip
    put(one.events.add(name=f"token={SECRET}").attributes, texts)
    put(one.links.add(trace_id=b"x" * 16, span_id=b"y" * 8).attributes, texts)
    spans = traces(one, **texts)
    put(spans.resource_spans[0].scope_spans[0].scope.attributes, texts)
    records = [
        LogRecord(time_unix_nano=T0, body=any_value(f"GET / password={SECRET} 200")),
        LogRecord(time_unix_nano=T0, body=any_value({"password": SECRET, "user": "ann"})),
        with_attributes(LogRecord(time_unix_nano=T0, body=any_value(DSN)), **texts),
    ]
    point = NumberDataPoint(time_unix_nano=T0, as_double=1)
    put(point.attributes, texts)
    put(point.exemplars.add(time_unix_nano=T0).filtered_attributes, texts)
    metric = Metric(name="m", description=f"of {DSN}", gauge=Gauge(data_points=[point]))
    return [(Signal.TRACES, spans), (Signal.LOGS, logs(*records, **texts)), (Signal.METRICS, metrics(metric, **texts))]


def test_a_secret_is_in_no_table_no_log_and_no_answer(
    backend_store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with running(backend_store, tmp_path) as pipeline:
        for signal, request in secretive():
            assert send(pipeline, signal, request).full
        bad = traces(span(random.Random(9), name=f"password={SECRET}", trace_id=b"short"))
        refused = send(pipeline, Signal.TRACES, bad)
        assert refused.rejected == 1
        with pytest.raises(MalformedBody) as malformed:
            send(pipeline, Signal.TRACES, serialized(secretive(1)[0][1])[:-3])
        counted = pipeline.stats()["redacted"]
    stored = everything(backend_store)
    assert "ann" in stored
    assert "postgres://app:[redacted:url-password]@db:5432/shop" in stored
    assert "GET / password=[redacted:assignment] 200" in stored
    said = stored + caplog.text + refused.message + str(malformed.value)
    assert [form for form in (SECRET, *in_base64(SECRET)) if form in said] == []
    assert {"credential-attribute", "assignment", "url-password"} <= counted.keys()
    found = rows(backend_store, "SELECT toString(Rule) AS r, sum(Found) AS n FROM ingest_redacted GROUP BY r")
    assert {row["r"]: row["n"] for row in found} == counted


def test_a_masked_value_leaves_its_neighbours_and_its_json_alone(store: Store, tmp_path: Path) -> None:
    with running(store, tmp_path) as pipeline:
        for signal, request in secretive():
            send(pipeline, signal, request)
    (row,) = rows(store, "SELECT * FROM otel_traces")
    attributes = dict(row["SpanAttributes"])
    assert attributes["http.request.header.authorization"] == "[redacted:credential-attribute]"
    assert attributes["note"] == "password=[redacted:assignment] rest"
    mask = "[redacted:credential-attribute]"
    assert json.loads(attributes["nested"]) == {
        "password": mask, "more": [{"otlp_kvlist_value": "[redacted:nested]"}, "secret=[redacted:assignment]"],
    }  # fmt: skip
    assert row["SpanName"] == "login?password=[redacted:assignment]"
    assert row["ServiceName"] == "svc"
    assert dict(row["ResourceAttributes"])["service.name"] == "svc"
    assert [dict(event) for event in row["Events.Attributes"]] == [attributes]
    assert len(row["SpanAttributeTypes"]) == len(row["SpanAttributes"])


def test_ordinary_telemetry_is_untouched_byte_for_byte(store: Store, tmp_path: Path) -> None:
    """The redacting way changes nothing in which no rule finds anything."""
    texts = {"a": "x" * 300, "odd": "\\ \" ' % \x01 é \U0001f600 $1 \\1 [redacted:x]", "i": -7, "d": 0.1, "none": None}
    texts |= {"list": ["a", {"b": b"\x00\xff", "c": [1, [2, {"d": "e"}]]}], "raw": b"\x00\xff", "empty": ""}
    one = with_attributes(span(random.Random(4), name="plain é", status=Status(message="fine")), **texts)
    put(one.events.add(name="e", time_unix_nano=T0).attributes, texts)
    put(one.events.add(name="f", time_unix_nano=T0).attributes, {})
    put(one.links.add(trace_id=b"x" * 16, span_id=b"y" * 8).attributes, texts)
    point = with_attributes(NumberDataPoint(time_unix_nano=T0, as_int=3), **texts)
    put(point.exemplars.add(time_unix_nano=T0).filtered_attributes, {"k": "v"})
    record = with_attributes(LogRecord(time_unix_nano=T0, body=any_value(texts)), **texts)
    requests = [
        (Signal.TRACES, traces(one, **texts), ["otel_traces"]),
        (Signal.LOGS, logs(record), ["otel_logs"]),
        (Signal.METRICS, metrics(Metric(name="m", gauge=Gauge(data_points=[point]))), ["otel_metrics_gauge"]),
    ]
    with running(store, tmp_path) as pipeline:
        for signal, request, (table,) in requests:
            body = serialized(request)
            insert(store, signal, body)
            admitted = pipeline._admission.admit("default", signal, body, T0)
            assert not admitted.suspect
            suspected = admitted.fields + pipeline._admission._secrets
            landing = Landing(signal, nested=True)
            pieces = envelope("default", 1, T0 + 3_600_000_000_000, body, suspected)
            store.insert_bytes(landing.table, pieces, "Protobuf", landing.settings())
            plain, redacted = rows(store, f"SELECT * EXCEPT InsertTime FROM {table}")
            assert plain == redacted
    assert rows(store, "SELECT * FROM ingest_redacted") == []


def test_gen_ai_content_is_masked_where_the_policy_says_so(store: Store, tmp_path: Path) -> None:
    record = LogRecord(time_unix_nano=T0, event_name="gen_ai.user.message", body=any_value({"content": "my illness"}))
    older = with_attributes(LogRecord(time_unix_nano=T0, body=any_value("my debts")), **{"event.name": "gen_ai.choice"})
    other = LogRecord(time_unix_nano=T0, event_name="app.started", body=any_value("mail ann@example.com"))
    asked = {
        "gen_ai.input.messages": [{"role": "user", "parts": [{"content": "my illness"}]}],
        "gen_ai.prompt.0.content": "my debts",
        "gen_ai.usage.input_tokens": 12,
        "gen_ai.request.model": "m-1",
    }
    with running(store, tmp_path, 'version = 1\non = ["gen-ai-content", "emails"]\n') as pipeline:
        send(pipeline, Signal.LOGS, logs(record, older, other))
        send(pipeline, Signal.TRACES, traces(with_attributes(span(random.Random(1)), **asked)))
        counted = pipeline.stats()["redacted"]
    assert sorted(row["Body"] for row in rows(store, "SELECT Body FROM otel_logs")) == [
        "[redacted:gen-ai-event]", "[redacted:gen-ai-event]", "mail [redacted:emails]",
    ]  # fmt: skip
    (row,) = rows(store, "SELECT SpanAttributes FROM otel_traces")
    assert dict(row["SpanAttributes"]) == {
        "gen_ai.input.messages": "[redacted:gen-ai-attribute]",
        "gen_ai.prompt.0.content": "[redacted:gen-ai-attribute]",
        "gen_ai.usage.input_tokens": "12",
        "gen_ai.request.model": "m-1",
    }
    assert counted == {"gen-ai-event": 2, "emails": 1, "gen-ai-attribute": 2}


OWN = """
version = 1
[[rule]]
name = "gone"
keys = "internal[.].*"
action = "drop"
[[rule]]
name = "customer"
keys = "customer[.]id"
action = "hash"
[[rule]]
name = "account"
before = "account "
text = "[0-9]+"
after = "!"
action = "hash"
[[rule]]
name = "quiet"
events = "secret[.]event"
action = "drop"
"""


def mark(rule: str, value: str) -> str:
    return f"[hashed:{rule}:{hmac.new(KEY, value.encode(), hashlib.sha256).hexdigest()[:16]}]"


def test_dropped_and_hashed(backend_store: Store, tmp_path: Path) -> None:
    store = backend_store
    texts = {"a": 1, "internal.x": "y", "customer.id": "c-17", "b": "account 12! and account 345!", "internal.z": True}
    record = LogRecord(time_unix_nano=T0, event_name="secret.event", body=any_value("gone"))
    with running(store, tmp_path, OWN) as pipeline:
        send(pipeline, Signal.TRACES, traces(with_attributes(span(random.Random(1)), **texts)))
        send(pipeline, Signal.LOGS, logs(with_attributes(record, **texts)))
    (row,) = rows(store, "SELECT SpanAttributes, SpanAttributeTypes::Array(String) AS t FROM otel_traces")
    hashed = f"account {mark('account', '12')}! and account {mark('account', '345')}!"
    assert row["SpanAttributes"] == [("a", "1"), ("customer.id", mark("customer", "c-17")), ("b", hashed)]
    assert row["t"] == ["int", "string", "string"]
    (log,) = rows(store, "SELECT Body, LogAttributes FROM otel_logs")
    assert (log["Body"], log["LogAttributes"]) == ("", row["SpanAttributes"])
    policy = str(rows(store, "SELECT * FROM redaction_policy"))
    assert KEY.decode() not in everything(store) + policy


def test_series_are_told_apart_by_what_is_stored_of_them(store: Store, tmp_path: Path) -> None:
    points = [with_attributes(NumberDataPoint(time_unix_nano=T0), password=f"p{n}", k="v") for n in range(2)]
    plain = with_attributes(NumberDataPoint(time_unix_nano=T0), password="[redacted:credential-attribute]", k="v")
    with running(store, tmp_path) as pipeline:
        send(pipeline, Signal.METRICS, metrics(Metric(name="m", gauge=Gauge(data_points=points))))
    insert(store, Signal.METRICS, metrics(Metric(name="m", gauge=Gauge(data_points=[plain]))))
    assert len({row["SeriesHash"] for row in rows(store, "SELECT SeriesHash FROM otel_metrics_gauge")}) == 1


def test_without_a_policy_nothing_suspected_is_stored(store: Store, tmp_path: Path) -> None:
    with running(store, tmp_path) as pipeline:
        fields = pipeline._admission.admit("default", Signal.TRACES, b"password=x", T0).fields
    store.command("TRUNCATE TABLE redaction_policy")
    landing = Landing(Signal.TRACES, nested=True)
    pieces = envelope("default", 1, T0, serialized(secretive()[0][1]), fields)
    with pytest.raises(QueryFailed):
        store.insert_bytes(landing.table, pieces, "Protobuf", landing.settings())
    assert rows(store, "SELECT * FROM otel_traces") == []


def test_a_policy_is_written_down_once(store: Store, tmp_path: Path) -> None:
    for policy in ("", "", OWN, OWN, ""):
        with running(store, tmp_path, policy):
            pass
    assert len(rows(store, "SELECT Version FROM redaction_policy")) == 3
    assert len({row["Version"] for row in rows(store, "SELECT Version FROM redaction_policy")}) == 2


def test_too_many_rules_do_not_fit() -> None:
    with pytest.raises(ValueError, match="there is room for"):
        redaction._filled(["x"] * 3, 2, "")
