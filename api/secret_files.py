"""Settings from files: CAUSELINE_NAME_FILE names a file that holds what CAUSELINE_NAME would, a secret say.

Container platforms hand secrets over as files; a variable shows in the list of processes and in crash reports.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel
from pydantic_settings import EnvSettingsSource

from api.errors import UsageError

_SUFFIX = "_FILE"
_MOST_BYTES = 65_536


class FromFiles(EnvSettingsSource):
    """Variables, and what is in the files that variables `*_FILE` name, for settings whose own name that is not."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        names = setting_names(self.settings_cls)
        variables = dict(super()._load_env_vars())
        for name in sorted(names):
            path = variables.get((name + _SUFFIX).lower())
            if path and name + _SUFFIX not in names:
                if name.lower() in variables:
                    raise UsageError(f"{name} and {name}{_SUFFIX} are both set: one is enough")
                del variables[(name + _SUFFIX).lower()]
                variables[name.lower()] = _content(name, path)
        return variables


def setting_names(model: type[BaseModel], prefix: str = "CAUSELINE_") -> set[str]:
    """The variables of all settings of `model`, nested ones included."""
    return set(_names(model, prefix))


def _names(model: type[BaseModel], prefix: str) -> Iterator[str]:
    for name, field in model.model_fields.items():
        kinds = (field.annotation, *get_args(field.annotation))
        # What is by name, by tenant say, is one variable.
        inner = [kind for kind in kinds if _is_model(kind)] if get_origin(field.annotation) is not dict else []
        if inner:
            yield from _names(inner[0], f"{prefix}{name.upper()}__")
        else:
            yield f"{prefix}{name.upper()}"


def _is_model(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _content(name: str, path: str) -> str:
    try:
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(_MOST_BYTES + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not text"
        raise UsageError(f"{name}{_SUFFIX}: {path} cannot be read: {reason}") from error
    if not text or len(text) > _MOST_BYTES:
        raise UsageError(f"{name}{_SUFFIX}: {path} is empty, or far too large for a setting")
    return text
