"""A22, A23 and A25: keys that will not do, addresses that lie, and scopes that are too small."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from hmac import compare_digest
from typing import Any
from urllib.parse import urlsplit

import grpc
import httpx
import pytest
from google.rpc.status_pb2 import Status

from api.access import rules, secret
from api.access.scopes import Scope
from ingest.errors import Unauthenticated
from store import Store
from tests.kit.keyed import Keyed, bearer, keyed
from tests.kit.otlp import busy_request, serialized

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = {"content-type": "application/x-protobuf"}
BODY = serialized(busy_request(random.Random(22), 2))
INCIDENTS = "/api/v1/incidents"


@pytest.fixture
def here(store: Store) -> Iterator[Keyed]:
    with keyed(store) as running:
        running.key("root", Scope.ADMIN)
        yield running


def bad_headers(good: str) -> dict[str, str | None]:
    """Authorization headers that must not open anything, however near to a good one they are."""
    return {
        "none": None, "empty": "", "no key": "Bearer", "two spaces": f"Bearer  {good}",
        "a tab": f"Bearer\t{good}", "a word behind it": f"Bearer {good} x", "another word": f"Bearer {good}, {good}",
        "no scheme": good, "another scheme": f"Token {good}", "basic": "Basic Y2xrOng=", "cut": f"Bearer {good[:-1]}",
        "longer": f"Bearer {good}A", "other case": f"Bearer {good.swapcase()}", "its beginning": f"Bearer {good[:10]}",
        "its hash": f"Bearer {secret.hashed(good)}", "alg=none": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
        "undefined": "Bearer undefined", "null": "Bearer null", "quoted": f'Bearer "{good}"',
        "sql": "Bearer ' OR 1=1 --",
        "long": f"Bearer {'A' * 6000}",
    }  # fmt: skip


def test_a22_keys_that_will_not_do_are_refused_everywhere_alike(here: Keyed) -> None:
    good = here.key("good", Scope.INGEST, Scope.QUERY, tenant="shop")
    headers = bad_headers(good) | {"expired": f"Bearer {here.key('old', Scope.INGEST, Scope.QUERY, expires=1)}"}
    export = here.channel.unary_unary(TRACES)
    for name, value in headers.items():
        given = {} if value is None else {"authorization": value}
        answer = here.api.get(INCIDENTS, headers=given)
        assert (name, answer.status_code) == (name, 401)
        assert answer.json()["type"] == "urn:causeline:problem:unauthenticated"
        sent = here.api.post(f"{here.otlp}/v1/traces", content=BODY, headers={**PROTOBUF, **given})
        assert (name, sent.status_code, sent.headers["content-type"]) == (name, 401, "application/x-protobuf")
        assert Status.FromString(sent.content).code == 16
        written = here.api.post(f"{here.otlp}/api/v1/write", content=b"", headers={**PROTOBUF, **given})
        assert (name, written.status_code) == (name, 401)
        if "\t" in (value or ""):
            # No gRPC client sends this.
            continue
        with pytest.raises(grpc.RpcError) as refused:
            export(BODY, metadata=list(given.items()), timeout=30)
        assert (name, refused.value.code()) == (name, grpc.StatusCode.UNAUTHENTICATED)
        # What came is repeated nowhere.
        assert good not in answer.text + sent.text + written.text + str(refused.value)
    assert here.get(INCIDENTS, good).status_code == 200
    assert (
        here.api.post(f"{here.otlp}/v1/traces", content=BODY, headers={**PROTOBUF, **bearer(good)}).status_code == 200
    )
    assert export(BODY, metadata=[("authorization", f"bearer {good}")], timeout=60) == b""


def test_a22_a_key_in_an_address_is_refused_even_beside_a_good_header(here: Keyed) -> None:
    good = here.key("good", Scope.INGEST, Scope.QUERY)
    for query in (
        f"api_key={good}",
        f"x={good}",
        "access_token=",
        "API_KEY=1",
        "apikey=a",
        "x-api-key=b",
        "authorization=c",
    ):
        answer = here.get(f"{INCIDENTS}?{query}", good)
        assert (query, answer.status_code) == (query, 401)
        sent = here.api.post(f"{here.otlp}/v1/traces?{query}", content=BODY, headers={**PROTOBUF, **bearer(good)})
        assert (query, sent.status_code) == (query, 401)
    assert here.get(f"/api/v1/signals/{good}", good).status_code == 401
    here.access.audit.flush()
    assert good not in str(here.store.arrow_text("SELECT * FROM audit_log").to_pydict())


def test_a22_two_keys_at_once_are_none(here: Keyed) -> None:
    good = here.key("good", Scope.QUERY)
    answer = here.api.get(INCIDENTS, headers=[("authorization", f"Bearer {good}"), ("authorization", "Bearer x")])
    assert answer.status_code == 401


def test_a22_keys_are_compared_in_constant_time(here: Keyed, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[str, str]] = []

    def compare(first: str, second: str) -> bool:
        compared.append((first, second))
        return compare_digest(first, second)

    monkeypatch.setattr("api.access.keyring.hmac.compare_digest", compare)
    good = here.key("good", Scope.QUERY)
    assert here.access.keys.holder(good).name == "good"
    assert [len(side) for pair in compared for side in pair] == [64, 64]
    with pytest.raises(Unauthenticated):
        here.access.keys.holder("")


def test_a22_guessing_is_slowed_down_and_fills_no_log(here: Keyed) -> None:
    codes = [here.get(INCIDENTS, f"clk_guess{n}").status_code for n in range(650)]
    assert set(codes[:600]) == {401}
    assert set(codes[600:]) == {429}
    # Whoever has a key is not held up by it.
    assert here.get(INCIDENTS, here.key("good", Scope.QUERY)).status_code == 200
    here.access.audit.flush()
    assert here.store.arrow_text("SELECT count() AS n FROM audit_log")["n"][0].as_py() == 60


def test_a22_who_may_not_send_is_told_before_the_body_comes(here: Keyed) -> None:
    for url, path in ((here.otlp, "/v1/traces"), (str(here.api.base_url), "/api/v2/alerts")):
        parts = urlsplit(url)
        with socket.create_connection((parts.hostname, parts.port), timeout=10) as raw:
            raw.sendall(
                f"POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-protobuf\r\n"
                "Content-Length: 1000000\r\n\r\n".encode()
            )
            assert b" 401 " in raw.recv(1000).split(b"\r\n")[0], path


def raw_get(url: str, target: str, host: str, key: str = "") -> int:
    """The status of a request that no library would send."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=20) as raw:
        auth = f"Authorization: Bearer {key}\r\n" if key else ""
        raw.sendall(f"GET {target} HTTP/1.1\r\nHost: {host}\r\n{auth}Connection: close\r\n\r\n".encode("latin-1"))
        return int(raw.recv(4000).split(b" ")[1])


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "a/?x=", "a/healthz?", "x/healthz#", "localhost/healthz", "", "127.0.0.1:1/healthz", "a@b/readyz?"],
)
def test_a23_a_host_header_is_no_part_of_the_address(here: Keyed, host: str) -> None:
    url = str(here.api.base_url)
    assert raw_get(url, INCIDENTS, host) in (400, 401)
    assert raw_get(url, "/healthz", host) in (200, 400)
    reader = here.key("reader", Scope.QUERY)
    assert raw_get(url, "/api/v1/keys", host, reader) in (400, 403)
    assert raw_get(url, "/api/v1/keys", "a/api/v1/incidents?", reader) in (400, 403)


@pytest.mark.parametrize(
    "target",
    ["//api/v1/keys", "/api/v1/keys/", "/api/v1//keys", "/api/v1/./keys", "/healthz/../api/v1/keys", "/api/v1/%6beys",
     "/%61pi/v1/keys", "/API/v1/keys", "/api/v1/keys;x", "/healthz%2f..%2fapi%2fv1%2fkeys", "/api/v1/keys%00",
     "/api/v1/incidents/..%2f..%2f..%2fv1%2fkeys", "http://127.0.0.1/api/v1/keys", "/readyz/../api/v1/keys?x=/healthz",
     "/api/v1/incidents/%252e%252e/keys"],
)  # fmt: skip
def test_a23_no_spelling_of_a_path_goes_around_the_table(here: Keyed, target: str) -> None:
    reader = here.key("reader", Scope.QUERY)
    url = str(here.api.base_url)
    assert raw_get(url, target, "x") in (400, 401), target
    # 307 leads to the path itself, where the question is asked again.
    assert raw_get(url, target, "x", reader) in (307, 400, 403, 404), target


MAY: dict[str, set[Scope]] = {
    f"GET {INCIDENTS}": {Scope.QUERY, Scope.OPERATE, Scope.ADMIN},
    "GET /prometheus/api/v1/alerts": {Scope.QUERY, Scope.OPERATE, Scope.ADMIN},
    "POST /prometheus/api/v1/format_query": {Scope.QUERY, Scope.OPERATE, Scope.ADMIN},
    "GET /jaeger/api/services": {Scope.QUERY, Scope.OPERATE, Scope.ADMIN},
    "GET /loki/loki/api/v1/labels": {Scope.QUERY, Scope.OPERATE, Scope.ADMIN},
    "GET /tempo/api/echo": {Scope.QUERY, Scope.OPERATE, Scope.ADMIN},
    # A30: descriptions of the API are behind the door, too.
    "GET /docs": {Scope.QUERY, Scope.OPERATE, Scope.ADMIN},
    "GET /openapi.json": {Scope.QUERY, Scope.OPERATE, Scope.ADMIN},
    "POST /api/v1/correlations": {Scope.OPERATE, Scope.ADMIN},
    f"POST {INCIDENTS}/x/acknowledge": {Scope.OPERATE, Scope.ADMIN},
    "GET /api/v1/keys": {Scope.ADMIN},
    "POST /api/v1/keys": {Scope.ADMIN},
    "DELETE /api/v1/keys/x": {Scope.ADMIN},
    "GET /api/v1/audit": {Scope.ADMIN},
    "POST /api/v2/alerts": {Scope.INGEST},
    "POST /api/v1/alertmanager/webhook": {Scope.INGEST},
}


def test_a25_every_scope_opens_what_it_should_and_nothing_else(here: Keyed) -> None:
    keys = {scope: here.key(f"only-{scope}", scope, tenant="shop") for scope in Scope}
    body: Any = {"query": "up"}
    for line, allowed in MAY.items():
        method, path = line.split()
        for scope, key in keys.items():
            given: dict[str, Any] = (
                {"data": body} if "format_query" in path else {"json": []} if method == "POST" else {}
            )
            answer = here.api.request(method, path, headers=bearer(key), **given)
            refused = answer.status_code == 403
            assert (line, scope, refused) == (line, scope, scope not in allowed), answer.text
        assert here.api.request(method, path).status_code == 401
    for scope, key in keys.items():
        sent = here.api.post(f"{here.otlp}/v1/traces", content=BODY, headers={**PROTOBUF, **bearer(key)})
        assert (scope, sent.status_code) == (scope, 200 if scope is Scope.INGEST else 403)
        if scope is not Scope.INGEST:
            with pytest.raises(grpc.RpcError) as refused_call:
                here.channel.unary_unary(TRACES)(BODY, metadata=[("authorization", f"Bearer {key}")], timeout=30)
            assert refused_call.value.code() == grpc.StatusCode.PERMISSION_DENIED


def test_a25_what_the_table_does_not_have_is_for_administrators() -> None:
    assert rules.needed("GET", "/metrics") is rules.needed("GET", "/debug") is rules.needed("GET", "/") is Scope.ADMIN


def test_probes_need_no_key_and_tell_nothing(here: Keyed) -> None:
    assert here.api.get("/healthz").json() == {"status": "ok"}
    assert here.api.get("/readyz").status_code == 200


def entries(here: Keyed, key: str, **query: Any) -> list[dict[str, Any]]:
    answer = here.get("/api/v1/audit", key, params=query)
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["entries"]
    return found


def test_the_audit_log_has_administrators_reads_all_changes_and_all_refusals(here: Keyed) -> None:
    root, reader = here.key("boss", Scope.ADMIN), here.key("reader", Scope.QUERY)
    operator = here.key("operator", Scope.OPERATE)
    here.get(f"{INCIDENTS}?q=hush", root)
    here.get(f"{INCIDENTS}?q=hush", reader)
    job = here.api.post(
        "/api/v1/correlations", json={"start": "1700000000", "end": "1700000600"},
        headers={**bearer(operator), "x-request-id": "mine-1"},
    )  # fmt: skip
    assert job.headers["x-request-id"] == "mine-1"
    refused = here.get("/api/v1/keys", reader)
    here.api.post(f"{here.otlp}/v1/traces", content=BODY, headers={**PROTOBUF, **bearer(reader)})
    found = entries(here, root)
    told = {(each["who"], each["action"], each["decision"], each["status"]) for each in found}
    assert told == {
        ("boss", "GET /api/v1/incidents", "allowed", 200), ("operator", "POST /api/v1/correlations", "allowed", 202),
        ("reader", "GET", "denied", 403), ("reader", "export http", "denied", 403),
    }  # fmt: skip
    assert "hush" not in str(found)
    by_id = {each["request_id"]: each for each in found}
    assert by_id["mine-1"]["scope"] == "operate"
    assert by_id[refused.headers["x-request-id"]]["object"] == "/api/v1/keys"
    assert {each["decision"] for each in entries(here, root, decision="denied")} == {"denied"}
    assert {each["who"] for each in entries(here, root, who="operator")} == {"operator"}
    first = here.get("/api/v1/audit", root, params={"limit": 1}).json()
    second = here.get("/api/v1/audit", root, params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert first["entries"][0] != second["entries"][0]


def test_a_graceful_stop_loses_no_entry(store: Store) -> None:
    with keyed(store) as here:
        root = here.key("root", Scope.ADMIN)
        with httpx.Client(base_url=here.api.base_url) as client:
            for _ in range(50):
                client.get("/api/v1/keys", headers=bearer(root))
        started = time.monotonic()
    assert time.monotonic() - started < 60
    assert store.arrow_text("SELECT count() AS n FROM audit_log WHERE Who = 'root'")["n"][0].as_py() == 50
