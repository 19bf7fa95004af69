"""Rows as the engine reads them come out by series and time, however they are cut into pieces."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from query.promql.order import gathered, pieces
from query.promql.values import Samples, windows

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), unique=True, max_size=80)
Row = tuple[int, int]


def ordered(rows: list[Row], left_out: frozenset[int] = frozenset()) -> list[tuple[int, int, float]]:
    """Rows of (series, time) as they come out, with a value that tells both; hashes go beyond what is signed."""
    hashes = np.array([2**64 - 1 - series for series, _ in rows], dtype=np.uint64)
    times = np.array([time for _, time in rows], dtype=np.int64)
    found = pieces(hashes, times)
    series = [2**64 - 1 - each for each in found.ids.tolist()]
    assert series == sorted({series for series, _ in rows}, reverse=True)
    rank, kept = np.full(len(series), -1), [each for each in series if each not in left_out]
    rank[[series.index(each) for each in kept]] = np.arange(len(kept))
    offsets, times, values = gathered(found, rank, times, np.array([100.0 * s + t for s, t in rows]))
    named = np.repeat(np.array(kept, dtype=np.int64), np.diff(offsets))
    assert len(offsets) == len(kept) + 1
    return list(zip(named.tolist(), times.tolist(), values.tolist(), strict=True))


def wanted(rows: list[Row], left_out: frozenset[int] = frozenset()) -> list[tuple[int, int, float]]:
    """The same, sorted."""
    kept = [row for row in rows if row[0] not in left_out]
    return [(s, t, 100.0 * s + t) for s, t in sorted(kept, key=lambda row: (-row[0], row[1]))]


@given(ROWS)
def test_any_order_of_rows_is_put_in_order(rows: list[Row]) -> None:
    assert ordered(rows) == wanted(rows)


@given(ROWS, st.integers(1, 20))
def test_pieces_that_are_in_order_are_joined(rows: list[Row], hours: int) -> None:
    # As a table has them: by hour, then by series, then by time.
    stored = sorted(rows, key=lambda row: (row[1] // hours, -row[0], row[1]))
    assert ordered(stored) == wanted(rows)


@given(st.integers(1, 4), st.integers(1, 100), st.integers(1, 3))
def test_long_pieces_are_joined(series: int, long: int, hours: int) -> None:
    stored = [(s, h * long + t) for h in range(hours) for s in range(series) for t in range(long)]
    assert ordered(stored) == wanted(stored)


@given(ROWS, st.frozensets(st.integers(0, 5)))
def test_series_that_are_not_asked_for_are_left_out(rows: list[Row], left_out: frozenset[int]) -> None:
    assert ordered(rows, left_out) == wanted(rows, left_out)


@given(st.lists(st.integers(0, 300), min_size=1, unique=True), st.integers(1, 30), st.integers(1, 12))
def test_windows_that_share_their_ends_are_the_same_as_those_that_do_not(
    times: list[int], step: int, length: int
) -> None:
    samples = Samples([{}], np.array([0, len(times)]), np.array(sorted(times)), np.zeros(len(times)))
    ends = np.arange(0, 300, step, dtype=np.int64)
    found = windows(samples, ends - length * step, ends)
    alone = [windows(samples, end - length * step, end) for end in ends[:, None]]
    assert found.lo[0].tolist() == [each.lo[0, 0] for each in alone]
    assert found.hi[0].tolist() == [each.hi[0, 0] for each in alone]
