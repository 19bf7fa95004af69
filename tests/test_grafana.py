"""Grafana's kit: dashboards are those the code makes, and ask only what our APIs can answer."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import pytest
import yaml  # type: ignore[import-untyped]

from grafana.boards import BOARDS, OPTIONAL
from grafana.build import files
from query.logql import syntax as s
from query.logql.parse import parse

ROOT = Path(__file__).parent.parent
KIT = ROOT / "grafana"
BOARD_IDS = [board.uid for board in (*BOARDS, *OPTIONAL)]
# Series that the Prometheus API makes of incidents and of spans (docs/grafana.md names them).
MADE = {
    "incident_active",
    "incident_score",
    "ALERTS",
    "traces_spanmetrics_calls_total",
    "traces_spanmetrics_latency_bucket",
    "traces_service_graph_request_total",
    "traces_service_graph_request_failed_total",
    "traces_service_graph_request_server_seconds_bucket",
}
GPU_USUAL = {"DCGM_FI_DEV_GPU_UTIL", "DCGM_FI_DEV_GPU_TEMP", "DCGM_FI_DEV_POWER_USAGE", "DCGM_FI_DEV_XID_ERRORS"}
UNITS = {"By": "bytes", "s": "seconds"}
GRAFANAS = {"$__rate_interval": "5m", "$__auto": "5m", "$__range": "6h", "$__interval": "1m"}
NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


def board(uid: str) -> dict[str, Any]:
    (path,) = KIT.glob(f"dashboards*/{uid}.json")
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def asked(query: str) -> str:
    """A query as Grafana sends it: its own variables and the dashboard's replaced."""
    for name, value in GRAFANAS.items():
        query = query.replace(name, value)
    return re.sub(r"\$[a-z]+", ".*", query)


def expressions(kind: str) -> Iterator[tuple[str, str]]:
    """Where it stands and text of every query for that kind of data source, those of annotations and alerts too."""
    for uid in BOARD_IDS:
        model = board(uid)
        for panel in model["panels"]:
            for target in panel["targets"]:
                if target["datasource"]["type"] == kind and "expr" in target:
                    yield f"{uid}: {panel['title']}", target["expr"]
        for annotation in model["annotations"]["list"]:
            if annotation["datasource"]["type"] == kind:
                yield f"{uid}: {annotation['name']}", annotation["expr"]
    if kind == "prometheus":
        for rule in (*alert_rules(), *alert_rules("self-monitoring.yaml")):
            yield rule["title"], rule["data"][0]["model"]["expr"]


def alert_rules(file: str = "rules.yaml") -> list[dict[str, Any]]:
    rules = yaml.safe_load((KIT / "provisioning/alerting" / file).read_text(encoding="utf-8"))
    return [rule for group in rules["groups"] for rule in group["rules"]]


def data_sources() -> dict[str, dict[str, Any]]:
    folder = KIT / "provisioning/datasources"
    loaded = [yaml.safe_load(path.read_text(encoding="utf-8")) for path in sorted(folder.iterdir())]
    return {source["uid"]: source for each in loaded for source in each["datasources"]}


def known_metrics() -> set[str]:
    """Names of our own telemetry, of GPUs in the catalogue and of derived series, as Prometheus spells them."""
    table = re.findall(
        r"^\| `(causeline\.[\w.]+)` \| `([^`]+)` \|", (ROOT / "docs/operations.md").read_text(), re.MULTILINE
    )
    ours = set()
    for name, unit in table:
        spelt = name.replace(".", "_")
        if unit in UNITS and not spelt.endswith(UNITS[unit]):
            spelt += f"_{UNITS[unit]}"
        ours |= {spelt, f"{spelt}_total", f"{spelt}_bucket"}
    lines = (ROOT / "correlate/catalog/dcgm.csv").read_text(encoding="utf-8").splitlines()
    gpu = {row["metric"] for row in csv.DictReader(line for line in lines if not line.startswith("#"))}
    return MADE | GPU_USUAL | ours | gpu


def served(name: str) -> bool:
    """Whether a metric is one of model servers that rules know."""
    lines = (ROOT / "correlate/catalog/serving.csv").read_text(encoding="utf-8").splitlines()
    patterns = [row["pattern"] for row in csv.DictReader(line for line in lines if not line.startswith("#"))]
    spelt = name.replace(":", "_").removesuffix("_bucket")
    return any(re.search(pattern, spelt) for pattern in patterns)


def test_the_files_are_what_the_code_makes() -> None:
    assert {path for path, text in files().items() if path.read_text(encoding="utf-8") != text} == set(), (
        "run `python -m grafana.build`"
    )
    assert {path.name for path in KIT.glob("dashboards*/*.json")} == {f"{uid}.json" for uid in BOARD_IDS}


@pytest.mark.parametrize("uid", BOARD_IDS)
def test_a_dashboard_is_whole(uid: str) -> None:
    model = board(uid)
    sources = data_sources()
    assert model["uid"] == uid
    assert len(uid) <= 40
    assert model["description"].endswith((".", "?", "here.", ")."))
    panels = model["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        assert place["x"] + place["w"] <= 24
        taken |= cells
        assert panel["description"]
        assert [target["refId"] for target in panel["targets"]] == ["A", "B", "C"][: len(panel["targets"])]
        for target in panel["targets"]:
            assert sources[target["datasource"]["uid"]]["type"] == target["datasource"]["type"]
    defined = {variable["name"] for variable in model["templating"]["list"]}
    text = json.dumps([panel["targets"] for panel in panels])
    assert set(re.findall(r"\$([a-z]\w*)", text)) == defined


def test_every_promql_query_parses_and_asks_for_metrics_that_exist() -> None:
    known = known_metrics()
    found = list(expressions("prometheus"))
    assert len(found) > 30
    for where, text in found:
        sent = asked(text)
        promql_parser.parse(sent)
        without_labels = re.sub(r"\{[^}]*\}|\b(?:by|without) \([^)]*\)|\[[^\]]*\]|\"[^\"]*\"", " ", sent)
        names = {name for name in NAME.findall(without_labels) if not re.search(rf"\b{name}\s*\(", without_labels)}
        names -= {"or", "and", "unless", "by", "without"}
        assert names, where
        assert {name for name in names if name not in known and not served(name)} == set(), where


def test_every_logql_query_is_one_we_answer() -> None:
    found = list(expressions("loki"))
    assert len(found) > 10
    for where, text in found:
        parsed = parse(asked(text))
        assert isinstance(parsed, s.LogQuery | s.VectorAggregation), where


def test_alerts_fire_on_incidents_and_go_to_the_contact_point() -> None:
    points = yaml.safe_load((KIT / "provisioning/alerting/contact-points.yaml").read_text(encoding="utf-8"))
    names = {point["name"] for point in points["contactPoints"]}
    rules = alert_rules()
    assert len({rule["uid"] for rule in rules}) == len(rules) == 2
    for rule in rules:
        query, threshold = rule["data"]
        assert query["datasourceUid"] in data_sources()
        assert "incident_active" in query["model"]["expr"]
        assert threshold["model"]["expression"] == query["refId"]
        assert rule["condition"] == threshold["refId"]
        assert rule["notification_settings"]["receiver"] in names
        labels = set(re.findall(r"\$labels\.(\w+)", json.dumps(rule["annotations"])))
        assert labels <= set(re.findall(r"\w+", query["model"]["expr"].split("(")[1]))


def test_alerts_about_ourselves_name_metrics_that_we_send() -> None:
    rules = alert_rules("self-monitoring.yaml")
    assert len({rule["uid"] for rule in rules}) == len(rules) >= 9
    assert not {rule["uid"] for rule in rules} & {rule["uid"] for rule in alert_rules()}
    for rule in rules:
        query, threshold = rule["data"]
        named = set(re.findall(r"causeline_[a-z_]+(?=\{|\[|\))", query["model"]["expr"]))
        assert named, rule["uid"]
        assert named <= known_metrics(), rule["uid"]
        assert query["datasourceUid"] in data_sources()
        assert rule["condition"] == threshold["refId"]
        assert rule["execErrState"] == "Alerting"
    # Somebody who hears nothing at all must not believe that all is well.
    assert "Alerting" in {rule["noDataState"] for rule in rules}


def test_data_sources_are_the_apis_we_serve() -> None:
    urls = {uid: source.get("url", "") for uid, source in data_sources().items()}
    assert urls == {
        "causeline-metrics": "${CAUSELINE}/prometheus",
        "causeline-logs": "${CAUSELINE}/loki",
        "causeline-traces": "${CAUSELINE}/jaeger",
        "causeline-incidents": "",
    }
