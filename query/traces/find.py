"""Services, operations, searches, whole traces and dependencies, each a named query with bounds."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from query import bounds
from query.errors import BadQuery
from store import Store, Window

MAX_TRACES = 1500
# A page that a browser can still draw; what is cut off is told with the trace.
MAX_SPANS = 50_000
MAX_NAMES = 10_000
_ID = re.compile(r"^[0-9A-Fa-f]{1,32}$", re.ASCII)

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Search:
    """Which traces are wanted: those with one span to which all of this applies.

    Empty text means any; durations are nanoseconds; tags are attributes of the span, its resource, scope, events or
    links, with values as text.
    """

    window: Window
    service: str
    operation: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    shortest: int = 0
    longest: int = 0
    limit: int = 20


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace's spans in order of time, at least one, and whether there are more."""

    trace_id: str
    spans: list[Row]
    is_cut: bool


def trace_id(text: str) -> str:
    """A trace id as stored, 32 lower-case hexadecimal digits; short ones are filled up. Raises BadQuery."""
    if not _ID.match(text):
        raise BadQuery(f"{text[:40]!r} is not a trace id: up to 32 hexadecimal digits")
    return text.lower().zfill(32)


def services(store: Store, tenant: str) -> list[str]:
    """Names of all services that sent spans, sorted."""
    found = bounds.rows(store, "trace_services", {"tenant": tenant, "limit": MAX_NAMES})
    return [str(row["name"]) for row in found]


def operations(store: Store, tenant: str, service: str, kind: str = "") -> list[tuple[str, str]]:
    """Names of a service's spans, each with its kind as stored (`Server`), sorted."""
    params = {"tenant": tenant, "service": service, "kind": kind, "limit": MAX_NAMES}
    return [(str(row["name"]), str(row["kind"])) for row in bounds.rows(store, "trace_operations", params)]


def search(store: Store, tenant: str, wanted: Search) -> list[Trace]:
    """The newest traces that match, newest first; none is without spans.

    All of a trace's spans are there, also those that lie outside the window. Raises QueryError, StoreError.
    """
    params = {
        "tenant": tenant,
        "start": wanted.window.start,
        "end": wanted.window.end,
        "service": wanted.service,
        "operation": wanted.operation,
        "keys": list(wanted.tags),
        "values": list(wanted.tags.values()),
        "shortest": wanted.shortest,
        "longest": wanted.longest,
        "limit": min(wanted.limit, MAX_TRACES),
    }
    found = [str(row["trace_id"]) for row in bounds.rows(store, "trace_search", params)]
    by_id = {trace.trace_id: trace for trace in fetch(store, tenant, found)}
    return [by_id[each] for each in found if each in by_id]


def fetch(store: Store, tenant: str, ids: Sequence[str]) -> list[Trace]:
    """The traces with these ids; unknown ones are not among them, and MAX_SPANS are shared by all."""
    if not ids:
        return []
    spans: dict[str, list[Row]] = {}
    each = max(MAX_SPANS // len(ids), 1)
    for row in bounds.rows(store, "trace_spans", {"tenant": tenant, "ids": list(ids), "each": each + 1}):
        spans.setdefault(str(row["trace_id"]), []).append(row)
    return [Trace(trace_id, found[:each], len(found) > each) for trace_id, found in spans.items()]


def dependencies(store: Store, tenant: str, window: Window) -> list[Row]:
    """How often spans of a service called another's within the window: parent, child, calls."""
    params = {"tenant": tenant, "start": window.start, "end": window.end, "limit": MAX_NAMES}
    return bounds.rows(store, "trace_dependencies", params)
