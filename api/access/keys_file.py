"""Keys from a file, for secrets that an orchestrator hands out: see docs/access.md for what it looks like."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from api.access import secret
from api.access.scopes import Scope
from api.access.text_file import read_text
from api.errors import BadAccess
from store.keys import StoredKey
from store.settings import DEFAULT_TENANT, TENANT_PATTERN

NAME_PATTERN = r"^[^\x00-\x1f\x7f]{1,100}$"


class FileKey(BaseModel):
    """One key of the file: the key is in a file of its own, or its hash is here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(pattern=NAME_PATTERN)
    tenant: str = Field(default=DEFAULT_TENANT, pattern=TENANT_PATTERN)
    scopes: list[Scope] = Field(min_length=1)
    key_file: Path | None = None
    sha256: str | None = Field(default=None, pattern=r"^[0-9a-f]{64}$")

    @model_validator(mode="after")
    def _one_way(self) -> FileKey:
        if (self.key_file is None) == (self.sha256 is None):
            raise ValueError("either key_file or sha256 is needed")
        return self


class KeysFile(BaseModel):
    """The whole file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1]
    keys: list[FileKey] = Field(min_length=1, max_length=1000)


def read(path: Path) -> list[StoredKey]:
    """The keys of a file. Raises BadAccess, in a sentence without any secret, when it cannot be used."""
    try:
        text = read_text(path)
        held = KeysFile.model_validate(yaml.safe_load(text))
    except yaml.YAMLError as error:
        raise BadAccess(f"{path} is not YAML: {str(error).splitlines()[0]}") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        raise BadAccess(f"{path}: {'.'.join(map(str, first['loc'])) or 'the file'}: {first['msg']}") from None
    found = [_key(path, number, key) for number, key in enumerate(held.keys)]
    if len({key.hash for key in found}) < len(found):
        raise BadAccess(f"{path}: two keys are the same")
    return found


def _key(path: Path, number: int, key: FileKey) -> StoredKey:
    digest, beginning = key.sha256 or "", ""
    if key.key_file is not None:
        # Relative to the file that names it, wherever the process works.
        value = read_text(path.parent / key.key_file).strip()
        if reason := secret.weakness(value):
            raise BadAccess(f"the key in {key.key_file}, named {key.name!r}, cannot be used: {reason}")
        digest, beginning = secret.hashed(value), secret.shown(value)
    elif digest in _EMPTY:
        raise BadAccess(f"{path}: the hash of {key.name!r} is that of an empty key")
    identifier = f"file-{re.sub('[^a-z0-9]+', '-', key.name.lower())[:40]}-{number}"
    return StoredKey(identifier, digest, beginning, key.name, key.tenant, tuple(key.scopes), 0, "file")


_EMPTY = {secret.hashed(""), secret.hashed("\n")}
