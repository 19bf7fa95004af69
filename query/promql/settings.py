"""How far one PromQL query may go, and which resource attributes are labels."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

PROMOTED = (
    "host.name", "k8s.cluster.name", "k8s.namespace.name", "k8s.node.name", "k8s.pod.name", "k8s.container.name",
    "k8s.deployment.name", "k8s.statefulset.name", "k8s.daemonset.name", "k8s.job.name", "gpu.uuid", "hw.id",
    "cloud.availability_zone", "cloud.region", "deployment.environment.name", "service.version",
)  # fmt: skip


class PromqlSettings(BaseModel):
    """Settings of PromQL; every field is described in docs/settings.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeout_s: float = Field(default=30.0, gt=0, description="Seconds after which a query is stopped.")
    lookback_s: float = Field(default=300.0, gt=0, description="How old a sample may be and still be the current one.")
    max_samples: int = Field(
        default=20_000_000, ge=1, description="Most samples and cells of one query, about 30 bytes of memory each."
    )
    max_series: int = Field(default=100_000, ge=1, description="Most series that one selector may find.")
    promoted: tuple[str, ...] = Field(
        default=PROMOTED,
        description="Resource attributes that become labels of every series; job and instance always are.",
    )
    at_once: int = Field(default=4, ge=1, le=64, description="Queries evaluated at once; others wait for their turn.")
