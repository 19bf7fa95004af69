"""Entities and the topology that joins them, at a time."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from api.deps import Wired
from api.protocol.parameters import Cursor, Name, PageSize, Text, moment
from api.reads import investigation
from api.reads.topology import Places

router = APIRouter(prefix="/api/v1", tags=["entities"])

At = Annotated[
    str | None,
    Query(description="RFC 3339 or unix seconds; the last time at which topology was seen unless given."),
]
About = Annotated[
    str, Query(max_length=400, pattern=r"^([^\x00/]+/[^\x00]+)?$", description="Only relations of this TYPE/NAME.")
]
Edges = Annotated[int, Query(ge=1, le=1000, description="Relations on a page, 1 to 1000.")]


@router.get("/entities", summary="Search entities")
def search_entities(
    wired: Wired,
    type: Annotated[Text, Query(description="Only entities of this type.", examples=["gpu"])] = "",  # noqa: A002
    q: Annotated[Text, Query(description="Text in a name or alias, in any case.")] = "",
    limit: PageSize = 100,
    cursor: Cursor = None,
) -> investigation.EntityPage:
    """What telemetry names, in order of type and name."""
    return Places(wired.reader).search(type, q, limit, cursor)


@router.get("/entities/{entity_type}/{name:path}", summary="What happened to an entity")
def get_entity(entity_type: Name, name: Name, wired: Wired, at: At = None) -> investigation.EntityDetail:
    """Signals, incidents, names, and neighbours at a time; an alias will do as its name."""
    return Places(wired.reader).detail(entity_type, name, moment(at, "at"))


@router.get("/topology", summary="Relations at a time")
def get_topology(
    wired: Wired, at: At = None, entity: About = "", limit: Edges = 500, cursor: Cursor = None
) -> investigation.Topology:
    """Relations seen to hold at that moment; a fault of an edge's source can break its target."""
    return Places(wired.reader).topology(moment(at, "at"), entity, limit, cursor)


@router.get("/topology/nodes", summary="Entities for a node graph")
def topology_nodes(wired: Wired, at: At = None, entity: About = "", limit: Edges = 500) -> investigation.GraphNodes:
    """A flat array with the fields of Grafana's node graph; red is what has part in an unresolved incident."""
    places = Places(wired.reader)
    found = places.topology(moment(at, "at"), entity, limit, None)
    ailing = places.ailing()
    return investigation.GraphNodes(
        nodes=[
            investigation.GraphNode(
                id=f"{node.type}/{node.name}", title=node.name, subTitle=node.type,
                mainStat="ailing" if node.name in ailing else "ok",
                arc__ok=float(node.name not in ailing), arc__error=float(node.name in ailing),
            )
            for node in found.nodes
        ]
    )  # fmt: skip


@router.get("/topology/edges", summary="Relations for a node graph")
def topology_edges(wired: Wired, at: At = None, entity: About = "", limit: Edges = 500) -> investigation.GraphEdges:
    """A flat array with the fields of Grafana's node graph."""
    found = Places(wired.reader).topology(moment(at, "at"), entity, limit, None)
    return investigation.GraphEdges(
        edges=[
            investigation.GraphEdge(
                id=f"{edge.src.type}/{edge.src.name} {edge.kind} {edge.dst.type}/{edge.dst.name}",
                source=f"{edge.src.type}/{edge.src.name}",
                target=f"{edge.dst.type}/{edge.dst.name}",
                mainStat=edge.kind,
            )
            for edge in found.edges
        ]
    )  # fmt: skip
