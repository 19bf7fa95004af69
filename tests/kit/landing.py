"""Putting OTLP messages into a store and reading rows back."""

from __future__ import annotations

from typing import Any

from google.protobuf.message import Message

from ingest.envelope import Landing, Signal, envelope
from ingest.nesting import is_nested
from store import Store
from tests.kit.otlp import T0

RECEIVED = T0 + 3_600_000_000_000


def insert(store: Store, signal: Signal, *requests: Message | bytes, batch: int = 1, tenant: str = "default") -> None:
    """Insert requests as one batch, without the pipeline."""
    bodies = [r if isinstance(r, bytes) else r.SerializeToString(deterministic=True) for r in requests]
    pieces = [piece for body in bodies for piece in envelope(tenant, batch, RECEIVED, body)]
    landing = Landing(signal, any(is_nested(signal, body) for body in bodies))
    store.insert_bytes(landing.table, pieces, "Protobuf", landing.settings())


def rows(store: Store, text: str) -> list[dict[str, Any]]:
    """Result of SQL as dicts."""
    return store.arrow_text(text).to_pylist()  # type: ignore[no-any-return]


def count(store: Store, table: str) -> int:
    """Rows of a table."""
    return int(rows(store, f"SELECT count() AS n FROM {table}")[0]["n"])
