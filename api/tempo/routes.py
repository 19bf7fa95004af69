"""The routes under /tempo/api: the health check, and one trace as protobuf.

Only version 1 of the trace call is there: Grafana asks for version 2 first and goes on to this on 404. Search by
TraceQL is not offered; Jaeger's API has a search.
"""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.deps import Wired
from api.errors import NotFound
from api.protocol.foreign import route_class
from api.tempo.otlp import traces_data
from query.traces import find

PROTOBUF = "application/protobuf"


def refused(status: int, text: str) -> Response:
    """An error as Tempo words it: plain text."""
    return Response(text, status_code=int(status), media_type="text/plain")


router = APIRouter(prefix="/tempo/api", route_class=route_class(refused), include_in_schema=False)


@router.get("/echo")
def echo() -> Response:
    """Grafana's health check."""
    return Response("echo", media_type="text/plain")


@router.get("/traces/{trace_id}")
def one_trace(wired: Wired, trace_id: str) -> Response:
    """One trace as OTLP's TracesData; 404 when there is none of that id."""
    found = find.fetch(wired.reader.store, wired.reader.tenant, [find.trace_id(trace_id)])
    if not found:
        raise NotFound("trace not found")
    return Response(traces_data(found[0].spans).SerializeToString(), media_type=PROTOBUF)
