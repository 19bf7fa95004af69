"""A client that asks too often is told to wait; others, and health checks, are not."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import httpx

from api.access.scopes import Scope
from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from api.tenant_limits import ApiTenantLimits
from store import Store
from tests.kit.keyed import keyed
from tests.kit.serving import serving


def test_the_limit_of_a_minute(store: Store) -> None:
    services = Services(Reader(store, "default"), lambda *_: "", requests_per_minute=3)
    with serving(create_app(services)) as url, httpx.Client(base_url=url) as client:
        answers = [client.get("/openapi.json") for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429, 429]
        assert answers[-1].headers["content-type"] == "application/problem+json"
        assert int(answers[-1].headers["retry-after"]) > 0
        assert client.get("/healthz").status_code == 200


def test_a_key_has_its_own_minute_and_a_tenant_with_a_limit_one_for_all_its_keys(store: Store) -> None:
    own = {"small": ApiTenantLimits(requests_per_minute=4)}
    with keyed(store, requests_per_minute=3, limits=own) as here:
        here.key("root", Scope.ADMIN)
        one, two = (here.key(name, Scope.QUERY, tenant="shop") for name in ("one", "two"))
        assert [here.get("/openapi.json", one).status_code for _ in range(4)] == [200, 200, 200, 429]
        assert here.get("/openapi.json", two).status_code == 200
        small = [here.key(name, Scope.QUERY, tenant="small") for name in ("a", "b")]
        codes = [here.get("/openapi.json", small[n % 2]).status_code for n in range(6)]
        assert codes == [200, 200, 200, 200, 429, 429]


def test_a_tenants_slow_questions_leave_room_for_others(store: Store) -> None:
    own = {"busy": ApiTenantLimits(requests_at_once=2)}
    with keyed(store, limits=own) as here, ThreadPoolExecutor(12) as pool:
        here.key("root", Scope.ADMIN)
        busy, other = here.key("busy", Scope.QUERY, tenant="busy"), here.key("other", Scope.QUERY, tenant="other")
        asked = [pool.submit(here.get, "/api/v1/incidents", busy) for _ in range(12)]
        codes = [each.result().status_code for each in asked]
        assert set(codes) == {200, 429}
        assert codes.count(200) >= 2
        assert [pool.submit(here.get, "/api/v1/incidents", other).result().status_code for _ in range(6)] == [200] * 6
        assert here.get("/api/v1/incidents", busy).status_code == 200
