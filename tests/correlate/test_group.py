"""Connected signals form one component; context never bridges."""

from __future__ import annotations

import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from correlate.group import components


def frame(ids: list[str], context: frozenset[str] = frozenset()) -> pl.DataFrame:
    return pl.DataFrame(
        {"id": ids, "context": [i in context for i in ids]}, schema={"id": pl.String, "context": pl.Boolean}
    )


def links(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(
        [(a, b, 1.0) for a, b in pairs],
        schema={"cause_id": pl.String, "effect_id": pl.String, "weight": pl.Float64},
        orient="row",
    )


def groups(found: pl.DataFrame) -> set[frozenset[str]]:
    return {frozenset(ids) for ids in found.group_by("component").agg("id")["id"].to_list()}


def test_chains_are_one_component() -> None:
    assert groups(components(frame(list("abcd")), links(("a", "b"), ("c", "b")))) == {frozenset("abc"), frozenset("d")}


def test_context_joins_every_side_and_unites_none() -> None:
    found = components(frame(list("abx"), frozenset("x")), links(("x", "a"), ("x", "b")))
    assert groups(found) == {frozenset("ax"), frozenset("bx")}


def test_context_alone_is_no_component() -> None:
    assert components(frame(["x"], frozenset("x")), links()).is_empty()


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_equal_to_a_union_find(pairs: list[tuple[int, int]]) -> None:
    parent = list(range(20))

    def root(i: int) -> int:
        while parent[i] != i:
            i = parent[i]
        return i

    for a, b in pairs:
        parent[root(a)] = root(b)
    expected: dict[int, set[str]] = {}
    for i in range(20):
        expected.setdefault(root(i), set()).add(f"{i:02}")
    found = components(frame([f"{i:02}" for i in range(20)]), links(*[(f"{a:02}", f"{b:02}") for a, b in pairs]))
    assert groups(found) == {frozenset(group) for group in expected.values()}


def test_context_goes_with_the_component_it_is_linked_to_best() -> None:
    pairs = pl.DataFrame(
        [("deploy", "a", 0.7), ("deploy", "b", 0.3), ("drain", "a", 0.5), ("drain", "b", 0.5)],
        schema={"cause_id": pl.String, "effect_id": pl.String, "weight": pl.Float64},
        orient="row",
    )
    found = groups(components(frame(["a", "b", "deploy", "drain"], frozenset({"deploy", "drain"})), pairs))
    assert found == {frozenset({"a", "deploy", "drain"}), frozenset({"b", "drain"})}
