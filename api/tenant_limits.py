"""What one tenant may take, where that differs from what all others may."""

from __future__ import annotations

from pydantic import Field

from ingest.limits import TenantLimits


class ApiTenantLimits(TenantLimits):
    """Limits of one tenant, of what it sends and of what it asks."""

    requests_per_minute: int | None = Field(
        default=None, ge=1, description="Requests to the API within a minute, of all the tenant's keys together."
    )
    requests_at_once: int | None = Field(
        default=None, ge=1, description="Requests to the API that are answered at once."
    )
