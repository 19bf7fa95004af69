"""What retention will remove and when, and what incidents pin. Reads only.

Telemetry goes by whole days (UTC): a day is due once all of it has been kept for the policy's days.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from store import mutations
from store.client import Store
from store.retention.pins import Pin, columns, merged, pins
from store.retention.policy import Group, RetentionPolicy
from store.retention.tables import AGE_TABLES, DAY_TABLES, DayTable

DAY_NS = 86_400 * 10**9
# Reading old days may take longer than an answer to a person.
UNHURRIED = {"max_execution_time": 0}
# Incidents that one look takes; the next look takes more.
MOST_INCIDENTS = 1000


@dataclass(frozen=True, slots=True)
class Share:
    """A tenant's part in a due day: `rows` go and `pinned` stay; all of them take about `bytes` on disk."""

    tenant: str
    rows: int
    pinned: int
    bytes: int
    due: int


@dataclass(frozen=True, slots=True)
class DueDay:
    """A day (YYYYMMDD) of a telemetry table of which something goes.

    `whole`: nobody's telemetry of that day is kept any longer and nothing is pinned. `ranges` are pinned.
    """

    table: DayTable
    day: str
    shares: tuple[Share, ...]
    whole: bool
    ranges: dict[str, list[tuple[int, int]]]


@dataclass(frozen=True, slots=True)
class DueRows:
    """Rows of a tenant in a table that go by their age; `before` is in nanoseconds."""

    table: str
    group: Group
    tenant: str
    before: int
    rows: int


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything that is due by a time, and the incidents that pin something."""

    policy: RetentionPolicy
    now: int
    by: int
    days: list[DueDay]
    rows: list[DueRows]
    pins: list[Pin]

    @property
    def removed(self) -> int:
        """Rows that go."""
        return sum(share.rows for day in self.days for share in day.shares) + sum(row.rows for row in self.rows)


def day_end(day: str) -> int:
    """The first moment after a day (YYYYMMDD, UTC), in nanoseconds."""
    return int((datetime.strptime(day, "%Y%m%d").replace(tzinfo=UTC) + timedelta(days=1)).timestamp()) * 10**9


def earliest(policy: RetentionPolicy, tenant: str, group: Group, now_ns: int) -> int:
    """The first moment of which telemetry is still kept, in nanoseconds; 0 when everything is."""
    days = policy.days(tenant, group)
    return 0 if days is None else max(0, now_ns // DAY_NS * DAY_NS - days * DAY_NS)


def plan(store: Store, policy: RetentionPolicy, now_ns: int, ahead_days: int = 0) -> Plan:
    """What is due by `ahead_days` from now. Raises StoreError."""
    by = now_ns + ahead_days * DAY_NS
    found = pins(store, policy, now_ns)
    return Plan(policy, now_ns, by, list(_days(store, policy, by, found)), list(_rows(store, policy, by)), found)


def _days(store: Store, policy: RetentionPolicy, by: int, found: list[Pin]) -> Iterator[DueDay]:
    for group in (Group.TRACES, Group.LOGS, Group.METRICS):
        least = policy.least_days(group)
        if least is None:
            continue
        tables = {table.name: table for table in DAY_TABLES if table.group is group}
        # The last day that can be due: it has ended `least` days before.
        last = datetime.fromtimestamp((by // DAY_NS - least - 1) * 86_400, UTC).strftime("%Y%m%d")
        parts = store.page(
            mutations.named(store, "retention_partitions"), {"tables": list(tables), "until": last}, UNHURRIED
        )
        by_table: dict[str, dict[str, dict[str, int]]] = {}
        for part in parts:
            by_table.setdefault(part["table_name"], {})[part["day"]] = part
        for name, days in by_table.items():
            yield from _of_table(store, policy, by, tables[name], days, found)


def _of_table(
    store: Store,
    policy: RetentionPolicy,
    by: int,
    table: DayTable,
    days: dict[str, dict[str, int]],
    found: list[Pin],
) -> Iterator[DueDay]:
    # A pin holds until its months are over, and after them as long as the tenant keeps such telemetry anyway.
    holding = [pin for pin in found if pin.until + (policy.days(pin.tenant, table.group) or 0) * DAY_NS > by]
    ranges = merged(holding)
    params = {"table": table.name, "first": table.first, "last": table.last, "days": list(days), **columns(ranges)}
    rows = store.rows("retention_rows", params, UNHURRIED)
    most = policy.most_days(table.group)
    for day, part in days.items():
        ends = day_end(day)
        shares = []
        for row in (row for row in rows if row["day"] == day):
            kept = policy.days(row["tenant"], table.group)
            going = row["rows"] - row["pinned_rows"]
            if kept is not None and going and (due := ends + kept * DAY_NS) <= by:
                size = round(part["bytes"] * row["rows"] / max(1, part["rows"]))
                shares.append(Share(row["tenant"], going, row["pinned_rows"], size, due))
        if shares:
            # Nobody may keep the day, whoever's rows come meanwhile.
            over = most is not None and ends + most * DAY_NS <= by
            pinned = any(start < ends and end > ends - DAY_NS for held in ranges.values() for start, end in held)
            yield DueDay(table, day, tuple(shares), over and not pinned, ranges)


def _rows(store: Store, policy: RetentionPolicy, by: int) -> Iterator[DueRows]:
    if all(policy.least_days(group) is None for group in (Group.INCIDENTS, Group.TOPOLOGY, Group.OPERATIONS)):
        return
    for tenant in (row["tenant"] for row in store.rows("retention_tenants")):
        for table in AGE_TABLES:
            days = policy.days(tenant, table.group)
            if days is not None:
                before = by - days * DAY_NS
                params = {"table": table.name, "tenant": tenant, "time": table.time, "before": before}
                if count := store.rows("retention_old_rows", params)[0]["rows"]:
                    yield DueRows(table.name, table.group, tenant, before, count)
        days = policy.days(tenant, Group.INCIDENTS)
        if days is not None:
            yield from _incidents(store, tenant, by - days * DAY_NS)


def _incidents(store: Store, tenant: str, before: int) -> Iterator[DueRows]:
    if ids := old_incidents(store, tenant, before):
        yield DueRows("incidents", Group.INCIDENTS, tenant, before, len(ids))
    params = {"tenant": tenant, "before": before, "held": held_signals(store, tenant, before, ids)}
    if count := store.rows("retention_old_signals", params)[0]["rows"]:
        yield DueRows("signals", Group.INCIDENTS, tenant, before, count)


def old_incidents(store: Store, tenant: str, before: int) -> list[str]:
    """Ids of incidents that ended before a time, at most a thousand of them."""
    params = {"tenant": tenant, "before": before, "limit": MOST_INCIDENTS}
    return [row["id"] for row in store.rows("retention_incidents", params)]


def held_signals(store: Store, tenant: str, before: int, going: list[str]) -> list[str]:
    """Ids of signals from before a time that an incident holds which is kept; those `going` are not."""
    params = {"tenant": tenant, "before": before, "going": going}
    return [row["id"] for row in store.rows("retention_held_signals", params)]
