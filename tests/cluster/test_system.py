"""The whole system over two shards, and over one server: the same hour of telemetry, the same answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest

from api.client import ApiClient
from api.process.system import System
from api.settings import Settings
from api.times import format_time
from correlate.settings import CorrelateSettings
from ingest.envelope import Signal
from ingest.settings import IngestSettings
from store import Store, StoreSettings
from tests.kit.clickhouse_cluster import ClickHouseCluster
from tests.kit.clickhouse_server import ClickHouseServer
from tests.kit.landing import count
from tests.kit.recorded import END, Request, requests

# In full runs: now and then the library that stands in for a node ends by itself, and its cluster waits for it.
pytestmark = pytest.mark.slow

START_S, END_S = END // 10**9 - 3600, END // 10**9
# What must not depend on where things are kept; ids and scores among it.
QUESTIONS: dict[str, dict[str, str | int]] = {
    "/prometheus/api/v1/query": {"query": "count by (__name__) ({__name__=~'DCGM.*|vllm.*'})", "time": END_S - 60},
    "/prometheus/api/v1/query_range": {
        "query": "sum by (service_name) (rate(traces_spanmetrics_calls_total[5m]))",
        "start": START_S, "end": END_S, "step": 60,
    },
    "/prometheus/api/v1/labels": {"start": START_S, "end": END_S},
    "/prometheus/api/v1/series": {"match[]": '{__name__=~"DCGM.*"}', "start": START_S, "end": END_S},
    "/loki/loki/api/v1/query_range": {
        "query": '{service_name=~".+"} |= "Xid"', "start": START_S, "end": END_S, "limit": 50,
    },
    "/jaeger/api/services": {},
    "/jaeger/api/dependencies": {"endTs": END_S * 1000, "lookback": 3600 * 1000},
    "/api/v1/entities": {"limit": 100},
    "/api/v1/logs": {"start": START_S, "end": END_S, "limit": 200},
    "/api/v1/spans": {"start": START_S, "end": END_S, "limit": 200},
    "/api/v1/topology": {"at": END_S - 600},
}  # fmt: skip


@contextmanager
def running(store: StoreSettings) -> Iterator[System]:
    """A system over that store, on free ports."""
    # How long an insert takes says how busy the machine is.
    patient = IngestSettings(commit_timeout_s=120)
    # The hour is judged when it is here as a whole.
    rarely = CorrelateSettings(live_every_s=3600)
    settings = Settings(store=store, ingest=patient, correlate=rarely, otlp_grpc_port=0, otlp_http_port=0, api_port=0)
    system = System(settings)
    system.start()
    try:
        yield system
    finally:
        system.stop()


def sent(system: System, hour: list[Request], times: int) -> None:
    """The hour's requests over OTLP/HTTP, each as often as given: the same body again is stored once."""
    paths = {Signal.TRACES: "traces", Signal.LOGS: "logs", Signal.METRICS: "metrics"}
    headers = {"Content-Type": "application/x-protobuf"}
    with httpx.Client(base_url=system.otlp_http_url, timeout=300, trust_env=False) as client:

        def send(request: Request) -> None:
            # What is refused for now is sent again, as exporters do.
            for _ in range(20):
                answer = client.post(f"/v1/{paths[request[0]]}", content=request[1], headers=headers)
                if answer.status_code != 503:
                    break
                time.sleep(1)
            assert answer.status_code == 200, answer.text

        with ThreadPoolExecutor(32) as senders:
            list(senders.map(send, [request for request in hour for _ in range(times)]))


def answers(system: System) -> dict[str, Any]:
    """What the system says of the hour, in every language it speaks."""
    found: dict[str, Any] = {}
    with ApiClient(system.api_url) as api, httpx.Client(base_url=system.api_url, timeout=120, trust_env=False) as http:
        api.correlate(format_time(START_S * 10**9), format_time(END), lambda job: None)
        listed = list(api.incidents(start=START_S, end=END_S))
        found["incidents"] = [
            {key: incident[key] for key in ("id", "title", "severity", "started_at", "score", "signal_count")}
            for incident in listed
        ]
        details = [api.incident(incident["id"]) for incident in listed]
        found["causes"] = [detail["root_causes"] for detail in details]
        found["timelines"] = [[(step["time"], step["entity"], step["role"]) for step in d["timeline"]] for d in details]
        for path, params in QUESTIONS.items():
            answer = http.get(path, params=params)
            assert answer.status_code == 200, (path, answer.text)
            found[path] = answer.json()
        services = found["/jaeger/api/services"]["data"]
        params = {"service": services[0], "start": START_S * 10**6, "end": END_S * 10**6, "limit": 20}
        found["traces"] = sorted(
            (trace["traceID"], len(trace["spans"]))
            for trace in http.get("/jaeger/api/traces", params=params).json()["data"]
        )
    return found


@pytest.mark.timeout(1800)
def test_the_same_hour_gives_the_same_answers(server: ClickHouseServer, cluster: ClickHouseCluster) -> None:
    hour = requests()
    with running(StoreSettings(url=server.url, database="whole_system")) as one:
        sent(one, hour, times=1)
        expected = answers(one)
    settings = cluster.settings("migrated")
    with running(settings) as two:
        sent(two, hour, times=2)
        found = answers(two)
    assert expected["incidents"], "the hour has an incident"
    assert expected["traces"]
    for what, said in expected.items():
        assert found[what] == said, what
    for store in (Store.open(settings), Store.open(cluster.settings("migrated", node=1))):
        tables = ("otel_traces", "otel_logs", "otel_metrics_gauge")
        shares = {table: (count(store, f"{table}_local"), count(store, table)) for table in tables}
        assert all(0.2 < mine / whole < 0.8 for mine, whole in shares.values()), shares
        store.close()
