"""The retention policy: how many days of what are kept for whom, what incidents pin, and what moves to colder disks.

A policy file is TOML (docs/retention.md). Without one everything is kept, on the disk where it was stored.
"""

from __future__ import annotations

import hashlib
import tomllib
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from store.errors import BadRetention

_MOST_BYTES = 256 * 1024
# No month is longer.
_MONTH_DAYS = 31

FOREVER = "forever"
Days = Annotated[int, Field(ge=1, le=36_500)] | Literal["forever"]
TenantName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
SEVERITIES = ("info", "low", "medium", "high", "critical")


class Group(StrEnum):
    """What has days of its own in a policy."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"
    INCIDENTS = "incidents"
    TOPOLOGY = "topology"
    OPERATIONS = "operations"


TELEMETRY = (Group.TRACES, Group.LOGS, Group.METRICS)


class Keep(BaseModel):
    """Days that each group is kept, or "forever"; what is not said is said by the table above, or forever."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    traces: Days | None = None
    logs: Days | None = None
    metrics: Days | None = None
    incidents: Days | None = None
    topology: Days | None = None
    operations: Days | None = None


class Pins(BaseModel):
    """Telemetry around incidents, which stays `months` longer than its days; 0 is no longer."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    months: int = Field(default=0, ge=0, le=120)
    margin_minutes: int = Field(default=30, ge=0, le=1440)
    longest_hours: int = Field(default=24, ge=1, le=24 * 31)
    min_severity: Literal["info", "low", "medium", "high", "critical"] = "medium"

    @property
    def severities(self) -> list[str]:
        """Severities of incidents that pin."""
        return list(SEVERITIES[SEVERITIES.index(self.min_severity) :])


class Tiers(BaseModel):
    """A storage policy of the ClickHouse server, and after how many days telemetry moves to its volume."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    storage_policy: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    volume: str = Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    after_days: dict[Literal["traces", "logs", "metrics"], Annotated[int, Field(ge=1, le=36_500)]] = Field(min_length=1)


class RetentionPolicy(BaseModel):
    """A whole policy file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1] = 1
    keep: Keep = Keep()
    tenant: dict[TenantName, Keep] = {}
    pins: Pins = Pins()
    tiers: Tiers | None = None

    @model_validator(mode="after")
    def _incidents_outlive_what_they_pin(self) -> RetentionPolicy:
        for tenant in ("", *self.tenant):
            incidents = self.days(tenant, Group.INCIDENTS)
            finite = [days for group in TELEMETRY if (days := self.days(tenant, group)) is not None]
            if incidents is None or not self.pins.months or not finite:
                continue
            least = max(finite) + self.pins.months * _MONTH_DAYS
            if incidents < least:
                whose = f"tenant {tenant}: " if tenant else ""
                raise ValueError(
                    f"{whose}incidents must be kept {least} days at least, as long as the telemetry that they pin"
                )
        return self

    def days(self, tenant: str, group: Group) -> int | None:
        """Days that a group is kept for a tenant; None is forever. '' is a tenant that the policy does not name."""
        own = self.tenant.get(tenant)
        said = getattr(own, group) if own is not None else None
        said = getattr(self.keep, group) if said is None else said
        return None if said is None or said == FOREVER else int(said)

    def most_days(self, group: Group) -> int | None:
        """Days after which a group is kept for nobody; None when it is kept forever for somebody."""
        every = [self.days(tenant, group) for tenant in ("", *self.tenant)]
        finite = [days for days in every if days is not None]
        return max(finite) if len(finite) == len(every) else None

    def least_days(self, group: Group) -> int | None:
        """Days before which a group is kept for everybody; None when it is kept forever for everybody."""
        finite = [days for tenant in ("", *self.tenant) if (days := self.days(tenant, group)) is not None]
        return min(finite) if finite else None

    @property
    def name(self) -> str:
        """A name for exactly this policy; '' for the one that keeps everything where it is."""
        if self == RetentionPolicy():
            return ""
        return hashlib.blake2b(self.model_dump_json().encode(), digest_size=8).hexdigest()


def read(path: Path) -> RetentionPolicy:
    """The policy of a file. Raises BadRetention with a sentence for each thing that is wrong."""
    what = f"the retention policy {path}"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadRetention(f"{what} cannot be read: {error.strerror}") from error
    if len(data) > _MOST_BYTES:
        raise BadRetention(f"{what} is larger than {_MOST_BYTES // 1024} KiB")
    try:
        return RetentionPolicy.model_validate({"version": None} | tomllib.loads(data.decode()))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadRetention(f"{what} is not TOML: {error}") from error
    except ValidationError as error:
        said = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'file'}: {e['msg']}" for e in error.errors())
        raise BadRetention(f"{what}: {said}") from error
