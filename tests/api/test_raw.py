"""Raw telemetry over HTTP: filters, pages without gaps or repeats, and limits."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from store import Store
from tests.conftest import on_both_homes
from tests.kit.causal import T0
from tests.kit.rows import gauge, insert, log, span

RANGE = {"start": str(T0), "end": str(T0 + 600)}


def got(api: httpx.Client, path: str, **query: Any) -> dict[str, Any]:
    answer = api.get(f"/api/v1/{path}", params=RANGE | query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def paged(api: httpx.Client, path: str, key: str, limit: int, **query: Any) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    cursor = None
    for _ in range(50):
        page = got(api, path, limit=limit, **query, **({"cursor": cursor} if cursor else {}))
        assert len(page[key]) <= limit
        rows += page[key]
        cursor = page["next_cursor"]
        if cursor is None:
            return rows
    raise AssertionError("pages without end")


@on_both_homes
def test_logs_by_every_filter(api: httpx.Client, store: Store) -> None:
    insert(
        store, "otel_logs",
        log("Disk FULL on /var", 10, ServiceName="db", SeverityText="error", TraceId="ab",
            LogAttributes={"code": "28"}),
        log("all well", 20, ServiceName="db", SeverityNumber=9, ResourceAttributes={"k8s.pod.name": "db-0"}),
        log("of another", 20, ServiceName="db", Tenant="other"),
        log("NVRM: Xid (PCI:0000:9b:00): 79", 30, ResourceAttributes={"host.name": "n1"}),
    )  # fmt: skip

    def bodies(**query: Any) -> list[str]:
        return [row["body"] for row in got(api, "logs", **query)["logs"]]

    assert bodies() == ["NVRM: Xid (PCI:0000:9b:00): 79", "all well", "Disk FULL on /var"]
    assert bodies(order="oldest")[0] == "Disk FULL on /var"
    assert bodies(text="disk full") == bodies(severity=17) == bodies(trace_id="AB") == ["Disk FULL on /var"]
    assert bodies(attribute="code=28") == ["Disk FULL on /var"]
    assert bodies(attribute=["k8s.pod.name=db-0", "code=28"]) == []
    assert bodies(service="db", attribute="k8s.pod.name=db-0") == ["all well"]
    assert bodies(text="'; DROP TABLE otel_logs --") == []
    assert got(api, "logs", attribute="host.name=n1")["logs"][0]["source"] == "kernel_logs"


@pytest.mark.parametrize("order", ["newest", "oldest"])
def test_pages_neither_lose_nor_repeat_even_equal_records(api: httpx.Client, store: Store, order: str) -> None:
    rows = [log("same", 5), *[log(f"line {n}", n // 3) for n in range(9)], *[log("same", 5)] * 4]
    insert(store, "otel_logs", *rows)
    whole = got(api, "logs", order=order)["logs"]
    assert len(whole) == len(rows)
    for limit in (1, 2, 3):
        assert paged(api, "logs", "logs", limit, order=order) == whole


@on_both_homes
def test_spans_and_their_trace(api: httpx.Client, store: Store) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    insert(
        store, "otel_traces",
        span("GET /", 1, trace, 1, ServiceName="web"),
        span("query", 2, trace, 2, ServiceName="db", StatusCode="Error", Duration=900_000_000,
             ParentSpanId="0000000000000001", SpanAttributes={"db.system": "pg"}),
        span("<script>", 3, "f" * 32, 3, ServiceName="web", SpanAttributes={"http.response.status_code": "503"}),
    )  # fmt: skip

    def names(**query: Any) -> list[str]:
        return [row["name"] for row in got(api, "spans", **query)["spans"]]

    assert names() == ["<script>", "query", "GET /"]
    assert names(service="db") == names(min_duration_ms=500) == names(attribute="db.system=pg") == ["query"]
    assert names(status="error") == ["query"]
    assert names(failed="true") == ["<script>", "query"]
    assert names(name="GET /") == ["GET /"]
    assert paged(api, "spans", "spans", 1) == got(api, "spans")["spans"]
    whole = api.get(f"/api/v1/traces/{trace.upper()}").json()
    assert [row["span_id"][-1] for row in whole["spans"]] == ["1", "2"]
    assert whole["services"] == ["db", "web"]
    first = api.get(f"/api/v1/traces/{trace}", params={"limit": 1}).json()
    rest = api.get(f"/api/v1/traces/{trace}", params={"limit": 1, "cursor": first["next_cursor"]}).json()
    assert first["spans"] + rest["spans"] == whole["spans"]
    assert api.get(f"/api/v1/traces/{'e' * 32}").status_code == 404


@on_both_homes
def test_series_by_labels_in_steps(api: httpx.Client, store: Store) -> None:
    for series, pod in ((1, "a"), (2, "b")):
        insert(
            store, "otel_metrics_gauge",
            *[gauge("queue", n * 10, n * series, series, Attributes={"pod": pod}) for n in range(12)],
        )  # fmt: skip
    insert(store, "otel_metrics_gauge", gauge("other", 1, 1, 3))
    page = got(api, "series", metric="queue", step=60)["series"]
    assert [row["labels"] for row in page] == [{"pod": "a"}, {"pod": "b"}]
    # T0 lies twenty seconds behind a full minute.
    assert [point["value"] for point in page[0]["points"]] == [1.5, 6.5, 10.5]
    assert [
        point["value"] for point in got(api, "series", metric="queue", step=60, figure="last")["series"][1]["points"]
    ] == [6, 18, 22]
    assert [row["labels"]["pod"] for row in got(api, "series", metric="queue", label="pod=b")["series"]] == ["b"]
    assert paged(api, "series", "series", 1, metric="queue", step=60) == page


@on_both_homes
def test_series_of_every_kind_have_their_values(api: httpx.Client, store: Store) -> None:
    kinds = ("gauge", "sum", "histogram", "exponential_histogram", "summary")
    for number, kind in enumerate(kinds):
        point = gauge("queue", 30, number + 1, number)
        if kind not in ("gauge", "sum"):
            point = {**{name: point[name] for name in point if name != "Value"}, "Count": 2, "Sum": 2 * (number + 1)}
        insert(store, f"otel_metrics_{kind}", point)
    # One that changed its kind is one series, with what it was before, too.
    insert(store, "otel_metrics_sum", gauge("queue", 300, 9, 0))
    page = got(api, "series", metric="queue", step=60)["series"]
    assert [row["kind"] for row in page[1:]] == list(kinds[1:])
    values = [[point["value"] for point in row["points"]] for row in page]
    assert values == [[1, 9], [2], [3], [4], [5]]


@pytest.mark.parametrize(
    ("path", "query", "parameter"),
    [
        ("logs", {"start": "0"}, "start"),
        ("logs", {"end": "1e15"}, "end"),
        ("logs", {"limit": "1e12"}, "limit"),
        ("logs", {"limit": "0"}, "limit"),
        ("logs", {"attribute": "nothing"}, "attribute"),
        ("logs", {"text": "\x00"}, "text"),
        ("spans", {"min_duration_ms": "-1"}, "min_duration_ms"),
        ("spans", {"status": "bad"}, "status"),
        ("spans", {"attribute": ["k=v"] * 11}, "attribute"),
        ("series", {}, "metric"),
        ("series", {"metric": "x", "step": "0"}, "step"),
        ("series", {"metric": "x", "step": "0.01"}, "step"),
    ],
)
def test_a_bad_read_is_named(api: httpx.Client, path: str, query: dict[str, Any], parameter: str) -> None:
    answer = api.get(f"/api/v1/{path}", params=RANGE | query)
    assert answer.status_code == 400
    assert answer.json()["parameter"].startswith(parameter)


def test_a_cursor_serves_only_its_own_query(api: httpx.Client, store: Store) -> None:
    insert(store, "otel_logs", log("a", 1, ServiceName="x"), log("b", 2, ServiceName="x"))
    cursor = got(api, "logs", limit=1)["next_cursor"]
    for query in ({"service": "x"}, {"end": str(T0 + 500)}, {"order": "oldest"}):
        answer = api.get("/api/v1/logs", params=RANGE | {"limit": "1", "cursor": cursor} | query)
        assert (answer.status_code, answer.json()["parameter"]) == (400, "cursor")
    assert api.get("/api/v1/spans", params=RANGE | {"cursor": cursor}).status_code == 400
