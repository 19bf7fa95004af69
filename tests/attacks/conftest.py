"""The receiver that these tests attack."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from store import migrate
from tests.attacks.victim import Victim, attackable
from tests.conftest import Embedded

TRANSPORTS = ("http", "grpc")


@pytest.fixture(scope="module", params=TRANSPORTS)
def module_victim(request: pytest.FixtureRequest, embedded: Embedded) -> Iterator[Victim]:
    """One receiver for a module's tests and each transport: a body is sent to it once, and starting takes seconds."""
    store = embedded.open(f"attacked_{request.param}")
    migrate.apply(store)
    with attackable(store, str(request.param)) as running:
        yield running
    store.command(f"DROP DATABASE {store.settings.database}")


@pytest.fixture
def victim(module_victim: Victim) -> Iterator[Victim]:
    """The receiver, which counts from here, and which must work as well afterwards."""
    module_victim.start_counting()
    yield module_victim
    assert module_victim.works()


over_http = pytest.mark.parametrize("module_victim", ["http"], indirect=True)
over_grpc = pytest.mark.parametrize("module_victim", ["grpc"], indirect=True)
