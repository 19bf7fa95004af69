"""How much a tenant may send, where that differs from what all others may."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field


class TenantLimits(BaseModel):
    """Limits of one tenant; what is not given is as for all."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    bytes_per_s: int | None = Field(default=None, ge=0, description="Decompressed bytes a second; 0 is no limit.")
    series: int | None = Field(default=None, ge=0, description="Metric series within an hour; 0 is no limit.")


Limits = Mapping[str, TenantLimits]


def bytes_per_s(limits: Limits, tenant: str, usual: int) -> int:
    """What the tenant may send a second; 0 is no limit."""
    own = limits.get(tenant)
    return usual if own is None or own.bytes_per_s is None else own.bytes_per_s


def series(limits: Limits, tenant: str, usual: int) -> int:
    """How many series the tenant may have; 0 is no limit."""
    own = limits.get(tenant)
    return usual if own is None or own.series is None else own.series
