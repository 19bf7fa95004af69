"""The routes under /jaeger/api: services, operations, search, one trace, dependencies."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api.deps import Wired
from api.errors import BadParameter, NotFound
from api.jaeger import params, spans
from api.protocol.foreign import answer, route_class
from query.traces import find

Repeated = Annotated[list[str] | None, Query()]


def envelope(data: Any, status: int = 200, errors: list[dict[str, Any]] | None = None, total: int = 0) -> Response:
    """Jaeger's envelope of every answer."""
    return answer({"data": data, "total": total, "limit": 0, "offset": 0, "errors": errors}, status)


def refused(status: int, text: str) -> Response:
    """An error as Jaeger words it."""
    return envelope(None, status, [{"code": int(status), "msg": text}])


router = APIRouter(prefix="/jaeger/api", route_class=route_class(refused), include_in_schema=False)


@router.get("/services")
def services(wired: Wired) -> Response:
    """Names of services; Grafana's health check."""
    names = find.services(wired.reader.store, wired.reader.tenant)
    return envelope(names, total=len(names))


@router.get("/services/{service:path}/operations")
def service_operations(wired: Wired, service: str) -> Response:
    """Names of a service's spans."""
    found = find.operations(wired.reader.store, wired.reader.tenant, service)
    names = sorted({name for name, _ in found})
    return envelope(names, total=len(names))


@router.get("/operations")
def operations(wired: Wired, service: str = "", span_kind: Annotated[str, Query(alias="spanKind")] = "") -> Response:
    """Names of a service's spans, each with its kind."""
    if not service:
        raise BadParameter("service", "is required")
    found = find.operations(wired.reader.store, wired.reader.tenant, service, span_kind.capitalize())
    named = [{"name": name, "spanKind": "" if kind == "Unspecified" else kind.lower()} for name, kind in found]
    return envelope(named, total=len(named))


@router.get("/traces")
def search(
    wired: Wired,
    service: str = "",
    operation: str = "",
    tags: str = "",
    tag: Repeated = None,
    shortest: Annotated[str, Query(alias="minDuration")] = "",
    longest: Annotated[str, Query(alias="maxDuration")] = "",
    limit: str = "",
    start: str = "",
    end: str = "",
    trace_id: Annotated[list[str] | None, Query(alias="traceID")] = None,
) -> Response:
    """Traces of a service that match, newest first, or those with the ids given."""
    store, tenant = wired.reader.store, wired.reader.tenant
    if trace_id:
        if len(trace_id) > find.MAX_TRACES:
            raise BadParameter("traceID", f"is given more than {find.MAX_TRACES} times")
        found = find.fetch(store, tenant, [find.trace_id(each) for each in trace_id])
        return envelope(_traces(found))
    if not service:
        raise BadParameter("service", "is required")
    least, most = params.both_durations(shortest, longest)
    wanted = find.Search(
        window=params.search_window(start, end),
        service=service,
        operation="" if operation == "all" else operation,
        tags=params.tags(tags, tag or []),
        shortest=least,
        longest=most,
        limit=params.limit(limit),
    )
    return envelope(_traces(find.search(store, tenant, wanted)))


@router.get("/traces/{trace_id}")
def one_trace(wired: Wired, trace_id: str) -> Response:
    """One trace; 404 when there is none of that id."""
    wanted = find.trace_id(trace_id)
    found = find.fetch(wired.reader.store, wired.reader.tenant, [wanted])
    if not found:
        raise NotFound("trace not found")
    return envelope(_traces(found))


@router.get("/dependencies")
def dependencies(wired: Wired, end: Annotated[str, Query(alias="endTs")] = "", lookback: str = "") -> Response:
    """Which service called which, and how often; the data of the dependency graph."""
    window = params.lookback_window(end, lookback)
    found = find.dependencies(wired.reader.store, wired.reader.tenant, window)
    return envelope([{"parent": row["parent"], "child": row["child"], "callCount": row["calls"]} for row in found])


def _traces(found: list[find.Trace]) -> list[dict[str, Any]]:
    return [
        spans.trace(
            trace.trace_id,
            trace.spans,
            [f"only the first {len(trace.spans)} spans are shown"] if trace.is_cut else None,
        )
        for trace in found
    ]
