"""A client that leaves takes its queries with it."""

from __future__ import annotations

import time

import httpx
import pytest
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

from api.protocol.cancelled import Cancelling
from api.reads.together import together
from store import Store
from store.cancel import asking, cancel
from store.errors import QueryCancelled
from tests.kit.serving import serving

_LONG = "SELECT sum(cityHash64(number)) FROM numbers(400000000000) WHERE 'very long' != '' SETTINGS max_threads = 1"
_SHORT = "SELECT 1 AS one"


def application(store: Store, ended: list[str]) -> FastAPI:
    """Routes that make long queries and tell how they ended."""
    app = FastAPI()
    app.add_middleware(Cancelling, store=lambda: store)

    def ask() -> None:
        try:
            store.arrow_text(_LONG.split(" SETTINGS")[0], settings={"max_threads": 1})
        except QueryCancelled:
            ended.append("cancelled")

    @app.get("/long")
    def long() -> None:
        ask()

    @app.get("/two")
    def two() -> None:
        together(ask, ask)

    @app.post("/posted")
    async def posted(request: Request) -> str:
        body = await request.body()
        await run_in_threadpool(ask)
        return body.decode()

    @app.api_route("/short", methods=["GET", "POST"])
    async def short(request: Request) -> str:
        body = (await request.body()).decode()
        return body + str((await run_in_threadpool(store.arrow_text, _SHORT))["one"][0])

    return app


def running(store: Store) -> int:
    """Long queries that the engine is at."""
    found = store.arrow_text("SELECT count() AS n FROM system.processes WHERE position(query, {w:String}) > 0 "
                             "AND query NOT LIKE '%system.processes%'", {"w": "very long"})  # fmt: skip
    return int(found["n"][0].as_py())


@pytest.mark.parametrize(
    ("method", "path", "queries"), [("GET", "/long", 1), ("GET", "/two", 2), ("POST", "/posted", 1)]
)
def test_queries_of_a_client_that_left_end(backend_store: Store, method: str, path: str, queries: int) -> None:
    ended: list[str] = []
    with serving(application(backend_store, ended)) as base:
        with pytest.raises(httpx.ReadTimeout):
            httpx.request(method, base + path, content=b"x" * 100_000 if method == "POST" else None, timeout=1.5)
        deadline = time.monotonic() + 10
        while len(ended) < queries and time.monotonic() < deadline:
            time.sleep(0.05)
    assert ended == ["cancelled"] * queries
    assert not running(backend_store)


def test_an_answered_request_is_as_it_was(store: Store) -> None:
    with serving(application(store, [])) as base, httpx.Client(base_url=base) as client:
        for _ in range(5):
            assert client.get("/short").json() == "1"
            assert client.post("/short", content=b"a" * 300_000).json() == "a" * 300_000 + "1"


def test_whoever_is_gone_asks_nothing_more(store: Store) -> None:
    with asking() as mark:
        cancel(store, mark)
        with pytest.raises(QueryCancelled):
            store.arrow_text(_SHORT)
    assert store.arrow_text(_SHORT).num_rows == 1
