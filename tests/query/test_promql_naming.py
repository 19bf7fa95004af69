"""Names of metrics and labels, numbers, parse errors and windows, each by itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from query.errors import BadQuery
from query.promql.naming import Kind, legacy_label, legacy_name, series_labels, unescaped
from query.promql.number import formatted, plain
from query.promql.parse import parse
from query.promql.values import Samples, windows


@pytest.mark.parametrize(
    ("metric", "unit", "kind", "monotonic", "name"),
    [
        ("system.filesystem.usage", "By", Kind.GAUGE, False, "system_filesystem_usage_bytes"),
        ("system.network.io", "By", Kind.SUM, True, "system_network_io_bytes_total"),
        ("disk.io", "By/s", Kind.GAUGE, False, "disk_io_bytes_per_second"),
        ("hw.gpu.utilization", "1", Kind.GAUGE, False, "hw_gpu_utilization_ratio"),
        ("http.requests_total", "{request}", Kind.SUM, True, "http_requests_total"),
        ("http.total.requests", "", Kind.SUM, True, "http_requests_total"),
        ("request.duration.seconds", "s", Kind.HISTOGRAM, True, "request_duration_seconds"),
        ("2xx.rate", "", Kind.GAUGE, False, "_2xx_rate"),
        ("up", "", Kind.GAUGE, False, "up"),
    ],
)
def test_names_in_the_old_alphabet(metric: str, unit: str, kind: Kind, *, monotonic: bool, name: str) -> None:
    assert legacy_name(metric, unit, kind, monotonic=monotonic) == name


def test_labels_that_become_the_same_are_joined() -> None:
    assert legacy_label("k8s.pod-name") == "k8s_pod_name"
    assert legacy_label("2nd") == "key_2nd"
    found = series_labels(
        {"service.name": "s", "host.name": "h"}, {"a.b": "1", "a_b": "2"}, ("host.name",), foreign=False
    )
    assert found == {"host_name": "h", "a_b": "1;2", "job": "s"}


@pytest.mark.parametrize(
    ("escaped", "name"),
    [("up", "up"), ("U__http_2e_route", "http.route"), ("U__a__b", "a_b"), ("U___1F600_", "\U0001f600"), ("U__", "")],
)
def test_names_from_addresses(escaped: str, name: str) -> None:
    assert unescaped(escaped) == name


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (4.0, "4"), (0.1, "0.1"), (1e20, "100000000000000000000"), (1e21, "1e+21"), (1e-6, "0.000001"), (1e-7, "1e-07"),
        (math.nan, "NaN"), (math.inf, "+Inf"), (-math.inf, "-Inf"), (-0.0, "-0"), (1.25e300, "1.25e+300"),
    ],
)  # fmt: skip
def test_numbers_are_written_as_go_does(value: float, text: str) -> None:
    assert formatted(value) == text


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_numbers_read_back_the_same(value: float) -> None:
    assert float(formatted(value)) == value
    assert float(plain(value)) == value
    assert "e" not in plain(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("sum(", "1:5: parse error: unclosed left parenthesis"),
        ("1 +\n nosuch(2)", '2:2: parse error: unknown function with name "nosuch"'),
        ("abs('x')", '1:5: parse error: expected type instant vector in call to function "abs", got string'),
        ("1 == 2", "1:3: parse error: comparisons between scalars must use BOOL modifier"),
        ("a @ -1", "1:5: parse error: timestamp out of bounds for @ modifier: -1"),
    ],
)
def test_parse_errors_say_where(text: str, says: str) -> None:
    with pytest.raises(BadQuery) as refused:
        parse(text)
    assert str(refused.value) == says


@given(st.lists(st.lists(st.integers(0, 200), unique=True, max_size=12), min_size=1, max_size=4), st.integers(1, 60))
def test_windows_hold_what_lies_in_them(series: list[list[int]], length: int) -> None:
    """All windows found at once are those that a loop finds."""
    ordered = [sorted(times) for times in series]
    times = np.array([t for each in ordered for t in each], dtype=np.int64)
    offsets = np.cumsum([0, *(len(each) for each in ordered)]).astype(np.int64)
    samples = Samples([{"n": str(i)} for i in range(len(ordered))], offsets, times, times.astype(np.float64))
    ends = np.arange(0, 220, 17, dtype=np.int64)
    found = windows(samples, ends - length, ends)
    for row, each in enumerate(ordered):
        for column, end in enumerate(ends):
            inside = times[found.lo[row, column] : found.hi[row, column]]
            assert inside.tolist() == [t for t in each if end - length < t <= end]
