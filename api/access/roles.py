"""Which people may do what: a file that operators version, from claims of tokens to roles, and from roles to scopes."""

from __future__ import annotations

import hashlib
import logging
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api.access.scopes import Scope, granted
from api.access.text_file import read_text
from api.errors import BadAccess
from store.settings import DEFAULT_TENANT, TENANT_PATTERN

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Granted:
    """What somebody may do, and with whose telemetry."""

    tenant: str
    scopes: frozenset[Scope]


class Role(BaseModel):
    """A name for scopes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scopes: list[Scope] = Field(min_length=1)


class Grant(BaseModel):
    """Who has this value of a claim, or in it, has the role."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    claim: str = Field(min_length=1)
    value: str = Field(min_length=1)
    role: str
    tenant: str = Field(default=DEFAULT_TENANT, pattern=TENANT_PATTERN)

    def fits(self, claims: dict[str, Any]) -> bool:
        """Whether these claims earn it."""
        found = _claim(claims, self.claim)
        return self.value in found if isinstance(found, list) else self.value == found


class RolesFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1]
    roles: dict[str, Role] = Field(min_length=1)
    grants: list[Grant] = Field(max_length=10_000)

    @model_validator(mode="after")
    def _known(self) -> RolesFile:
        unknown = sorted({grant.role for grant in self.grants} - set(self.roles))
        if unknown:
            raise ValueError(f"there is no role {unknown[0]!r}")
        return self

    def granted(self, claims: dict[str, Any]) -> Granted | None:
        """The tenant of the first grant that fits, and the scopes of all that fit for that tenant; None without one."""
        fitting = [grant for grant in self.grants if grant.fits(claims)]
        if not fitting:
            return None
        tenant = fitting[0].tenant
        scopes = [scope for grant in fitting if grant.tenant == tenant for scope in self.roles[grant.role].scopes]
        return Granted(tenant, granted(scopes))


class Roles:
    """The file, read again when it has changed; what cannot be used changes nothing, and a line of the log says so."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._seen = self._stamp()
        self._held = read(path)

    def current(self) -> RolesFile:
        """What holds now."""
        with self._lock:
            stamp = self._stamp()
            if stamp != self._seen:
                self._seen = stamp
                try:
                    self._held = read(self._path)
                except BadAccess as error:
                    _log.warning("the roles that were known last stay: %s", error)
            return self._held

    def _stamp(self) -> tuple[int, int]:
        try:
            found = self._path.stat()
        except OSError:
            return (0, 0)
        return (found.st_mtime_ns, found.st_size)


def read(path: Path) -> RolesFile:
    """A roles file. Raises BadAccess in one sentence."""
    text = read_text(path)
    try:
        held = RolesFile.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise BadAccess(f"{path} is not YAML: {str(error).splitlines()[0]}") from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise BadAccess(f"{path}: {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}") from None
    _log.info("roles %s of %s are in force", hashlib.sha256(text.encode()).hexdigest()[:12], path)
    return held


def _claim(claims: dict[str, Any], name: str) -> Any:
    """A claim by its name, or by a path with dots into claims that hold others."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for part in name.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
