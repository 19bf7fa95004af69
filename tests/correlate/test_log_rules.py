"""Rules over application logs: one service that looks things up, one fault at a time."""

from __future__ import annotations

import random
from typing import Any

import polars as pl
import pytest

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.rules import log_burst, log_new_template, log_next_event
from correlate.signals import TIME
from store import Window
from tests.kit.telemetry import Row, facts, found, frames, onset_s

FAULT = 300.0
RULES = [log_next_event.RULE, log_burst.RULE, log_new_template.RULE]


def system(fault: str = "", *, until: float = 600.0, before: bool = False) -> tuple[list[Row], list[Row]]:
    """Spans and logs of a request every 3 s from an hour before T0: shop calls items, both log.

    Faults, from FAULT on: `wrong` (items takes its not-found branch, shop notices), `silent` (items
    logs nothing), `loud` (items logs ten errors more). `before` puts the fault into every second
    minute of the past too.
    """
    dice = random.Random(11)
    spans: list[Row] = []
    logs: list[Row] = []
    for number in range(int(3600 + until) // 3):
        at = -3600.0 + 3.0 * number
        trace = f"t{number:05d}"
        active = fault if at >= FAULT or (before and at < 0 and int(at // 60) % 2) else ""
        wrong = active == "wrong" or dice.random() < 0.02

        def say(service: str, after: float, body: str, severity: int = 9) -> None:
            # A moment of its own for every line: equal times would be one line delivered twice.
            logs.append({
                "time": at + after, "service": service, "pod": f"{service}-0", "severity": severity, "body": body,  # noqa: B023
                "trace_id": trace, "span_id": f"{trace}-{service}",  # noqa: B023
            })  # fmt: skip

        say("shop", 0.00, f"order {number} received")
        if active != "silent":
            say("items", 0.10, f"[find][Find item][id: {number}]")
            say("items", 0.11, "[find][No such item]" if wrong else "[find][Found]", 17 if wrong else 9)
        say("shop", 0.20, "order rejected" if wrong else f"order {number} done")
        for line in range(10 if active == "loud" else 0):
            say("items", 0.12 + line / 1000, f"retry {line} failed", 17)
        for service, start in (("shop", 0.0), ("items", 0.05)):
            spans.append({
                "time": at + start, "trace_id": trace, "span_id": f"{trace}-{service}", "service": service,
                "name": f"{service}.handle", "kind": "Server", "duration_ms": 300.0,
            })  # fmt: skip
    return spans, logs


def given(fault: str = "", **options: Any) -> Frames:
    spans, logs = system(fault, **options)
    return frames(end=600.0, spans=spans, logs=logs)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_an_ordinary_hour_says_nothing(rule: Rule) -> None:
    assert found(rule, given()).is_empty()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_logs_no_signals(rule: Rule) -> None:
    assert found(rule, frames()).is_empty()


def test_another_branch_accuses_the_service_that_took_it() -> None:
    seen = found(log_next_event.RULE, given("wrong"))
    assert ("log.next_event", "service", "items") in facts(seen)
    # Its caller turned too, one line later: the service that turned first is at least as sure.
    assert seen.sort("score", "entity", descending=[True, False])["entity"][0] == "items"
    items = seen.filter(pl.col("entity") == "items")
    assert "after '[find][Find item][id: <*>]' '[find][No such item]' follows in 100%" in items["explanation"][0]
    assert abs(onset_s(items, "log.next_event") - FAULT) <= 30.0


def test_a_past_that_knew_the_fault_does_not_hide_it() -> None:
    assert ("log.next_event", "service", "items") in facts(found(log_next_event.RULE, given("wrong", before=True)))


def test_a_service_that_falls_silent_is_accused() -> None:
    seen = found(log_next_event.RULE, given("silent"))
    assert facts(seen) == {("log.next_event", "service", "items")}
    assert "after 'begin of items.handle' nothing follows" in seen["explanation"][0]


def test_what_users_ask_for_may_change() -> None:
    """A branch that has always swung to and fro says nothing when it swings again."""
    spans, logs = system()
    for row in logs:
        if row["service"] == "items" and row["body"] == "[find][Found]" and int(row["time"] // 120) % 2:
            row["body"] = "[find][Found elsewhere]"
    assert found(log_next_event.RULE, frames(end=600.0, spans=spans, logs=logs)).is_empty()


def test_a_span_that_may_still_log_is_not_cut_short() -> None:
    spans, logs = system()
    cut = [row for row in logs if row["time"] < 597.05]
    assert found(log_next_event.RULE, frames(end=597.1, spans=spans, logs=cut)).is_empty()


def test_a_burst_is_told_with_its_samples() -> None:
    seen = found(log_burst.RULE, given("loud"))
    assert facts(seen) == {("log.burst", "service", "items")}
    assert "retry" in seen["evidence"][0]
    assert seen["value"][0] >= 90.0
    assert abs(onset_s(seen, "log.burst") - FAULT) <= 3.0


def test_a_burst_of_a_pod_without_a_service_is_the_pods() -> None:
    _, logs = system("loud")
    levels = {9: "INFO", 17: "ERROR"}
    unnamed = [row | {"service": "", "severity": 0, "body": f"{levels[row['severity']]} {row['body']}"} for row in logs]
    assert facts(found(log_burst.RULE, frames(end=600.0, logs=unnamed))) == {("log.burst", "pod", "items-0")}


def test_a_first_error_line_is_new() -> None:
    _, logs = system()
    line = {"time": 400.0, "service": "items", "pod": "items-0", "severity": 17, "body": "disk /dev/sda1 is read-only"}
    seen = found(log_new_template.RULE, frames(end=600.0, logs=[*logs, line]))
    assert facts(seen) == {("log.new_template", "service", "items")}
    assert onset_s(seen, "log.new_template") == 400.0
    assert "disk /dev/sda1 is read-only" in seen["explanation"][0]


def test_nothing_is_new_about_a_newcomer() -> None:
    _, logs = system()
    line = {"time": 400.0, "service": "fresh", "pod": "fresh-0", "severity": 17, "body": "cannot open socket"}
    ok = [{"time": 350.0 + i, "service": "fresh", "severity": 9, "body": "starting"} for i in range(60)]
    assert found(log_new_template.RULE, frames(end=600.0, logs=[*logs, *ok, line])).is_empty()


def test_an_info_line_is_no_failure() -> None:
    _, logs = system()
    line = {"time": 400.0, "service": "items", "severity": 9, "body": "cache warmed up"}
    assert found(log_new_template.RULE, frames(end=600.0, logs=[*logs, line])).is_empty()


FAULTS = {"log_next_event": "wrong", "log_burst": "loud", "log_new_template": "loud"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_order_and_duplicates_do_not_matter(rule: Rule) -> None:
    base = given(FAULTS[rule.name])
    spans, logs = base["spans"].collect(), base["logs"].collect()
    expected = found(rule, base)
    assert not expected.is_empty()
    shuffled = {
        "spans": spans.sample(fraction=1.0, shuffle=True, seed=5),
        "logs": logs.sample(fraction=1.0, shuffle=True, seed=6),
    }
    doubled = {"spans": pl.concat([spans, spans.tail(100)]), "logs": pl.concat([logs, logs.tail(100)])}
    for tables in (shuffled, doubled):
        lazy = {name: frame.lazy() for name, frame in tables.items()}
        assert found(rule, Frames(base.window, base.since, lazy)).equals(expected)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_shifted_telemetry_gives_shifted_signals(rule: Rule) -> None:
    base = given(FAULTS[rule.name])
    nanos = 30 * 1000 * 10**9
    by = pl.duration(nanoseconds=nanos)
    tables = {name: base[name].with_columns((pl.col("time") + by).cast(TIME)) for name in ("spans", "logs")}
    moved = Frames(Window(base.window.start + nanos, base.window.end + nanos), base.since + nanos, tables)
    expected = found(rule, base).with_columns((pl.col(t) + by).cast(TIME) for t in ("seen", "onset", "until"))
    assert found(rule, moved).equals(expected)


@pytest.mark.parametrize("rule", [log_next_event.RULE, log_burst.RULE], ids=lambda rule: rule.name)
def test_a_fault_keeps_its_onset_in_the_next_window(rule: Rule) -> None:
    spans, logs = system(FAULTS[rule.name], until=900.0)
    early = found(rule, frames(end=600.0, spans=spans, logs=logs)).filter(pl.col("entity") == "items")
    late = found(rule, frames(start=600.0, end=900.0, spans=spans, logs=logs)).filter(pl.col("entity") == "items")
    assert late["onset"].to_list() == early["onset"].to_list()
    assert late["until"][0] > early["until"][0]
