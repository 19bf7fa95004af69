"""Limits and durability of the receiver."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from ingest import redaction_policy

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
    max_batch_memory_bytes: int = Field(
        default=1024 * MIB,
        ge=64 * MIB,
        description="Memory the engine may use for one batch; a request that alone needs more is answered 413.",
    )
    writers: int = Field(default=2, ge=1, le=16, description="Batches written at the same time.")
    commit_timeout_s: float = Field(
        # Answered within three seconds, and not a moment after.
        default=2.8,
        gt=0,
        description="A request not stored after this long is answered 503; its retry joins the write under way.",
    )
    tenant_share: float = Field(
        default=0.75,
        gt=0,
        le=1,
        description="Most of the bytes in flight that one tenant may hold, so that there is always room for another.",
    )
    tenant_bytes_per_s: int = Field(
        default=0,
        ge=0,
        description="Most bytes a second that a tenant may send, decompressed, over ten seconds; 0 is no such limit.",
    )
    quota_status: Literal[429, 503] = Field(
        default=503,
        description="The answer to a tenant beyond its bytes a second. Python exporters up to 1.44 drop on 429.",
    )
    max_future_s: int = Field(
        default=3600, ge=0, description="Items with a time later than now and this many seconds are rejected."
    )
    max_age_s: int = Field(
        default=0,
        ge=0,
        description="Items older than this many seconds are rejected; 0 accepts any age, so that replays work.",
    )
    max_resources: int = Field(
        default=20_000, ge=1, description="Most resources in one request; beyond it: 413. Empty ones take 2 bytes each."
    )
    max_value_depth: int = Field(
        # Protobuf's own libraries give up at 34 maps or 50 arrays.
        default=32,
        ge=1,
        description="Deepest nesting of arrays and maps in attributes and bodies; beyond it: 400 for the request.",
    )
    max_attributes: int = Field(
        default=1024,
        ge=1,
        description="Most attributes of an item, its resource, its scope, or an event or link; items with more are "
        "rejected.",
    )
    max_value_bytes: int = Field(
        default=64 * 1024,
        ge=1,
        description="Longest attribute value; items with a longer one are rejected. Where there are arrays and maps, "
        "all values together may take eight times as much memory.",
    )
    max_log_body_bytes: int = Field(
        default=MIB, ge=1, description="Longest body of a log record; records with a longer one are rejected."
    )
    max_series: int = Field(
        default=1_000_000,
        ge=0,
        description="Metric series that a tenant may have within an hour; beyond that, points of further series "
        "are rejected until it has fewer again. Counted every ten looks at the store; 0 is no such limit.",
    )
    min_free_bytes: int = Field(
        default=1024 * MIB,
        ge=0,
        description="Requests are answered 503 while the store's disk has less room than this.",
    )
    min_free_ratio: float = Field(
        default=0.05, ge=0, lt=1, description="The same, as a share of the disk; the larger of both counts."
    )
    max_parts_ratio: float = Field(
        default=0.8,
        gt=0,
        le=1,
        description="Requests are answered 503 above this share of the parts at which the engine refuses inserts.",
    )
    watch_interval_s: float = Field(default=1.0, gt=0, description="How often the store's room is looked at.")
    redaction_policy: Path | None = Field(
        default=None,
        description="Redaction policy file (TOML); without one the ready-made rules for credentials apply.",
    )
    redaction_key_file: Path | None = Field(
        default=None, description="File with the key of redaction rules that hash: 16 bytes at least."
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

    @model_validator(mode="after")
    def _usable_policy(self) -> IngestSettings:
        # A policy that cannot be used stops the start, with its one sentence.
        redaction_policy.check(self.redaction_policy, self.redaction_key_file)
        return self
