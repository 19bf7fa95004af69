"""How far the correlator looks, how often it runs and when it speaks up."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class CorrelateSettings(BaseModel):
    """Settings of the correlator; every field is described in docs/settings.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    history_s: float = Field(
        default=7200.0, ge=600, description="Seconds of telemetry before a window that rules compare it with."
    )
    step_s: int = Field(default=900, ge=60, multiple_of=60, description="Length in seconds of one back-fill window.")
    policy: Path | None = Field(
        default=None, description="Policy file, or folder of them, in force; CAUSELINE_POLICY is the same, and shorter."
    )
    series_shards: int = Field(
        default=1, ge=1, le=64,
        description="Parts, by series hash, in which a window's metrics are read: more take less memory and more time.",
    )  # fmt: skip
    max_spans: int = Field(
        default=500_000,
        ge=0,
        description="Spans of a window and its history that rules look at; of more, whole traces are left out, chosen "
        "by their ids. 0 is no limit.",
    )
    notifications: Path | None = Field(
        default=None, description="File of webhooks, Slack and Alertmanager targets that are told of incidents."
    )
    live_every_s: float = Field(default=15.0, ge=1, description="Seconds between live passes.")
    live_window_s: int = Field(
        default=180, ge=60, multiple_of=30, description="Seconds of recent telemetry that a live pass judges."
    )
    horizon_s: float = Field(
        default=7200.0, ge=600, description="Seconds around a window from which signals can join its incidents."
    )
    min_score: float = Field(
        default=3.0, ge=0, description="Signals weaker than this are dropped (0 nothing, 3 notable, 10 certain)."
    )
    max_candidates: int = Field(default=10, ge=1, le=100, description="Root-cause candidates kept per incident.")
    open_score: float = Field(
        default=3.7, ge=0, description="Score at which a single fact opens an incident; weaker ones add up to it."
    )
    split_score: float = Field(
        default=7.0, ge=0, description="The same for a second fault found inside an incident, which must be surer."
    )
    quiet_s: float = Field(
        default=180.0, ge=0, description="Seconds without a symptom after which an incident counts as resolved."
    )
    cooldown_s: float = Field(
        default=900.0, ge=0, description="Seconds after an incident's end in which the same first cause reopens it."
    )
    max_hops: int = Field(
        default=3, ge=1, le=5, description="Topology steps that a cause may reach across, silent ones included."
    )
    hop_decay: float = Field(
        default=0.8, gt=0, le=1, description="Factor on a causal link's weight for each topology step."
    )
    max_attempts: int = Field(
        default=5, ge=1, description="Times a failing window of a job is tried before it is quarantined."
    )
    lease_s: float = Field(
        default=300.0, ge=1, description="Seconds a worker may take for a window before others take it for dead."
    )
    sweep_every_s: float = Field(
        default=30.0, ge=1, description="Seconds between looks for jobs that nobody works on and for late telemetry."
    )
    backfill_threads: int = Field(
        default=1, ge=1, le=16, description="Windows of back-fills that one worker process judges at a time."
    )
    live_threads: int = Field(
        default=1, ge=1, le=64, description="Live passes, of different tenants, that one worker process does at a time."
    )
    late_s: float = Field(
        default=21600.0,
        ge=0,
        description="Telemetry this many seconds old that arrives after its time was judged has it judged again.",
    )
    late_windows: int = Field(
        default=8, ge=1, le=1000, description="Windows with late telemetry that one sweep queues at most."
    )
