"""The API over HTTP on a real store, for every test of this folder that asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from correlate.jobs import submit
from store import Store
from tests.kit.serving import serving


@pytest.fixture
def api(store: Store) -> Iterator[httpx.Client]:
    """A client of the API over `store`."""
    services = Services(Reader(store, "default"), partial(submit, store))
    with serving(create_app(services)) as url, httpx.Client(base_url=url, timeout=120) as client:
        yield client
