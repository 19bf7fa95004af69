"""Retention on both homes: what is due goes, what is pinned or another's stays, and running again changes nothing."""

from __future__ import annotations

import time
from typing import Any

import pytest

from store import Store
from store.retention.apply import apply
from store.retention.plan import DAY_NS, day_end, earliest, plan
from store.retention.policy import Group, RetentionPolicy
from store.retention.tables import DAY_TABLES
from tests.kit.rows import insert

NOON = DAY_NS // 2
HOUR = 3600 * 10**9
TODAY = time.time_ns() // DAY_NS * DAY_NS
NOW = TODAY + NOON


def moment(nanoseconds: int) -> str:
    """A time as ClickHouse reads it."""
    whole, rest = divmod(nanoseconds, 10**9)
    return f"{whole}.{rest:09d}"


def ago(days: int, offset: int = NOON) -> int:
    """A moment of the day that many days before today."""
    return TODAY - days * DAY_NS + offset


def day(nanoseconds: int) -> str:
    """The partition of a moment."""
    return time.strftime("%Y%m%d", time.gmtime(nanoseconds // 10**9))


def spans(store: Store, tenant: str, *times: int) -> None:
    """A span at each moment."""
    insert(
        store,
        "otel_traces",
        *({"Tenant": tenant, "Timestamp": moment(at), "TraceId": f"{at:032x}", "SpanName": "s"} for at in times),
    )


def logs(store: Store, tenant: str, *times: int) -> None:
    """A log record at each moment."""
    insert(store, "otel_logs", *({"Tenant": tenant, "Timestamp": moment(at), "Body": str(at)} for at in times))


def incident(store: Store, tenant: str, name: str, start: int, end: int | None, **columns: Any) -> None:
    """An incident without causes."""
    row = {
        "Tenant": tenant, "IncidentId": name, "Title": name, "Severity": "high",
        "State": "open" if end is None else "resolved", "StartedAt": moment(start),
        "EndedAt": None if end is None else moment(end), "UpdatedAt": moment(end or start), "Version": 1,
    }  # fmt: skip
    insert(store, "incidents", row | columns)


def times(store: Store, table: str, tenant: str, column: str = "Timestamp") -> list[int]:
    """The moments of which a tenant still has rows."""
    text = (
        f"SELECT toUnixTimestamp64Nano(toDateTime64({column}, 9)) AS at FROM {table}"
        " WHERE Tenant = {tenant:String} ORDER BY at"
    )
    return [row["at"] for row in store.page(text, {"tenant": tenant})]


def policy(**said: Any) -> RetentionPolicy:
    """A policy."""
    return RetentionPolicy.model_validate({"version": 1} | said)


def test_a_day_goes_once_all_of_it_is_old_enough(backend_store: Store) -> None:
    store = backend_store
    spans(store, "a", ago(9), ago(8), ago(7), ago(0))
    weekly = policy(keep={"traces": 7})
    assert earliest(weekly, "a", Group.TRACES, NOW) == ago(7, 0)
    due = apply(store, weekly, NOW)
    assert times(store, "otel_traces", "a") == [ago(7), ago(0)]
    assert times(store, "otel_traces_trace_id_ts", "a", "Start") == [ago(7), ago(0)]
    gone = {(found.table.name, found.day, found.whole) for found in due.days}
    assert gone == {(t, day(ago(n)), True) for t in ("otel_traces", "otel_traces_trace_id_ts") for n in (8, 9)}
    assert apply(store, weekly, NOW).days == []
    assert apply(store, weekly, NOW + DAY_NS - NOON - 1).days == []
    apply(store, weekly, NOW + NOON)
    assert times(store, "otel_traces", "a") == [ago(0)]


def test_each_signal_and_tenant_has_its_own_days(backend_store: Store) -> None:
    store = backend_store
    for tenant in ("a", "b", "c"):
        spans(store, tenant, ago(20), ago(5), ago(0))
        logs(store, tenant, ago(20), ago(5), ago(0))
    mixed = policy(keep={"traces": 10, "logs": 3}, tenant={"b": {"traces": 2, "logs": "forever"}})
    due = apply(store, mixed, NOW)
    left = {tenant: (times(store, "otel_traces", tenant), times(store, "otel_logs", tenant)) for tenant in "abc"}
    assert left == {
        "a": ([ago(5), ago(0)], [ago(0)]),
        "b": ([ago(0)], [ago(20), ago(5), ago(0)]),
        "c": ([ago(5), ago(0)], [ago(0)]),
    }
    whole = {found.day for found in due.days if found.table.name == "otel_traces" and found.whole}
    assert whole == {day(ago(20))}
    said = store.rows("retention_removed", {"tenant": "b", "limit": 10})
    assert [(row["table_name"], row["day"], row["removed"]) for row in said if row["table_name"] == "otel_traces"] == [
        ("otel_traces", day(ago(5)), 1),
        ("otel_traces", day(ago(20)), 1),
    ]
    assert apply(store, mixed, NOW).days == []


def test_telemetry_around_an_incident_stays(backend_store: Store) -> None:
    store = backend_store
    start, end = ago(20, 10 * HOUR), ago(20, 11 * HOUR)
    inside = [start - HOUR // 2, start, end, end + HOUR // 2 - 1]
    outside = [start - HOUR // 2 - 1, end + HOUR // 2, ago(20, 0)]
    for tenant in ("a", "b"):
        spans(store, tenant, *inside, *outside)
        logs(store, tenant, *inside, *outside)
        metric = [{"Tenant": tenant, "TimeUnix": moment(at), "MetricName": "m"} for at in inside + outside]
        for metrics in (table.name for table in DAY_TABLES if table.group is Group.METRICS):
            insert(store, metrics, *metric)
    incident(store, "a", "kept", start, end)
    incident(store, "b", "too mild", start, end, Severity="low")
    incident(store, "b", "withdrawn", start, end, IsDeleted=1)
    pinning = policy(keep={"traces": 7, "logs": 7, "metrics": 7}, pins={"months": 2})
    seen = plan(store, pinning, NOW)
    assert [(pin.tenant, pin.incident) for pin in seen.pins] == [("a", "kept")]
    shares = {(d.table.name, s.tenant): (s.rows, s.pinned) for d in seen.days for s in d.shares}
    assert shares["otel_logs", "a"] == (len(outside), len(inside))
    assert shares["otel_logs", "b"] == (len(inside + outside), 0)
    apply(store, pinning, NOW)
    for table in DAY_TABLES:
        if table.name != "otel_traces_trace_id_ts":
            assert times(store, table.name, "a", table.first) == inside, table.name
        assert times(store, table.name, "b", table.first) == [], table.name
    # What a question asks for finds it: the lookup by trace id has its row, too.
    bounds = store.rows("trace_bounds", {"tenant": "a", "trace": f"{start:032x}"})
    assert bounds == [{"start": start, "end": start + 10**9}]
    assert apply(store, pinning, NOW).days == []


def test_a_pin_ends_after_its_months_and_the_days_of_the_telemetry(backend_store: Store) -> None:
    store = backend_store
    start = ago(100)
    logs(store, "a", start)
    incident(store, "a", "old", start, start)
    # Three months after day -100 is between day -12 and day -8; ten more days are not over.
    apply(store, policy(keep={"logs": 20}, pins={"months": 3}), NOW)
    assert times(store, "otel_logs", "a") == [start]
    apply(store, policy(keep={"logs": 5}, pins={"months": 3}), NOW)
    assert times(store, "otel_logs", "a") == []


def test_an_incident_that_goes_on_pins_up_to_now_and_a_long_one_its_first_hours(backend_store: Store) -> None:
    store = backend_store
    start = ago(20, 0)
    logs(store, "a", ago(20), ago(19), ago(18))
    incident(store, "a", "on", start, None)
    apply(store, policy(keep={"logs": 3}, pins={"months": 1, "longest_hours": 36, "margin_minutes": 1}), NOW)
    assert times(store, "otel_logs", "a") == [ago(20), ago(19)]
    apply(store, policy(keep={"logs": 3}, pins={"months": 1, "margin_minutes": 1}), NOW)
    assert times(store, "otel_logs", "a") == [ago(20)]


def test_old_incidents_go_with_all_that_belongs_to_them(backend_store: Store) -> None:
    store = backend_store
    old, new = ago(50), ago(5)
    incident(store, "a", "old", old, old + HOUR)
    incident(store, "a", "new", old, new)
    incident(store, "a", "open", old, None)
    incident(store, "b", "old", old, old + HOUR)
    signal = {"WindowStart": moment(old), "WindowEnd": moment(old), "Version": 1}
    for name, at in (("of old", old), ("of new", old), ("of nobody", old), ("late", new)):
        insert(store, "signals", {"Tenant": "a", "SignalId": name, "Onset": moment(at), "Until": moment(at)} | signal)
    for name in ("old", "new"):
        own = {"Tenant": "a", "IncidentId": name}
        insert(store, "incident_signals", own | {"SignalId": f"of {name}", "Version": 1})
        insert(store, "incident_events", own | {"At": moment(old), "Kind": "opened", "Version": 1})
        insert(store, "incident_decisions", own | {"Seen": moment(old), "Version": 1})
        insert(store, "incident_pins", own | {"SignalId": f"of {name}", "Onset": moment(old), "Until": moment(old)})
        insert(store, "incident_feedback", own | {"EntityType": "pod", "At": moment(old), "Version": 1})
    monthly = policy(keep={"incidents": 30})
    found = {(row.table, row.tenant, row.rows) for row in plan(store, monthly, NOW).rows}
    assert found == {("incidents", "a", 1), ("incidents", "b", 1), ("signals", "a", 2)}
    apply(store, monthly, NOW)
    ids = "SELECT DISTINCT IncidentId AS id FROM {table:Identifier} WHERE Tenant = 'a' ORDER BY id"
    assert [row["id"] for row in store.page(ids, {"table": "incidents"})] == ["new", "open"]
    for table in ("incident_signals", "incident_events", "incident_decisions", "incident_pins", "incident_feedback"):
        assert [row["id"] for row in store.page(ids, {"table": table})] == ["new"], table
    assert [row["id"] for row in store.page("SELECT SignalId AS id FROM signals ORDER BY id")] == ["late", "of new"]
    assert plan(store, monthly, NOW).rows == []


def test_topology_and_records_of_work_go_by_their_age(backend_store: Store) -> None:
    store = backend_store
    for name, at in (("old", ago(50)), ("new", ago(5))):
        insert(store, "entities", {"EntityType": "pod", "EntityName": name, "LastSeen": moment(at), "Version": 1})
        insert(store, "entity_edges", {"SrcName": name, "ValidTo": moment(at), "Version": 1})
        insert(store, "correlation_jobs", {"JobId": name, "UpdatedAt": moment(at // 10**6 * 10**6), "Version": 1})
        insert(store, "rule_failures", {"Rule": name, "At": moment(at // 10**6 * 10**6)})
    apply(store, policy(keep={"topology": 30, "operations": 10}), NOW)
    for table, column in (
        ("entities", "EntityName"), ("entity_edges", "SrcName"), ("correlation_jobs", "JobId"),
        ("rule_failures", "Rule"),
    ):  # fmt: skip
        assert [row["x"] for row in store.page(f"SELECT {column} AS x FROM {table}")] == ["new"], table


def test_the_plan_looks_ahead_and_says_how_much(store: Store) -> None:
    logs(store, "a", *(ago(10, at) for at in range(50)))
    logs(store, "b", ago(10))
    tomorrow = policy(keep={"logs": 10})
    assert plan(store, tomorrow, NOW).days == []
    (found,) = plan(store, tomorrow, NOW, ahead_days=1).days
    shares = {share.tenant: share for share in found.shares}
    assert (shares["a"].rows, shares["b"].rows, shares["a"].due) == (50, 1, day_end(day(ago(10))) + 10 * DAY_NS)
    assert shares["a"].bytes > 20 * shares["b"].bytes > 0
    assert times(store, "otel_logs", "b") == [ago(10)]


@pytest.mark.parametrize("days", [1, 30])
def test_what_is_refused_is_what_is_gone(days: int) -> None:
    """An item that is let in is not removed by the next run, and one of a day that is gone does not come back."""
    first = earliest(policy(keep={"logs": days}), "a", Group.LOGS, NOW)
    assert day_end(day(first)) + days * DAY_NS > NOW
    assert day_end(day(first - 1)) + days * DAY_NS <= NOW
