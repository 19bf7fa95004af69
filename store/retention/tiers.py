"""Colder disks: telemetry moves to a volume of a storage policy of the ClickHouse server after some days.

The engine moves parts by itself, as they are; here tables are only told to (docs/retention.md).
"""

from __future__ import annotations

import re

from store import mutations, sql
from store.client import Store
from store.errors import BadRetention, StoreError
from store.retention.policy import RetentionPolicy, Tiers
from store.retention.tables import DAY_TABLES
from store.settings import Home

# As the engine prints what tier_move.sql says; anything else is somebody else's.
_MOVES = re.compile(r"TTL toDateTime\(\w+\) \+ toIntervalDay\(\d+\) TO VOLUME '[^']*'")
_MOVE = "TTL toDateTime({time}) + toIntervalDay({days}) TO VOLUME '{volume}'"


def check_tiers(store: Store, policy: RetentionPolicy) -> None:
    """Raises BadRetention with a sentence when the store has no such tiers."""
    tiers = policy.tiers
    if tiers is None:
        return
    if store.home is Home.EMBEDDED:
        raise BadRetention("tiers need a ClickHouse server: an embedded store has one disk; leave [tiers] out")
    volumes = {
        str(row["volume"]): list(row["disks"])
        for row in store.rows("storage_volumes", {"policy": tiers.storage_policy})
    }
    what = f"the storage policy {tiers.storage_policy!r}"
    if not volumes:
        raise BadRetention(f"the server has no storage policy {tiers.storage_policy!r} (system.storage_policies)")
    if tiers.volume not in volumes:
        raise BadRetention(f"{what} has no volume {tiers.volume!r}; it has {', '.join(sorted(volumes))}")
    # The engine lets a table change to a policy only if it has what the old one has.
    if "default" not in volumes.get("default", []):
        raise BadRetention(
            f"{what} needs a volume named 'default' with the disk 'default' in it: tables that have data on it keep it"
        )


def apply_tiers(store: Store, policy: RetentionPolicy) -> list[str]:
    """Tell tables where their parts move, or no more to; returns the tables that were changed.

    Without a policy file they are left as they are. Raises StoreError.
    """
    check_tiers(store, policy)
    if store.home is Home.EMBEDDED or policy == RetentionPolicy():
        return []
    found = store.rows("storage_of_tables", {"tables": [table.name for table in DAY_TABLES]})
    known = {str(row["table_name"]): row for row in found}
    return [
        table.name
        for table in DAY_TABLES
        if table.name in known and _settle(store, table.name, table.last, policy.tiers, known[table.name], table.group)
    ]


def _settle(store: Store, table: str, time: str, tiers: Tiers | None, known: dict[str, str], group: str) -> bool:
    days = dict(tiers.after_days).get(group) if tiers is not None else None  # type: ignore[call-overload]
    moving = _MOVES.search(known["definition"])
    if tiers is None or days is None:
        if moving is None:
            return False
        _try(store, table, sql.load("tier_stay"), {})
        return True
    changed = False
    if known["policy"] != tiers.storage_policy:
        _try(store, table, sql.load("tier_policy"), {"policy": tiers.storage_policy})
        changed = True
    if _MOVE.format(time=time, days=days, volume=tiers.volume) not in known["definition"]:
        # Letters, digits, dots and dashes: the policy's model lets nothing else through.
        statement = sql.load("tier_move").replace("${volume}", f"'{tiers.volume}'").replace("${days}", str(int(days)))
        _try(store, table, statement, {"time": time})
        changed = True
    return changed


def _try(store: Store, table: str, statement: str, params: dict[str, object]) -> None:
    try:
        store.command(mutations.filled(store, statement, table), params)
    except StoreError as error:
        raise BadRetention(f"{table} cannot be moved as the policy says: {error.__cause__ or error}") from error
