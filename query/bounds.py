"""What one query of a foreign language may cost the engine, and how its refusals are worded for the asker."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import polars as pl

from query.errors import QueryLimitExceeded, QueryTimeout
from store import Store
from store.client import to_frame
from store.errors import MemoryExceeded, QueryTooLarge, QueryTooSlow


@dataclass(frozen=True, slots=True)
class Bounds:
    """Most seconds, bytes of memory, and rows of answer of one statement; the engine holds it to them."""

    seconds: float = 30.0
    memory: int = 2 << 30
    rows: int = 1_000_000

    def settings(self) -> dict[str, Any]:
        """The engine's settings for it (https://clickhouse.com/docs/operations/settings/query-complexity)."""
        return {
            "max_execution_time": self.seconds,
            "max_memory_usage": self.memory,
            "max_result_rows": self.rows,
            "result_overflow_mode": "throw",
        }


BOUNDS = Bounds()


def rows(store: Store, name: str, params: Mapping[str, Any], bounds: Bounds = BOUNDS) -> list[dict[str, Any]]:
    """A page of the named query. Raises QueryLimitExceeded, QueryTimeout or StoreError."""
    with refusals(bounds):
        return store.rows(name, params, bounds.settings())


def frame(store: Store, text: str, params: Mapping[str, Any], bounds: Bounds = BOUNDS) -> pl.DataFrame:
    """Result of text that the store composed. Raises QueryLimitExceeded, QueryTimeout or StoreError."""
    with refusals(bounds):
        return to_frame(store.arrow_text(text, params, bounds.settings(), what="query"))


def page(store: Store, text: str, params: Mapping[str, Any], bounds: Bounds = BOUNDS) -> list[dict[str, Any]]:
    """A page of an answer to text that the store composed. Raises QueryLimitExceeded, QueryTimeout or StoreError."""
    with refusals(bounds):
        return store.page(text, params, bounds.settings())


@contextmanager
def refusals(bounds: Bounds) -> Iterator[None]:
    """Word the engine's refusals for the asker."""
    try:
        yield
    except QueryTooSlow as error:
        raise QueryTimeout(
            f"the query took longer than {bounds.seconds:g} s; ask for less time or fewer labels"
        ) from error
    except (QueryTooLarge, MemoryExceeded) as error:
        raise QueryLimitExceeded(
            f"the query needs more than {bounds.memory >> 20} MiB of memory or {bounds.rows:,} rows of answer; "
            "ask for less time, or narrow it down"
        ) from error
