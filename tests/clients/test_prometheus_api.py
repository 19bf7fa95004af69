"""Real clients of Prometheus' API against ours: promtool, vmalert, prometheus-api-client; and its own OpenAPI."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
import yaml  # type: ignore[import-untyped]
from prometheus_api_client import PrometheusConnect

from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from ingest.envelope import Signal
from store import Store
from tests.conftest import missing
from tests.kit.clickhouse_server import free_port
from tests.kit.landing import insert
from tests.kit.otel_metrics import END, request
from tests.kit.serving import serving

START = END - 600
RULES = """
groups:
  - name: gpu
    interval: 1s
    rules:
      - alert: Hot
        expr: vector(time()) > 0 and on() (vector(72.5) > 70)
        labels: {severity: page}
        annotations: {summary: "value {{ $value }}"}
      - record: half
        expr: vector(0.5)
"""


@pytest.fixture(scope="module")
def store(module_store: Store) -> Store:
    """The migrated store with telemetry of every kind."""
    return module_store


@pytest.fixture(scope="module")
def url(store: Store) -> Iterator[str]:
    """Where Prometheus' API is."""
    insert(store, Signal.METRICS, request())
    with serving(create_app(Services(Reader(store, "default"), lambda *_: ""))) as base:
        yield f"{base}/prometheus"


def program(name: str, package: str) -> str:
    """A program's path."""
    found = shutil.which(name)
    if found is None:
        missing(f"no {name} on the path: apt-get install {package}")
    return str(found)


def promtool(*arguments: str) -> str:
    """What promtool prints."""
    command = [program("promtool", "prometheus"), "query", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_promtool_reads_instants_ranges_series_and_labels(url: str) -> None:
    said = promtool("instant", f"--time={END}", url, "gpu_temperature_celsius")
    assert "gpu_temperature_celsius{" in said
    assert "=> 60 @" in said
    said = promtool("range", f"--start={START}", f"--end={END}", "--step=5m", url, "rate(jobs_done_total[5m])")
    assert said.count("@[") == 2
    window = (f"--start={START}", f"--end={END}")
    assert "queue_wait_milliseconds" in promtool("series", *window, '--match={job="shop/web"}', url)
    assert promtool("labels", *window, url, "job").split() == ["shop/web"]


def test_promtool_shows_our_parse_errors(url: str) -> None:
    command = [program("promtool", "prometheus"), "query", "instant", url, "sum("]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "1:5: parse error: unclosed left parenthesis" in done.stderr


def test_the_python_client_reads_series_as_values(url: str) -> None:
    client = PrometheusConnect(url=url, disable_ssl=True)
    # Not check_prometheus_connection: it asks for Prometheus' web page.
    start, end = (datetime.fromtimestamp(at, UTC) for at in (START, END))
    (series,) = client.custom_query_range("gpu_temperature_celsius", start, end, "60")
    assert [float(value) for _, value in series["values"]] == [20.0 + 4 * n for n in range(11)]
    found = client.custom_query("http_server_requests_total", params={"time": str(END)})
    assert found[0]["metric"]["http_route"] == "/a"


class Alertmanager(BaseHTTPRequestHandler):
    """Takes alerts as Alertmanager's v2 API does."""

    received: list[dict[str, Any]]

    def do_POST(self) -> None:
        self.received += json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class names it so
        pass


@pytest.mark.slow
def test_vmalert_evaluates_rules_and_alerts(url: str, tmp_path: Path) -> None:
    """vmalert asks for the rule's expression every second and posts the alert that fires."""
    vmalert, port = program("vmalert", "victoria-metrics"), free_port()
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES, encoding="utf-8")
    received: list[dict[str, Any]] = []
    handler = type("Handler", (Alertmanager,), {"received": received})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        notifier = f"http://127.0.0.1:{server.server_address[1]}"
        command = [vmalert, f"-datasource.url={url}", f"-rule={rules}", f"-notifier.url={notifier}"]
        command += [f"-httpListenAddr=127.0.0.1:{port}", "-remoteWrite.url=http://127.0.0.1:1"]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log)
            try:
                deadline = time.monotonic() + 90
                while not received and time.monotonic() < deadline:
                    time.sleep(0.2)
                groups = httpx.get(f"http://127.0.0.1:{port}/api/v1/rules", timeout=30).json()["data"]["groups"]
            finally:
                process.send_signal(signal.SIGKILL)
                process.wait(timeout=30)
                server.shutdown()
                thread.join()
    assert received, (tmp_path / "log").read_text(errors="replace")[-2000:]
    assert received[0]["labels"]["alertname"] == "Hot"
    assert received[0]["labels"]["severity"] == "page"
    assert [rule["lastError"] for group in groups for rule in group["rules"]] == ["", ""]


# Path in the OpenAPI, path and parameters that are asked.
CALLS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("/query", "/query", {"query": "gpu_temperature_celsius", "time": END}),
    ("/query", "/query", {"query": "queue_wait_milliseconds", "time": END}),
    ("/query", "/query", {"query": "queue_wait_milliseconds[1m]", "time": END}),
    ("/query", "/query", {"query": "1", "time": END}),
    ("/query_range", "/query_range", {"query": "queue_wait_milliseconds", "start": START, "end": END, "step": 60}),
    ("/query_range", "/query_range", {"query": "jobs_done_total * 1e30", "start": START, "end": END, "step": 60}),
    ("/series", "/series", {"match[]": '{job="shop/web"}', "start": START, "end": END, "limit": 2}),
    ("/labels", "/labels", {"start": START, "end": END}),
    ("/label/{name}/values", "/label/__name__/values", {"start": START, "end": END}),
    ("/metadata", "/metadata", {}),
    ("/query_exemplars", "/query_exemplars", {"query": "jobs_done_total", "start": START, "end": END}),
    ("/rules", "/rules", {}),
    ("/alerts", "/alerts", {}),
    ("/status/buildinfo", "/status/buildinfo", {}),
    ("/format_query", "/format_query", {"query": "sum(a)"}),
)  # fmt: skip


def test_prometheus_openapi_accepts_every_answer(url: str, shared: Path) -> None:
    described = yaml.safe_load((shared / "suites/prometheus/openapi/openapi_3.1.yaml").read_text(encoding="utf-8"))
    wrong: dict[str, str] = {}
    with httpx.Client(base_url=f"{url}/api/v1", timeout=60) as client:
        for name, path, params in CALLS:
            answer = client.get(path, params=params)
            assert answer.status_code == 200, answer.text
            if why := _invalid(described, name, "200", answer.json()):
                wrong[f"{path} {params}"] = why
        refused = client.get("/query", params={"query": "sum("})
        if why := _invalid(described, "/query", "default", refused.json()):
            wrong["refused"] = why
    assert wrong == {}


def _invalid(described: dict[str, Any], path: str, status: str, body: Any) -> str:
    """What a response's schema says against a body; empty when nothing."""
    schema = described["paths"][path]["get"]["responses"][status]["content"]["application/json"]["schema"]
    validator = jsonschema_rs.Draft202012Validator({**schema, "components": described["components"]})
    return "; ".join(str(error.message) for error in validator.iter_errors(body))[:500]
