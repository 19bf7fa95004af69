"""Prometheus' API over HTTP on a real store: naming, every kind of metric, its envelope, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from ingest.envelope import Signal
from store import Store
from tests.kit.landing import insert
from tests.kit.otel_metrics import END, request
from tests.kit.serving import serving

START = END - 600


@pytest.fixture(scope="module")
def store(module_store: Store) -> Store:
    """The migrated store with the telemetry that all of these tests read."""
    return module_store


@pytest.fixture(scope="module")
def http(store: Store) -> Iterator[httpx.Client]:
    insert(store, Signal.METRICS, request())
    insert(store, Signal.METRICS, request(), tenant="other", batch=2)
    app = create_app(Services(Reader(store, "default"), lambda *_: ""))
    with serving(app) as url, httpx.Client(base_url=f"{url}/prometheus/api/v1", timeout=60) as client:
        yield client


def asked(http: httpx.Client, query: str, at: float = END) -> list[dict[str, Any]]:
    answer = http.post("/query", data={"query": query, "time": str(at)})
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["data"]["result"]
    return found


def value(http: httpx.Client, query: str) -> float:
    (only,) = asked(http, query)
    return float(only["value"][1])


def test_names_and_labels_follow_the_compatibility_specification(http: httpx.Client) -> None:
    names = http.get("/label/__name__/values", params={"start": START, "end": END}).json()["data"]
    assert set(names) == {
        "gpu_temperature_celsius", "http_server_requests_total", "jobs_done_total",
        "http_server_duration_seconds_bucket",
        "http_server_duration_seconds_count", "http_server_duration_seconds_sum", "queue_wait_milliseconds",
        "rpc_latency_seconds", "rpc_latency_seconds_count", "rpc_latency_seconds_sum",
    }  # fmt: skip
    (gauge,) = asked(http, "gpu_temperature_celsius")
    assert gauge["metric"] == {
        "__name__": "gpu_temperature_celsius", "job": "shop/web", "instance": "web-1", "hw_id": "gpu-0",
        "k8s_pod_name": "web-abc",
    }  # fmt: skip
    assert gauge["value"] == [END, "60"]


def test_a_metric_answers_to_the_name_it_was_sent_with(http: httpx.Client) -> None:
    (gauge,) = asked(http, '{"gpu.temperature", "hw.id"="gpu-0", "telemetry.sdk.name"="otel"}')
    assert gauge["metric"]["__name__"] == "gpu.temperature"
    assert asked(http, '{"gpu.temperature", "hw.id"="gpu-1"}') == []
    assert asked(http, "gpu_temperature") == []


def test_rates_of_cumulative_and_delta_sums_are_the_same(http: httpx.Client) -> None:
    assert value(http, "rate(http_server_requests_total[5m])") == pytest.approx(0.2)
    assert value(http, "rate(jobs_done_total[5m])") == pytest.approx(0.2)


def test_classic_histograms_have_their_three_series(http: httpx.Client) -> None:
    buckets = asked(http, "http_server_duration_seconds_bucket")
    assert {each["metric"]["le"]: each["value"][1] for each in buckets} == {"0.1": "160", "0.5": "320", "+Inf": "400"}
    assert value(http, "http_server_duration_seconds_count") == 400
    assert value(http, "http_server_duration_seconds_sum") == 80
    assert value(http, "histogram_quantile(0.4, rate(http_server_duration_seconds_bucket[5m]))") == pytest.approx(0.1)
    (one,) = asked(http, 'http_server_duration_seconds_bucket{le="0.5"}')
    assert one["value"][1] == "320"


def test_exponential_histograms_are_native(http: httpx.Client) -> None:
    (only,) = asked(http, "queue_wait_milliseconds")
    histogram = only["histogram"][1]
    assert histogram["count"] == "400"
    assert histogram["buckets"] == [[3, "-0", "0", "80"], [0, "1", "2", "160"], [0, "2", "4", "160"]]
    assert value(http, "histogram_count(rate(queue_wait_milliseconds[5m]))") == pytest.approx(10 / 15)
    assert value(http, "histogram_avg(queue_wait_milliseconds)") == pytest.approx(1.8)
    assert value(http, "histogram_quantile(0.6, queue_wait_milliseconds)") == pytest.approx(2.0)
    assert value(http, "histogram_fraction(0, 2, rate(queue_wait_milliseconds[5m]))") == pytest.approx(0.6)


def test_summaries_have_quantiles(http: httpx.Client) -> None:
    (only,) = asked(http, 'rpc_latency_seconds{quantile="0.5"}')
    assert only["value"][1] == "0.25"
    assert value(http, "rpc_latency_seconds_sum / rpc_latency_seconds_count") == 0.5


def test_a_range_has_a_point_for_each_step(http: httpx.Client) -> None:
    query: dict[str, Any] = {"query": "gpu_temperature_celsius - 20.5", "start": START, "end": END, "step": "5m"}
    data = http.get("/query_range", params=query).json()["data"]
    assert list(data) == ["resultType", "result"]
    assert data["result"][0]["values"] == [[START, "-0.5"], [START + 300, "19.5"], [END, "39.5"]]


def test_series_go_stale_after_the_lookback(http: httpx.Client) -> None:
    assert asked(http, "gpu_temperature_celsius", END + 299)
    assert asked(http, "gpu_temperature_celsius", END + 300) == []


def test_series_labels_and_values_are_listed_and_cut(http: httpx.Client) -> None:
    when = {"start": START, "end": END}
    found = http.post("/series", data={"match[]": ["jobs_done_total", "gpu_temperature_celsius"], **when}).json()[
        "data"
    ]
    assert [each["__name__"] for each in found] == ["gpu_temperature_celsius", "jobs_done_total"]
    cut = http.get("/series", params={"match[]": '{job="shop/web"}', "limit": 2, **when}).json()
    assert len(cut["data"]) == 2
    assert cut["warnings"] == ["results truncated due to limit"]
    names = http.get("/labels", params={"match[]": "gpu_temperature_celsius", **when}).json()["data"]
    assert names == ["__name__", "hw_id", "instance", "job", "k8s_pod_name"]
    for name in ("hw_id", "U__hw__id"):
        assert http.get(f"/label/{name}/values", params=when).json()["data"] == ["gpu-0"]


def test_exemplars_carry_their_trace(http: httpx.Client) -> None:
    query: dict[str, Any] = {"query": "rate(http_server_requests_total[5m])", "start": START, "end": END}
    (series,) = http.get("/query_exemplars", params=query).json()["data"]
    assert series["seriesLabels"]["__name__"] == "http_server_requests_total"
    assert series["exemplars"] == [
        {"labels": {"trace_id": "0af7651916cd43dd8448eb211c80319c", "user": "u1"}, "value": "1.5", "timestamp": END}
    ]


def test_another_tenants_series_are_not_seen(http: httpx.Client) -> None:
    assert value(http, "count(gpu_temperature_celsius)") == 1


def test_grafanas_probes_work(http: httpx.Client) -> None:
    health = http.post("/query", data={"query": "1+1", "time": "4"}).json()
    assert health == {"status": "success", "data": {"resultType": "scalar", "result": [4, "2"]}}
    probe = http.get("/query_exemplars", params={"query": "test", "start": "1795421657326", "end": "1795423457327"})
    assert probe.json() == {"status": "success", "data": []}
    assert http.get("/status/buildinfo").json()["data"]["version"].startswith("3.")
    assert http.get("/format_query", params={"query": "sum(a)by(b)"}).json()["data"] == "sum by (b) (a)"


RANGE = {"query": "up", "start": "1", "end": "2", "step": "1"}
DEEP = "(" * 5000 + "1" + ")" * 5000


@pytest.mark.parametrize(
    ("path", "params", "says"),
    [
        ("/query", {}, "no expression found in input"),
        ("/query", {"query": "sum("}, 'invalid parameter "query": 1:5: parse error: unclosed left parenthesis'),
        ("/query", {"query": "rate(up)"}, 'expected type range vector in call to function "rate", got instant vector'),
        ("/query", {"query": "nosuch(1)"}, '1:1: parse error: unknown function with name "nosuch"'),
        ("/query", {"query": "up\x00"}, "unexpected character"),
        ("/query", {"query": "up", "time": "soon"}, 'invalid parameter "time"'),
        ("/query", {"query": "up", "time": "NaN"}, 'invalid parameter "time"'),
        ("/query", {"query": "up", "timeout": "x"}, 'invalid parameter "timeout"'),
        ("/query", {"query": DEEP}, "nested more than"),
        ("/query", {"query": "-" * 5000 + "1"}, "operators"),
        ("/query", {"query": 'up{a=~"' + "(" * 50}, "parse error"),
        ("/query", {"query": 'up{a=~"((a{1,1000}){1,1000}){1,1000}"}'}, "reg"),
        ("/query", {"query": 'up{a="b" or c="d"}'}, "parse error"),
        ("/query", {"query": "up", "limit": "-1"}, 'invalid parameter "limit"'),
        ("/query_range", RANGE | {"step": "0"}, "zero or negative query resolution step widths"),
        ("/query_range", RANGE | {"step": "-1"}, "zero or negative query resolution step widths"),
        ("/query_range", RANGE | {"step": "NaN"}, 'invalid parameter "step"'),
        ("/query_range", RANGE | {"step": "1e300"}, "overflows"),
        ("/query_range", RANGE | {"end": "0"}, "end timestamp must not be before start time"),
        ("/query_range", RANGE | {"end": "1e12"}, "exceeded maximum resolution of 11,000 points per timeseries"),
        ("/query_range", {"query": "up"}, 'invalid parameter "start"'),
        ("/query_range", RANGE | {"query": "up[5m]"}, 'invalid expression type "range vector" for range query'),
        ("/series", {}, "no match[] parameter provided"),
        ("/series", {"match[]": "sum(up)"}, 'invalid parameter "match[]"'),
        ("/series", {"match[]": '{a=""}'}, "at least one non-empty matcher"),
        ("/series", {"match[]": "up", "limit": "1e12"}, 'invalid parameter "limit"'),
        ("/labels", {"start": "2", "end": "1"}, "end timestamp must not be before start time"),
        ("/rules", {"type": "other"}, 'invalid parameter "type"'),
    ],
)
def test_bad_input_is_refused_in_prometheus_words(
    http: httpx.Client, path: str, params: dict[str, str], says: str
) -> None:
    for answer in (http.get(path, params=params) if len(str(params)) < 5000 else None, http.post(path, data=params)):
        if answer is None or answer.status_code == 405:
            continue
        assert answer.status_code == 400, answer.text
        body = answer.json()
        assert set(body) == {"status", "errorType", "error"}
        assert body["errorType"] == "bad_data"
        assert says in body["error"]


@pytest.mark.parametrize(
    "query",
    [
        "up[100000y]", "up offset 292y", "up @ 1e300", "up @ -1", "up @ Inf", "sum_over_time(up[1y:1ms])",
        "gpu_temperature_celsius ^ 1e308 ^ 1e308", "vector(1e308) * 1e308", "year(vector(1e300))",
        "day_of_week(vector(-1e17))", "quantile(NaN, gpu_temperature_celsius)", "topk(1e300, gpu_temperature_celsius)",
        'label_replace(up, "a", "$9999999999", "b", "(.*)")', '{__name__=~".+"}', 'count({job!=""})',
        "predict_linear(gpu_temperature_celsius[1h], 1e308)", 'label_replace(vector(1), "a", "b", "c", "(")',
        "'; DROP TABLE otel_metrics_gauge --'", "up{a=\"'; DROP TABLE otel_metrics_gauge --\"}",
        'gpu_temperature_celsius{hw_id=~"(?i)GPU.*"}', '"\\uD800"',
    ],
)  # fmt: skip
def test_extreme_queries_never_break_the_server(http: httpx.Client, query: str) -> None:
    for path, params in (
        ("/query", {"query": query, "time": END}),
        ("/query", {"query": query, "time": "-1e15"}),
        ("/query_range", {"query": query, "start": "0", "end": "1e15", "step": "1e12"}),
    ):
        answer = http.post(path, data=params)
        assert answer.status_code < 500, f"{path}: {answer.text}"
        assert answer.json()["status"] in ("success", "error")


def test_two_series_of_one_name_are_an_execution_error(http: httpx.Client) -> None:
    query = "http_server_duration_seconds_bucket + on(job) http_server_duration_seconds_bucket"
    answer = http.get("/query", params={"query": query, "time": END})
    assert answer.status_code == 422
    assert answer.json()["errorType"] == "execution"
    assert "many-to-many matching not allowed" in answer.json()["error"]
