"""Where telemetry is kept and how the engine is reached."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

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
        description="Name of the cluster in the server's `remote_servers`; tables are then divided among its shards.",
    )
    nodes: tuple[str, ...] = Field(
        default=(),
        description="HTTP URL of every node of the cluster, replicas included: each is given the DDL then. Without, "
        "DDL runs ON CLUSTER, which takes Keeper.",
    )
    replicated: bool = Field(
        default=True,
        description="Whether a cluster's tables are replicated, which takes Keeper and macros on each node.",
    )
    insert_quorum: str = Field(
        default="auto",
        pattern=r"^(auto|[0-9]+)$",
        description="Replicas that have an insert before it counts as stored; `auto` is most of them, `0` any one.",
    )
    password_file: Path | None = Field(
        default=None, description="File with the password of the user that `url` and `nodes` name."
    )
    query_url: str = Field(
        default="",
        description="The server's URL with the user that reads of a tenant run as (`causeline migrate --users`); the "
        "one of `url` unless given.",
    )
    tenant_setting: str = Field(
        default="SQL_tenant",
        pattern=r"^(SQL_|custom_)?[A-Za-z][A-Za-z0-9_]*$",
        description="Setting that tells row policies whose rows are read: one that the server declares with "
        "`custom_settings_prefixes` (`SQL_` or `custom_`), or a text setting of its own that nothing else uses.",
    )
    query_password_file: Path | None = Field(default=None, description="File with the password of that user.")
    max_clients: int = Field(default=16, ge=1, le=256, description="Most engine handles open at once.")
    query_timeout_s: float = Field(default=60.0, gt=0, description="A read running longer is stopped by the engine.")

    @field_validator("url")
    @classmethod
    def _known_scheme(cls, url: str) -> str:
        scheme = urlsplit(url).scheme
        if scheme not in {"chdb", "http", "https", "clickhouse"}:
            raise ValueError("the store URL must start with chdb://, http://, https:// or clickhouse://")
        return url

    @model_validator(mode="after")
    def _fits_together(self) -> StoreSettings:
        if self.nodes and not self.cluster:
            raise ValueError("nodes are those of a cluster: name it too")
        if self.url.startswith("chdb://") and (self.cluster or self.query_url):
            raise ValueError("the embedded engine has neither nodes nor users")
        return self

    @property
    def password(self) -> str:
        """The password of `url`'s user; empty when it has none of its own. Raises OSError."""
        return _read(self.password_file)

    @property
    def query_password(self) -> str:
        """The password of the user who reads. Raises OSError."""
        return _read(self.query_password_file)

    def tenant_value(self, tenant: str) -> str:
        """What `tenant_setting` is set to for a tenant: the server reads declared settings as literals."""
        if not self.tenant_setting.startswith(("SQL_", "custom_")):
            return tenant
        escaped = tenant.replace("\\", "\\\\").replace("'", "\\'")
        return f"'{escaped}'"

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


def _read(path: Path | None) -> str:
    return path.read_text(encoding="utf-8").strip() if path else ""
