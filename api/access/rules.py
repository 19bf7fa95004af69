"""Which scope a request needs: one table, from a method and a path as the router sees it.

Paths are never taken from a URL that is put together from headers. The table is read from the top; a path that no
line has is nobody's, which a test makes sure of for every route there is.
"""

from __future__ import annotations

from api.access.scopes import Scope

# What answers without a key: probes of an orchestrator have none, and the answers name nobody.
OPEN = frozenset({"/healthz", "/readyz"})
_READS = frozenset({"GET", "HEAD", "OPTIONS"})
# Prefix, scope of reads, scope of everything else.
_TABLE: tuple[tuple[str, Scope, Scope], ...] = (
    ("/api/v1/keys", Scope.ADMIN, Scope.ADMIN),
    ("/api/v1/audit", Scope.ADMIN, Scope.ADMIN),
    # What is deleted is gone for good.
    ("/api/v1/deletions", Scope.ADMIN, Scope.ADMIN),
    # Telemetry that comes to this port: what sends it needs to see nothing.
    ("/api/v1/alertmanager/webhook", Scope.INGEST, Scope.INGEST),
    ("/api/v2/alerts", Scope.INGEST, Scope.INGEST),
    ("/api/v1/", Scope.QUERY, Scope.OPERATE),
    # Queries of other tools are asked by POST, too.
    ("/prometheus/", Scope.QUERY, Scope.QUERY),
    ("/loki/", Scope.QUERY, Scope.QUERY),
    ("/jaeger/", Scope.QUERY, Scope.QUERY),
    ("/tempo/", Scope.QUERY, Scope.QUERY),
    ("/docs", Scope.QUERY, Scope.QUERY),
    ("/openapi.json", Scope.QUERY, Scope.QUERY),
)


def needed(method: str, path: str) -> Scope:
    """The scope that a request needs; administrators' for what the table does not have."""
    for prefix, reads, writes in _TABLE:
        if path.startswith(prefix):
            return reads if method in _READS else writes
    return Scope.ADMIN


def covered(path: str) -> bool:
    """Whether the table, or the list of what is open, has the path."""
    return path in OPEN or any(path.startswith(prefix) for prefix, _, _ in _TABLE)
