"""Where telemetry is kept and how the engine is reached."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator

DEFAULT_TENANT = "default"
# What a tenant may be called, everywhere: it goes into paths, metrics and headers of others without being escaped.
TENANT_PATTERN = r"^[a-z0-9_-]{1,64}$"


class Home(StrEnum):
    """The three places the same tables can live."""

    EMBEDDED = "embedded"
    SERVER = "server"
    CLUSTER = "cluster"


class StoreSettings(BaseModel):
    """Settings of the store; every field is described in docs/settings.md."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(
        description="`chdb://PATH` for the embedded engine, `http(s)://` or `clickhouse://` for a ClickHouse server."
    )
    database: str = Field(
        default="default", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", description="Database that holds all tables."
    )
    cluster: str = Field(
        default="",
        pattern=r"^[A-Za-z0-9_.-]*$",
        description="Cluster name; when set, DDL runs ON CLUSTER and tables are replicated.",
    )
    max_clients: int = Field(default=16, ge=1, le=256, description="Most engine handles open at once.")
    query_timeout_s: float = Field(default=60.0, gt=0, description="A read running longer is stopped by the engine.")

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        scheme = urlsplit(url).scheme
        if scheme not in {"chdb", "http", "https", "clickhouse"}:
            raise ValueError("the store URL must start with chdb://, http://, https:// or clickhouse://")
        return url

    @property
    def home(self) -> Home:
        """Which of the three homes the URL and cluster name select."""
        if self.url.startswith("chdb://"):
            return Home.EMBEDDED
        return Home.CLUSTER if self.cluster else Home.SERVER

    @property
    def place(self) -> str:
        """The URL without what may be a password."""
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2], query=""))

    @property
    def path(self) -> Path:
        """Data directory of the embedded engine."""
        if self.home is not Home.EMBEDDED:
            raise ValueError("only an embedded store has a data directory")
        return Path(self.url.removeprefix("chdb://")).expanduser().resolve()

    @classmethod
    def embedded(cls, path: Path | str) -> StoreSettings:
        """Settings for an embedded store under `path`."""
        return cls(url=f"chdb://{Path(path).expanduser().resolve()}")
