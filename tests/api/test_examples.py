"""Every curl line of the documents answers, and every endpoint has an example in one of them."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from api.app import create_app
from api.client import ApiClient
from api.demo.play import play
from api.deps import Services
from api.jaeger import routes as jaeger
from api.loki import routes as loki
from api.process.subsystem import Subsystem
from api.prometheus import routes as prometheus
from api.reads.reading import Reader
from api.tempo import routes as tempo
from api.times import format_time, parse_time
from correlate.engine import Detection
from correlate.passes import rebuild_incidents
from correlate.persist import save_detection
from correlate.settings import CorrelateSettings
from ingest.pipeline import Pipeline
from ingest.settings import IngestSettings
from store import Store, Window
from tests.kit.causal import GPU_STORY, SERVING, edges, entities, nanos, signals
from tests.kit.rows import gauge, insert, log, span
from tests.kit.serving import serving

DOCS = Path(__file__).parent.parent.parent / "docs"
PAGES = {name: (DOCS / f"{name}.md").read_text(encoding="utf-8") for name in ("investigate", "promql", "grafana")}
LINES = {
    name: [
        line
        for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
        for line in block.strip().splitlines()
        if line.startswith("curl ")
    ]
    for name, page in PAGES.items()
}
# Paths of other tools' APIs, which the schema leaves out.
FOREIGN = ("/prometheus/", "/loki/", "/jaeger/", "/tempo/")
# A small system has no exemplars, no metadata of this hour, no calls between services, and may have no open incident.
MAY_BE_EMPTY = {
    "v1/query_exemplars", "v1/metadata", "v1/alerts", "v1/rules", "dependencies", "v1/detected_field/level/values",
}  # fmt: skip
WINDOW = Window(nanos(-60), nanos(1800))


def run(line: str, names: dict[str, str]) -> httpx.Response:
    """What a line with curl asks for, with its variables filled in."""
    filled = re.sub(r"\$([A-Z]+)", lambda match: names[match[1]], line)
    words = iter(shlex.split(filled))
    assert next(words) == "curl"
    method, headers, body, url = "GET", {}, None, ""
    for word in words:
        if word == "-X":
            method = next(words)
        elif word == "-H":
            key, _, value = next(words).partition(": ")
            headers[key] = value
        elif word == "-d":
            body = next(words)
            assert json.loads(body), line
        elif word != "-s":
            url = word
    return httpx.request(method, url, headers=headers, content=body, timeout=200, follow_redirects=True)


def walk(api: str, start: str, end: str) -> None:
    """Run every line, taking ids from answers as a reader would."""
    names = {"API": api, "START": start, "END": end}
    listed = httpx.get(f"{api}/api/v1/incidents", timeout=200).json()["incidents"]
    worst = max(listed, key=lambda incident: incident["signal_count"])
    names["INCIDENT"] = worst["id"]
    detail = httpx.get(f"{api}/api/v1/incidents/{worst['id']}", timeout=200).json()
    cause = worst["root_causes"][0]
    names["ENTITY"] = f"{cause['entity']['type']}/{cause['entity']['name']}"
    names["SIGNAL"] = next(e["signal_id"] for e in detail["timeline"] if e["kind"].startswith(("trace.", "pod.")))
    spans = httpx.get(f"{api}/api/v1/spans", params={"start": start, "end": end}, timeout=200).json()["spans"]
    names["TRACE"], names["SERVICE"], names["METRIC"] = (
        spans[0]["trace_id"],
        spans[0]["service"],
        "DCGM_FI_DEV_GPU_UTIL",
    )
    foreign(names, start, end)
    told: dict[str, Any] = {}
    for line in LINES["investigate"]:
        answer = run(line, names)
        assert answer.is_success, f"{line}\n{answer.status_code} {answer.text[:500]}"
        if "/split" in line:
            names["SPLIT"] = answer.json()["id"]
        for name, path in (("RUN", "/retention/runs"), ("DELETION", "/deletions")):
            if "-X POST" in line and f'{path}"' in line:
                names[name] = answer.json()["id"]
        told[line.split("?")[0]] = answer
    evidence = told['curl -s "$API/api/v1/incidents/$INCIDENT/evidence']
    assert evidence.json()["items"]
    history = httpx.get(f"{api}/api/v1/incidents/{names['INCIDENT']}", timeout=200).json()["history"]
    done = [entry["kind"] for entry in history if entry["who"]]
    assert done == ["acknowledged", "assigned", "commented", "cause_confirmed", "absorbed", "resolved", "reopened"]


def foreign(names: dict[str, str], start: str, end: str) -> None:
    """Run every line of the pages on other tools' APIs: none is refused, and those about what is there find it."""
    first, last = parse_time(start, "start"), parse_time(end, "end")
    names |= {"STARTNS": str(first), "ENDNS": str(last), "ENDMS": str(last // 10**6)}
    names |= {"STARTUS": str(first // 1000), "ENDUS": str(last // 1000)}
    empty = []
    for line in [*LINES["promql"], *LINES["grafana"]]:
        answer = run(line, names)
        assert answer.is_success, f"{line}\n{answer.status_code} {answer.text[:500]}"
        if answer.headers["content-type"].startswith("application/json"):
            body = answer.json()
            found = body.get("data", body.get("fields", body.get("values", body.get("entries"))))
            if isinstance(found, dict) and "result" in found:
                found = found["result"]
            if not found:
                empty.append(line.split("?")[0].rpartition("/api/")[2].rstrip('"'))
    assert set(empty) <= MAY_BE_EMPTY


@pytest.fixture
def small(store: Store) -> Iterator[str]:
    """A system with one small incident and a little telemetry."""
    insert(
        store, "otel_logs",
        log("NVRM: Xid (PCI:0000:9b:00): 79, GPU has fallen off the bus.", 0, ResourceAttributes={"host.name": "n1"}),
    )  # fmt: skip
    insert(store, "otel_traces", span("chat", 70, "0af7651916cd43dd8448eb211c80319c", 1, ServiceName="gateway"))
    points = [gauge("DCGM_FI_DEV_GPU_UTIL", n * 10, n, Attributes={"UUID": "GPU-1"}) for n in range(12)]
    insert(store, "otel_metrics_gauge", *points)
    quoted = {"rule": "kernel_xid", "evidence": json.dumps({"line": "GPU has fallen off the bus.", "node": "n1"})}
    rows = signals(*[row | (quoted if row["kind"] == "xid.79" else {}) for row in GPU_STORY])
    names = entities(**{"gpu__GPU-1": ["n1/gpu0"], "node__n1": []})
    save_detection(store, "default", Detection(WINDOW, rows, names, edges(*SERVING), ()), 1)
    rebuild_incidents(store, "default", WINDOW, CorrelateSettings(), nanos(320))
    pipeline = Pipeline(store, IngestSettings(commit_timeout_s=60))
    pipeline.start()
    services = Services(Reader(store, "default"), lambda *_: "", take_logs=pipeline.take_logs)
    with serving(create_app(services)) as url:
        yield url
    pipeline.stop()


def test_every_line_on_a_small_system(small: str) -> None:
    walk(small, format_time(nanos(-60)), format_time(nanos(600)))


@pytest.mark.slow
def test_every_line_on_the_demo(tmp_path: Path) -> None:
    with Subsystem(tmp_path) as system:
        played = play(system.otlp_http_url, lambda _share, _moment: None)
        with ApiClient(system.api_url) as client:
            client.correlate(played.start, played.end, lambda _job: None)
        walk(system.api_url, played.start, played.end)


def test_every_endpoint_has_an_example(store: Store) -> None:
    paths = create_app(Services(Reader(store, "default"), lambda *_: "")).openapi()["paths"]
    text = PAGES["investigate"] + (DOCS / "api.md").read_text(encoding="utf-8")
    # What stands for an id in the documents.
    shown = re.sub(r"\$[A-Z]+", "{}", text)
    missing = [path for path in paths if (plain := re.sub(r"/\{\w+(:path)?\}", "/{}", path)) not in shown
               and plain.replace("/{}/{}", "/{}") not in shown]  # fmt: skip
    missing = [path for path in missing if not path.startswith(FOREIGN)]
    assert [path for path in missing if not path.startswith(("/api/v1/correlations/", "/api/v1/rule-failures"))] == []


def test_every_endpoint_of_other_tools_has_an_example() -> None:
    shown = {
        re.sub(r"\$[A-Z]+", "{}", line.split('"$API')[1].split("?")[0].rstrip('"'))
        for line in [*LINES["promql"], *LINES["grafana"]]
    }
    shown = {re.sub(r"/(label|detected_field)/[^/]+/", r"/\1/{}/", path) for path in shown}
    routers = (prometheus.router, loki.router, jaeger.router, tempo.router)
    paths = {
        re.sub(r"\{\w+(:path)?\}", "{}", route.path)
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute)
    }
    assert len(paths) > 20
    assert paths - shown == set()
