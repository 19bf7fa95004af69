"""Whoever waits for a store that hangs is told so; nobody else notices."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from api.protocol.cutoff import Cutoff
from tests.kit.serving import serving


class Hanging:
    """A store that hangs while `answers` is clear; `known` is what is known of that."""

    def __init__(self) -> None:
        self.answers = threading.Event()
        self.answers.set()
        self.asked = threading.Event()
        self.known = threading.Event()
        self.known.set()

    def ask(self) -> str:
        self.asked.set()
        self.answers.wait(30)
        return "found"


@pytest.fixture
def hanging() -> Iterator[tuple[Hanging, str]]:
    store, app = Hanging(), FastAPI()

    @app.get("/ask")
    def ask() -> dict[str, str]:
        return {"answer": store.ask()}

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @app.get("/stream")
    def stream() -> StreamingResponse:
        def lines() -> Iterator[str]:
            yield "first\n"
            store.ask()
            yield "second\n"

        return StreamingResponse(lines())

    with serving(Cutoff(app, store.known.is_set)) as url:
        yield store, url
        store.answers.set()


def test_a_question_under_way_is_answered_when_the_store_is_known_to_hang(hanging: tuple[Hanging, str]) -> None:
    store, url = hanging
    assert httpx.get(f"{url}/ask", timeout=30).json() == {"answer": "found"}
    store.answers.clear()
    store.asked.clear()
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(httpx.get, f"{url}/ask", timeout=30)
        assert store.asked.wait(30)
        time.sleep(0.5)
        assert not waiting.done()
        store.known.clear()
        answer = waiting.result(30)
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "2"
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["type"] == "urn:causeline:problem:store-unavailable"


def test_that_the_process_lives_is_said_all_the_same(hanging: tuple[Hanging, str]) -> None:
    store, url = hanging
    store.known.clear()
    assert httpx.get(f"{url}/healthz", timeout=30).status_code == 200


def test_an_answer_that_has_begun_goes_on(hanging: tuple[Hanging, str]) -> None:
    store, url = hanging
    store.answers.clear()
    with httpx.stream("GET", f"{url}/stream", timeout=30) as answer:
        lines = answer.iter_lines()
        assert next(lines) == "first"
        store.known.clear()
        time.sleep(0.5)
        store.answers.set()
        assert list(lines) == ["second"]


def test_many_that_wait_are_all_told_and_the_next_ones_are_served_afterwards(hanging: tuple[Hanging, str]) -> None:
    store, url = hanging
    store.answers.clear()
    with ThreadPoolExecutor(60) as pool:
        waiting = [pool.submit(httpx.get, f"{url}/ask", timeout=60) for _ in range(60)]
        assert store.asked.wait(30)
        store.known.clear()
        assert {answer.result(60).status_code for answer in waiting} == {503}
    store.answers.set()
    store.known.set()
    assert httpx.get(f"{url}/ask", timeout=60).json() == {"answer": "found"}
