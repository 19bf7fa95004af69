"""A write that the disk does not take is told, though the embedded engine goes on as if it had been made."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from store import Store
from store.errors import StoreUnavailable
from store.unwritten import Unwritten


@contextmanager
def no_file_longer_than(size: int) -> Iterator[None]:
    """What this process writes beyond fails, as on a full disk; Python has told the kernel not to end it for that."""
    most = resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, most[1]))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, most)


@pytest.fixture
def kept(empty_store: Store) -> Store:
    """An embedded store with one table."""
    empty_store.command("CREATE TABLE kept (a UInt64, s String) ENGINE = MergeTree ORDER BY a")
    return empty_store


def test_an_insert_that_the_disk_does_not_take_is_refused(kept: Store) -> None:
    kept.insert_bytes("kept", b"1\ta\n", "TabSeparated")
    # The driver's own file for the bytes is short enough.
    for size in (10, 100):
        with no_file_longer_than(size), pytest.raises(StoreUnavailable, match="did not take all"):
            kept.insert_bytes("kept", b"2\tb\n", "TabSeparated")
    with no_file_longer_than(0), pytest.raises(StoreUnavailable, match="did not take all"):
        kept.command("INSERT INTO kept VALUES (4, 'd')")
    kept.insert_bytes("kept", b"5\te\n", "TabSeparated")


def test_a_failed_write_is_held_against_every_change_of_that_time() -> None:
    failed = 3
    unwritten = Unwritten(lambda: failed)
    with unwritten.told("before"):
        pass
    outer, inner = unwritten.told("outer"), unwritten.told("inner")
    outer.__enter__()
    inner.__enter__()
    failed += 1
    # The one that looks second is told, too, though the first has seen the count.
    for change in (inner, outer):
        with pytest.raises(StoreUnavailable):
            change.__exit__(None, None, None)
    with unwritten.told("after"):
        pass
