"""Rules over spans: a small system of three services, one fault at a time."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.rules import trace_edge_gap, trace_errors, trace_self_time, trace_structure
from correlate.signals import TIME
from store import Window
from tests.kit.telemetry import Row, facts, found, frames, onset_s

FAULT = 300.0
RULES = [trace_edge_gap.RULE, trace_self_time.RULE, trace_errors.RULE]
Change = Callable[[dict[str, float]], None]


def system(change: Change | None = None, *, failing: str = "", until: float = 600.0, pods: int = 1) -> list[Row]:
    """A request every 2 s from an hour before T0: front -> api -> db.

    `change` edits the latencies (ms) of requests after FAULT: front, api and db are their own work,
    gap1 and gap2 what is lost on the way; `failing` names the service whose spans fail then.
    """
    dice = random.Random(7)
    rows: list[Row] = []
    for number in range(int(3600 + until) // 2):
        at = -3600.0 + 2.0 * number
        ms = {name: dice.lognormvariate(0, 0.2) * typical for name, typical in
              {"front": 5.0, "api": 20.0, "db": 10.0, "gap1": 2.0, "gap2": 2.0}.items()}  # fmt: skip
        if change and at >= FAULT:
            change(ms)
        db = ms["db"]
        api = ms["api"] + db + ms["gap2"]
        front = ms["front"] + api + ms["gap1"]
        late = at >= FAULT
        trace = f"t{number:05d}"

        def span(service: str, name: str, kind: str, ident: str, parent: str, start: float, duration: float) -> None:
            rows.append({
                "time": start, "duration_ms": duration, "service": service, "name": name, "kind": kind,
                "trace_id": trace, "span_id": f"{trace}-{ident}", "parent_id": parent and f"{trace}-{parent}",  # noqa: B023
                "pod": f"{service}-{number % pods}", "error": late and service == failing,  # noqa: B023
            })  # fmt: skip

        span("front", "GET /", "Server", "1", "", at, front)
        span("front", "call api", "Client", "2", "1", at + ms["front"] / 2e3, api + ms["gap1"])
        span("api", "GET /items", "Server", "3", "2", at + (ms["front"] + ms["gap1"]) / 2e3, api)
        span("api", "query", "Client", "4", "3", at + (ms["front"] + ms["gap1"] + ms["api"]) / 2e3, db + ms["gap2"])
        span("db", "SELECT", "Server", "5", "4", at + (ms["front"] + ms["gap1"] + ms["api"] + ms["gap2"]) / 2e3, db)
    return rows


def slower(**factors: float) -> Change:
    def change(ms: dict[str, float]) -> None:
        for name, factor in factors.items():
            ms[name] *= factor

    return change


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_an_ordinary_hour_says_nothing(rule: Rule) -> None:
    assert found(rule, frames(spans=system())).is_empty()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_no_spans_no_signals(rule: Rule) -> None:
    assert found(rule, frames()).is_empty()


def test_own_work_accuses_the_service_and_not_who_waits_for_it() -> None:
    seen = found(trace_self_time.RULE, frames(end=600.0, spans=system(slower(db=8.0))))
    assert facts(seen) == {("trace.self_time", "service", "db")}
    assert "by itself in SELECT, usually" in seen["explanation"][0]
    assert abs(onset_s(seen, "trace.self_time") - FAULT) <= 30.0
    assert seen["value"][0] > 5 * seen["baseline"][0]


def test_a_slow_way_accuses_both_ends_and_nobody_else() -> None:
    seen = found(trace_edge_gap.RULE, frames(end=600.0, spans=system(slower(gap2=20.0))))
    assert facts(seen) == {("trace.edge_gap", "service", "api"), ("trace.edge_gap", "service", "db")}


def test_the_service_whose_ways_are_all_slow_is_the_strongest() -> None:
    seen = found(trace_edge_gap.RULE, frames(end=600.0, spans=system(slower(gap1=20.0, gap2=20.0))))
    assert seen.sort("score", descending=True)["entity"][0] == "api"


def test_an_operation_that_ends_early_accuses_its_service_and_not_its_callers() -> None:
    cut = [row for row in system() if row["time"] < FAULT or row["name"] not in ("query", "SELECT")]
    seen = found(trace_structure.RULE, frames(spans=cut))
    assert facts(seen) == {("trace.structure", "service", "api")}
    assert FAULT - 30 <= onset_s(seen, "trace.structure") <= FAULT


def test_operations_as_ever_say_nothing() -> None:
    assert found(trace_structure.RULE, frames(spans=system(slower(api=5.0), failing="api"))).is_empty()


def test_a_slow_caller_is_blamed_for_edges_that_its_callees_share_with_nobody() -> None:
    seen = found(trace_edge_gap.RULE, frames(spans=system(slower(gap1=30.0, gap2=30.0))))
    scores = dict(seen.select("entity", "score").rows())
    assert scores["api"] > max(scores.get("front", 0.0), scores.get("db", 0.0))


def test_one_slow_request_is_not_enough() -> None:
    rows = system()
    rows[-1]["duration_ms"] *= 50
    assert found(trace_self_time.RULE, frames(end=600.0, spans=rows)).is_empty()


def test_one_slow_pod_is_named_beside_its_service() -> None:
    rows = system(pods=4)
    for row in rows:
        if row["pod"] == "db-1" and row["time"] >= FAULT:
            row["duration_ms"] *= 30
    seen = found(trace_self_time.RULE, frames(end=600.0, spans=rows))
    assert ("trace.self_time", "pod", "db-1") in facts(seen)
    assert {entity for _, kind, entity in facts(seen) if kind == "pod"} == {"db-1"}


def test_failures_accuse_the_service_that_fails() -> None:
    seen = found(trace_errors.RULE, frames(end=600.0, spans=system(failing="db")))
    assert facts(seen) == {("trace.errors", "service", "db")}
    assert abs(onset_s(seen, "trace.errors") - FAULT) <= 2.0
    assert seen["value"][0] == 1.0


def test_failures_that_were_always_there_say_nothing() -> None:
    rows = system()
    for number, row in enumerate(rows):
        row["error"] = row["service"] == "db" and number % 4 == 0
    assert found(trace_errors.RULE, frames(end=600.0, spans=rows)).is_empty()


def test_a_callee_that_does_not_answer_is_accused_without_a_span_of_its_own() -> None:
    rows = [row for row in system(failing="api") if not (row["service"] == "db" and row["time"] >= FAULT)]
    for row in rows:
        if row["kind"] == "Client":
            row["peer"] = {"front": "api.shop.svc:8080", "api": "db.shop.svc"}[row["service"]]
    seen = found(trace_errors.RULE, frames(end=600.0, spans=rows))
    assert facts(seen) == {("trace.errors", "service", "api"), ("trace.errors", "service", "db")}
    assert "calls from api" in seen.filter(pl.col("entity") == "db")["explanation"][0]


def to_peer(host: str) -> list[Row]:
    """The system, in which the caller's spans name `host` and nothing there has spans; it fails from FAULT on."""
    rows = [row for row in system() if row["service"] != "db"]
    for row in rows:
        if row["name"] == "query":
            row |= {"peer": host, "error": row["time"] >= FAULT}
    return rows


def test_a_public_host_that_fails_its_callers_is_named_whole() -> None:
    seen = found(trace_errors.RULE, frames(end=600.0, spans=to_peer("api.openai.com:443")))
    assert ("trace.errors", "dependency", "api.openai.com") in facts(seen)


def test_a_host_of_the_cluster_is_its_service() -> None:
    seen = found(trace_errors.RULE, frames(end=600.0, spans=to_peer("db.shop.svc.cluster.local:5432")))
    assert ("trace.errors", "service", "db") in facts(seen)


def test_a_public_name_of_an_own_service_is_that_service() -> None:
    seen = found(trace_errors.RULE, frames(end=600.0, spans=to_peer("front.example.com")))
    assert {kind for _, kind, _ in facts(seen)} == {"service"}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_order_and_duplicates_do_not_matter(rule: Rule) -> None:
    given = frames(end=600.0, spans=system(slower(db=8.0, gap2=20.0), failing="db"))
    spans = given["spans"].collect()
    expected = found(rule, given)
    assert not expected.is_empty()
    for other in (spans.sample(fraction=1.0, shuffle=True, seed=5), pl.concat([spans, spans.tail(2000)])):
        again = found(rule, Frames(given.window, given.since, {"spans": other.lazy()}))
        assert again.equals(expected)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_shifted_telemetry_gives_shifted_signals(rule: Rule) -> None:
    given = frames(end=600.0, spans=system(slower(db=8.0, gap2=20.0), failing="db"))
    nanos = 30 * 1000 * 10**9
    by = pl.duration(nanoseconds=nanos)
    moved = Frames(
        Window(given.window.start + nanos, given.window.end + nanos),
        given.since + nanos,
        {"spans": given["spans"].with_columns((pl.col("time") + by).cast(TIME))},
    )
    times = ["seen", "onset", "until"]
    expected: Any = found(rule, given).with_columns((pl.col(t) + by).cast(TIME) for t in times)
    assert found(rule, moved).equals(expected)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_a_fault_keeps_its_onset_in_the_next_window(rule: Rule) -> None:
    rows = system(slower(db=8.0, gap2=20.0), failing="db", until=900.0)
    early = found(rule, frames(end=600.0, spans=rows))
    late = found(rule, frames(start=600.0, end=900.0, spans=rows))
    same = ["kind", "entity", "onset"]
    assert late.select(same).equals(early.select(same))
