"""What the API answers about retention and deletions; field names are the contract with outside tools."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class DueDay(BaseModel):
    """A tenant's part of a day of telemetry that goes."""

    table: str = Field(examples=["otel_traces"])
    day: str = Field(description="The day, UTC.", examples=["2026-03-02"])
    tenant: str
    rows: int = Field(description="Rows that go.")
    pinned_rows: int = Field(description="Rows that stay because an incident pins them.")
    bytes: int = Field(description="What the tenant's rows of that day take on disk, about.")
    due_at: str = Field(description="From when on they go.")


class DueRows(BaseModel):
    """Rows of a smaller table that go by their age."""

    table: str = Field(examples=["entities"])
    tenant: str
    rows: int
    before: str = Field(description="Rows older than this go.")


class Pinned(BaseModel):
    """An incident and the range of telemetry that it pins."""

    tenant: str
    incident: str
    title: str
    severity: str
    start: str
    end: str
    until: str = Field(description="Until when it is pinned, beyond the days that such telemetry is kept anyway.")


class RetentionPlan(BaseModel):
    """What goes by when under the policy in force."""

    policy: str = Field(description="A hash that names the policy; empty when everything is kept.")
    complaint: str = Field(description="Why a policy file that changed is not in force; empty when it is.")
    days: list[DueDay]
    rows: list[DueRows]
    pins: list[Pinned]


class RetentionRun(BaseModel):
    """A run of retention that was asked for."""

    id: str
    state: str = Field(description="asked, done or failed.")
    who: str
    removed: int = Field(
        description="Rows removed, of all tenants; told to the installation's own tenant, 0 to others."
    )
    error: str
    asked_at: str


class DeletionRequest(BaseModel):
    """What is to be deleted: of the tenant all, a trace, or what has an attribute."""

    model_config = ConfigDict(extra="forbid")

    tenant: str = Field(
        default="",
        max_length=200,
        description="The tenant whose everything is to be deleted; must be the caller's own. Names no trace and no "
        "attribute then.",
    )
    trace: str = Field(default="", max_length=64, description="A trace id.")
    attribute: str = Field(default="", max_length=4400, description="KEY=VALUE of an attribute.")
    dry_run: bool = Field(default=False, description="Only count.")


class DeletionCount(BaseModel):
    """Rows of a table that were meant."""

    table: str = Field(examples=["otel_logs", "signals (quotes)"])
    found: int = Field(description="Rows before.")
    remaining: int = Field(description="Rows after; 0 is the proof.")


class Deletion(BaseModel):
    """A deletion as it stands. The value is never told: `hash` is sipHash128Keyed of it with `salt` as key."""

    id: str = Field(description="Empty for a dry run.")
    state: str = Field(description="counted (a dry run), queued, running, purging, done or failed.")
    kind: str = Field(description="tenant, trace or attribute.")
    attribute_key: str
    hash: str
    salt: str
    who: str
    requested_at: str | None
    updated_at: str | None
    removed: int = Field(description="Rows deleted or rewritten.")
    remaining: int = Field(description="Rows left at the last count.")
    error: str
    tables_done: int
    tables_total: int
    tables: list[DeletionCount]


class Deletions(BaseModel):
    """A tenant's deletions, newest first, without their tables."""

    deletions: list[Deletion]
