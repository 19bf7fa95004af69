"""From a body to a stored, acknowledged batch: each request once, whatever comes with it."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.envelope import Signal, varint
from ingest.errors import BodyTooLarge, IngestError, MalformedBody, Overloaded
from ingest.pipeline import Pipeline
from ingest.settings import IngestSettings
from store import Store
from store.errors import StoreUnavailable, TooManyParts
from store.unwritten import Unwritten
from tests.kit.otlp import SECOND, T0, busy_request, serialized, span, traces

DAY = 86_400 * SECOND


@contextmanager
def running(store: Store, **changes: object) -> Iterator[Pipeline]:
    pipeline = Pipeline(store, IngestSettings(commit_timeout_s=30).model_copy(update=changes))
    pipeline.start()
    try:
        yield pipeline
    finally:
        pipeline.stop()


async def outcome(pipeline: Pipeline, body: bytes) -> type[IngestError] | None:
    hold = pipeline.budget.hold()
    hold.resize(len(body))
    try:
        await pipeline.submit(Signal.TRACES, body, hold)
    except IngestError as error:
        return type(error)
    return None


def submitted(pipeline: Pipeline, bodies: list[bytes]) -> list[type[IngestError] | None]:
    """What became of bodies sent at the same time."""

    async def together() -> list[type[IngestError] | None]:
        return list(await asyncio.gather(*(outcome(pipeline, body) for body in bodies)))

    return asyncio.run(together())


def count(store: Store, table: str = "otel_traces") -> int:
    return int(store.arrow_text(f"SELECT count() AS n FROM {table}")["n"][0].as_py())


def request(seed: int, spans: int = 3) -> bytes:
    return serialized(busy_request(random.Random(seed), spans))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=8, deadline=None)
@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), min_size=1, max_size=4), st.randoms())
def test_each_request_is_stored_once_in_any_order_and_grouping(
    store: Store, rounds: list[list[int]], shuffler: random.Random
) -> None:
    for table in ("otel_traces", "otel_traces_trace_id_ts", "ingest_ledger"):
        store.command(f"TRUNCATE TABLE {table}")
    for numbers in rounds:
        shuffler.shuffle(numbers)
        # Each round is a new process as far as the ledger is concerned.
        with running(store) as pipeline:
            assert submitted(pipeline, [request(n) for n in numbers]) == [None] * len(numbers)
    assert count(store) == 3 * len({n for numbers in rounds for n in numbers})


def test_an_offender_is_refused_and_its_neighbours_are_stored(store: Store) -> None:
    good = [request(n) for n in range(12)]
    bad = [request(100)[:-5], random.Random(5).randbytes(500), b"\xff"]
    bodies = good + bad
    random.Random(3).shuffle(bodies)
    with running(store) as pipeline:
        results = submitted(pipeline, bodies)
        assert pipeline.stats()["malformed"] == len(bad)
        assert pipeline.stats()["inflight_bytes"] == 0
    assert results == [MalformedBody if body in bad else None for body in bodies]
    assert count(store) == 3 * len(good)


def claiming(length: int) -> bytes:
    """A request whose one span has a name that says to be so long, and is not."""

    def field(number: int, content: bytes) -> bytes:
        return bytes((number << 3 | 2,)) + varint(len(content)) + content

    return field(1, field(2, field(2, bytes((5 << 3 | 2,)) + varint(length) + b"x")))


@pytest.mark.parametrize("length", [1 << 40, 1 << 56, 1 << 62])
def test_what_claims_to_be_longer_than_memory_is_too_large_whoever_is_beside_it(store: Store, length: int) -> None:
    """With a broken neighbour each request is looked at alone, which must not be without a limit."""
    bodies = [request(1), claiming(length), b"\xff", request(2)]
    with running(store) as pipeline:
        assert submitted(pipeline, bodies) == [None, BodyTooLarge, MalformedBody, None]
        assert submitted(pipeline, [claiming(length)]) == [BodyTooLarge]
        assert pipeline.stats()["inflight_bytes"] == 0
    assert count(store) == 6


def test_more_days_than_one_insert_may_touch(store: Store) -> None:
    seed = random.Random(1)
    bodies = [
        serialized(traces(span(seed, start_time_unix_nano=T0 - n * DAY, end_time_unix_nano=T0 - n * DAY + 1)))
        for n in range(130)
    ]
    with running(store, writers=1) as pipeline:
        assert submitted(pipeline, bodies) == [None] * 130
    assert count(store) == 130


def test_a_store_that_does_not_answer_is_not_acknowledged(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    inserted = Store.insert_bytes
    failing = Counter[str]()

    def unavailable(self: Store, table: str, *arguments: object, **options: object) -> None:
        if table.startswith("landing_") and failing[table] < 1:
            failing[table] += 1
            raise StoreUnavailable("no engine")
        inserted(self, table, *arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "insert_bytes", unavailable)
    with running(store) as pipeline:
        assert submitted(pipeline, [request(1)]) == [Overloaded]
        # The same body again is stored, once.
        assert submitted(pipeline, [request(1), request(1)]) == [None, None]
    assert count(store) == 3


@pytest.mark.parametrize(
    ("change", "answer"), [(1, Overloaded), (2, Overloaded), (3, None)], ids=["begun", "rows", "committed"]
)
def test_what_the_disk_did_not_take_is_written_again(
    embedded_store: Store, monkeypatch: pytest.MonkeyPatch, change: int, answer: type[IngestError] | None
) -> None:
    """An engine that tells of a failed write only by counting it: of the ledger's, or of the rows'."""
    changes = 0

    def failed() -> int:
        nonlocal changes
        changes += 1
        return int(changes > change)

    with running(embedded_store) as pipeline:
        # Made before the first change, it counts once itself.
        monkeypatch.setattr(embedded_store, "_unwritten", Unwritten(failed))
        assert submitted(pipeline, [request(1)]) == [answer]
        assert submitted(pipeline, [request(1), request(1)]) == [None, None]
    assert count(embedded_store) == 3


def test_too_many_parts_at_once_are_written_one_by_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    inserted = Store.insert_bytes
    pieces = []

    def limited(self: Store, table: str, data: object, fmt: str, options: dict[str, object] | None = None) -> None:
        if table.startswith("landing_"):
            pieces.append((options or {})["max_partitions_per_insert_block"])
            if pieces[-1]:
                raise TooManyParts("too many partitions")
        inserted(self, table, data, fmt, options)  # type: ignore[arg-type]

    monkeypatch.setattr(Store, "insert_bytes", limited)
    with running(store, writers=1) as pipeline:
        assert submitted(pipeline, [request(n) for n in range(4)]) == [None] * 4
    assert pieces.count(0) == 4
    assert count(store) == 12


def test_no_room_is_said_before_anything_is_taken(store: Store) -> None:
    with running(store, max_inflight_bytes=1000) as pipeline:
        hold = pipeline.budget.hold()
        with pytest.raises(Overloaded):
            hold.resize(1001)
        assert pipeline.stats()["inflight_bytes"] == 0


def test_a_stopped_pipeline_takes_nothing_and_loses_nothing(store: Store) -> None:
    with running(store) as pipeline:
        assert submitted(pipeline, [request(1)]) == [None]
    assert submitted(pipeline, [request(2)]) == [Overloaded]
    assert count(store) == 3


# The error is told by whoever watches threads, pytest among them.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_when_a_writer_ends_nobody_waits_for_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(store, writers=1, commit_timeout_s=1) as pipeline:
        assert submitted(pipeline, [request(1)]) == [None]

        def broken(_group: object) -> None:
            raise ZeroDivisionError

        monkeypatch.setattr(pipeline._committer, "write", broken)
        assert submitted(pipeline, [request(2)]) == [Overloaded]
        assert [(reason.code, reason.blocks) for reason in pipeline.reasons()] == [("writer_ended", True)]
        with pytest.raises(Overloaded, match="start the receiver again"):
            pipeline.budget.hold().resize(1)
    with running(store) as pipeline:
        assert submitted(pipeline, [request(2)]) == [None]
    assert count(store) == 6
