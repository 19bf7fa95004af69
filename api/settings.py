"""All settings in one place: this module composes, each package describes its own."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from api.access.oidc import OidcSettings
from api.own_telemetry.telemetry_settings import TelemetrySettings
from api.secret_files import FromFiles
from api.tenant_limits import ApiTenantLimits
from api.tls import TlsSettings
from correlate.broker import BrokerSettings
from correlate.settings import CorrelateSettings
from ingest.settings import IngestSettings
from query.promql.settings import PromqlSettings
from store.retention.settings import RetentionSettings
from store.settings import DEFAULT_TENANT, TENANT_PATTERN, StoreSettings

LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def default_data_directory() -> Path:
    """The user's data directory (https://specifications.freedesktop.org/basedir-spec/latest/)."""
    base = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return Path(base).expanduser() / "causeline"


class Settings(BaseSettings):
    """Settings of a running system. Variables are CAUSELINE_NAME; nested ones CAUSELINE_STORE__NAME."""

    model_config = SettingsConfigDict(env_prefix="CAUSELINE_", env_nested_delimiter="__", frozen=True, extra="forbid")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The command line, then variables and the files that they name."""
        return init_settings, FromFiles(settings_cls)

    data: Path = Field(default_factory=default_data_directory, description="Data directory of the embedded store.")
    host: str = Field(
        default="127.0.0.1", description="Address to listen on; only loopback while there are no access keys."
    )
    otlp_grpc_port: int = Field(default=4317, ge=0, le=65535, description="OTLP/gRPC port; 0 picks a free one.")
    otlp_http_port: int = Field(default=4318, ge=0, le=65535, description="OTLP/HTTP port; 0 picks a free one.")
    api_port: int = Field(default=8080, ge=0, le=65535, description="API port; 0 picks a free one.")
    otlp_tls: TlsSettings | None = Field(default=None, description="Certificate of the OTLP ports.")
    api_tls: TlsSettings | None = Field(default=None, description="Certificate of the API's port.")
    max_connections: int = Field(
        default=1000, ge=1, description="Connections open at once on each port; more are turned away."
    )
    max_connections_per_address: int = Field(
        default=500,
        ge=1,
        description="Connections open at once from one address on each HTTP port; behind a proxy all come from one.",
    )
    api_requests_per_minute: int = Field(
        default=6000,
        ge=0,
        description="Requests to the API that one key, or address, may make in a minute; 0 is no limit.",
    )
    api_streams: int = Field(
        default=50, ge=0, description="Clients that may follow one tenant's incidents at once; more are turned away."
    )
    tenant: str = Field(
        default=DEFAULT_TENANT,
        pattern=TENANT_PATTERN,
        description="The installation's own tenant: of what comes without a key; its administrators make keys for all.",
    )
    require_keys: bool = Field(
        default=False, description="Refuse requests without a key even while there is none; with one they are anyway."
    )
    keys_file: Path | None = Field(
        default=None, description="YAML file with access keys beside those of the store, for secrets (access.md)."
    )
    tenants: dict[Annotated[str, StringConstraints(pattern=TENANT_PATTERN)], ApiTenantLimits] = Field(
        default={},
        description="Limits of tenants for whom others hold than for the rest, as JSON (access.md).",
    )
    api_requests_at_once: int = Field(
        # Forty threads answer them all.
        default=24,
        ge=0,
        description="Requests to the API of one tenant that are answered at once; 0 is no limit.",
    )
    oidc: OidcSettings | None = Field(default=None, description="An OpenID Connect provider, for people.")
    roles: Path | None = Field(
        default=None, description="YAML file that says what people of the provider may do (access.md)."
    )
    health_port: int = Field(
        default=8081, ge=0, le=65535, description="Port where a worker or beat says how it is; 0 picks a free one."
    )
    drain_notice_s: float = Field(
        default=0.0,
        ge=0,
        le=60,
        description="Seconds between a stop that /readyz tells of and the first request that is refused for it.",
    )
    stop_within_s: float = Field(
        default=9.0, gt=0, description="Seconds after which a process that is told to stop ends, whatever hangs."
    )
    log_level: str = Field(
        default="warning", pattern="^(debug|info|warning|error)$", description="Least severe line to log."
    )
    policy: Path | None = Field(
        default=None, description="Policy file, or folder of .yaml files, with overrides and site rules (policy.md)."
    )
    store: StoreSettings | None = Field(
        default=None, description="A store elsewhere; the embedded one under `data` unless given."
    )
    broker_url: str | None = Field(
        default=None, description="The broker's URL, `redis://HOST:PORT/DB` say; CAUSELINE_BROKER__URL is the same."
    )
    broker: BrokerSettings = Field(default_factory=BrokerSettings)
    ingest: IngestSettings = Field(default_factory=IngestSettings)
    telemetry: TelemetrySettings = Field(default_factory=TelemetrySettings)
    correlate: CorrelateSettings = Field(default_factory=CorrelateSettings)
    promql: PromqlSettings = Field(default_factory=PromqlSettings)
    retention: RetentionSettings = Field(default_factory=RetentionSettings)

    @field_validator("keys_file", "roles")
    @classmethod
    def _absolute(cls, path: Path | None) -> Path | None:
        # The process works from the data directory once it has started.
        return path and path.absolute()

    @property
    def correlator(self) -> CorrelateSettings:
        """The correlator's settings, with the policy given here."""
        return self.correlate if self.policy is None else self.correlate.model_copy(update={"policy": self.policy})

    @property
    def message_broker(self) -> BrokerSettings:
        """The broker's settings, with the URL given here."""
        if self.broker_url is None:
            return self.broker
        return BrokerSettings.model_validate(self.broker.model_dump() | {"url": self.broker_url})

    @property
    def store_settings(self) -> StoreSettings:
        """The store to use: the one given, or an embedded one under `data`."""
        return self.store or StoreSettings.embedded(self.data)
