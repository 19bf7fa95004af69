"""Incidents for people: the ranked list and one timeline, in colour where the terminal has it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

SEVERITY_ORDER = ("critical", "high", "medium", "low", "info")
_SEVERITY_STYLE = {
    "critical": "bold red",
    "high": "red",
    "medium": "yellow",
    "low": "cyan",
    "info": "dim",
}
_ROLE_STYLE = {"cause": "bold red", "effect": "yellow", "context": "dim"}
_CAUSES_SHOWN = 5
_NAME_WIDTH = 44

Incident = dict[str, Any]


def ranked(incidents: list[Incident]) -> list[Incident]:
    """Worst first: by severity, then score, then the later start."""

    def key(incident: Incident) -> tuple[int, float, float]:
        severity = SEVERITY_ORDER.index(incident["severity"]) if incident["severity"] in SEVERITY_ORDER else 9
        return severity, -incident["score"], -_time(incident["started_at"]).timestamp()

    return sorted(incidents, key=key)


def incident_list(incidents: list[Incident]) -> RenderableType:
    """One line per incident with its first root cause."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=f"{len(incidents)} incidents", title_justify="left")
    for heading, options in (
        ("started", {"no_wrap": True}),
        ("severity", {}),
        ("state", {}),
        ("score", {"justify": "right"}),
        ("first root cause", {"overflow": "fold"}),
        ("hurt", {"justify": "right"}),
        ("id", {"no_wrap": True, "style": "dim"}),
    ):
        table.add_column(heading, **options)
    for incident in incidents:
        first = next(iter(incident["root_causes"]), None)
        table.add_row(
            incident["started_at"][:19].replace("T", " "),
            Text(incident["severity"], style=_SEVERITY_STYLE.get(incident["severity"], "")),
            incident["state"],
            f"{incident['score']:.2f}",
            _cause_line(first) if first else Text("unknown", style="dim"),
            str(len(incident["blast_radius"])),
            incident["id"],
        )
    return table


def incident_detail(incident: Incident) -> RenderableType:
    """Heading, ranked root causes, blast radius and timeline of one incident."""
    style = _SEVERITY_STYLE.get(incident["severity"], "bold")
    ended = incident["ended_at"][:19].replace("T", " ") if incident["ended_at"] else "still going on"
    heading = Text.assemble((incident["severity"].upper(), style), "  ", (incident["title"], "bold"))
    facts = Text(
        f"{incident['id']}  {incident['state']}  score {incident['score']:.2f}  {incident['signal_count']} signals  "
        f"{incident['started_at'][:19].replace('T', ' ')} to {ended}",
        style="dim",
    )
    hurt = ", ".join(f"{e['type']} {_short(e['name'])}" for e in incident["blast_radius"]) or "nothing else"
    return Group(
        heading,
        facts,
        Text("\nRoot causes", style="bold"),
        Padding(_causes(incident["root_causes"]), (0, 0, 0, 2)),
        Text.assemble(("\nHurt: ", "bold"), hurt),
        Text("\nTimeline", style="bold"),
        Padding(_timeline(incident), (0, 0, 0, 2)),
    )


def _causes(causes: list[dict[str, Any]]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(justify="right")
    table.add_column(justify="right", style="bold")
    table.add_column(overflow="fold")
    for cause in sorted(causes, key=lambda cause: int(cause["rank"]))[:_CAUSES_SHOWN]:
        aliases = cause["entity"].get("aliases") or []
        text = Text.assemble(_cause_line(cause), "\n", (cause["explanation"], "default"))
        if aliases:
            text.append("\nalso " + ", ".join(aliases[:4]), style="dim")
        table.add_row(f"{cause['rank']}.", f"{cause['score']:.2f}", text)
    return table


def _cause_line(cause: dict[str, Any]) -> Text:
    entity = cause["entity"]
    return Text.assemble((entity["type"], "cyan"), " ", (entity["name"], "bold"), "  ", (cause["kind"], "magenta"))


def _timeline(incident: Incident) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False)
    for options in (
        {"no_wrap": True},
        {"justify": "right", "style": "dim"},
        {},
        {"overflow": "fold"},
        {"overflow": "fold"},
    ):
        table.add_column(**options)
    began = _time(incident["started_at"])
    for entry in incident["timeline"]:
        at = _time(entry["time"])
        entity = Text.assemble((entry["entity"]["type"], "cyan"), " ", _short(entry["entity"]["name"]))
        what = Text.assemble((entry["kind"], "magenta"), "  ", entry["explanation"])
        table.add_row(
            entry["time"][11:23].rstrip("Z"),
            _offset((at - began).total_seconds()),
            Text(entry["role"], style=_ROLE_STYLE.get(entry["role"], "")),
            entity,
            what,
        )
    return table


def _offset(seconds: float) -> str:
    sign = "-" if seconds < 0 else "+"
    whole = abs(seconds)
    return f"{sign}{int(whole // 60)}m{int(whole % 60):02d}s" if whole >= 60 else f"{sign}{whole:.1f}s"


def _short(name: str) -> str:
    return name if len(name) <= _NAME_WIDTH else name[: _NAME_WIDTH - 1] + "…"


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def problem(console: Console, message: str) -> None:
    """One sentence about what went wrong."""
    console.print(f"[bold red]causeline:[/] {escape(message)}", highlight=False, soft_wrap=True)
