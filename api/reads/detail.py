"""One incident with everything around it, put together from what was stored."""

from __future__ import annotations

from functools import partial

from api.reads import models
from api.reads.reading import Reader
from api.reads.together import together
from api.reads.topology import Places
from api.reads.whynot import Surroundings

_AT_RISK_SHOWN, _FEEDBACK_SHOWN = 100, 100


def detailed(reader: Reader, incident_id: str) -> models.IncidentDetail:
    """The incident with what is at risk, what to do, changes nearby, feedback and links. Raises NotFound."""
    row = reader.incident_row(incident_id)
    around = Surroundings(Places(reader))
    incident: models.IncidentDetail
    incident, carried, changes, feedback = together(
        partial(reader.incident_of, row),
        partial(around.carried, row),
        partial(around.changes, row),
        partial(reader.feedback, incident_id, _FEEDBACK_SHOWN, None),
    )
    shown = {(entry.entity.type, entry.entity.name) for entry in incident.timeline}
    shown |= {(entity.type, entity.name) for entity in incident.blast_radius}
    at_risk = [models.Entity(type=kind, name=name) for kind, name in carried if (kind, name) not in shown]
    path = f"/api/v1/incidents/{incident_id}"
    return incident.model_copy(
        update={
            "at_risk": at_risk[:_AT_RISK_SHOWN],
            "actions": _actions(incident.root_causes),
            "changes": changes,
            "feedback": feedback[0],
            "links": {
                "self": path, "evidence": f"{path}/evidence", "report": f"{path}/report?format=markdown",
                "why_not": f"{path}/why-not?entity=TYPE/NAME",
                "topology": f"/api/v1/topology?at={incident.started_at}",
            },
        }
    )  # fmt: skip


def _actions(causes: list[models.RootCause]) -> list[models.Action]:
    """What is advised, each advice for an entity once."""
    found: dict[tuple[str, str, str], models.Action] = {}
    for cause in causes:
        if cause.action:
            entity = models.Entity(type=cause.entity.type, name=cause.entity.name)
            action = models.Action(
                rank=cause.rank, entity=entity, kind=cause.kind, action=cause.action, score=cause.score
            )
            found.setdefault((entity.type, entity.name, cause.action), action)
    return list(found.values())
