"""What is to be deleted, and how it is named without its value.

Statements that change rows stay readable on disk and in system.mutations, so an attribute's value is never in one:
it is told by a keyed hash. A trace id is random, says nothing of anybody, and has an index: it is told as it is.
"""

from __future__ import annotations

import json
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum

from store.client import Store
from store.errors import DeletionFailed

_TRACE_ID = re.compile(r"^[0-9a-f]{32}$")
_TENANT = re.compile(r"^[^\x00-\x1f]{1,200}$")
MOST_KEY, MOST_VALUE = 256, 4096
# Shorter values are looked for in text only together with their key: "42" may be anything.
_TELLING = 4
DELETED = "[deleted]"


class Kind(StrEnum):
    """What names the rows to be deleted."""

    TENANT = "tenant"
    TRACE = "trace"
    ATTRIBUTE = "attribute"


@dataclass(frozen=True, slots=True)
class Subject:
    """Everything of `tenant`, or what of it has a trace id or an attribute.

    `salt` is the key of the hash, 32 hexadecimal digits. `value` is '' once the deletion needs it no more.
    """

    tenant: str
    kind: Kind
    name: str
    value: str
    salt: str
    hash: str

    @property
    def key(self) -> dict[str, int]:
        """The hash's key as parameters of a query."""
        return {"k0": int(self.salt[:16], 16), "k1": int(self.salt[16:], 16)}

    @property
    def params(self) -> dict[str, object]:
        """Parameters of the conditions in store.deletion.conditions."""
        trace = {"trace": self.value} if self.kind is Kind.TRACE else {}
        return {"owner": self.tenant, "name": self.name, "hash": self.hash, **self.key, **trace}

    def quoted(self) -> str:
        """An RE2 pattern that finds the value in text and in JSON; its first and last group surround it."""
        spellings = {self.value, json.dumps(self.value)[1:-1], json.dumps(self.value, ensure_ascii=False)[1:-1]}
        value = "|".join(_escaped(text) for text in sorted(spellings, key=len, reverse=True))
        before = r"(^|[^0-9A-Za-z_])"
        if len(self.value) < _TELLING:
            before = rf'({_escaped(self.name)}\\?["\']?\s*[:=]\s*\\?["\']?)'
        return rf"{before}(?:{value})($|[^0-9A-Za-z_])"


def _escaped(text: str) -> str:
    return "".join(c if c.isalnum() and c.isascii() else f"\\x{{{ord(c):x}}}" for c in text)


def subject(store: Store, tenant: str, *, trace: str = "", attribute: str = "") -> Subject:
    """What a request means: a trace id, an attribute as KEY=VALUE, or with neither the whole tenant.

    Raises DeletionFailed with a sentence for what cannot be meant.
    """
    if not _TENANT.match(tenant):
        raise DeletionFailed("a tenant has a name of at most 200 printable characters")
    if trace and attribute:
        raise DeletionFailed("name a trace or an attribute, not both")
    if trace:
        value = trace.lower().replace("-", "")
        if not _TRACE_ID.match(value):
            raise DeletionFailed("a trace id has 32 hexadecimal digits")
        return _hashed(store, tenant, Kind.TRACE, "", value)
    if attribute:
        name, equals, value = attribute.partition("=")
        if not equals or not name or not value:
            raise DeletionFailed("an attribute is named as KEY=VALUE, neither of them empty")
        if len(name) > MOST_KEY or len(value) > MOST_VALUE or "\x00" in attribute:
            raise DeletionFailed(f"a key has at most {MOST_KEY} characters and a value {MOST_VALUE}")
        return _hashed(store, tenant, Kind.ATTRIBUTE, name, value)
    return _hashed(store, tenant, Kind.TENANT, "", tenant)


def hash_of(store: Store, salt: str, value: str) -> str:
    """The hash of a value: who knows the value can see that a deletion was about it."""
    params = {"k0": int(salt[:16], 16), "k1": int(salt[16:], 16), "value": value}
    return str(store.rows("deletion_hash", params)[0]["hash"])


def _hashed(store: Store, tenant: str, kind: Kind, name: str, value: str) -> Subject:
    salt = secrets.token_hex(16)
    return Subject(tenant, kind, name, value, salt, hash_of(store, salt, value))
