"""Limits and durability of the receiver."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

MIB = 1024 * 1024


class IngestSettings(BaseModel):
    """Settings of ingest; every field is described in docs/settings.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    receiver: str = Field(
        default="local",
        pattern=r"^[a-z0-9_.-]{1,64}$",
        description="This receiver's name, the same after a restart: at start it deletes what it had left unfinished.",
    )
    max_body_bytes: int = Field(
        default=64 * MIB,
        ge=1,
        description="Largest request body, before and after decompression; beyond it: 413.",
    )
    max_json_bytes: int = Field(
        default=16 * MIB,
        ge=1,
        description="Largest JSON body, before and after decompression: parsed it takes twenty times as much memory.",
    )
    max_inflight_bytes: int = Field(
        default=256 * MIB, ge=1, description="Most bytes of bodies held at once; beyond it requests are answered 503."
    )
    max_batch_bytes: int = Field(
        default=16 * MIB,
        ge=1,
        description="A batch takes no further request beyond this size; the engine needs 30 times as much memory.",
    )
    writers: int = Field(default=2, ge=1, le=16, description="Batches written at the same time.")
    commit_timeout_s: float = Field(
        default=3.0,
        gt=0,
        description="A request not stored after this long is answered 503; its retry joins the write under way.",
    )
    body_timeout_s: float = Field(default=8.0, gt=0, description="Longest time a request body may take to arrive.")
    remember_s: int = Field(
        default=7 * 86_400,
        ge=900,
        description="How long a request sent again is answered 200 without being stored again.",
    )
    remember_in_memory: int = Field(
        default=200_000,
        ge=0,
        description="Requests remembered in memory (about 150 bytes each); older ones are looked up in the ledger.",
    )
    orphaned_after_s: int = Field(
        default=600,
        ge=60,
        description="A batch left unfinished by another receiver for this long is deleted by whichever starts next.",
    )
