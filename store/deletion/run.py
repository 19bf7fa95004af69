"""Carrying a deletion out, partition by partition, and proving it.

It can be broken off at any moment, kill -9 included: what was counted is on disk, and whoever takes the deletion up
goes on with the next partition. Two processes at it at once do work twice and nothing wrong. Inserts never wait.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from store import mutations
from store.client import Store
from store.deletion import journal, quotes
from store.deletion.conditions import Target, targets
from store.deletion.journal import Deletion, State
from store.deletion.quotes import TEXTS
from store.deletion.subject import Kind, Subject
from store.errors import DeletionFailed, MutationFailed
from store.retention.plan import UNHURRIED

_log = logging.getLogger(__name__)
# A batch under way when the deletion was asked for may arrive behind its back; and a pass may write what it has read.
_ROUNDS = 5


def preview(store: Store, subject: Subject) -> dict[str, int]:
    """How many rows a deletion would touch, by table, without touching any. Raises StoreError."""
    found = {
        target.label: sum(_counted(store, subject, 2**64 - 1, target).values()) for target in _targets(store, subject)
    }
    if subject.kind is not Kind.TENANT:
        found |= {f"{texts.table} (quotes)": quotes.count(store, subject, texts) for texts in TEXTS}
    return {label: rows for label, rows in found.items() if rows}


def progress(store: Store, deletion: Deletion) -> tuple[int, int]:
    """Tables gone through in the first round, and how many there are."""
    labels = [target.label for target in _targets(store, deletion.subject(""))]
    if deletion.kind is not Kind.TENANT:
        labels += [f"{texts.table} (quotes)" for texts in TEXTS]
    noted = {label for label, part in journal.noted(store, deletion, 1) if not part}
    return len(noted & set(labels)), len(labels)


def advance(store: Store, tenant: str, identifier: str, stopping: Callable[[], bool] = lambda: False) -> Deletion:
    """Bring a deletion as far as it can be brought now. `purging` is left to a later call.

    Returns it as it is when `stopping` says so. Raises StoreError when the store does not answer; call again then.
    """
    deletion = journal.load(store, tenant, identifier)
    if deletion.state in (State.QUEUED, State.RUNNING):
        try:
            deletion = _delete(store, deletion, stopping)
        except (DeletionFailed, MutationFailed) as error:
            _log.error("deletion %s failed: %s", deletion.id, error)
            deletion = journal.append(store, deletion, state=State.FAILED, error=str(error))
            journal.forget_value(store, deletion)
    if deletion.state is State.PURGING:
        deletion = _purge(store, deletion)
    return deletion


def _delete(store: Store, deletion: Deletion, stopping: Callable[[], bool]) -> Deletion:
    subject = deletion.subject(journal.value(store, deletion))
    if not subject.value:
        raise DeletionFailed("what was to be deleted is not known any more; ask again")
    if deletion.state is State.QUEUED:
        deletion = journal.append(store, deletion, state=State.RUNNING)
    left = 0
    for number in range(1, _ROUNDS + 1):
        if not _round(store, deletion, subject, number, stopping):
            return deletion
        left = _left(store, deletion, subject)
        if not left:
            break
        _log.warning("deletion %s: %d rows arrived meanwhile, going through again", deletion.id, left)
    if left:
        raise DeletionFailed(f"{left} rows are left after {_ROUNDS} rounds; they still arrive")
    removed = sum(table.found for table in journal.counts(store, deletion))
    deletion = journal.append(store, deletion, state=State.PURGING, removed=removed, remaining=0)
    journal.forget_value(store, deletion)
    return deletion


def _round(store: Store, deletion: Deletion, subject: Subject, number: int, stopping: Callable[[], bool]) -> bool:
    """Go through every table; whether the end was reached. A note without a partition says that a table is done."""
    done = journal.noted(store, deletion, number)
    for target in _targets(store, subject):
        if (target.label, "") in done:
            continue
        found = _counted(store, subject, deletion.cutoff, target)
        for part, rows in found.items():
            if stopping():
                return False
            # Before it is done: what was found is not lost when the process is killed between.
            journal.note(store, deletion, number, [(target.label, part, rows, 0)])
            _mutate(store, deletion, subject, target, part)
        journal.note(store, deletion, number, [(target.label, "", 0, 0)])
    for texts in TEXTS if subject.kind is not Kind.TENANT else ():
        if stopping():
            return False
        label = f"{texts.table} (quotes)"
        if (label, "") not in done:
            rows = quotes.count(store, subject, texts)
            if rows:
                journal.note(store, deletion, number, [(label, "all", rows, 0)])
                quotes.remove(store, subject, texts)
            journal.note(store, deletion, number, [(label, "", 0, 0)])
    return True


def _left(store: Store, deletion: Deletion, subject: Subject) -> int:
    """Count everything again, and write it down."""
    left = {
        target.label: sum(_counted(store, subject, deletion.cutoff, target).values())
        for target in _targets(store, subject)
    }
    if subject.kind is not Kind.TENANT:
        left |= {f"{texts.table} (quotes)": quotes.count(store, subject, texts) for texts in TEXTS}
    journal.note(store, deletion, 0, [(label, "", 0, rows) for label, rows in left.items()])
    return sum(left.values())


def _purge(store: Store, deletion: Deletion) -> Deletion:
    """Done once no file of before is left: the engine keeps replaced parts for some minutes (old_parts_lifetime)."""
    tables = sorted({count.table.split(" ")[0] for count in journal.counts(store, deletion) if count.found})
    before = deletion.updated // 1_000_000
    params = {"tables": tables, "before": before}
    if store.page(mutations.named(store, "deletion_old_files"), params)[0]["parts"]:
        return deletion
    detached = store.page(mutations.named(store, "deletion_detached"), {"tables": tables})[0]["parts"]
    said = f"{detached} parts are detached and were not looked into" if detached else ""
    return journal.append(store, deletion, state=State.DONE, error=said)


def _targets(store: Store, subject: Subject) -> list[Target]:
    if subject.kind is not Kind.TENANT:
        return targets(subject.kind, [])
    return targets(subject.kind, [row["table_name"] for row in store.rows("deletion_tenant_tables")])


def _counted(store: Store, subject: Subject, cutoff: int, target: Target) -> dict[str, int]:
    """Rows that are meant, by partition."""
    text = (
        "SELECT _partition_id AS part, count() AS rows FROM {table:Identifier}"  # noqa: S608 - conditions are ours
        f" WHERE {target.where} GROUP BY part ORDER BY part"
    )
    params = {**subject.params, "table": target.table, "cutoff": cutoff}
    return {row["part"]: row["rows"] for row in store.page(text, params, UNHURRIED)}


def _mutate(store: Store, deletion: Deletion, subject: Subject, target: Target, part: str) -> None:
    started = time.monotonic()
    params = {**subject.params, "part": part, "cutoff": deletion.cutoff}
    mutations.mutate(store, target.table, target.statement, params)
    _log.info("deletion %s: %s %s in %.1f s", deletion.id, target.label, part, time.monotonic() - started)
