"""What ingest tells about itself, read with OpenTelemetry's own in-memory exporters."""

from __future__ import annotations

import asyncio
import gzip
import random
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import HistogramDataPoint, InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from api.own_telemetry.telemetry import SelfTelemetry
from correlate.telemetry import Work
from ingest.envelope import Signal
from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.settings import IngestSettings
from ingest.telemetry import Telemetry
from store import Store
from store.errors import StoreUnavailable
from tests.kit.otlp import busy_request, serialized
from tests.kit.serving import serving

OPERATIONS = Path(__file__).parents[2] / "docs/operations.md"
OWN = b"5f0c-instance"


@dataclass
class Listening:
    """A pipeline's telemetry, caught."""

    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)
    spans: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    def telemetry(self, own: bytes = b"") -> Telemetry:
        tracers = TracerProvider(shutdown_on_exit=False)
        tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        return Telemetry(MeterProvider([self.reader], shutdown_on_exit=False), tracers, own)

    def metrics(self) -> dict[str, dict[frozenset[tuple[str, Any]], Any]]:
        """Values by instrument and attributes; of a histogram, how many were recorded."""
        data = self.reader.get_metrics_data()
        found: dict[str, dict[frozenset[tuple[str, Any]], Any]] = {}
        for metric in [m for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics] if data else []:
            found[metric.name] = {
                frozenset((point.attributes or {}).items()): point.count
                if isinstance(point, HistogramDataPoint)
                else point.value  # type: ignore[union-attr]
                for point in metric.data.data_points
            }
        return found

    def batches(self, number: int) -> list[ReadableSpan]:
        """The batches' spans once there are so many: a batch ends after its requests were answered."""
        deadline = time.monotonic() + 10
        while len(found := self.named("causeline.ingest.batch")) < number and time.monotonic() < deadline:
            time.sleep(0.01)
        return found

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans.get_finished_spans() if span.name == name]


@pytest.fixture
def listening() -> Listening:
    return Listening()


@pytest.fixture
def running(store: Store, listening: Listening) -> Iterator[Pipeline]:
    pipeline = Pipeline(store, IngestSettings(commit_timeout_s=30), telemetry=listening.telemetry(OWN))
    pipeline.start()
    yield pipeline
    pipeline.stop()


def request(seed: int, spans: int = 3) -> bytes:
    return serialized(busy_request(random.Random(seed), spans))


def submit(pipeline: Pipeline, *bodies: bytes) -> None:
    async def together() -> None:
        await asyncio.gather(*(pipeline.submit(Signal.TRACES, body, pipeline.budget.hold()) for body in bodies))

    asyncio.run(together())


def labels(**more: Any) -> frozenset[tuple[str, Any]]:
    names = {"signal": "causeline.signal", "outcome": "causeline.ingest.outcome", "step": "causeline.ingest.step"}
    return frozenset({names.get(name, name.replace("_", ".")): value for name, value in more.items()}.items())


def test_requests_are_counted_by_what_became_of_them(running: Pipeline, listening: Listening) -> None:
    headers = {"Content-Type": "application/x-protobuf"}
    with serving(create_app(running)) as url, httpx.Client(base_url=url, headers=headers, timeout=30) as http:
        assert http.post("/v1/traces", content=request(1)).status_code == 200
        assert http.post("/v1/traces", content=request(1)).status_code == 200
        assert http.post("/v1/logs", content=b"\xff").status_code == 400
        broken = gzip.compress(request(2))[:-9]
        assert http.post("/v1/metrics", content=broken, headers={"Content-Encoding": "gzip"}).status_code == 400
        assert http.post("/v1/traces", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    found = listening.metrics()
    assert found["causeline.ingest.requests"] == {
        labels(signal="traces", outcome="stored"): 1,
        labels(signal="traces", outcome="duplicate"): 1,
        labels(signal="logs", outcome="refused", error_type="MalformedBody"): 1,
        labels(signal="metrics", outcome="refused", error_type="MalformedBody"): 1,
        labels(signal="traces", outcome="refused", error_type="UnsupportedMedia"): 1,
    }
    assert found["causeline.ingest.bytes"] == {labels(signal="traces"): len(request(1))}
    assert found["causeline.ingest.batch.requests"] == {labels(signal="traces"): 1}
    assert found["causeline.ingest.commit.duration"] == {labels(signal="traces"): 1}
    assert found["causeline.ingest.queue.length"] == {frozenset(): 0}
    assert found["causeline.ingest.inflight"] == {frozenset(): 0}


# Where receivers share a store, each looks what the others have.
TAKEN = {True: ["ledger.taken"], False: []}


def test_a_batch_is_a_trace_of_its_steps(running: Pipeline, listening: Listening) -> None:
    submit(running, request(1))
    (batch,) = listening.batches(1)
    assert batch.parent is None
    assert dict(batch.attributes or {}) == {
        "causeline.signal": "traces",
        "causeline.ingest.batch.requests": 1,
        "causeline.ingest.batch.size": len(request(1)),
    }
    steps = [span for span in listening.spans.get_finished_spans() if span is not batch]
    assert [span.name.removeprefix("causeline.ingest.") for span in steps] == [
        "ledger.lookup", "ledger.begin", *TAKEN[running._committer._ledger.shared], "insert", "ledger.commit",
    ]  # fmt: skip
    assert {span.parent.span_id for span in steps if span.parent} == {batch.context.span_id}


def test_what_the_store_fails_is_counted_and_marked(
    running: Pipeline, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    inserted, failures = Store.insert_bytes, iter(["landing_traces", "ingest_ledger"])
    failing = next(failures)

    def unavailable(self: Store, table: str, *arguments: Any, **options: Any) -> None:
        nonlocal failing
        if table == failing and (table != "ingest_ledger" or listening.named("causeline.ingest.insert")[1:]):
            failing = next(failures, "")
            raise StoreUnavailable("no engine")
        inserted(self, table, *arguments, **options)

    monkeypatch.setattr(Store, "insert_bytes", unavailable)
    with pytest.raises(Exception, match="try again"):
        submit(running, request(1))
    submit(running, request(1))
    listening.batches(2)
    assert listening.metrics()["causeline.ingest.store.errors"] == {
        labels(step="insert", error_type="StoreUnavailable"): 1,
        labels(step="ledger.commit", error_type="StoreUnavailable"): 1,
    }
    marked = [span for span in listening.spans.get_finished_spans() if span.status.status_code is StatusCode.ERROR]
    assert [span.name for span in marked] == ["causeline.ingest.insert", "causeline.ingest.ledger.commit"]
    # The engine's text may hold telemetry; a span says the kind of error only.
    assert not any(span.events or span.status.description for span in marked)


def test_batches_of_own_telemetry_leave_no_spans(running: Pipeline, listening: Listening) -> None:
    submit(running, _own())
    submit(running, request(2))
    assert len(listening.batches(1)) == 1
    assert listening.metrics()["causeline.ingest.batch.requests"] == {labels(signal="traces"): 2}


def _own() -> bytes:
    """A resource that names the instance, to append to a request."""
    message = busy_request(random.Random(9), 1)
    message.resource_spans[0].resource.attributes.add(key="service.instance.id").value.string_value = OWN.decode()
    return serialized(message)


def test_without_providers_nothing_is_measured_and_nothing_breaks(store: Store) -> None:
    pipeline = Pipeline(store, IngestSettings(commit_timeout_s=30))
    pipeline.start()
    submit(pipeline, request(1))
    pipeline.stop()
    assert pipeline.stats()["batches"] == 1


def test_operations_lists_every_instrument_and_span(
    running: Pipeline, listening: Listening, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tables name what is emitted, no more and no less, with its unit."""
    reader = InMemoryMetricReader()
    whole = SelfTelemetry(reader, SimpleSpanProcessor(listening.spans))
    whole.watch(lambda: {"traces": 1})
    telemetry = whole.ingest
    telemetry.watch(lambda: 0, lambda: 0)
    monkeypatch.setattr(running, "telemetry", telemetry)
    monkeypatch.setattr(running._committer, "_telemetry", telemetry)
    inserted, left = Store.insert_bytes, ["landing_traces"]

    def unavailable(self: Store, table: str, *arguments: Any, **options: Any) -> None:
        if table in left:
            left.remove(table)
            raise StoreUnavailable("no engine")
        inserted(self, table, *arguments, **options)

    monkeypatch.setattr(Store, "insert_bytes", unavailable)
    with pytest.raises(Exception, match="try again"):
        submit(running, request(1))
    submit(running, request(2))
    listening.batches(2)
    telemetry.rejected(Signal.TRACES, 2, "time_in_future")
    telemetry.redacted(Signal.LOGS, {"password": 3})
    for kind in Work:
        with whole.correlate.work(kind):
            whole.correlate.tick("said")
    whole.correlate.quarantined()
    whole.correlate.watch(lambda: 0)
    data = reader.get_metrics_data()
    assert data is not None
    emitted = {(m.name, m.unit) for r in data.resource_metrics for s in r.scope_metrics for m in s.metrics}
    rows = re.findall(
        r"^\| `(causeline\.[a-z._]+)` \| ([^|]*?) \|", OPERATIONS.read_text(encoding="utf-8"), re.MULTILINE
    )
    assert {(name, unit.strip("`")) for name, unit in rows if unit != "span"} == emitted
    # Nobody else writes to an embedded store.
    never = set() if running._committer._ledger.shared else {"causeline.ingest.ledger.taken"}
    documented = {name for name, unit in rows if unit == "span"}
    assert documented - never == {span.name for span in listening.spans.get_finished_spans()}
    whole.stop()
