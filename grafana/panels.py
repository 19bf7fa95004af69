"""Panels, queries and dashboards as Python values; what they become is Grafana's JSON, schema version 39.

https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

METRICS = {"type": "prometheus", "uid": "causeline-metrics"}
LOGS = {"type": "loki", "uid": "causeline-logs"}
TRACES = {"type": "jaeger", "uid": "causeline-traces"}
INFINITY = {"type": "yesoreyeram-infinity-datasource", "uid": "causeline-incidents"}
SCHEMA_VERSION = 39
WIDTH = 24

Json = dict[str, Any]


def promql(expr: str, legend: str = "", *, table: bool = False) -> Json:
    """A query of metrics over time, or with `table` one row a series of what is now."""
    shape = {"instant": True, "range": False, "format": "table"} if table else {"instant": False, "range": True}
    return {"datasource": METRICS, "expr": expr, "legendFormat": legend or "__auto", "editorMode": "code", **shape}


def logql(expr: str, legend: str = "") -> Json:
    """A query of log lines, or of their number over time."""
    return {"datasource": LOGS, "expr": expr, "legendFormat": legend, "queryType": "range", "editorMode": "code"}


def dependencies() -> Json:
    """The graph of services that call each other."""
    return {"datasource": TRACES, "queryType": "dependencyGraph"}


def infinity(url: str, root: str, shape: str) -> Json:
    """Rows from Causeline's own API; `shape` is table, node-graph-nodes or node-graph-edges."""
    return {
        "datasource": INFINITY, "type": "json", "source": "url", "url": url, "root_selector": root, "format": shape,
        "parser": "backend", "url_options": {"method": "GET"}, "columns": [],
    }  # fmt: skip


@dataclass(frozen=True)
class Panel:
    """One panel: what it is called, why one looks at it, how it is drawn, how large it is, and what it asks."""

    title: str
    about: str
    queries: Sequence[Json]
    kind: str = "timeseries"
    width: int = 12
    height: int = 8
    unit: str = "short"
    options: Json = field(default_factory=dict)
    transformations: Sequence[Json] = ()

    def model(self, number: int, x: int, y: int) -> Json:
        """The panel's JSON at a place of the grid."""
        return {
            "id": number,
            "type": self.kind,
            "title": self.title,
            "description": self.about,
            "datasource": self.queries[0]["datasource"],
            "gridPos": {"x": x, "y": y, "w": self.width, "h": self.height},
            "targets": [{"refId": chr(ord("A") + at), **query} for at, query in enumerate(self.queries)],
            "fieldConfig": {"defaults": {"unit": self.unit}, "overrides": []},
            "options": self.options,
            "transformations": list(self.transformations),
        }


def table(title: str, about: str, query: Json, **more: Any) -> Panel:
    """A table without the columns that say nothing to a reader."""
    hidden = {"Time": True, "__name__": True}
    organize = {"id": "organize", "options": {"excludeByName": hidden, "renameByName": {"Value": "value"}}}
    return Panel(title, about, [query], kind="table", transformations=[organize], **more)


def lines(title: str, about: str, query: Json, **more: Any) -> Panel:
    """Log lines, newest first."""
    shown = {"showTime": True, "wrapLogMessage": True, "sortOrder": "Descending", "enableLogDetails": True}
    return Panel(title, about, [query], kind="logs", options=shown, **more)


def number(title: str, about: str, query: Json, **more: Any) -> Panel:
    """One number, as of now."""
    last = {"reduceOptions": {"calcs": ["lastNotNull"], "fields": "", "values": False}, "colorMode": "value"}
    return Panel(title, about, [query], kind="stat", options=last, **{"width": 6, "height": 4, **more})


def variable(name: str, label: str, query: str) -> Json:
    """A choice whose values are a label's, of the metric series given; `All` is any."""
    return {
        "name": name, "label": label, "type": "query", "datasource": METRICS, "refresh": 2, "includeAll": True,
        "multi": True, "allValue": ".*", "current": {"text": "All", "value": "$__all"}, "sort": 1,
        "definition": query, "query": {"query": query, "refId": "A"},
    }  # fmt: skip


@dataclass(frozen=True)
class Board:
    """One dashboard; rows of panels from the top."""

    uid: str
    title: str
    about: str
    rows: Sequence[Sequence[Panel]]
    variables: Sequence[Json] = ()

    def model(self) -> Json:
        """The dashboard's JSON."""
        panels: list[Json] = []
        y = 0
        for row in self.rows:
            x = 0
            for panel in row:
                panels.append(panel.model(len(panels) + 1, x, y))
                x += panel.width
            y += max(panel.height for panel in row)
        return {
            "uid": self.uid,
            "title": self.title,
            "description": self.about,
            "tags": ["causeline"],
            "schemaVersion": SCHEMA_VERSION,
            "editable": True,
            "graphTooltip": 1,
            "time": {"from": "now-6h", "to": "now"},
            "refresh": "30s",
            "timezone": "browser",
            "templating": {"list": list(self.variables)},
            "annotations": {"list": [INCIDENTS, EVENTS]},
            "links": [{"type": "dashboards", "title": "Causeline", "tags": ["causeline"], "asDropdown": True}],
            "panels": panels,
        }


# A shaded region from each incident's start to its end.
INCIDENTS: Json = {
    "name": "Incidents", "enable": True, "iconColor": "red", "datasource": METRICS, "expr": "incident_active",
    "step": "60s", "titleFormat": "{{title}}", "textFormat": "{{incident_id}} {{severity}}",
    "tagKeys": "severity,service",
}  # fmt: skip
# A mark for each change of an incident: opened, root changed, resolved, reopened, merged.
EVENTS: Json = {
    "name": "Incident events", "enable": False, "iconColor": "orange", "datasource": LOGS,
    "expr": '{service_name="incidents"} | event!="signal"', "titleFormat": "{{event}}", "tagKeys": "severity,state",
    "target": {"refId": "Anno", "expr": '{service_name="incidents"} | event!="signal"', "queryType": "range"},
}  # fmt: skip
