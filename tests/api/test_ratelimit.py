"""A client that asks too often is told to wait; others, and health checks, are not."""

from __future__ import annotations

import httpx

from api.app import create_app
from api.deps import Services
from api.reading import Reader
from store import Store
from tests.kit.serving import serving


def test_the_limit_of_a_minute(store: Store) -> None:
    services = Services(Reader(store, "default"), lambda *_: "", requests_per_minute=3)
    with serving(create_app(services)) as url, httpx.Client(base_url=url) as client:
        answers = [client.get("/openapi.json") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[-1].headers["content-type"] == "application/problem+json"
        assert int(answers[-1].headers["retry-after"]) > 0
        assert client.get("/healthz").status_code == 200
