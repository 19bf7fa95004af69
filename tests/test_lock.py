"""The lock files hold what pyproject.toml asks for, with hashes and without any machine's addresses."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).parent.parent
PIN = re.compile(r"^(?P<name>[a-z0-9][a-z0-9._-]*)==(?P<version>[^ ;\\]+)", re.MULTILINE)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
RUNTIME = [Requirement(text) for text in PROJECT["project"]["dependencies"]]
DEVELOPMENT = [Requirement(text) for text in PROJECT["dependency-groups"]["dev"]]


def pins(name: str) -> dict[str, set[Version]]:
    """Distribution name -> versions pinned (more than one where environments differ)."""
    found: dict[str, set[Version]] = {}
    for match in PIN.finditer((ROOT / name).read_text(encoding="utf-8")):
        found.setdefault(canonicalize_name(match["name"]), set()).add(Version(match["version"]))
    return found


@pytest.mark.parametrize(
    ("lock", "wanted"), [("requirements.lock", RUNTIME), ("requirements-dev.lock", RUNTIME + DEVELOPMENT)]
)
def test_the_lock_satisfies_pyproject(lock: str, wanted: list[Requirement]) -> None:
    pinned = pins(lock)
    unmet = [
        str(requirement)
        for requirement in wanted
        if not (versions := pinned.get(canonicalize_name(requirement.name)))
        or not all(requirement.specifier.contains(version, prereleases=True) for version in versions)
    ]
    assert unmet == [], "run `make lock`"


def test_the_development_lock_extends_the_runtime_lock() -> None:
    development = pins("requirements-dev.lock")
    assert {name: development.get(name) for name in pins("requirements.lock")} == pins("requirements.lock")


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-dev.lock", "requirements-uv.lock"])
def test_every_pin_is_hashed_and_no_address_is_named(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")
    blocks = re.split(r"\n(?=[a-z0-9])", text.strip())
    assert [block.splitlines()[0] for block in blocks if PIN.match(block) and "--hash=sha256:" not in block] == []
    assert re.findall(r"://|--(?:extra-)?index|--find-links|^ *-e |file:", text, re.MULTILINE) == []
