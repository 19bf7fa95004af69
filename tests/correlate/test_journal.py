"""Changes of incidents between two passes are told once, and what stays as it was is not told."""

from __future__ import annotations

import json

import polars as pl

from correlate.journal import EVENT, changes

NONE: dict[str, list[str]] = {}


def incident(key: str, state: str = "open", severity: str = "high", root: str = "gpu-1") -> dict[str, str]:
    causes = [{"rank": 1, "entity": {"type": "gpu", "name": root}, "kind": "xid.79"}]
    return {"IncidentId": key, "State": state, "Severity": severity, "RootCauses": json.dumps(causes)}


def frame(*rows: dict[str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), schema=dict.fromkeys(("IncidentId", "State", "Severity", "RootCauses"), pl.String))


def holding(signals: dict[str, list[str]]) -> pl.DataFrame:
    pairs = [(key, signal) for key, found in signals.items() for signal in found]
    return pl.DataFrame(pairs, schema={"IncidentId": pl.String, "SignalId": pl.String}, orient="row")


def told(
    before: pl.DataFrame, after: pl.DataFrame, held_before: dict[str, list[str]], held: dict[str, list[str]]
) -> list[tuple[str, ...]]:
    found = changes(before, after, holding(held_before), holding(held))
    assert tuple(found.columns) == EVENT
    return found.rows()


def test_the_first_time_is_opened_and_the_second_is_silence() -> None:
    now = frame(incident("a"))
    assert told(frame(), now, NONE, {"a": ["1", "2"]}) == [("a", "opened", "", "", "high")]
    assert told(now, now, {"a": ["1", "2"]}, {"a": ["1", "2"]}) == []


def test_state_severity_and_root_are_told_apart() -> None:
    before = frame(incident("a"), incident("b", state="resolved"))
    after = frame(incident("a", state="resolved", severity="low", root="gpu-2"), incident("b"))
    held = {"a": ["1"], "b": ["2"]}
    assert told(before, after, held, held) == [
        ("a", "resolved", "", "open", "resolved"),
        ("a", "root_changed", "", "gpu gpu-1 xid.79", "gpu gpu-2 xid.79"),
        ("a", "severity_changed", "", "high", "low"),
        ("b", "reopened", "", "resolved", "open"),
    ]


def test_two_that_become_one_are_told_on_both_sides() -> None:
    before, after = frame(incident("a"), incident("b")), frame(incident("a"))
    held = {"a": ["1", "2"], "b": ["3"]}
    assert told(before, after, held, {"a": ["1", "2", "3"]}) == [
        ("a", "absorbed", "b", "", ""),
        ("b", "merged", "a", "high", ""),
    ]


def test_one_that_becomes_two_says_where_the_new_one_came_from() -> None:
    before, after = frame(incident("a")), frame(incident("a"), incident("b"))
    assert told(before, after, {"a": ["1", "2", "3"]}, {"a": ["1", "2"], "b": ["3"]}) == [
        ("b", "split", "a", "", "high")
    ]


def test_one_whose_signals_are_gone_is_withdrawn() -> None:
    assert told(frame(incident("a")), frame(), {"a": ["1"]}, NONE) == [("a", "withdrawn", "", "high", "")]


def test_one_that_was_known_outside_the_judged_window_is_not_opened_again() -> None:
    assert told(frame(), frame(incident("a")), {"a": ["1"]}, {"a": ["1", "2"]}) == []


def test_an_incident_without_root_causes_is_no_error() -> None:
    bare = {**incident("a"), "RootCauses": "[]"}
    assert told(frame(bare), frame(incident("a")), {"a": ["1"]}, {"a": ["1"]}) == [
        ("a", "root_changed", "", "", "gpu gpu-1 xid.79")
    ]
