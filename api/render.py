"""Incidents for people: the ranked list and one timeline, in colour where the terminal has it.

Laid out for 80 columns and more. Node names are cut at their first dot, as SREs say them; the API's
JSON has them whole.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

SEVERITY_ORDER = ("critical", "high", "medium", "low", "info")
_SEVERITY_STYLE = {"critical": "bold red", "high": "red", "medium": "yellow", "low": "cyan", "info": "dim"}
_ROLE_STYLE = {"cause": "bold red", "effect": "yellow", "context": "dim"}
_CAUSES_SHOWN = 5
_FAINT = 0.005
_ALIASES_SHOWN = 3
_DETAILS_SHOWN = 6
_DETAIL_WIDTH = 160
_INDENT = (0, 0, 0, 2)

Json = dict[str, Any]


def ranked(incidents: list[Json]) -> list[Json]:
    """Worst first: by severity, then score, then the later start, then id."""

    def key(incident: Json) -> tuple[int, float, float, str]:
        severity = SEVERITY_ORDER.index(incident["severity"])
        return severity, -incident["score"], -_time(incident["started_at"]).timestamp(), incident["id"]

    return sorted(incidents, key=key)


def incident_list(incidents: list[Json]) -> RenderableType:
    """Two lines per incident: its facts, and its first root cause."""
    table = _grid(no_wrap=(0, 1))
    for incident in incidents:
        facts = f"{incident['state']}  score {incident['score']:.2f}  hurt {len(incident['blast_radius'])}"
        first = next(iter(incident["root_causes"]), None)
        cause = _cause_line(first, _Names([incident])) if first else Text("no root cause", style="dim")
        table.add_row(
            Text(incident["severity"].upper(), style=_SEVERITY_STYLE[incident["severity"]]),
            _moment(incident["started_at"]),
            Text.assemble(facts, "  ", (incident["id"], "dim"), "\n", cause),
        )
    title = "1 incident" if len(incidents) == 1 else f"{len(incidents)} incidents, worst first"
    return Group(Text(title, style="bold"), Padding(table, (0, 0, 1, 0)))


def incident_detail(incident: Json) -> RenderableType:
    """Heading, ranked root causes, blast radius, timeline and the causes' evidence of one incident."""
    names = _Names([incident])
    until = _moment(incident["ended_at"]) if incident["ended_at"] else "now"
    heading = Text.assemble(
        (incident["severity"].upper(), _SEVERITY_STYLE[incident["severity"]]),
        "  ",
        (names.short(incident["title"]), "bold"),
    )
    facts = (
        f"{incident['id']}  {incident['state']}  score {incident['score']:.2f}  {incident['signal_count']} signals  "
        f"{_moment(incident['started_at'])} to {until}"
    )
    return Group(
        heading,
        Text(facts, style="dim"),
        *_section("Root causes", _causes(incident["root_causes"], names)),
        *_section("Hurt", _hurt(incident["blast_radius"], names)),
        *_section("Timeline", _timeline(incident, names)),
        *_section("Evidence of the cause", _evidence(incident, names)),
    )


class _Names:
    """Shortens the node names that incidents mention."""

    def __init__(self, incidents: Iterable[Json]) -> None:
        found = {name for incident in incidents for name in _node_names(incident)}
        self._nodes = sorted((name for name in found if "." in name), key=len, reverse=True)

    def short(self, text: str) -> str:
        """`text` with every known node name cut at its first dot."""
        for name in self._nodes:
            text = text.replace(name, name.partition(".")[0])
        return text


def _node_names(incident: Json) -> Iterable[str]:
    entities = [cause["entity"] for cause in incident["root_causes"]] + incident["blast_radius"]
    for entity in entities + [entry["entity"] for entry in incident.get("timeline", ())]:
        if entity["type"] == "node":
            yield entity["name"]
        if entity["type"] == "gpu":
            yield from (name.partition("/")[0] for name in (entity["name"], *entity.get("aliases", ())) if "/" in name)


def _section(title: str, body: RenderableType | None) -> tuple[RenderableType, ...]:
    return () if body is None else (Text(f"\n{title}", style="bold"), Padding(body, _INDENT))


def _grid(*, right: tuple[int, ...] = (), no_wrap: tuple[int, ...] = (), columns: int = 3) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    for number in range(columns):
        justify = "right" if number in right else "left"
        table.add_column(justify=justify, no_wrap=number in no_wrap, overflow="fold")  # type: ignore[arg-type]
    return table


def _causes(causes: list[Json], names: _Names) -> RenderableType:
    table = _grid(right=(0, 1), no_wrap=(0, 1))
    for cause in sorted(causes, key=lambda cause: int(cause["rank"]))[:_CAUSES_SHOWN]:
        if cause["rank"] > 1 and cause["score"] < _FAINT:
            continue
        text = Text.assemble(_cause_line(cause, names), "\n", names.short(cause["explanation"]))
        aliases = sorted({names.short(alias) for alias in cause["entity"].get("aliases") or ()})
        for line in (_why(cause.get("terms") or {}, names), ", ".join(aliases[:_ALIASES_SHOWN])):
            if line:
                text.append(f"\n{line}", style="dim")
        table.add_row(f"{cause['rank']}.", Text(f"{cause['score']:.2f}", style="bold"), text)
    return table


def _why(terms: Json, names: _Names) -> str:
    """The numbers behind a score in words; empty when an incident has none."""
    parts = []
    if terms.get("own") is not None:
        parts.append(f"own evidence {terms['own']:.2f} ({', '.join(terms.get('families') or ())})")
    if terms.get("fit") not in (None, 1, 1.0):
        parts.append(f"fits the symptoms {terms['fit']:.2f}-fold")
    if terms.get("coverage") is not None:
        parts.append(f"would explain {terms['coverage']:.0%} of the rest")
    if terms.get("late_s"):
        parts.append(f"began {terms['late_s']:.0f} s late")
    if terms.get("during") not in (None, 1, 1.0):
        parts.append(f"there for {terms['during']:.0%} of it")
    if terms.get("explained_by"):
        parts.append(f"explained by {names.short(terms['explained_by'].replace(':', ' ', 1))}")
    return "; ".join(parts)


def _cause_line(cause: Json, names: _Names) -> Text:
    return Text.assemble(_entity(cause["entity"], names), "  ", (cause["kind"], "magenta"))


def _entity(entity: Json, names: _Names) -> Text:
    return Text.assemble((entity["type"], "cyan"), " ", (names.short(entity["name"]), "bold"))


def _hurt(entities: list[Json], names: _Names) -> RenderableType | None:
    by_type: dict[str, list[str]] = {}
    for entity in entities:
        by_type.setdefault(entity["type"], []).append(names.short(entity["name"]))
    table = _grid(no_wrap=(0,), columns=2)
    for kind, found in by_type.items():
        table.add_row(Text(kind, style="cyan"), ", ".join(found))
    return table if entities else None


def _timeline(incident: Json, names: _Names) -> RenderableType:
    table = _grid(right=(1,), no_wrap=(0, 1, 2), columns=4)
    began = _time(incident["started_at"])
    for entry in incident["timeline"]:
        what = Text.assemble(_entity(entry["entity"], names), "  ", (entry["kind"], "magenta"))
        what.append(f"\n{names.short(entry['explanation'])}")
        table.add_row(
            entry["time"][11:19],
            Text(_offset((_time(entry["time"]) - began).total_seconds()), style="dim"),
            Text(entry["role"], style=_ROLE_STYLE.get(entry["role"], "")),
            what,
        )
    return table


def _evidence(incident: Json, names: _Names) -> RenderableType | None:
    """What proves the first root cause: the numbers and records that its signals rest on."""
    causes = {entry["signal_id"] for entry in incident["timeline"] if entry["role"] == "cause"}
    table = _grid(no_wrap=(0,), columns=2)
    for evidence in incident["evidence"]:
        if evidence["signal_id"] in causes:
            text = Text(names.short("; ".join(_details(evidence))))
            text.append(f"\n{evidence['href']}", style="dim")
            table.add_row(Text(evidence["kind"], style="magenta"), text)
    return table if table.row_count else None


def _details(evidence: Json) -> Iterable[str]:
    value, usual = evidence["value"], evidence["baseline"]
    if value or usual:
        yield f"{value if value is not None else '-'}, usually {usual if usual is not None else '-'}"
    detail = evidence["detail"] if isinstance(evidence["detail"], dict) else {}
    told = [(name, found) for name, found in detail.items() if found not in ("", None, [])]
    for name, found in told[:_DETAILS_SHOWN]:
        text = ", ".join(map(str, found)) if isinstance(found, list) else str(found)
        yield f"{name}: {text if len(text) <= _DETAIL_WIDTH else text[: _DETAIL_WIDTH - 1] + '…'}"


def scores(rows: Iterable[tuple[str, Iterable[float | None]]], title: str) -> Table:
    """A table of AC@k and MRR, one row per method."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, title=title, title_justify="left")
    for heading in ("", "AC@1", "AC@3", "AC@5", "MRR"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, values in rows:
        table.add_row(name, *(number(value) for value in values))
    return table


def number(value: float | None) -> str:
    """Three decimals, or a dash for what is not known."""
    return "-" if value is None else f"{value:.3f}"


def _offset(seconds: float) -> str:
    sign, whole = "-" if seconds < 0 else "+", abs(seconds)
    if whole < 60:
        return f"{sign}{whole:.1f}s"
    minutes, rest = divmod(int(whole), 60)
    return f"{sign}{minutes}m{rest:02d}s" if minutes < 60 else f"{sign}{minutes // 60}h{minutes % 60:02d}m"


def _moment(text: str) -> str:
    return text[:19].replace("T", " ")


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
