"""Where the retention policy is, and how often it is seen to."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field


class RetentionSettings(BaseModel):
    """Settings of retention; every field is described in docs/settings.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    policy: Path | None = Field(
        default=None, description="Retention policy file (TOML, retention.md); without one everything is kept."
    )
    every_s: float = Field(default=3600.0, ge=1, description="Seconds between looks for what is to be removed.")
    grace_s: float = Field(
        default=3600.0,
        ge=0,
        description="Seconds after which a policy that changed is applied, so that a mistake can be taken back; "
        "`causeline retention apply` does not wait.",
    )
