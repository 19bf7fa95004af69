"""Remote write over real HTTP: what is spoken, every status, and each request stored once."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterator
from contextlib import suppress

import cramjam
import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.errors import BodyTooLarge, IngestError, MalformedBody, UnsupportedMedia
from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.remote_write import PATH, version_of
from ingest.remote_write_landing import Version
from ingest.settings import IngestSettings
from ingest.snappy import unsnap
from store import Store, batches
from store.errors import StoreUnavailable
from tests.kit.landing import count, rows
from tests.kit.otlp import T0, busy_request, serialized
from tests.kit.prompb import V1, V2, Series1, Series2, snappy
from tests.kit.serving import serving

T = T0 // 1_000_000
LIMIT = 100_000


@pytest.fixture
def pipeline(store: Store) -> Iterator[Pipeline]:
    chosen = IngestSettings(
        max_body_bytes=LIMIT, max_inflight_bytes=150_000, tenant_share=1, body_timeout_s=0.5, commit_timeout_s=30
    )
    running = Pipeline(store, chosen)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def url(pipeline: Pipeline) -> Iterator[str]:
    with serving(create_app(pipeline)) as base:
        yield f"{base}{PATH}"


def request(seed: int, series: int = 3, make: type[Series1] | type[Series2] = Series1) -> bytes:
    out = make()
    for n in range(series):
        out.add({"__name__": "up", "instance": f"i-{n}", "job": f"j-{seed}"}, samples=[(T + seed, n)])
    return bytes(out.message.SerializeToString())


def counts(answer: httpx.Response) -> tuple[int, ...]:
    """Samples, histograms and exemplars that the answer says were written."""
    parts = ("samples", "histograms", "exemplars")
    return tuple(int(answer.headers[f"x-prometheus-remote-write-{part}-written"]) for part in parts)


def growth(size: int) -> None:
    assert size <= LIMIT


@given(st.binary(max_size=2000) | st.integers(0, LIMIT).map(bytes))
def test_what_was_packed_is_unpacked(content: bytes) -> None:
    assert unsnap(snappy(content), LIMIT, growth) == content


@given(st.binary(max_size=200))
def test_any_bytes_are_snappy_or_malformed(data: bytes) -> None:
    with suppress(MalformedBody, BodyTooLarge):
        assert len(unsnap(data, LIMIT, growth)) <= LIMIT


def test_a_bomb_is_refused_by_what_it_declares() -> None:
    with pytest.raises(BodyTooLarge):
        unsnap(snappy(bytes(LIMIT + 1)), LIMIT, growth)
    with pytest.raises(BodyTooLarge):
        unsnap(b"\xff\xff\xff\xff\x0f" + bytes(9), LIMIT, growth)
    # Ten bytes that claim to become a hundred thousand: nothing is held for them.
    with pytest.raises(MalformedBody):
        unsnap(b"\xa0\x8d\x06" + bytes(9), LIMIT, lambda size: pytest.fail(f"{size} bytes were asked for"))
    # The best there is: nothing that was really packed is taken for that.
    packed = snappy(bytes(LIMIT))
    assert len(unsnap(packed, LIMIT, growth)) == LIMIT
    for broken in (packed[:-1], packed + b"\0", b"", bytes(cramjam.snappy.compress(b"framed"))):
        with pytest.raises(IngestError):
            unsnap(broken, LIMIT, growth)


@pytest.mark.parametrize(
    ("content_type", "version"),
    [
        ("application/x-protobuf", Version.V1),
        ("Application/X-Protobuf; charset=utf-8", Version.V1),
        ("application/x-protobuf;proto=prometheus.WriteRequest", Version.V1),
        ("application/x-protobuf;proto=io.prometheus.write.v2.Request", Version.V2),
        ('application/x-protobuf; Proto="io.prometheus.write.v2.Request"', Version.V2),
        ("application/x-protobuf;proto=io.prometheus.write.v3.Request", None),
        ("application/x-protobuf;proto=", None),
        ("application/json", None),
        ("", None),
    ],
)
def test_the_content_type_names_the_version(content_type: str, version: Version | None) -> None:
    for encoding in ({}, {b"content-encoding": b"snappy"}, {b"content-encoding": b" Snappy "}):
        # The version header is the sender's best, not the body's.
        headers = {b"content-type": content_type.encode(), b"x-prometheus-remote-write-version": b"9.9.9", **encoding}
        if version is None:
            with pytest.raises(UnsupportedMedia):
                version_of(headers)
        else:
            assert version_of(headers) is version
    with pytest.raises(UnsupportedMedia):
        version_of({b"content-type": b"application/x-protobuf", b"content-encoding": b"gzip"})


@pytest.mark.parametrize(("make", "headers"), [(Series1, V1), (Series2, V2)])
def test_stored_whole_is_204_with_counts_and_the_same_again_is_stored_once(
    store: Store, url: str, make: type[Series1] | type[Series2], headers: dict[str, str]
) -> None:
    body = request(1, 5, make)
    # One literal, nothing copied: packed differently it is the same request.
    literal = bytes((len(body) & 0x7F | 0x80, len(body) >> 7, 61 << 2)) + (len(body) - 1).to_bytes(2, "little") + body
    for content in (snappy(body), snappy(body), literal):
        answer = httpx.post(url, content=content, headers=headers, timeout=60)
        assert (answer.status_code, answer.content, counts(answer)) == (204, b"", (5, 0, 0))
    assert count(store, "otel_metrics_gauge") == 5


def test_a_request_is_remembered_with_its_counts_after_a_restart(store: Store) -> None:
    body = snappy(request(1, 4, Series2))
    for settings_ in (IngestSettings(), IngestSettings(remember_in_memory=0), IngestSettings()):
        running = Pipeline(store, settings_.model_copy(update={"commit_timeout_s": 30.0}))
        running.start()
        with serving(create_app(running)) as base:
            for _ in range(2):
                answer = httpx.post(f"{base}{PATH}", content=body, headers=V2, timeout=60)
                assert (answer.status_code, counts(answer)) == (204, (4, 0, 0))
        running.stop()
    assert count(store, "otel_metrics_gauge") == 4
    batches.forget(store, 2**42)
    assert (count(store, "remote_write_written"), count(store, "ingest_ledger")) == (0, 0)


@pytest.mark.parametrize(("make", "headers"), [(Series1, V1), (Series2, V2)])
def test_what_is_invalid_is_400_and_counted_and_the_rest_is_stored(
    store: Store, url: str, make: type[Series1] | type[Series2], headers: dict[str, str]
) -> None:
    out = make()
    out.add({"__name__": "good"}, samples=[(T, 1), (T + 1, 2)], exemplars=[({"trace_id": "ab" * 16}, 1, T)])
    out.add({"job": "no name"}, samples=[(T, 1)])
    for _ in range(2):
        answer = httpx.post(url, content=snappy(out.message), headers=headers, timeout=60)
        assert (answer.status_code, counts(answer)) == (400, (2, 0, 1))
        assert answer.text == "1 samples, histograms or exemplars were not stored: a series without a name\n"
        assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert count(store, "otel_metrics_gauge") == 2


def test_an_offender_is_refused_and_its_neighbours_are_stored(store: Store, url: str) -> None:
    good = [request(n) for n in range(8)]
    bad = [request(100)[:-5], random.Random(5).randbytes(500), b"\xff"]
    bodies = good + bad
    random.Random(3).shuffle(bodies)
    with httpx.Client(timeout=60) as client:
        answers = {body: client.post(url, content=snappy(body), headers=V1).status_code for body in bodies}
    assert answers == {body: 400 if body in bad else 204 for body in bodies}
    assert count(store, "otel_metrics_gauge") == 3 * len(good)


def test_nothing_is_success_and_costs_no_batch(store: Store, url: str) -> None:
    for headers in (V1, V2):
        answer = httpx.post(url, content=snappy(b""), headers=headers, timeout=60)
        assert (answer.status_code, counts(answer)) == (204, (0, 0, 0))
    assert count(store, "ingest_ledger") == 0
    assert httpx.post(url, content=b"", headers=V1, timeout=60).status_code == 400


def test_what_cannot_be_taken_is_said_in_words(url: str, pipeline: Pipeline) -> None:
    too_large = httpx.post(url, content=snappy(bytes(LIMIT + 1)), headers=V1, timeout=60)
    assert (too_large.status_code, too_large.text) == (
        413,
        "the body is larger than 100000 bytes after decompression\n",
    )
    assert httpx.post(url, content=random.Random(1).randbytes(LIMIT + 1), headers=V1, timeout=60).status_code == 413
    assert (
        httpx.post(url, content=snappy(b""), headers={**V1, "Content-Encoding": "zstd"}, timeout=60).status_code == 415
    )
    assert httpx.post(url, content=b"", headers={"Content-Encoding": "snappy"}, timeout=60).status_code == 415
    got = httpx.get(url, timeout=60)
    assert (got.status_code, got.headers["allow"]) == (405, "POST")
    assert pipeline.stats()["inflight_bytes"] == 0


def test_overload_and_a_slow_body_are_503_and_to_be_sent_again(url: str, pipeline: Pipeline) -> None:
    taken = pipeline.budget.hold()
    taken.resize(149_999)
    answer = httpx.post(url, content=snappy(request(1)), headers=V1, timeout=60)
    assert answer.status_code == 503
    assert 1 <= int(answer.headers["retry-after"]) <= 3
    taken.release()
    host, port = url.removeprefix("http://").removesuffix(PATH).split(":")
    with socket.create_connection((host, int(port)), timeout=10) as slow:
        fields = ("Host: x", "Content-Type: application/x-protobuf", "Content-Length: 9000", "", "x" * 100)
        slow.sendall("\r\n".join((f"POST {PATH} HTTP/1.1", *fields)).encode())
        assert slow.recv(4096).startswith(b"HTTP/1.1 503")
    assert pipeline.stats()["inflight_bytes"] == 0


def test_a_defect_is_500_and_the_connection_stays(
    url: str, pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a defect")

    with httpx.Client(timeout=60) as client:
        with monkeypatch.context() as patched:
            patched.setattr(pipeline._groups, "put", broken)
            answer = client.post(url, content=snappy(request(1)), headers=V1)
        assert (answer.status_code, answer.text) == (500, "internal error\n")
        assert [str(record.exc_info[1]) for record in caplog.records if record.exc_info] == ["a defect"]
        assert client.post(url, content=snappy(request(2)), headers=V1).status_code == 204


def test_counts_that_cannot_be_read_are_read_again_before_the_answer(
    store: Store, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = Store.rows
    failing = [True, True]

    def unavailable(self: Store, name: str, *arguments: object) -> list[dict[str, object]]:
        if name == "remote_write_written" and failing:
            failing.pop()
            raise StoreUnavailable("no engine")
        return asked(self, name, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "rows", unavailable)
    answer = httpx.post(url, content=snappy(request(1)), headers=V1, timeout=60)
    assert (answer.status_code, counts(answer), failing) == (204, (3, 0, 0), [])
    # What became of it is remembered, and read no more.
    failing.append(True)
    again = httpx.post(url, content=snappy(request(1)), headers=V1, timeout=60)
    assert (again.status_code, counts(again), failing) == (204, (3, 0, 0), [True])
    assert count(store, "otel_metrics_gauge") == 3


def test_otlp_and_both_versions_side_by_side(store: Store, url: str) -> None:
    otlp = serialized(busy_request(random.Random(1), 4))
    spans = url.replace(PATH, "/v1/traces")
    with httpx.Client(timeout=60) as client:
        for n in range(3):
            assert client.post(url, content=snappy(request(n)), headers=V1).status_code == 204
            assert client.post(url, content=snappy(request(n + 9, 3, Series2)), headers=V2).status_code == 204
            sent = client.post(spans, content=otlp, headers={"Content-Type": "application/x-protobuf"})
            assert sent.status_code == 200
    batch = "SELECT count() AS n, uniqExact(Batch) AS batches FROM otel_metrics_gauge"
    assert rows(store, batch) == [{"n": 18, "batches": 6}]
    assert count(store, "otel_traces") == 4


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=300), st.booleans(), st.booleans(), st.integers(0, 10**6))
def test_any_bytes_have_an_answer(url: str, body: bytes, packed: bool, second: bool, seed: int) -> None:
    if seed % 3:
        whole = bytearray(request(seed, 2, Series2 if second else Series1))
        mutated = random.Random(seed)
        for _ in range(mutated.randrange(4)):
            whole[mutated.randrange(len(whole))] = mutated.randrange(256)
        body = bytes(whole)
    answer = httpx.post(url, content=snappy(body) if packed else body, headers=V2 if second else V1, timeout=60)
    assert answer.status_code in {204, 400, 413}
