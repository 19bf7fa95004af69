"""Committed text that a change must show in review. `REGENERATE_SNAPSHOTS=1 make test` rewrites it."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "snapshots"


def assert_snapshot(name: str, text: str) -> None:
    """Compare `text` with tests/snapshots/NAME, or write it there when asked to."""
    path = FOLDER / name
    if os.environ.get("REGENERATE_SNAPSHOTS"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    committed = path.read_text(encoding="utf-8") if path.is_file() else ""
    assert text == committed, f"{name} changed; if that is meant: REGENERATE_SNAPSHOTS=1 make test"
