"""Where telemetry about Causeline itself goes."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class TelemetrySettings(BaseModel):
    """Settings of our own telemetry; every field is described in docs/settings.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    endpoint: str = Field(
        default="",
        pattern=r"^(https?://\S+)?$",
        description="OTLP/HTTP address for Causeline's own metrics and spans; unless given, that of "
        "OTEL_EXPORTER_OTLP_ENDPOINT. With neither nothing is sent.",
    )
    interval_s: float = Field(default=60.0, ge=1, description="Seconds between exports of metrics.")
    self_ingest: bool = Field(
        default=False, description="Whether the endpoint may be a port of this very process, so that it stores its own."
    )
