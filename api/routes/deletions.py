"""Deleting a tenant's telemetry, a trace, or what has an attribute, with proof."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response

from api.deps import Who, Wired
from api.errors import BadParameter, NotFound
from api.reads.retention_models import Deletion, DeletionCount, DeletionRequest, Deletions
from api.times import format_time
from store import Store
from store.deletion import journal, run
from store.deletion.subject import Subject, subject
from store.errors import DeletionFailed

router = APIRouter(prefix="/api/v1", tags=["deletions"])


@router.post("/deletions", status_code=HTTPStatus.ACCEPTED, summary="Delete for good, and prove it")
def start_deletion(wanted: DeletionRequest, wired: Wired, who: Who, response: Response) -> Deletion:
    """A worker deletes and counts again; `done` says that no row and no file of before is left.

    With `dry_run` the answer is what would be deleted, and nothing is.
    """
    store, tenant = wired.reader.store, wired.reader.tenant
    if wanted.tenant and (wanted.trace or wanted.attribute):
        raise BadParameter("tenant", "a whole tenant is deleted, or a trace or an attribute of it")
    if wanted.tenant and wanted.tenant != tenant:
        raise BadParameter("tenant", "only the caller's own tenant can be deleted")
    if not (wanted.tenant or wanted.trace or wanted.attribute):
        raise BadParameter("tenant", "name the tenant, a trace or an attribute")
    try:
        found = subject(store, tenant, trace=wanted.trace, attribute=wanted.attribute)
    except DeletionFailed as error:
        raise BadParameter("trace" if wanted.trace else "attribute", str(error)) from error
    if wanted.dry_run:
        response.status_code = HTTPStatus.OK
        return _preview(store, found, who)
    deletion = journal.request(store, found, who)
    response.headers["Location"] = f"/api/v1/deletions/{deletion.id}"
    return _told(store, deletion)


@router.get("/deletions", summary="Deletions, newest first")
def list_deletions(wired: Wired) -> Deletions:
    """Every deletion of the tenant, however long ago."""
    store = wired.reader.store
    return Deletions(deletions=[_short(deletion) for deletion in journal.listed(store, wired.reader.tenant)])


@router.get("/deletions/{deletion_id}", summary="Progress and proof of a deletion")
def get_deletion(deletion_id: str, wired: Wired) -> Deletion:
    """State, and rows before and after by table."""
    try:
        deletion = journal.load(wired.reader.store, wired.reader.tenant, deletion_id)
    except DeletionFailed as error:
        raise NotFound(str(error)) from error
    return _told(wired.reader.store, deletion)


def _preview(store: Store, found: Subject, who: str) -> Deletion:
    tables = [
        DeletionCount(table=table, found=rows, remaining=rows) for table, rows in run.preview(store, found).items()
    ]
    return Deletion(
        id="", state="counted", kind=found.kind, attribute_key=found.name, hash=found.hash, salt=found.salt, who=who,
        requested_at=None, updated_at=None, removed=0, remaining=sum(count.found for count in tables), error="",
        tables_done=0, tables_total=0, tables=tables,
    )  # fmt: skip


def _short(deletion: journal.Deletion, done: int = 0, total: int = 0) -> Deletion:
    return Deletion(
        id=deletion.id, state=deletion.state, kind=deletion.kind, attribute_key=deletion.name, hash=deletion.hash,
        salt=deletion.salt, who=deletion.who, requested_at=format_time(deletion.created),
        updated_at=format_time(deletion.updated), removed=deletion.removed, remaining=deletion.remaining,
        error=deletion.error, tables_done=done, tables_total=total, tables=[],
    )  # fmt: skip


def _told(store: Store, deletion: journal.Deletion) -> Deletion:
    told = _short(deletion, *run.progress(store, deletion))
    tables = [
        DeletionCount(table=count.table, found=count.found, remaining=count.remaining)
        for count in journal.counts(store, deletion)
    ]
    return told.model_copy(update={"tables": tables})
