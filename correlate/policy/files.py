"""Reading policy files: YAML to checked models, with complaints that name file, line, key and what is allowed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ValidationError

from correlate.errors import PolicyError
from correlate.policy import models
from correlate.policy.models import Override, PolicyFile, SiteRule
from correlate.rules import RULES

MAX_BYTES = 1_000_000
Path_ = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Policy:
    """What all files together say; `version` names their text, '' when there are none."""

    version: str = ""
    disabled: frozenset[str] = frozenset()
    overrides: tuple[Override, ...] = ()
    rules: tuple[SiteRule, ...] = ()


@dataclass(frozen=True, slots=True)
class Document:
    """A YAML file: its text, data, and the line of every key."""

    path: Path
    text: str
    data: Any
    lines: dict[Path_, int] = field(default_factory=dict)

    def at(self, where: Sequence[str | int]) -> str:
        """`file:line` of a key, or of the nearest one around it."""
        found = tuple(where)
        while found and found not in self.lines:
            found = found[:-1]
        return f"{self.path}:{self.lines.get(found, 1)}"


def files_of(path: Path) -> list[Path]:
    """The file itself, or the .yaml and .yml files of a folder by name. Raises PolicyError when there is nothing."""
    if path.is_dir():
        return sorted(found for found in path.iterdir() if found.suffix in {".yaml", ".yml"})
    if not path.is_file():
        raise PolicyError([f"{path}: there is no such file or folder"])
    return [path]


def read(paths: Iterable[Path]) -> Policy:
    """The policy that the files say together.

    Raises PolicyError with every complaint about every file.
    """
    complaints: list[str] = []
    said: list[tuple[Document, PolicyFile]] = []
    digest = hashlib.blake2b(digest_size=6)
    for path in paths:
        try:
            document = _document(path)
            said.append((document, _checked(document)))
            digest.update(document.text.encode())
        except PolicyError as error:
            complaints += error.complaints
    complaints += _across(said)
    if complaints:
        raise PolicyError(complaints)
    files = [file for _, file in said]
    return Policy(
        version=digest.hexdigest() if files else "",
        disabled=frozenset(name for file in files for name in file.disabled),
        overrides=tuple(override for file in files for override in file.overrides),
        rules=tuple(rule for file in files for rule in file.rules),
    )


def _document(path: Path) -> Document:
    try:
        raw = path.read_bytes()
        text = raw.decode()
    except OSError as error:
        raise PolicyError([f"{path}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise PolicyError([f"{path}: not UTF-8 text"]) from error
    if len(raw) > MAX_BYTES:
        raise PolicyError([f"{path}: larger than {MAX_BYTES:,} bytes"])
    lines: dict[Path_, int] = {}
    loader = yaml.SafeLoader(text)
    try:
        node = loader.get_single_node()
        _index(node, (), lines, path, set())
        return Document(path, text, loader.construct_document(node) if node else None, lines)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise PolicyError([f"{where}: not YAML: {getattr(error, 'problem', None) or error}"]) from error
    finally:
        loader.dispose()


def _index(node: Any, at: Path_, lines: dict[Path_, int], path: Path, seen: set[int]) -> None:
    """Note every key's line. An alias would let a small file say very much, so there are none."""
    if node is None:
        return
    if id(node) in seen:
        raise PolicyError([f"{path}:{node.start_mark.line + 1}: anchors and aliases are not allowed"])
    seen.add(id(node))
    lines.setdefault(at, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            name = (*at, str(key.value))
            if name in lines:
                raise PolicyError([f"{path}:{key.start_mark.line + 1}: `{key.value}` is given twice"])
            lines[name] = key.start_mark.line + 1
            _index(value, name, lines, path, seen)
    elif isinstance(node, yaml.SequenceNode):
        for number, value in enumerate(node.value):
            _index(value, (*at, number), lines, path, seen)


def _checked(document: Document) -> PolicyFile:
    try:
        return PolicyFile.model_validate(document.data)
    except ValidationError as error:
        found = error.errors(include_url=False)
        raise PolicyError([_complaint(document, detail) for detail in found]) from error


def _complaint(document: Document, detail: Mapping[str, Any]) -> str:
    where = detail["loc"]
    key = ".".join(str(part) for part in where) or "the file"
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] == "extra_forbidden":
        message = f"there is no such key; {_allowed(where[:-1])}"
    elif detail["type"] == "missing":
        message = "is missing"
    return f"{document.at(where)}: {key}: {message}"


def _allowed(where: Path_) -> str:
    model: type[BaseModel] | None = PolicyFile
    for part in where:
        if isinstance(part, int) or model is None:
            continue
        model = _INNER.get(part, models.Test if part not in model.model_fields else None)
    names = [info.alias or name for name, info in model.model_fields.items()] if model else []
    return f"allowed are {', '.join(names)}"


_INNER: dict[str, type[BaseModel]] = {
    "overrides": Override, "rules": SiteRule, "threshold": models.Threshold, "match": models.Match, "rate": models.Rate,
    "absence": models.Absence, "co_occurrence": models.CoOccurrence, "all_of": models.Source, "where": models.Source,
}  # fmt: skip


def _across(said: list[tuple[Document, PolicyFile]]) -> list[str]:
    """What only all files together can get wrong: names taken twice, and names of rules that do not exist."""
    built_in = {rule.name for rule in RULES}
    complaints = []
    taken: dict[str, str] = dict.fromkeys(built_in, "a built-in rule")
    for document, file in said:
        for number, rule in enumerate(file.rules):
            where = document.at(("rules", number, "name"))
            if rule.name in taken:
                complaints.append(f"{where}: rules.{number}.name: {rule.name!r} is {taken[rule.name]} already")
            taken.setdefault(rule.name, f"the rule at {where}")
    for document, file in said:
        named = [(("disabled", number), name) for number, name in enumerate(file.disabled)]
        named += [(("overrides", n, "rule"), o.rule) for n, o in enumerate(file.overrides) if o.rule]  # type: ignore[misc]
        complaints += [
            f"{document.at(where)}: {'.'.join(map(str, where))}: there is no rule {name!r}; `causeline rules` lists all"
            for where, name in named
            if name not in taken
        ]
    return complaints
