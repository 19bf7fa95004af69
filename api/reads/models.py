"""What the API answers with; field names are the contract with outside tools."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from api.arguments import Argument


class State(StrEnum):
    """Where an incident stands."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    RESOLVED = "resolved"


class Severity(StrEnum):
    """How bad an incident is."""

    CRITICAL = "critical"
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"
    INFO = "info"


class Entity(BaseModel):
    """Something that can fail, named as an SRE would type it."""

    type: str = Field(examples=["gpu"])
    name: str = Field(examples=["GPU-4c1f2a90-7a55-4a4e-9a0e-0d5f6b1c2d3e"])


class NamedEntity(Entity):
    """An entity with the other names it goes by."""

    aliases: list[str] = Field(default_factory=list, examples=[["gpu-node-2/0000:9b:00"]])


class RootCause(BaseModel):
    """A candidate for what failed first."""

    rank: int = Field(ge=1, examples=[1])
    score: float = Field(description="Confidence, 0 to 1.", examples=[0.82])
    entity: NamedEntity
    kind: str = Field(examples=["xid.79"])
    explanation: str = Field(examples=["Xid 79: the GPU has fallen off the bus"])
    action: str = Field(
        default="", description="What the catalogue advises.", examples=["reboot the node, drain it on repeat"]
    )
    signal_ids: list[str] = Field(default_factory=list)
    terms: Any = Field(default=None, description="The numbers behind the score.")
    speaks_for: list[Argument] = Field(default_factory=list, description="Terms of the score that raise it, in words.")
    speaks_against: list[Argument] = Field(default_factory=list, description="Those that lower it.")


class Incident(BaseModel):
    """An incident as a list shows it."""

    id: str = Field(examples=["inc-5f0c2b7a9d"])
    title: str
    state: State
    severity: Severity
    started_at: str = Field(examples=["2026-03-02T08:26:17.260Z"])
    ended_at: str | None
    updated_at: str
    score: float = Field(description="Strength of the incident, 0 to 1.")
    root_causes: list[RootCause]
    unknown: float = Field(
        default=0.0, description="Chance, 0 to 1, that the cause is none of these and left no evidence."
    )
    blast_radius: list[Entity]
    signal_count: int
    assignee: str = Field(default="", description="Whose it is; empty when it is nobody's.")


class IncidentPage(BaseModel):
    """A page of incidents; pass `next_cursor` as `cursor` for the following one."""

    incidents: list[Incident]
    next_cursor: str | None


class TimelineEntry(BaseModel):
    """One observation in an incident; `role` is cause, effect or context."""

    time: str
    until: str
    entity: Entity
    kind: str
    role: str
    explanation: str
    score: float
    severity: str
    signal_id: str
    evidence: str = Field(description="Where the evidence is.", examples=["/api/v1/signals/0f3a"])


class Node(Entity):
    """An entity in an incident's graph; `role` is cause, effect or context."""

    role: str = ""
    part: str = Field(
        default="", description="root_cause, critical_failure (where the cause first shows), impact or context."
    )


class Edge(BaseModel):
    """How one entity's fault reached another: seconds between their onsets, and the strength of the link."""

    src: Entity
    dst: Entity
    kind: str = ""
    hops: int | None = None
    lag_s: float | None = None
    weight: float | None = None


class Graph(BaseModel):
    """Entities of an incident and the links along which it spread."""

    nodes: list[Node] = Field(default_factory=list)
    edges: list[Edge] = Field(default_factory=list)


class Evidence(BaseModel):
    """The numbers behind one signal; `detail` names rows, traces or samples."""

    signal_id: str
    href: str
    family: str
    rule: str
    kind: str
    value: float | None
    baseline: float | None
    detail: Any


class HistoryEntry(BaseModel):
    """Something that became of an incident, as a pass found it or somebody decided."""

    time: str
    kind: str = Field(
        description="opened, split, root_changed, severity_changed, resolved, reopened, absorbed, merged or withdrawn; "
        "by people also acknowledged, assigned, commented, cause_confirmed and cause_rejected",
        examples=["root_changed"],
    )
    who: str = Field(default="", description="Who did it; empty for the correlator.")
    text: str = Field(default="", description="In which words.")
    other: str = Field(description="The incident it was split from, merged into, or that it absorbed.")
    before: str = Field(examples=["pod serving/llm-0 k8s.restart"])
    after: str = Field(examples=["gpu GPU-4c1f2a90-7a55-4a4e-9a0e-0d5f6b1c2d3e xid.79"])


class SimilarIncident(BaseModel):
    """An earlier incident with like evidence; `similarity` is the cosine between the kinds of their signals."""

    id: str
    title: str
    state: State
    severity: Severity
    started_at: str
    ended_at: str | None
    similarity: float = Field(ge=0, le=1, examples=[0.87])


class Action(BaseModel):
    """Something to do, and for which candidate."""

    rank: int
    entity: Entity
    kind: str
    action: str = Field(examples=["reboot the node, drain it on repeat"])
    score: float


class SignalSummary(BaseModel):
    """A detector's finding in a line."""

    id: str
    kind: str = Field(examples=["xid.79"])
    family: str
    entity: Entity
    onset: str
    until: str
    score: float
    severity: str
    explanation: str
    incident_ids: list[str]
    href: str


class Change(SignalSummary):
    """A change near an incident."""

    before_s: float = Field(description="Seconds by which it came before the incident began; negative is after.")
    involved: bool = Field(description="Whether it is one of the incident's own signals.")


class Said(StrEnum):
    """What somebody says of a root cause."""

    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class Feedback(BaseModel):
    """What somebody said of a root cause, with what was shown to them; `rank` 0 was no candidate."""

    incident_id: str
    entity: Entity
    verdict: Said
    kind: str
    rank: int
    score: float
    terms: Any
    who: str
    text: str
    time: str


class IncidentDetail(Incident):
    """One incident with its timeline, graph, evidence, history, and earlier ones that were like it."""

    timeline: list[TimelineEntry]
    graph: Graph
    evidence: list[Evidence]
    history: list[HistoryEntry] = Field(default_factory=list)
    similar: list[SimilarIncident] = Field(default_factory=list)
    at_risk: list[Entity] = Field(
        default_factory=list, description="What depends on the first cause, within three relations, and shows nothing."
    )
    actions: list[Action] = Field(
        default_factory=list, description="What the catalogue advises, likeliest cause first."
    )
    changes: list[Change] = Field(
        default_factory=list, description="Changes from two hours before it until its end, the nearest first."
    )
    feedback: list[Feedback] = Field(default_factory=list, description="What people said of its root causes.")
    links: dict[str, str] = Field(default_factory=dict, description="Where to look further.")


class Signal(BaseModel):
    """One detector's finding with its evidence."""

    id: str
    rule: str
    family: str
    kind: str
    role: str
    entity: Entity
    onset: str
    until: str
    score: float
    direction: int
    value: float | None
    baseline: float | None
    severity: str
    explanation: str
    evidence: Any
    window_start: str
    window_end: str
    incident_ids: list[str]


class CorrelationRequest(BaseModel):
    """A stretch of time to correlate: RFC 3339 or unix seconds."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"start": "2026-03-02T08:00:00Z", "end": "2026-03-02T14:00:00Z"}]}
    )

    start: str | int | float
    end: str | int | float


class Correlation(BaseModel):
    """A back-fill job and how far it is."""

    id: str
    state: str = Field(description="queued, running, done or failed", examples=["queued"])
    start: str
    end: str
    steps_done: int
    steps_total: int
    signals: int
    incidents: int
    attempts: int
    error: str
    created_at: str
    updated_at: str


class Correlations(BaseModel):
    """Back-fill jobs, newest first."""

    correlations: list[Correlation]


class QuarantinedWindow(BaseModel):
    """A window that failed too often: its time is not judged until it is released."""

    correlation_id: str
    start: str
    end: str
    attempts: int
    error: str
    updated_at: str


class QuarantinedWindows(BaseModel):
    """What was given up, oldest first."""

    windows: list[QuarantinedWindow]


class Released(BaseModel):
    """How many windows of a job are tried again."""

    released: int


class RuleFailure(BaseModel):
    """A rule that raised on a window: every other rule's result stands, this one's is missing."""

    rule: str
    window_start: str
    window_end: str
    error: str
    at: str


class RuleFailures(BaseModel):
    """Rules that raised, newest first."""

    failures: list[RuleFailure]


class ReadinessReason(BaseModel):
    """Why the system is not ready, or not as well as it should be."""

    code: str = Field(examples=["store_unreachable"])
    message: str


class Readiness(BaseModel):
    """Whether the system can take telemetry and answer questions."""

    status: str = Field(description="ready, degraded or unavailable", examples=["ready"])
    reasons: list[ReadinessReason] = Field(default_factory=list)


class Status(BaseModel):
    """Versions, sizes and what the receiver has done since it started."""

    version: str
    engine: str
    home: str
    started_at: str
    counts: dict[str, int]
    ingest: dict[str, Any]
