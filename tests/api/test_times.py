"""Times in every spelling the API takes, to the nanosecond, and out again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import BadParameter
from api.times import EARLIEST_NS, LATEST_NS, checked_range, format_time, parse_time

ANY = st.integers(EARLIEST_NS, LATEST_NS)


@given(ANY)
def test_what_is_printed_is_read_back(nanos: int) -> None:
    assert parse_time(format_time(nanos), "start") == nanos


@given(st.datetimes(datetime(1901, 1, 1), datetime(2261, 1, 1)), st.integers(-14 * 60, 14 * 60))  # noqa: DTZ001
def test_offsets_are_taken_into_account(moment: datetime, minutes: int) -> None:
    local = moment.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = (local - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1) * 1000
    assert parse_time(local.isoformat(), "start") == expected
    # What a '+' becomes in a query string that was not escaped.
    assert parse_time(local.isoformat().replace("+", " "), "start") == expected


@pytest.mark.parametrize(
    ("text", "nanos"),
    [
        ("1772438400", 1_772_438_400 * 10**9),
        ("1772438400.5", 1_772_438_400_500_000_000),
        ("2026-03-02T08:00:00Z", 1_772_438_400 * 10**9),
        ("2026-03-02 08:00:00.000000001z", 1_772_438_400 * 10**9 + 1),
    ],
)
def test_both_forms(text: str, nanos: int) -> None:
    assert parse_time(text, "start") == nanos


@pytest.mark.parametrize(
    "text", ["", "soon", "2026-02-30T00:00:00Z", "2026-03-02", "nan", "inf", "1e400", "1772438400000", "٣", "x" * 500]
)
def test_anything_else_names_the_parameter(text: str) -> None:
    with pytest.raises(BadParameter) as error:
        parse_time(text, "end")
    assert error.value.parameter == "end"
    assert len(str(error.value)) < 200


def test_a_range_that_runs_backwards_is_refused() -> None:
    assert checked_range(1, 1) == (1, 1)
    with pytest.raises(BadParameter):
        checked_range(2, 1)
