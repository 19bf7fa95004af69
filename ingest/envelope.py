"""The bytes around a request: the envelope ClickHouse decodes.

It wraps a request body without reading it (https://protobuf.dev/programming-guides/encoding/).
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any, NamedTuple, Protocol, Self

from store.batches import KEY_BYTES
from store.proto import schema

# Wire types: 0 varint, 1 eight bytes, 2 length and bytes. A tag is field number << 3 | wire type.
_TENANT, _BATCH, _RECEIVED, _REQUEST = 1 << 3 | 2, 2 << 3 | 0, 3 << 3 | 1, 4 << 3 | 2


class Signal(StrEnum):
    """The three kinds of telemetry, named as in OTLP's paths."""

    TRACES = "traces"
    LOGS = "logs"
    METRICS = "metrics"


class Target(Protocol):
    """Where requests of one kind are inserted: hashable, and equal when the same."""

    @property
    def signal(self) -> Signal:
        """What requests hold."""

    @property
    def table(self) -> str:
        """Name of the landing table."""

    @property
    def check(self) -> str:
        """Name of the table that parses the same bytes and keeps nothing."""

    @property
    def nested(self) -> bool:
        """Whether items that are refused become dead letters there."""

    @property
    def counted(self) -> bool:
        """Whether what was stored of each request is counted, because its answer says so."""

    def careful(self) -> Self:
        """Where the same request can be stored without the items that must be refused."""

    def settings(self) -> dict[str, Any]:
        """Engine settings of an insert into either table."""


class Landing(NamedTuple):
    """Where OTLP requests are inserted: a table per signal, and another for those with arrays or maps as values."""

    signal: Signal
    nested: bool

    @property
    def counted(self) -> bool:
        """OTLP's answers say nothing of what was stored."""
        return False

    @property
    def table(self) -> str:
        """Name of the landing table."""
        return f"landing_{self.signal}_nested" if self.nested else f"landing_{self.signal}"

    @property
    def check(self) -> str:
        """Name of the table that parses the same bytes and keeps nothing."""
        return self.table.replace("landing_", "check_", 1)

    def careful(self) -> Landing:
        """Where the same request can be stored without the items that must be refused, and redacted."""
        return self._replace(nested=True)

    def settings(self) -> dict[str, Any]:
        """Engine settings of an insert into either table."""
        return insert_settings(schema(nested=self.nested), f"{self.signal.capitalize()}Envelope")


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
    # The views tell items to be refused from text that is not UTF-8 by the code of the error.
    "allow_custom_error_code_in_throwif": 1,
    # Redaction hashes every match in a text, however many.
    "regexp_max_matches_per_row": 1_000_000_000,
    # An answer means stored, not queued.
    "async_insert": 0,
    "materialized_views_ignore_errors": 0,
}


def insert_settings(text: str, message: str) -> dict[str, Any]:
    """Engine settings of inserting envelopes that are `message` in the protobuf schema `text`."""
    return {"format_schema": text, "format_schema_message_name": message, **_SETTINGS}


def request_key(tenant: str, kind: str, body: bytes) -> bytes:
    """Identity of a request: the same body sent again, as a request of the same kind, has the same key."""
    key = hashlib.blake2b(f"{tenant}\0{kind}\0".encode(), digest_size=KEY_BYTES)
    key.update(body)
    return key.digest()


def envelope(tenant: str, batch: int, received_ns: int, body: bytes, fields: bytes = b"") -> tuple[bytes, bytes]:
    """A length-delimited envelope as two pieces to be written one after the other; the second is `body`.

    `fields` are further fields of the envelope, encoded: limits for the items, and none where it is empty.
    """
    name = tenant.encode()
    head = b"".join(
        (
            bytes((_TENANT,)),
            varint(len(name)),
            name,
            bytes((_BATCH,)),
            varint(batch),
            bytes((_RECEIVED,)),
            received_ns.to_bytes(8, "little"),
            fields,
            bytes((_REQUEST,)),
            varint(len(body)),
        )
    )
    return varint(len(head) + len(body)) + head, body


def varint(number: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
