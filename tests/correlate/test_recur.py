"""The same fault within the cool-down is one incident; another fault, or much later, is another."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from correlate.recur import rejoined
from correlate.signals import TIME

COOLDOWN_S = 900


def members(*spans: tuple[str, int, int]) -> pl.DataFrame:
    """One signal per span (component, first second, last second)."""
    rows = [
        {"component": name, "id": f"{name}-{start}", "onset": start * 10**9, "until": end * 10**9, "context": False}
        for name, start, end in spans
    ]
    facts = {"kind": pl.lit("xid.79"), "state_change": pl.lit(value=True)}
    return pl.DataFrame(rows).with_columns(**facts).with_columns(pl.col("onset", "until").cast(TIME))


def roots(**found: tuple[str, str]) -> pl.DataFrame:
    """The first candidate of each component: entity and kind; a second one that must not count."""
    rows: list[dict[str, Any]] = []
    for component, (key, kind) in found.items():
        rows += [
            {"component": component, "rank": 1, "key": key, "kind": kind},
            {"component": component, "rank": 2, "key": "same", "kind": "same"},
        ]
    return pl.DataFrame(rows)


def of(joined: pl.DataFrame) -> dict[str, str]:
    return dict(joined.select("id", "component").rows())


GPU = ("gpu\x1fGPU-1", "xid.79")


@pytest.mark.parametrize(
    ("start", "root", "together"),
    [
        (100 + COOLDOWN_S, GPU, True),
        (101 + COOLDOWN_S, GPU, False),
        (200, ("gpu\x1fGPU-2", "xid.79"), False),
        (200, ("gpu\x1fGPU-1", "xid.48"), False),
        (50, GPU, True),
    ],
)
def test_one_incident_or_two(start: int, root: tuple[str, str], *, together: bool) -> None:
    found = rejoined(members(("a", 0, 100), ("b", start, start + 10)), roots(a=GPU, b=root), COOLDOWN_S)
    assert found.height == 2
    assert found["component"].n_unique() == (1 if together else 2)


def test_a_service_that_is_slow_again_is_another_incident() -> None:
    slow = ("service\x1fcart", "trace.self_time")
    spans = members(("a", 0, 100), ("b", 200, 210)).with_columns(kind=pl.lit(slow[1]), state_change=pl.lit(value=False))
    assert rejoined(spans, roots(a=slow, b=slow), COOLDOWN_S)["component"].n_unique() == 2


def test_each_pause_counts_from_the_last_end_so_far() -> None:
    spans = members(("a", 0, 2000), ("b", 100, 200), ("c", 2500, 2600), ("d", 4000, 4001))
    found = of(rejoined(spans, roots(a=GPU, b=GPU, c=GPU, d=GPU), COOLDOWN_S))
    assert [found[f"{name}-{start}"] for name, start in (("a", 0), ("b", 100), ("c", 2500), ("d", 4000))] == [
        "a", "a", "a", "d",
    ]  # fmt: skip


def test_context_of_both_is_kept_once() -> None:
    shared = members(("a", 0, 1), ("b", 0, 1)).with_columns(context=pl.lit(value=True), id=pl.lit("deploy"))
    both = pl.concat([members(("a", 10, 20), ("b", 30, 40)), shared])
    found = rejoined(both, roots(a=GPU, b=GPU), COOLDOWN_S)
    assert sorted(found["id"]) == ["a-10", "b-30", "deploy"]
    assert found["component"].unique().to_list() == ["a"]


@given(st.permutations(range(5)))
def test_the_order_of_rows_does_not_matter(order: list[int]) -> None:
    spans = [("a", 0, 10), ("b", 500, 510), ("c", 5000, 5010), ("d", 5100, 5110), ("e", 100, 110)]
    known = roots(a=GPU, b=GPU, c=GPU, d=GPU, e=("gpu\x1fGPU-2", "xid.79"))
    expected = of(rejoined(members(*spans), known, COOLDOWN_S))
    assert of(rejoined(members(*(spans[n] for n in order)), known, COOLDOWN_S)) == expected
    assert expected == {"a-0": "a", "b-500": "a", "c-5000": "c", "d-5100": "c", "e-100": "e"}
