"""A post-mortem's draft: what happened, why we think so, what to do; as Markdown or as data.

Texts come from telemetry, which anybody may have written: in Markdown every character that could become markup, a link
or HTML is escaped, and nothing spans a line.
"""

from __future__ import annotations

import html
import re
from datetime import datetime

from pydantic import BaseModel, Field

from api.reads import models

# What marks up text inside a line, and what GitHub's dialect makes a link of: https://github.github.com/gfm/
_MARKUP = re.compile(r"[\\`*_{}\[\]()#!|~@]|:(?=//)|(?<=www)\.", re.IGNORECASE)
_LONGEST = 500
_CAUSES, _TIMELINE = 5, 200


class Report(BaseModel):
    """The draft as data."""

    id: str
    title: str
    state: models.State
    severity: models.Severity
    started_at: str
    ended_at: str | None
    duration_s: float | None
    assignee: str
    summary: str = Field(description="The incident in a sentence or three.")
    causes: list[models.RootCause]
    impact: list[models.Entity]
    at_risk: list[models.Entity]
    actions: list[models.Action]
    changes: list[models.Change]
    timeline: list[models.TimelineEntry]
    history: list[models.HistoryEntry]
    feedback: list[models.Feedback]
    links: dict[str, str]


def report(incident: models.IncidentDetail) -> Report:
    """The draft of an incident."""
    lasted = None
    if incident.ended_at is not None:
        lasted = (_time(incident.ended_at) - _time(incident.started_at)).total_seconds()
    return Report(
        causes=incident.root_causes[:_CAUSES],
        impact=incident.blast_radius,
        timeline=incident.timeline[:_TIMELINE],
        duration_s=lasted,
        summary=_summary(incident, lasted),
        **{
            name: getattr(incident, name)
            for name in (
                "id", "title", "state", "severity", "started_at", "ended_at", "assignee", "at_risk", "actions",
                "changes", "history", "feedback", "links",
            )
        },
    )  # fmt: skip


def _summary(incident: models.IncidentDetail, lasted: float | None) -> str:
    causes = incident.root_causes
    parts = [f"The incident began at {incident.started_at}"]
    parts[0] += " and is not over." if lasted is None else f" and lasted {lasted:.0f} seconds."
    if causes:
        first = causes[0]
        parts.append(
            f"The likeliest cause is {first.entity.type} {first.entity.name} ({first.kind}), with {first.score:.0%} "
            f"confidence: {first.explanation}."
        )
    hurt = len(incident.blast_radius)
    parts.append(f"{incident.signal_count} signals tell of it; {hurt} other entities were hurt.")
    return " ".join(parts)


def escaped(text: str) -> str:
    """Text from telemetry as Markdown that shows just that text, on one line."""
    line = " ".join(text.split())
    if len(line) > _LONGEST:
        line = line[: _LONGEST - 1] + "…"
    return _MARKUP.sub(r"\\\g<0>", html.escape(line, quote=False))


def markdown(draft: Report) -> str:
    """The draft for people to go on with."""
    lines = [f"# Post-mortem: {escaped(draft.title)}", ""]
    ended = draft.ended_at or "not over"
    facts = [
        ("Incident", draft.id), ("State", draft.state.value), ("Severity", draft.severity.value),
        ("Began", draft.started_at), ("Ended", ended), ("Assigned to", draft.assignee or "nobody"),
    ]  # fmt: skip
    lines += ["| | |", "|---|---|", *(f"| {name} | {escaped(value)} |" for name, value in facts)]
    lines += ["", "## Summary", "", escaped(draft.summary)]
    lines += ["", "## Root cause", "", *_causes(draft)]
    lines += _listed("Impact", [_entity(entity) for entity in draft.impact], "Nothing else was hurt.")
    lines += _listed("At risk", [_entity(entity) for entity in draft.at_risk], "")
    lines += _listed("Changes nearby", [_change(change) for change in draft.changes], "No change was seen nearby.")
    lines += ["", "## Timeline", "", "| time | role | entity | what | evidence |", "|---|---|---|---|---|"]
    lines += [_row(entry) for entry in draft.timeline]
    actions = [f"{_entity(action.entity)}: {escaped(action.action)}" for action in draft.actions]
    lines += _listed("Actions", [f"[ ] {action}" for action in actions], "The catalogue advises nothing.")
    told = [
        f"{escaped(entry.time)} {escaped(entry.kind)} {escaped(entry.after)} "
        f"{escaped(f'by {entry.who}: {entry.text}' if entry.who else '')}".rstrip()
        for entry in draft.history
    ]
    lines += _listed("What was done", told, "Nothing.")
    lines += ["", "## Lessons", "", "- What went well:", "- What went wrong:", "- Where we were lucky:", ""]
    return "\n".join(lines)


def _causes(draft: Report) -> list[str]:
    lines = []
    for cause in draft.causes:
        head = f"{cause.rank}. {_entity(cause.entity)}, {escaped(cause.kind)}, {cause.score:.0%}"
        lines.append(f"{head}: {escaped(cause.explanation)}")
        lines += [f"    - for: {escaped(argument.text)}" for argument in cause.speaks_for]
        lines += [f"    - against: {escaped(argument.text)}" for argument in cause.speaks_against]
    said = [f"- {_entity(f.entity)}: {f.verdict.value} by {escaped(f.who)}: {escaped(f.text)}" for f in draft.feedback]
    return (lines or ["No cause was found."]) + (["", *said] if said else [])


def _row(entry: models.TimelineEntry) -> str:
    link = f"[{escaped(entry.kind)}](<{entry.evidence}/evidence>)"
    cells = (escaped(entry.time), escaped(entry.role), _entity(entry.entity), escaped(entry.explanation), link)
    return f"| {' | '.join(cells)} |"


def _listed(title: str, items: list[str], otherwise: str) -> list[str]:
    if not items and not otherwise:
        return []
    return ["", f"## {title}", "", *([f"- {item}" for item in items] or [otherwise])]


def _entity(entity: models.Entity) -> str:
    return f"{escaped(entity.type)} **{escaped(entity.name)}**"


def _change(change: models.Change) -> str:
    when = f"{abs(change.before_s):.0f} s {'before' if change.before_s >= 0 else 'after'}"
    return f"{escaped(change.kind)} of {_entity(change.entity)}, {when} it began: {escaped(change.explanation)}"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
