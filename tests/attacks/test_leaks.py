"""What must not come out: forged lines in logs (A27), secrets (A28, A29), and pages for the curious (A30)."""

from __future__ import annotations

import gzip
import random
import re
import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from store import Store, StoreSettings
from tests.faults.homes import Receiver
from tests.faults.load import Target
from tests.kit.otlp import serialized, span, traces, with_attributes

LINE = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO|WARNING|ERROR) [\w.]+: ")
FORGED = "x\r\n2026-01-01 00:00:00,000 ERROR forged: \x1b[2Jowned\x9b31m\u2028\0"
SECRETS = {
    "authorization": "Bearer zq-authorization-1f6c0d7e55aa41b2",
    "db.dsn": "postgres://admin:zq-dsn-pa55word@db/shop",
    "http.url": "https://x/?api_key=zq-apikey-8d1f60a9c2b34e57",
    "aws": "AKIAZQ7EXAMPLE4KEY99",
    "note": "password=zq-password-93b1",
}
HIDDEN = ("zq-authorization", "zq-dsn", "zq-apikey", "AKIAZQ7", "zq-password")
PROTOBUF = {"Content-Type": "application/x-protobuf"}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Receiver]:
    """A whole system that logs what happens."""
    directory = tmp_path_factory.mktemp("leaks")
    receiver = Receiver(directory / "data", directory / "log", Target(), {"CAUSELINE_LOG_LEVEL": "info"})
    receiver.start()
    receiver.wait()
    yield receiver
    receiver.kill()


def logged(receiver: Receiver) -> str:
    return receiver.log.read_text(encoding="utf-8", errors="replace")


def bodies(text: str) -> list[tuple[bytes, dict[str, str]]]:
    """A good request with a text in it, and the same broken in every way that has a message of its own."""
    seed = random.Random(text)
    item = with_attributes(span(seed, name=text), **{text[:60]: text, **SECRETS})
    good = serialized(traces(item, **{"service.name": text}))
    packed = gzip.compress(good)
    return [
        (good, PROTOBUF),
        (good[:-3], PROTOBUF),
        (good, {**PROTOBUF, "Content-Encoding": "gzip"}),
        (packed[:-5], {**PROTOBUF, "Content-Encoding": "gzip"}),
        (good, {"Content-Type": "application/json"}),
        (f'{{"x": "{text}", {text}'.encode(), {"Content-Type": "application/json"}),
        (good, {"Content-Type": "text/plain"}),
    ]


def test_a_line_of_the_log_is_one_event(running: Receiver) -> None:
    """A27: span names, header values and paths, over sockets where a client would refuse to send them."""
    host, _, port = running.target.url.removeprefix("http://").partition(":")
    raw = [
        f"POST /v1/{FORGED} HTTP/1.1\r\nHost: x\r\n\r\n",
        f"GET /\x1b[2J HTTP/1.1\r\nHost: x\r\nUser-Agent: {FORGED}\r\n\r\n",
        f"POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Type: {FORGED}\r\nContent-Length: 0\r\n\r\n",
        f"POST /v1/traces%0d%0aforged:%20owned HTTP/1.1\r\nHost: x\r\nX-Scope-OrgID: {FORGED}\r\n\r\n",
    ]
    for request in raw:
        with socket.create_connection((host, int(port)), timeout=20) as opened:
            opened.sendall(request.encode())
            opened.shutdown(socket.SHUT_WR)
            while opened.recv(65536):
                pass
    for body, headers in bodies(FORGED):
        httpx.post(f"{running.target.url}/v1/traces", content=body, headers=headers, timeout=30)
    httpx.get(f"{running.api}/api/v1/incidents", params={"q": FORGED, "cursor": FORGED}, timeout=30)
    text = logged(running)
    assert "owned" not in text
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]", text)
    assert [line for line in text.splitlines() if not LINE.match(line)] == []


def test_secrets_stay_out_of_logs_and_answers(running: Receiver) -> None:
    """A28."""
    answers = []
    for body, headers in bodies("zq"):
        sent = {**headers, "Authorization": SECRETS["authorization"]}
        answers.append(httpx.post(f"{running.target.url}/v1/traces", content=body, headers=sent, timeout=30))
    answers += [
        httpx.get(f"{running.api}/api/v1/incidents", params={"cursor": SECRETS["note"]}, timeout=30),
        httpx.get(f"{running.api}/api/v1/status", timeout=30),
    ]
    said = logged(running) + "".join(answer.text for answer in answers)
    assert {answer.status_code for answer in answers} >= {200, 400, 415}
    assert [secret for secret in HIDDEN if secret in said] == []


@pytest.mark.usefixtures("no_engine")
def test_secrets_are_masked_before_they_are_stored(tmp_path: Path) -> None:
    """A29: by default, for credentials."""
    receiver = Receiver(tmp_path / "data", tmp_path / "log", target := Target(), {})
    receiver.start()
    receiver.wait()
    try:
        body = serialized(traces(with_attributes(span(random.Random(1), name=SECRETS["note"]), **SECRETS)))
        assert httpx.post(f"{target.url}/v1/traces", content=body, headers=PROTOBUF, timeout=30).status_code == 200
        receiver.stop()
    finally:
        receiver.kill()
    store = Store.open(StoreSettings.embedded(tmp_path / "data"))
    try:
        row = str(store.arrow_text("SELECT * FROM otel_traces").to_pylist())
    finally:
        store.close()
    assert "db.dsn" in row
    assert [secret for secret in HIDDEN if secret in row] == []


@pytest.mark.parametrize(
    "path", ["/metrics", "/docs", "/openapi.json", "/debug", "/healthz", "/api/v1/status", "/.env"]
)
def test_telemetrys_port_has_no_other_pages(running: Receiver, path: str) -> None:
    """A30."""
    assert httpx.get(f"{running.target.url}{path}", timeout=30).status_code == 404


@pytest.mark.parametrize(
    "path", ["/metrics", "/debug", "/debug/pprof", "/.env", "/../../etc/passwd", "/api/v1/%2e%2e/x"]
)
def test_the_api_has_no_pages_about_its_inside(running: Receiver, path: str) -> None:
    """A30."""
    assert httpx.get(f"{running.api}{path}", timeout=30).status_code == 404
