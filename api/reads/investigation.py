"""What the API answers with about entities, topology, decisions and reasons; field names are a contract."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from api.reads.models import Entity, Feedback, Incident, NamedEntity, Said, SignalSummary

# No NUL: no name has one, and the engine's parameters cannot carry it.
_PLAIN = r"^[^\x00]*$"
_ID = Annotated[str, Field(min_length=1, max_length=200, pattern=_PLAIN)]
_WORDS = Annotated[str, Field(max_length=4000, pattern=_PLAIN)]


class KnownEntity(NamedEntity):
    """An entity and when telemetry named it first and last."""

    first_seen: str
    last_seen: str


class EntityPage(BaseModel):
    """A page of entities."""

    entities: list[KnownEntity]
    next_cursor: str | None


class TopologyEdge(BaseModel):
    """A relation: a fault of `src` can break `dst`."""

    kind: str = Field(examples=["hosts"])
    src: Entity
    dst: Entity
    valid_from: str
    valid_to: str


class Topology(BaseModel):
    """Relations that held at a moment."""

    at: str
    nodes: list[Entity]
    edges: list[TopologyEdge]
    next_cursor: str | None


class GraphNode(BaseModel):
    """A node as Grafana's node graph wants it."""

    id: str
    title: str
    subTitle: str  # noqa: N815 - Grafana's name
    mainStat: str  # noqa: N815
    arc__ok: float
    arc__error: float


class GraphEdge(BaseModel):
    """An edge as Grafana's node graph wants it."""

    id: str
    source: str
    target: str
    mainStat: str  # noqa: N815


class GraphNodes(BaseModel):
    """Nodes for a node graph: a flat array at a root key."""

    nodes: list[GraphNode]


class GraphEdges(BaseModel):
    """Edges for a node graph."""

    edges: list[GraphEdge]


class EntityDetail(KnownEntity):
    """What happened to an entity: its signals, its incidents, and what it depends on and carries."""

    at: str = Field(description="The moment at which the neighbours were its neighbours.")
    signals: list[SignalSummary] = Field(description="Newest first.")
    incidents: list[Incident] = Field(description="Incidents in which it takes part, newest first.")
    depends_on: list[TopologyEdge]
    carries: list[TopologyEdge]


class WhyNot(BaseModel):
    """Why an entity is not the first cause of an incident."""

    incident_id: str
    entity: NamedEntity
    verdict: str = Field(
        description="is_cause, ranked_lower, explained_by, began_later, no_root, apart, no_signal or unknown_entity",
        examples=["explained_by"],
    )
    reasons: list[str] = Field(description="Sentences, the strongest first.")
    rank: int | None = None
    score: float | None = None
    terms: Any = None
    compared_with: Any = Field(default=None, description="The terms of the first candidate.")
    signals: list[SignalSummary] = Field(default_factory=list, description="What was seen of it around that time.")


class Words(BaseModel):
    """Why; kept in the history."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "looking at the node"}]})

    text: _WORDS = ""


class Comment(BaseModel):
    """Words for the history."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"text": "rebooted the node, waiting"}]})

    text: Annotated[str, Field(min_length=1, max_length=4000, pattern=_PLAIN)]


class Assignment(Words):
    """Whose an incident is; '' is nobody's."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"assignee": "ann", "text": "GPU on call"}]})

    assignee: Annotated[str, Field(max_length=200, pattern=_PLAIN)]


class Merge(Words):
    """Into which incident."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"into": "inc-5f0c2b7a9d", "text": "same rack"}]})

    into: _ID


class EntityName(BaseModel):
    """An entity, by type and name."""

    type: _ID = Field(examples=["gpu"])
    name: Annotated[str, Field(min_length=1, max_length=400, pattern=_PLAIN)] = Field(examples=["GPU-4c1f2a90"])


class Split(Words):
    """What leaves for an incident of its own."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"entities": [{"type": "pod", "name": "weaviate-0"}], "text": "another fault"}]}
    )

    signal_ids: list[_ID] = Field(default_factory=list, max_length=1000)
    entities: list[EntityName] = Field(default_factory=list, max_length=100)


class Verdict(Words):
    """Whether an entity is the root cause; one that is no candidate can be named, too."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"entity": {"type": "gpu", "name": "GPU-4c1f2a90"}, "verdict": "confirmed", "text": "replaced"}
            ]
        }
    )

    entity: EntityName
    verdict: Said


class FeedbackPage(BaseModel):
    """A page of feedback, latest first."""

    feedback: list[Feedback]
    next_cursor: str | None
