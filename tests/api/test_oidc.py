"""People's tokens, from a real provider over HTTP: which are believed, whose keys, and what roles make of them."""

from __future__ import annotations

import base64
import hmac
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from joserfc.jwk import ECKey, RSAKey
from pydantic import ValidationError

from api.access import jwks
from api.access.oidc import OidcSettings, People
from api.access.roles import Roles
from api.access.scopes import Scope
from api.errors import BadAccess
from ingest.errors import Forbidden, IngestError, Overloaded, Unauthenticated
from store import Store
from tests.kit.keyed import bearer, keyed
from tests.kit.provider import AUDIENCE, Provider, provider

ROLES = """
version: 1
roles:
  viewer: {scopes: [query]}
  responder: {scopes: [operate]}
grants:
- {claim: groups, value: sre, role: responder, tenant: shop}
- {claim: realm_access.roles, value: lead, role: responder, tenant: shop}
- {claim: sub, value: u-1, role: viewer, tenant: shop}
- {claim: email, value: eve@bank.example, role: responder, tenant: bank}
"""


@pytest.fixture
def idp() -> Iterator[Provider]:
    with provider() as running:
        yield running


@pytest.fixture
def roles(tmp_path: Path) -> Path:
    path = tmp_path / "roles.yaml"
    path.write_text(ROLES)
    return path


@pytest.fixture
def people(idp: Provider, roles: Path) -> People:
    return People(OidcSettings(issuer=idp.issuer, audience=AUDIENCE), Roles(roles))


def test_a_good_token_is_a_person_with_roles_in_one_tenant(people: People, idp: Provider) -> None:
    ann = people.holder(idp.token(groups=["sre", "staff"], email="ann@shop.example"))
    assert (ann.name, ann.tenant, ann.may(Scope.OPERATE), ann.may(Scope.ADMIN)) == (
        "ann@shop.example",
        "shop",
        True,
        False,
    )
    assert not ann.may(Scope.INGEST)
    lead = people.holder(idp.token(sub="u-2", realm_access={"roles": ["lead"]}))
    assert (lead.name, lead.tenant) == ("u-2", "shop")
    # Someone with grants of two tenants has those of the first, and no mixture.
    both = people.holder(idp.token(email="eve@bank.example"))
    assert (both.tenant, both.may(Scope.OPERATE)) == ("shop", False)
    # An address that nobody has proved is no name.
    assert people.holder(idp.token(email="root@shop.example", email_verified=False)).name == "u-1"
    with pytest.raises(Forbidden):
        people.holder(idp.token(sub="stranger", groups="sreX"))
    assert idp.asked == 1


def coded(value: Any) -> str:
    """JSON as tokens have it."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def by_secret(claims: dict[str, Any], secret: bytes) -> str:
    """A token signed by HS256; libraries refuse to make some of these."""
    signed = f"{coded({'alg': 'HS256', 'kid': 'one'})}.{coded(claims)}"
    signature = hmac.digest(secret, signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def bad_tokens(idp: Provider) -> Iterator[tuple[str, str]]:
    """Name and text of tokens that must not be believed."""
    now = int(time.time())
    good = idp.token()
    head, body, signature = good.split(".")
    yield "expired", idp.token(exp=now - 60)
    yield "without an end", idp.token(exp=None)
    yield "not yet", idp.token(nbf=now + 120)
    yield "for another audience", idp.token(aud="other")
    yield "for other audiences", idp.token(aud=["a", "b"])
    yield "without an audience", idp.token(aud=None)
    yield "of another issuer", idp.token(iss="https://evil.example")
    yield "without an issuer", idp.token(iss=None)
    yield "of nobody", idp.token(sub=None)
    yield "by a stranger's key of the same name", idp.token(RSAKey.generate_key(2048, {"kid": "one"}))
    yield "by a key nobody published", idp.token(RSAKey.generate_key(2048, {"kid": "none"}))
    yield "by an algorithm that was not chosen", idp.token(alg="RS512")
    for alg in ("none", "None", "NONE", "nOnE"):
        none = coded({"alg": alg, "typ": "JWT"})
        yield f"alg={alg}", f"{none}.{body}."
        yield f"alg={alg} with a signature", f"{none}.{body}.{signature}"
    # The public key, or nothing, taken for a secret.
    said = {"iss": idp.issuer, "aud": AUDIENCE, "sub": "u-1", "exp": now + 300}
    for secret in (idp.keys[0].as_pem(private=False), b"", b"secret"):
        yield f"signed with {secret[:10]!r}", by_secret(said, secret)
    yield "cut", good[:-4]
    yield "with another body", f"{head}.{coded({**said, 'groups': ['sre']})}.{signature}"
    yield "no token", "a.b.c"
    yield "of empty parts", ".."
    yield "huge", f"{head}.{'A' * 40_000}.{signature}"
    yield (
        "with its own key",
        idp.token(RSAKey.generate_key(2048, {"kid": "x"}), headers={"jwk": {"kty": "oct", "k": "AA"}}),
    )
    yield (
        "with its own address",
        idp.token(RSAKey.generate_key(2048, {"kid": "x"}), headers={"jku": "http://evil.example"}),
    )


def test_what_is_not_signed_for_us_now_by_the_provider_is_refused(people: People, idp: Provider) -> None:
    people.holder(idp.token())
    count = 0
    for name, token in bad_tokens(idp):
        count += 1
        try:
            people.holder(token)
        except Unauthenticated:
            continue
        pytest.fail(f"a token {name} was believed")
    assert count > 25


def test_keys_that_change_are_fetched_again_but_not_for_every_stranger(
    people: People, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.holder(idp.token())
    old, new = idp.keys[0], ECKey.generate_key("P-256", {"kid": "two", "use": "sig"})
    stranger = idp.token(RSAKey.generate_key(2048, {"kid": "stranger"}))
    for _ in range(20):
        with pytest.raises(Unauthenticated):
            people.holder(stranger)
    assert idp.asked == 1
    idp.keys = [new]
    monkeypatch.setattr(jwks, "_PAUSE_S", 0.0)
    assert people.holder(idp.token(alg="ES256")).name == "u-1"
    # A key that was withdrawn is good no longer.
    with pytest.raises(Unauthenticated):
        people.holder(idp.token(old))


def test_a_provider_that_is_away_stops_nobody_for_a_while(
    people: People, idp: Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    people.holder(idp.token())
    idp.down = True
    monkeypatch.setattr(jwks, "_FRESH_S", 0.0)
    monkeypatch.setattr(jwks, "_PAUSE_S", 0.0)
    assert people.holder(idp.token()).name == "u-1"
    monkeypatch.setattr(jwks, "_STALE_S", 0.0)
    with pytest.raises(Overloaded):
        people.holder(idp.token())


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"{}", b'{"keys": []}', b'{"keys": [{"kty": "oct", "k": "AAAA", "kid": "one"}]}', b"{" * 1000,
     b'{"keys": "' + b"x" * 300_000 + b'"}', b'{"keys": [{"kty": "RSA", "kid": "one", "n": "AQAB", "e": "AQAB"}]}'],
)  # fmt: skip
def test_keys_that_are_none_let_nobody_in(people: People, idp: Provider, answer: bytes) -> None:
    idp.answer = answer
    with pytest.raises(IngestError):
        people.holder(idp.token())


def test_roles_follow_their_file_and_outlive_a_broken_one(people: People, idp: Provider, roles: Path) -> None:
    token = idp.token(groups=["sre"])
    assert people.holder(token).may(Scope.OPERATE)
    roles.write_text(ROLES.replace("scopes: [operate]", "scopes: [query]"))
    assert not people.holder(token).may(Scope.OPERATE)
    roles.write_text("version: 1\nroles: [")
    assert people.holder(token).may(Scope.QUERY)


@pytest.mark.parametrize(
    "text",
    ["", "version: 2", "version: 1\nroles: {}\ngrants: []", ROLES + "- {claim: a, value: b, role: nothing}",
     ROLES + "- {claim: a, value: b, role: viewer, tenant: '../x'}", ROLES.replace("operate", "root"),
     ROLES.replace("viewer:", "viewer: {scopes: []}\n  other:")],
)  # fmt: skip
def test_roles_that_cannot_be_used_stop_the_start(tmp_path: Path, text: str) -> None:
    (tmp_path / "roles.yaml").write_text(text)
    with pytest.raises(BadAccess):
        Roles(tmp_path / "roles.yaml")


@pytest.mark.parametrize(
    "wrong",
    [{"algorithms": ["none"]}, {"algorithms": ["HS256"]}, {"algorithms": []}, {"issuer": "http://idp.example"},
     {"jwks_url": "http://idp.example/keys"}, {"jwks_url": "file:///etc/passwd"}, {"audience": ""}],
)  # fmt: skip
def test_settings_that_would_let_anybody_in_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OidcSettings(**{"issuer": "https://idp.example", "audience": AUDIENCE, **wrong})


def test_people_and_keys_come_through_the_same_door(store: Store, people: People, idp: Provider) -> None:
    with keyed(store, people=people) as here:
        # With a provider the door is closed before there is any key.
        assert here.api.get("/api/v1/incidents").status_code == 401
        ann = idp.token(groups=["sre"], email="ann@shop.example")
        answer = here.get("/api/v1/status", ann)
        # The installation's own figures are not for tenants.
        assert (answer.status_code, answer.json()["ingest"]) == (200, {})
        job = here.api.post(
            "/api/v1/correlations", json={"start": "1700000000", "end": "1700000060"}, headers=bearer(ann)
        ).json()
        assert job["id"].startswith("window:shop:")
        assert here.get("/api/v1/keys", ann).status_code == 403
        assert here.get("/api/v1/incidents", idp.token(sub="stranger")).status_code == 403
        assert here.get("/api/v1/incidents", idp.token(exp=1)).status_code == 401
        assert here.get("/api/v1/incidents", here.key("board", Scope.QUERY)).status_code == 200
        sent = here.api.post(
            f"{here.otlp}/v1/logs", content=b"", headers={"content-type": "application/x-protobuf", **bearer(ann)}
        )
        assert sent.status_code == 401
        here.access.audit.flush()
        told = here.store.arrow_text("SELECT Who, Tenant, Decision FROM audit_log WHERE Who != ''").to_pylist()
        assert {(row["Who"], row["Tenant"], row["Decision"]) for row in told} == {
            ("ann@shop.example", "shop", "allowed"), ("ann@shop.example", "shop", "denied"),
        }  # fmt: skip
