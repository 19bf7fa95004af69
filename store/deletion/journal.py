"""The record of deletions: who asked for what, how far it is, and what was counted. Rows are only ever added."""

from __future__ import annotations

import json
import time
import uuid
from dataclasses import dataclass, replace
from enum import StrEnum

from store import batches, mutations
from store.client import Store
from store.deletion.subject import Kind, Subject
from store.errors import DeletionFailed

# Clocks of receivers may differ by so much.
_SKEW_MS = 1000


class State(StrEnum):
    """How far a deletion is. `purging`: no query finds the rows any more, and files that hold them are on disk."""

    QUEUED = "queued"
    RUNNING = "running"
    PURGING = "purging"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Deletion:
    """A deletion as it stands. Times are in nanoseconds, `cutoff` is a batch number (store.batches)."""

    tenant: str
    id: str
    state: State
    kind: Kind
    name: str
    hash: str
    salt: str
    who: str
    cutoff: int
    removed: int = 0
    remaining: int = 0
    error: str = ""
    created: int = 0
    updated: int = 0

    def subject(self, value: str) -> Subject:
        """What is deleted, with its value while that is known."""
        return Subject(self.tenant, self.kind, self.name, value, self.salt, self.hash)


@dataclass(frozen=True, slots=True)
class TableCount:
    """Rows of a table that were meant: before, and after."""

    table: str
    found: int
    remaining: int


def request(store: Store, subject: Subject, who: str) -> Deletion:
    """Write down that something is to be deleted; it is on disk when this returns. Raises StoreError."""
    now = _now_ns()
    cutoff = batches.first_at(now // 1_000_000 + _SKEW_MS)
    identifier = uuid.uuid4().hex
    work: dict[str, object] = {"Tenant": subject.tenant, "DeletionId": identifier, "Value": subject.value}
    _insert(store, "deletion_work", work)
    deletion = Deletion(
        tenant=subject.tenant, id=identifier, state=State.QUEUED, kind=subject.kind, name=subject.name,
        hash=subject.hash, salt=subject.salt, who=who, cutoff=cutoff, created=now, updated=now,
    )  # fmt: skip
    return append(store, deletion)


def append(store: Store, deletion: Deletion, **changes: object) -> Deletion:
    """Add a state that a deletion has reached."""
    now = replace(deletion, **changes, updated=_now_ns())  # type: ignore[arg-type]
    row = {
        "Tenant": now.tenant, "DeletionId": now.id, "State": now.state, "Kind": now.kind, "Name": now.name,
        "Hash": now.hash, "Salt": now.salt, "Who": now.who, "Cutoff": now.cutoff, "Removed": now.removed,
        "Remaining": now.remaining, "Error": now.error, "At": _micros(now.updated),
    }  # fmt: skip
    _insert(store, "deletions", row)
    return now


def listed(store: Store, tenant: str, identifier: str = "", limit: int = 1000) -> list[Deletion]:
    """A tenant's deletions, newest first; or the one of that id. Raises StoreError."""
    params = {"tenant": tenant, "id": identifier, "limit": limit}
    return [
        Deletion(**{**row, "state": State(row["state"]), "kind": Kind(row["kind"])})
        for row in store.rows("deletion_state", params)
    ]


def load(store: Store, tenant: str, identifier: str) -> Deletion:
    """One deletion. Raises DeletionFailed when the tenant has none of that id."""
    found = listed(store, tenant, identifier) if identifier else []
    if not found:
        raise DeletionFailed(f"there is no deletion {identifier!r}")
    return found[0]


def unfinished(store: Store) -> list[tuple[str, str]]:
    """Tenant and id of every deletion that is not at its end, oldest first."""
    return [(row["tenant"], row["id"]) for row in store.rows("deletion_unfinished")]


def value(store: Store, deletion: Deletion) -> str:
    """What is to be deleted; '' once it has been forgotten."""
    found = store.rows("deletion_value", {"owner": deletion.tenant, "id": deletion.id})
    return str(found[0]["value"]) if found else ""


def forget_value(store: Store, deletion: Deletion) -> None:
    """Drop the value from disk."""
    mutations.change(store, "deletion_value_drop", {"id": deletion.id})


def note(store: Store, deletion: Deletion, round_number: int, rows: list[tuple[str, str, int, int]]) -> None:
    """Write down what was counted: table, partition, rows found and rows left. Round 0 is the count at the end."""
    now = _micros(time.time_ns())
    own = {"Tenant": deletion.tenant, "DeletionId": deletion.id, "Round": round_number, "At": now}
    counted = [
        own | {"TableName": label, "PartitionId": part, "Found": found, "Remaining": remaining}
        for label, part, found, remaining in rows
    ]
    _insert(store, "deletion_counts", *counted)


def noted(store: Store, deletion: Deletion, round_number: int) -> set[tuple[str, str]]:
    """Tables and partitions that were gone through in a round."""
    params = {"tenant": deletion.tenant, "id": deletion.id, "round": round_number}
    return {(row["table_name"], row["part"]) for row in store.rows("deletion_done_parts", params)}


def counts(store: Store, deletion: Deletion) -> list[TableCount]:
    """Rows before and after, by table."""
    found = store.rows("deletion_tables", {"tenant": deletion.tenant, "id": deletion.id})
    return [TableCount(row["table_name"], row["found"], row["remaining"]) for row in found]


def _insert(store: Store, table: str, *rows: dict[str, object]) -> None:
    text = "\n".join(json.dumps(row) for row in rows)
    store.insert_bytes(table, text.encode(), "JSONEachRow", {"async_insert": 0})


def _now_ns() -> int:
    """Now, as exactly as the table keeps it."""
    return time.time_ns() // 1000 * 1000


def _micros(nanoseconds: int) -> str:
    whole, rest = divmod(nanoseconds // 1000, 1_000_000)
    return f"{whole}.{rest:06d}"
