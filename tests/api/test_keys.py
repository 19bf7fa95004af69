"""Access keys: made once, told once, bound to a tenant and scopes, revoked for good."""

from __future__ import annotations

import hashlib
import json
import random
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.access.access import Access
from api.access.keyring import KeyRing
from api.access.scopes import Scope
from api.errors import BadAccess
from ingest.errors import Unauthenticated
from store import Store, keys
from tests.kit.keyed import HOME, Keyed, bearer, keyed
from tests.kit.otlp import busy_request, serialized

INCIDENTS = "/api/v1/incidents"


@pytest.fixture
def here(store: Store) -> Iterator[Keyed]:
    with keyed(store) as running:
        yield running


def test_without_keys_everybody_on_this_machine_may_do_everything(here: Keyed) -> None:
    assert here.api.get(INCIDENTS).status_code == 200
    assert here.api.get("/api/v1/keys").json() == {"keys": []}
    # Exporters are often configured with a key before there is one.
    assert here.get(INCIDENTS, "anything").status_code == 200


def test_the_first_key_closes_the_door_and_is_told_once(here: Keyed) -> None:
    refused = here.api.post("/api/v1/keys", json={"name": "collector", "scopes": ["ingest"]})
    assert refused.status_code == 409
    made = here.api.post("/api/v1/keys", json={"name": "root", "scopes": ["admin"]}).json()
    key = made.pop("key")
    assert len(key) == 47
    assert key.startswith(made["shown"])
    assert here.api.get(INCIDENTS).status_code == 401
    assert here.api.get(INCIDENTS).headers["www-authenticate"].startswith("Bearer")
    assert here.get(INCIDENTS, key).status_code == 200
    listed = here.get("/api/v1/keys", key)
    assert listed.json()["keys"] == [made]
    assert key not in listed.text
    (stored,) = keys.all_keys(here.store)
    assert stored.hash == hashlib.sha256(key.encode()).hexdigest()
    assert key not in json.dumps(here.store.rows("access_keys", {"limit": 10}))


def test_a_revoked_key_opens_nothing_again_and_neither_does_an_expired_one(here: Keyed) -> None:
    root = here.key("root", Scope.ADMIN)
    made = here.api.post("/api/v1/keys", json={"name": "board", "scopes": ["query"]}, headers=bearer(root)).json()
    assert here.get(INCIDENTS, made["key"]).status_code == 200
    gone = here.api.delete(f"/api/v1/keys/{made['id']}", headers=bearer(root)).json()
    assert (gone["revoked_by"], gone["revoked_at"] is not None) == ("root", True)
    assert here.get(INCIDENTS, made["key"]).status_code == 401
    # Revoking it again changes nothing, and neither does a restart.
    assert here.api.delete(f"/api/v1/keys/{made['id']}", headers=bearer(root)).json() == gone
    short = here.key("short", Scope.QUERY, expires=int(time.time() * 1000) + 700)
    assert here.get(INCIDENTS, short).status_code == 200
    time.sleep(0.8)
    answer = here.get(INCIDENTS, short)
    assert (answer.status_code, answer.json()["detail"]) == (401, "the access key has expired")


def test_nobody_locks_himself_out(here: Keyed) -> None:
    root = here.key("root", Scope.ADMIN)
    (only,) = keys.all_keys(here.store)
    assert here.api.delete(f"/api/v1/keys/{only.id}", headers=bearer(root)).status_code == 409
    here.key("second", Scope.ADMIN)
    assert here.api.delete(f"/api/v1/keys/{only.id}", headers=bearer(root)).status_code == 200
    # Even when every key is revoked, the door stays closed.
    for key in keys.all_keys(here.store):
        keys.revoke(here.store, key, "somebody")
    here.access.keys.refresh()
    assert here.api.get(INCIDENTS).status_code == 401


def test_a_key_that_another_process_revokes_is_refused_within_ten_seconds(here: Keyed, store: Store) -> None:
    here.key("root", Scope.ADMIN)
    board = here.key("board", Scope.QUERY)
    elsewhere = KeyRing(store)
    elsewhere.start()
    try:
        assert elsewhere.holder(board).name == "board"
        here.access.keys.stop()
        found = keys.named(keys.all_keys(store), HOME, "board")
        assert found is not None
        keys.revoke(store, found, "root")
        started = time.monotonic()
        while time.monotonic() - started < 10:
            try:
                elsewhere.holder(board)
            except Unauthenticated:
                break
            time.sleep(0.05)
        else:
            pytest.fail("still let in after 10 s")
    finally:
        elsewhere.stop()


def test_administrators_of_a_tenant_handle_its_keys_only(here: Keyed) -> None:
    root = here.key("root", Scope.ADMIN)
    wanted = {"name": "chief", "scopes": ["admin"], "tenant": "shop"}
    chief = here.api.post("/api/v1/keys", json=wanted, headers=bearer(root)).json()["key"]
    own = here.api.post("/api/v1/keys", json={"name": "till", "scopes": ["ingest"]}, headers=bearer(chief)).json()
    assert own["tenant"] == "shop"
    foreign = here.api.post("/api/v1/keys", json={**wanted, "tenant": "bank"}, headers=bearer(chief))
    assert foreign.status_code == 403
    assert {key["tenant"] for key in here.get("/api/v1/keys", chief).json()["keys"]} == {"shop"}
    assert here.get("/api/v1/keys", chief, params={"tenant": HOME}).status_code == 403
    (roots,) = (key for key in keys.all_keys(here.store) if key.name == "root")
    assert here.api.delete(f"/api/v1/keys/{roots.id}", headers=bearer(chief)).status_code == 404
    assert len(here.get("/api/v1/keys", root).json()["keys"]) == 3
    again = here.api.post("/api/v1/keys", json={"name": "till", "scopes": ["ingest"]}, headers=bearer(chief))
    assert again.status_code == 409


@pytest.mark.parametrize("tenant", ["", "Shop", "a/b", "../x", "a" * 65, "ä", "a b", "a\n"])
def test_a_tenant_is_called_by_plain_letters(here: Keyed, tenant: str) -> None:
    body = {"name": "x", "scopes": ["admin"], "tenant": tenant}
    assert here.api.post("/api/v1/keys", json=body).status_code == 400


def test_decisions_and_telemetry_have_the_keys_tenant_and_name(here: Keyed) -> None:
    here.key("root", Scope.ADMIN)
    till = here.key("till", Scope.INGEST, tenant="shop")
    body = serialized(busy_request(random.Random(3), 5))
    kinds = {"content-type": "application/x-protobuf", **bearer(till), "x-scope-orgid": "bank"}
    assert here.api.post(f"{here.otlp}/v1/traces", content=body, headers=kinds).status_code == 200
    export = here.channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
    other = here.key("vault", Scope.INGEST, tenant="bank")
    assert export(body, metadata=[("authorization", f"Bearer {other}")], timeout=60) == b""
    # The same body of two tenants is two requests: neither's is taken for the other's.
    found = here.store.arrow_text("SELECT Tenant, count() AS n FROM otel_traces GROUP BY Tenant ORDER BY Tenant")
    assert found.to_pydict() == {"Tenant": ["bank", "shop"], "n": [5, 5]}


def test_keys_of_a_file_count_and_follow_it(store: Store, tmp_path: Path) -> None:
    (tmp_path / "collector.key").write_text(f"{'0123456789abcdef' * 4}\n")
    listed = tmp_path / "keys.yaml"
    listed.write_text(
        "version: 1\nkeys:\n- {name: collector, tenant: shop, scopes: [ingest], key_file: collector.key}\n"
        f"- {{name: board, scopes: [query], sha256: {hashlib.sha256(b'k' * 40).hexdigest()}}}\n"
    )
    ring = KeyRing(store, listed, every_s=0.05)
    ring.start()
    try:
        assert ring.holder("0123456789abcdef" * 4).tenant == "shop"
        assert ring.holder("k" * 40).may(Scope.QUERY)
        listed.write_text("version: 1\nkeys:\n- {name: collector, scopes: [ingest], key_file: collector.key}\n")
        time.sleep(0.5)
        with pytest.raises(Unauthenticated):
            ring.holder("k" * 40)
        # A file that was spoiled while it was written changes nothing.
        listed.write_text("version: 1\nkeys: [")
        time.sleep(0.3)
        assert ring.holder("0123456789abcdef" * 4).name == "collector"
    finally:
        ring.stop()


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("", "empty"), ("\n", "empty"), ("short", "characters"), ("a" * 64, "default"), ("change-me" * 8, "default"),
        ("password1234567890abcdefghijklmnopqr", "default"), ("two words of a key that is long enough", "carry"),
    ],
)  # fmt: skip
def test_an_empty_or_default_secret_stops_the_start(store: Store, tmp_path: Path, secret: str, why: str) -> None:
    (tmp_path / "k").write_text(secret)
    (tmp_path / "keys.yaml").write_text("version: 1\nkeys:\n- {name: x, scopes: [admin], key_file: k}\n")
    access = Access(store, HOME, keys_file=tmp_path / "keys.yaml")
    with pytest.raises(BadAccess, match=why) as refused:
        access.start()
    assert not secret.strip() or secret.strip() not in str(refused.value)


ENTRY = "version: 1\nkeys: [{name: x, scopes: [admin], sha256: '%s'}]"


@pytest.mark.parametrize(
    "text",
    [
        "", "keys: []", "version: 2\nkeys: []", "version: 1\nkeys: []", "[", ENTRY % "00",
        "version: 1\nkeys: [{name: x, scopes: [root]}]", "version: 1\nkeys: [{name: x, scopes: [admin]}]",
        ENTRY % hashlib.sha256(b"").hexdigest(),
    ],
)  # fmt: skip
def test_a_keys_file_that_cannot_be_used_stops_the_start(store: Store, tmp_path: Path, text: str) -> None:
    (tmp_path / "keys.yaml").write_text(text)
    with pytest.raises(BadAccess):
        KeyRing(store, tmp_path / "keys.yaml").start()
