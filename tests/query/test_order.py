"""Rows as the engine reads them come out by series and time, however they are cut into pieces."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from query.promql.order import by_series
from query.promql.values import Samples, windows

ROWS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 60)), unique=True, max_size=80)


def table(rows: list[tuple[int, int]]) -> pa.Table:
    """Rows of (series, time) whose value tells both; hashes go beyond what is signed."""
    hashes = np.array([2**64 - 1 - series for series, _ in rows], dtype=np.uint64)
    times = np.array([time for _, time in rows], dtype=np.int64)
    return pa.table({"hash": hashes, "time": times, "value": np.array([100.0 * s + t for s, t in rows])})


@given(ROWS)
def test_any_order_of_rows_is_put_in_order(rows: list[tuple[int, int]]) -> None:
    found = by_series(table(rows))
    wanted = table(sorted(rows, key=lambda row: (-row[0], row[1])))
    assert found.to_pydict() == wanted.to_pydict()


@given(ROWS, st.integers(1, 20))
def test_pieces_that_are_in_order_are_joined(rows: list[tuple[int, int]], hours: int) -> None:
    # As a table has them: by hour, then by series, then by time.
    stored = sorted(rows, key=lambda row: (row[1] // hours, -row[0], row[1]))
    wanted = table(sorted(rows, key=lambda row: (-row[0], row[1])))
    assert by_series(table(stored)).to_pydict() == wanted.to_pydict()


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
