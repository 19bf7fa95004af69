"""Access keys: for administrators."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, Field

from api.access.desk import KeyDesk, Wanted
from api.access.keys_file import NAME_PATTERN
from api.access.scopes import Scope
from api.deps import Asking, shared
from api.errors import NotFound
from api.protocol.parameters import Name
from api.times import format_time, parse_time
from store.keys import StoredKey
from store.settings import TENANT_PATTERN

router = APIRouter(prefix="/api/v1/keys", tags=["access"])
_MS = 1_000_000


class NewKey(BaseModel):
    """A key to be made."""

    name: str = Field(
        pattern=NAME_PATTERN, description="What histories and the audit log call whoever holds it.",
        examples=["collector-eu"],
    )  # fmt: skip
    scopes: list[Scope] = Field(
        min_length=1,
        max_length=4,
        description="ingest; query; operate, which includes query; admin, which includes both.",
    )
    tenant: str | None = Field(
        default=None, pattern=TENANT_PATTERN, description="Whose telemetry it is for; the asking key's unless given."
    )
    expires_at: str | None = Field(
        default=None, max_length=60, description="RFC 3339 or unix seconds; never unless given."
    )


class Key(BaseModel):
    """A key, without what opens anything."""

    id: str
    name: str
    tenant: str
    scopes: list[Scope]
    shown: str = Field(description="The key's first characters; empty when it came from elsewhere.")
    created_at: str | None
    created_by: str
    expires_at: str | None
    revoked_at: str | None
    revoked_by: str


class MadeKey(Key):
    """A key that was just made."""

    key: str = Field(description="The key itself. It is told here and nowhere else: only its hash is kept.")


class Keys(BaseModel):
    """Keys, oldest first."""

    keys: list[Key]


def _desk(request: Request, who: Asking) -> KeyDesk:
    access = shared(request).access
    if access is None:
        raise NotFound("this process keeps no keys")
    return KeyDesk(access, who)


@router.post("", status_code=201, summary="Make an access key")
def make_key(wanted: NewKey, request: Request, who: Asking) -> MadeKey:
    """From the first one on, every request needs a key. 409 for a name that the tenant has already."""
    desk = _desk(request, who)
    expires = None if wanted.expires_at is None else parse_time(wanted.expires_at, "expires_at") // _MS
    scopes = tuple(dict.fromkeys(wanted.scopes))
    text, stored = desk.make(Wanted(wanted.name, wanted.tenant or who.tenant, scopes, expires))
    return MadeKey(**_fields(stored).model_dump(), key=text)


@router.get("", summary="List access keys")
def list_keys(
    request: Request,
    who: Asking,
    tenant: Annotated[str, Query(pattern=rf"^$|{TENANT_PATTERN}", description="Only keys of this tenant.")] = "",
) -> Keys:
    """Keys that can be handled with the asking one, revoked ones too."""
    return Keys(keys=[_fields(key) for key in _desk(request, who).list(tenant)])


@router.delete("/{key_id}", summary="Revoke an access key")
def revoke_key(key_id: Name, request: Request, who: Asking) -> Key:
    """It opens nothing here from now on, and nowhere in a few seconds. 409 for the last that can make others."""
    return _fields(_desk(request, who).revoke(key_id))


def _fields(key: StoredKey) -> Key:
    def told(at: int | None) -> str | None:
        return None if at is None else format_time(at * _MS)

    return Key(
        id=key.id, name=key.name, tenant=key.tenant, scopes=[Scope(scope) for scope in key.scopes], shown=key.shown,
        created_at=told(key.created or None), created_by=key.created_by, expires_at=told(key.expires),
        revoked_at=told(key.revoked), revoked_by=key.revoked_by,
    )  # fmt: skip
