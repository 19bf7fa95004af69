"""Generated migrations are what their generators write."""

from __future__ import annotations

from types import ModuleType

import pytest

from scripts import generate_admission, generate_landing


@pytest.mark.parametrize("generator", [generate_landing, generate_admission])
def test_the_migration_is_what_the_generator_writes(generator: ModuleType) -> None:
    assert generator.TARGET.read_text(encoding="utf-8") == generator.migration(), f"run python -m {generator.__name__}"
