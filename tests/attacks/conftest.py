"""The receiver that these tests attack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from store import Store
from tests.attacks.victim import Victim, attackable


@pytest.fixture
def victim(store: Store) -> Iterator[Victim]:
    """A receiver with small limits on an empty store."""
    with attackable(store) as running:
        yield running
