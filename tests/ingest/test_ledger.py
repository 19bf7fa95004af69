"""What the ledger remembers, and what a killed process left half done."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingest.envelope import Signal
from ingest.ledger import Ledger
from ingest.outcome import STORED
from ingest.settings import IngestSettings
from store import Store, batches
from tests.conftest import migrated_on
from tests.kit.landing import count, insert
from tests.kit.otlp import busy_request

SETTINGS = IngestSettings()


def opened(store: Store, **changes: object) -> Ledger:
    ledger = Ledger(store, SETTINGS.model_copy(update=changes))
    ledger.recover()
    return ledger


def spans(store: Store) -> dict[int, int]:
    """Spans by batch."""
    found = store.arrow_text("SELECT Batch, count() AS n FROM otel_traces GROUP BY Batch")
    return dict(zip(found["Batch"].to_pylist(), found["n"].to_pylist(), strict=True))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=10, deadline=None)
@given(st.lists(st.binary(min_size=16, max_size=16), min_size=1, max_size=40, unique=True))
def test_keys_are_remembered_after_a_restart_whatever_their_bytes(store: Store, keys: list[bytes]) -> None:
    # Zeros at the end are what a fixed string loses when it is turned into text.
    keys = [key for key in (*keys, keys[0][:15] + b"\0", b"\1" + bytes(15)) if any(key)]
    store.command("TRUNCATE TABLE ingest_ledger")
    ledger = opened(store)
    ledger.commit(ledger.begin(), keys)
    again = opened(store)
    assert all(again.outcome(key) == STORED for key in keys)
    assert batches.known(store, [*keys, b"x" * 16], 0) == set(keys)


def test_a_batch_that_was_begun_and_not_committed_is_deleted(backend_store: Store) -> None:
    store = backend_store
    ledger = opened(store)
    kept, lost = ledger.begin(), ledger.begin()
    seed = random.Random(1)
    insert(store, Signal.TRACES, busy_request(seed, 3), batch=kept)
    insert(store, Signal.TRACES, busy_request(seed, 5), batch=lost)
    ledger.commit(kept, [b"k" * 16])
    assert spans(store) == {kept: 3, lost: 5}
    assert Ledger(store, SETTINGS).recover() == 1
    assert spans(store) == {kept: 3}
    assert Ledger(store, SETTINGS).recover() == 0


def test_another_receivers_batch_is_left_alone_until_it_is_orphaned(store: Store) -> None:
    other = opened(store, receiver="other")
    batch = other.begin()
    insert(store, Signal.TRACES, busy_request(random.Random(1), 2), batch=batch)
    assert Ledger(store, SETTINGS).recover() == 0
    assert spans(store) == {batch: 2}
    orphaned = Ledger(store, SETTINGS.model_copy(update={"orphaned_after_s": -1}))
    assert orphaned.recover() == 1
    assert spans(store) == {}


def test_what_memory_has_no_room_for_is_looked_up(embedded_store: Store) -> None:
    ledger = opened(embedded_store, remember_in_memory=2)
    keys = [bytes([n]) * 16 for n in range(1, 6)]
    ledger.commit(ledger.begin(), keys)
    assert [ledger.outcome(key) for key in keys] == [None, None, None, STORED, STORED]
    assert ledger.stored([keys[0], keys[4], b"?" * 16]) == {keys[0]: STORED, keys[4]: STORED}


def test_batch_numbers_grow_and_never_repeat(store: Store) -> None:
    ledger = opened(store)
    numbers = [ledger.begin() for _ in range(20)]
    assert numbers == sorted(set(numbers))


@pytest.mark.parametrize("count", [0, 3])
def test_discarding_deletes_only_what_is_named(store: Store, count: int) -> None:
    ledger = opened(store)
    numbers = [ledger.begin() for _ in range(4)]
    for number in numbers:
        insert(store, Signal.TRACES, busy_request(random.Random(number), 1), batch=number)
    ledger.discard(numbers[:count])
    assert set(spans(store)) == set(numbers[count:])


def test_a_start_after_a_kill_is_quick_whatever_the_number_of_parts(store: Store) -> None:
    """A deletion has the engine touch every part of a table; dropping a part does not."""
    ledger = opened(store)
    kept, lost = ledger.begin(), ledger.begin()
    store.command(
        "INSERT INTO otel_logs (Timestamp, Tenant, Batch)"
        f" SELECT toDateTime64(86400 * number, 9, 'UTC'), 'default', {kept} FROM numbers(300)",
        settings={"max_partitions_per_insert_block": 0},
    )
    store.command(f"INSERT INTO otel_logs (Timestamp, Tenant, Batch) VALUES (0, 'default', {lost})")
    ledger.commit(kept, [b"k" * 16])
    mutated = "SELECT count() AS n FROM system.mutations WHERE database = currentDatabase() AND table = 'otel_logs'"
    before = store.arrow_text(mutated)["n"].to_pylist()
    assert Ledger(store, SETTINGS).recover() == 1
    assert store.arrow_text("SELECT DISTINCT Batch AS b FROM otel_logs")["b"].to_pylist() == [kept]
    assert store.arrow_text(mutated)["n"].to_pylist() == before


def test_rows_merged_with_others_are_deleted_alone(backend_store: Store) -> None:
    store = backend_store
    ledger = opened(store)
    kept, lost = ledger.begin(), ledger.begin()
    for batch in (kept, lost):
        insert(store, Signal.TRACES, busy_request(random.Random(batch), 3), batch=batch)
    store.command("OPTIMIZE TABLE otel_traces FINAL")
    ledger.discard([lost])
    assert spans(store) == {kept: 3}


def test_a_batch_begun_with_the_commit_of_another_is_used_and_written_down_once(embedded_store: Store) -> None:
    store = embedded_store
    ledger = opened(store)
    first = ledger.begin()
    ledger.commit(first, [b"k" * 16], more=True)
    begun = batches.begun(store, SETTINGS.receiver, 0)
    assert len(begun) == 1
    rows = count(store, "ingest_ledger")
    assert [ledger.begin()] == begun
    assert count(store, "ingest_ledger") == rows
    insert(store, Signal.TRACES, busy_request(random.Random(1), 2), batch=begun[0])
    # Killed now, its rows are deleted like those of any other.
    assert Ledger(store, SETTINGS).recover() == 1
    assert spans(store) == {}


def test_batches_close_together_begin_the_next_though_nothing_waits(
    embedded_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Clients that wait for their answers are all in the batch that is written: their next requests come after it."""
    store, now = embedded_store, 0.0
    monkeypatch.setattr("ingest.ledger.time.monotonic", lambda: now)
    ledger = opened(store)
    ledger.commit(ledger.begin(), [b"a" * 16])
    assert batches.begun(store, SETTINGS.receiver, 0) == []
    now = 0.3
    ledger.commit(ledger.begin(), [b"b" * 16])
    (ahead,) = batches.begun(store, SETTINGS.receiver, 0)
    assert ledger.begin() == ahead
    now = 1.5
    ledger.commit(ahead, [b"c" * 16])
    assert batches.begun(store, SETTINGS.receiver, 0) == []


def test_a_batch_begun_ahead_is_given_up_when_it_is_old_and_at_the_end(
    embedded_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = embedded_store
    ledger = opened(store)
    ledger.commit(ledger.begin(), [b"k" * 16], more=True)
    (old,) = batches.begun(store, SETTINGS.receiver, 0)
    later = time.monotonic() + 60
    monkeypatch.setattr("ingest.ledger.time.monotonic", lambda: later)
    fresh = ledger.begin()
    assert fresh != old
    assert batches.begun(store, SETTINGS.receiver, 0) == [fresh]
    ledger.commit(fresh, [b"l" * 16], more=True)
    ledger.close()
    ledger.close()
    assert batches.begun(store, SETTINGS.receiver, 0) == []


class Receivers:
    """Two receivers that share a server."""

    def __init__(self, store: Store) -> None:
        self.one, self.other = opened(store, receiver="one"), opened(store, receiver="other")


@pytest.fixture
def receivers(request: pytest.FixtureRequest) -> Iterator[Receivers]:
    for store in migrated_on("server", request):
        yield Receivers(store)


KEY, OTHER = b"k" * 16, b"l" * 15 + b"\0"


def test_of_two_receivers_with_one_request_at_most_one_goes_on(receivers: Receivers) -> None:
    one, other = receivers.one, receivers.other
    first, second = one.begin([KEY]), other.begin([KEY, OTHER])
    assert one.taken(first, [KEY], counted=False) == ({}, {KEY})
    assert other.taken(second, [KEY, OTHER], counted=False) == ({}, {KEY})
    # Both look after both have claimed, so both give way; whoever comes again first has it.
    one.withdraw(first)
    other.withdraw(second)
    third = other.begin([KEY, OTHER])
    assert other.taken(third, [KEY, OTHER], counted=False) == ({}, set())
    fourth = one.begin([KEY])
    assert one.taken(fourth, [KEY], counted=False) == ({}, {KEY})
    one.withdraw(fourth)
    other.commit(third, [KEY, OTHER], more=True)
    last = one.begin([KEY, OTHER])
    assert one.taken(last, [KEY, OTHER], counted=False) == ({KEY: STORED, OTHER: STORED}, set())


def test_what_a_killed_receiver_claimed_is_free_once_it_is_back(receivers: Receivers) -> None:
    killed, other = receivers.one, receivers.other
    killed.begin([KEY])
    batch = other.begin([KEY])
    assert other.taken(batch, [KEY], counted=False) == ({}, {KEY})
    other.withdraw(batch)
    assert killed.recover() == 1
    batch = other.begin([KEY])
    assert other.taken(batch, [KEY], counted=False) == ({}, set())


def test_a_claim_lapses_for_its_owner_before_it_does_for_others(
    receivers: Receivers, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = receivers.one.begin([KEY])
    assert not receivers.one.lapsed(batch)
    began, ahead = time.monotonic(), time.time_ns() + 121 * 10**9
    monkeypatch.setattr("ingest.ledger.time.monotonic", lambda: began + 91)
    assert receivers.one.lapsed(batch)
    newer = receivers.other.begin([KEY])
    assert receivers.other.taken(newer, [KEY], counted=False) == ({}, {KEY})
    monkeypatch.setattr("ingest.ledger.time.time_ns", lambda: ahead)
    assert receivers.other.taken(newer, [KEY], counted=False) == ({}, set())
