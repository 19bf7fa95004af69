"""What the engine's disks and tables are like: room, parts, and parts that had to be set aside."""

from __future__ import annotations

import shutil
from typing import NamedTuple

from store.client import Store
from store.settings import Home


class Room(NamedTuple):
    """Bytes on the fullest disk."""

    free: int
    total: int


def room(store: Store) -> Room:
    """Room where the tables are. Raises StoreError; OSError when the data directory is gone."""
    if store.home is Home.EMBEDDED:
        usage = shutil.disk_usage(store.settings.path)
        return Room(usage.free, usage.total)
    # A ClickHouse server has at least one disk.
    (row,) = store.rows("disk_room")
    return Room(int(row["Free"]), int(row["Total"]))


def crowding(store: Store) -> float:
    """The most active parts of any partition, as a share of what makes the engine refuse inserts. Raises StoreError."""
    return float(store.rows("part_crowding")[0]["Share"])


def detached(store: Store) -> dict[str, int]:
    """Parts that the engine found broken and set aside, by table. Raises StoreError."""
    return {row["TableName"]: int(row["Parts"]) for row in store.rows("detached_parts")}
