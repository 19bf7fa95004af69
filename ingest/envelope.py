"""The bytes around a request: the envelope ClickHouse decodes, and OTLP's own answers.

The only module that knows protobuf's wire format. It wraps a request body without reading it
(https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from ingest.outcome import Outcome
from store import Store
from store.batches import KEY_BYTES
from store.proto import schema

MEDIA_TYPE = "application/x-protobuf"

# Wire types: 0 varint, 1 eight bytes, 2 length and bytes. A tag is field number << 3 | wire type.
_TENANT, _BATCH, _RECEIVED, _REQUEST, _KEY = 1 << 3 | 2, 2 << 3 | 0, 3 << 3 | 1, 4 << 3 | 2, 5 << 3 | 2
_CODE, _MESSAGE = 1 << 3 | 0, 2 << 3 | 2


class Signal(StrEnum):
    """The three kinds of telemetry, named as in OTLP's paths."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


class Target(Protocol):
    """Where requests of one kind are inserted: hashable, and equal when the same."""

    @property
    def table(self) -> str:
        """Name of the table that flattens requests into telemetry."""

    @property
    def check(self) -> str:
        """Name of the table that parses the same bytes and keeps nothing."""

    @property
    def keyed(self) -> bool:
        """Whether envelopes carry the request's key."""

    def settings(self) -> dict[str, Any]:
        """Engine settings of an insert into either table."""

    def outcomes(self, store: Store, keys: Sequence[bytes]) -> dict[bytes, Outcome]:
        """What became of stored requests; success when not among them. Raises StoreError."""


class Landing(NamedTuple):
    """Where OTLP requests are inserted: a table per signal, and another for those with arrays or maps as values."""

    signal: Signal
    nested: bool

    @property
    def table(self) -> str:
        """Name of the landing table."""
        return f"landing_{self.signal}_nested" if self.nested else f"landing_{self.signal}"

    @property
    def check(self) -> str:
        """Name of the table that parses the same bytes and keeps nothing."""
        return self.table.replace("landing_", "check_", 1)

    @property
    def keyed(self) -> bool:
        """Whether envelopes carry the request's key."""
        return False

    def settings(self) -> dict[str, Any]:
        """Engine settings of an insert into either table."""
        return insert_settings(schema(nested=self.nested), f"{self.signal.capitalize()}Envelope")

    def outcomes(self, store: Store, keys: Sequence[bytes]) -> dict[bytes, Outcome]:
        """All are success."""
        return {}


LANDINGS = tuple(Landing(signal, nested) for signal in Signal for nested in (False, True))
_SETTINGS: dict[str, Any] = {
    "format_schema_source": "string",
    # An Enum column says which member of a oneof was sent: '' and 0 and nothing differ.
    "input_format_protobuf_oneof_presence": 1,
    # The views print nested values with toJSONString and rely on exactly this form.
    "output_format_json_escape_forward_slashes": 0,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_64bit_floats": 0,
    "output_format_json_quote_denormals": 1,
    "output_format_json_named_tuples_as_objects": 1,
    "output_format_json_skip_null_value_in_named_tuples": 0,
    # The views' plans are made anew for each insert and have nothing to optimize: 5 to 10 % less to do.
    "query_plan_enable_optimizations": 0,
    "compile_expressions": 0,
    # An answer means stored, not queued.
    "async_insert": 0,
    "materialized_views_ignore_errors": 0,
}


def insert_settings(text: str, message: str) -> dict[str, Any]:
    """Engine settings of inserting envelopes that are `message` in the protobuf schema `text`."""
    return {"format_schema": text, "format_schema_message_name": message, **_SETTINGS}


def request_key(tenant: str, signal: str, body: bytes) -> bytes:
    """Identity of a request: the same body sent again has the same key. `signal` is a Signal or another kind's name."""
    key = hashlib.blake2b(f"{tenant}\0{signal}\0".encode(), digest_size=KEY_BYTES)
    key.update(body)
    return key.digest()


def envelope(tenant: str, batch: int, received_ns: int, body: bytes, key: bytes = b"") -> tuple[bytes, bytes]:
    """A length-delimited envelope as two pieces to be written one after the other; the second is `body`."""
    name = tenant.encode()
    identity = bytes((_KEY, len(key))) + key if key else b""
    head = b"".join(
        (
            bytes((_TENANT,)),
            _varint(len(name)),
            name,
            bytes((_BATCH,)),
            _varint(batch),
            bytes((_RECEIVED,)),
            received_ns.to_bytes(8, "little"),
            identity,
            bytes((_REQUEST,)),
            _varint(len(body)),
        )
    )
    return _varint(len(head) + len(body)) + head, body


def status_body(code: int, message: str) -> bytes:
    """A google.rpc.Status (https://github.com/googleapis/googleapis/blob/master/google/rpc/status.proto)."""
    text = message.encode()
    return b"".join((bytes((_CODE,)), _varint(code), bytes((_MESSAGE,)), _varint(len(text)), text))


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
