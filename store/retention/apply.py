"""Removing what is due. Safe to repeat, to break off at any moment, and to run twice at once."""

from __future__ import annotations

import json

from store import mutations, sql
from store.client import Store
from store.retention.pins import columns
from store.retention.plan import DueDay, DueRows, Plan, held_signals, old_incidents, plan
from store.retention.policy import RetentionPolicy
from store.retention.tables import AGE_TABLES, OF_INCIDENTS
from store.retention.tiers import apply_tiers

_TIME = {table.name: table.time for table in AGE_TABLES}


def apply(store: Store, policy: RetentionPolicy, now_ns: int) -> Plan:
    """Remove what is due now, and have tables move to colder disks as the policy says; returns what was removed.

    Raises StoreError, with what was removed by then removed: the next run goes on.
    """
    apply_tiers(store, policy)
    due = plan(store, policy, now_ns)
    for day in due.days:
        _remove_day(store, day)
        for share in day.shares:
            _note(store, policy, share.tenant, day.table.name, day.day, share.rows, share.pinned)
    for rows in due.rows:
        _remove_rows(store, rows)
        _note(store, policy, rows.tenant, rows.table, "", rows.rows, 0)
    return due


def _remove_day(store: Store, due: DueDay) -> None:
    table = due.table
    if due.whole:
        mutations.change(store, "drop_partition", {"day": due.day}, table.name)
        return
    tenants = [share.tenant for share in due.shares]
    ranges = {tenant: due.ranges[tenant] for tenant in tenants if tenant in due.ranges}
    params = {"day": due.day, "tenants": tenants, "first": table.first, "last": table.last, **columns(ranges)}
    mutations.mutate(store, table.name, sql.load("retention_delete_day"), params)


def _remove_rows(store: Store, due: DueRows) -> None:
    params = {"tenant": due.tenant, "before": due.before}
    if due.table == "signals":
        held = held_signals(store, due.tenant, due.before, [])
        mutations.mutate(store, "signals", sql.load("retention_delete_signals"), {**params, "held": held})
    elif due.table == "incidents":
        ids = old_incidents(store, due.tenant, due.before)
        for table in OF_INCIDENTS:
            statement = sql.load("retention_delete_incidents")
            mutations.mutate(store, table, statement, {"tenant": due.tenant, "ids": ids})
    else:
        statement = sql.load("retention_delete_old")
        mutations.mutate(store, due.table, statement, {**params, "time": _TIME[due.table]})


def _note(store: Store, policy: RetentionPolicy, tenant: str, table: str, day: str, removed: int, pinned: int) -> None:
    row = {
        "Tenant": tenant, "TableName": table, "Day": day, "Removed": removed, "Pinned": pinned, "Policy": policy.name,
    }  # fmt: skip
    store.insert_bytes("retention_log", json.dumps(row).encode(), "JSONEachRow", {"async_insert": 0})
