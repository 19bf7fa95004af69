"""The repository's own source, parsed: what architecture tests look at."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("api", "correlate", "ingest", "query", "store")


@dataclass(frozen=True)
class Module:
    """One source file: its path relative to the repository, its text and its syntax tree."""

    path: str
    text: str
    tree: ast.Module

    @property
    def name(self) -> str:
        """Dotted import name."""
        return self.path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    @property
    def package(self) -> str:
        """Which of the four packages it belongs to."""
        return self.path.split("/", 1)[0]

    def imports(self) -> set[str]:
        """Dotted names of everything imported anywhere in the file."""
        found: set[str] = set()
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Import):
                found.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module)
        return found

    def calls(self) -> Iterator[tuple[int, str]]:
        """Line and dotted text of every call's target: `frame.collect`, `datetime.now`."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Call):
                yield node.lineno, _target(node.func)

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Every function and method."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield node


def _target(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_target(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


@cache
def modules() -> tuple[Module, ...]:
    """Every module of the four packages."""
    paths = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
    return tuple(_parse(path) for path in paths)


def _parse(path: Path) -> Module:
    text = path.read_text(encoding="utf-8")
    return Module(path.relative_to(ROOT).as_posix(), text, ast.parse(text))
