"""Whom to tell: a YAML file of targets. Secrets are never in it, but in a variable or a file that it names."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from correlate.errors import NotifyError

SEVERITIES = ("info", "low", "medium", "high", "critical")
_MAX_BYTES = 200_000


class Kind(StrEnum):
    """In which form a target is told."""

    WEBHOOK = "webhook"
    SLACK = "slack"
    ALERTMANAGER = "alertmanager"


class Secret(BaseModel):
    """Where a secret is: a variable of the environment, or a file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    env: str = ""
    file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> Secret:
        if bool(self.env) == (self.file is not None):
            raise ValueError("either env or file")
        return self

    def read(self) -> str:
        """The secret. Raises NotifyError, which does not tell it."""
        if self.env:
            if not os.environ.get(self.env):
                raise NotifyError(f"the variable {self.env} is not set")
            return os.environ[self.env]
        assert self.file is not None
        try:
            return self.file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise NotifyError(f"{self.file}: {error.strerror}") from error


class Target(BaseModel):
    """One system to tell, and of what."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    type: Kind
    url: str = ""
    url_from: Secret | None = None
    secret_from: Secret | None = None
    min_severity: str = Field(default="low", pattern=f"^({'|'.join(SEVERITIES)})$")
    states: list[Annotated[str, Field(pattern="^(open|acknowledged|resolved)$")]] = Field(
        default=["open", "acknowledged", "resolved"], min_length=1
    )
    allow_private: bool = False

    @model_validator(mode="after")
    def _whole(self) -> Target:
        if bool(self.url) == (self.url_from is not None):
            raise ValueError("either url or url_from")
        try:
            checked_url(self.url or "https://read.later")
        except NotifyError as error:
            raise ValueError(str(error)) from error
        return self

    def address(self) -> str:
        """The URL. Raises NotifyError."""
        return checked_url(self.url or (self.url_from.read() if self.url_from else ""))

    @property
    def severities(self) -> list[str]:
        """Severities of which it is told."""
        return list(SEVERITIES[SEVERITIES.index(self.min_severity) :])


class Targets(BaseModel):
    """The file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    link: str = Field(default="http://127.0.0.1:8080", description="Where people reach the API.")
    targets: list[Target] = Field(default_factory=list, max_length=50)

    @model_validator(mode="after")
    def _names(self) -> Targets:
        names = [target.name for target in self.targets]
        if len(set(names)) != len(names):
            raise ValueError("two targets have the same name")
        return self


def checked_url(url: str) -> str:
    """The URL when it is one of http or https without a user in it. Raises NotifyError, which does not tell it."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or "@" in parts.netloc:
        raise NotifyError("a target's URL must be http://HOST/... or https://HOST/..., without a user")
    return url


def read(path: Path) -> Targets:
    """The targets in a file. Raises NotifyError naming the file and the key."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise NotifyError(f"{path}: cannot be read") from error
    if len(text) > _MAX_BYTES:
        raise NotifyError(f"{path}: longer than {_MAX_BYTES} characters")
    try:
        return Targets.model_validate(yaml.safe_load(text) or {})
    except yaml.YAMLError as error:
        raise NotifyError(f"{path}: no YAML: {getattr(error, 'problem', '') or 'unreadable'}") from error
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise NotifyError(f"{path}: {where or 'the file'}: {first['msg']}") from error
