"""What the correlator sees of a Prometheus cluster is the same by remote write as by the Collector's OTLP."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from ingest.envelope import Signal, envelope, request_key
from ingest.remote_write_landing import RemoteWriteLanding, Version
from store import Store
from tests.kit.landing import RECEIVED, insert
from tests.kit.prompb import Series2, keyed

LINES = 400
# The series' hash and scope are each receiver's own; OTLP sends no unit here.
SAME = (
    "metric", "type", "monotonic", "service", "node", "pod", "namespace", "workload", "workload_kind", "container",
    "gpu", "gpu_bdf", "gpu_index", "model", "zone", "image",
)  # fmt: skip


def _values(attributes: list[dict[str, Any]]) -> dict[str, str]:
    return {pair["key"]: str(next(iter(pair["value"].values()))) for pair in attributes}


def _as_prometheus(line: dict[str, Any], request: Series2) -> None:
    """The line's gauges and sums as Prometheus would have scraped them."""
    for resource in line["resourceMetrics"]:
        about = _values(resource["resource"]["attributes"])
        target = {"job": about["service.name"], "instance": about["service.instance.id"]}
        for scope in resource["scopeMetrics"]:
            for metric in scope["metrics"]:
                kind = next((kind for kind in ("gauge", "sum") if kind in metric), None)
                if kind is None or "server.address" not in about:
                    continue
                for point in metric[kind]["dataPoints"]:
                    labels = {"__name__": metric["name"], **target, **_values(point.get("attributes", []))}
                    at = int(point["timeUnixNano"]) // 1_000_000
                    value = float(point.get("asDouble", point.get("asInt", 0)))
                    request.add(labels, samples=[(at, value)], metadata=(1 if kind == "sum" else 2, "", ""))


def _frame(store: Store) -> list[str]:
    found = store.rows("metric_series", {"tenant": "default", "start": 0, "end": 2**62})
    # An empty label is none to Prometheus.
    labels = [{name: value for name, value in json.loads(row["labels"]).items() if value} for row in found]
    rows = [{name: row[name] for name in SAME} | {"labels": own} for row, own in zip(found, labels, strict=True)]
    return sorted({json.dumps(row, sort_keys=True) for row in rows})


@pytest.mark.slow
def test_series_have_the_same_owners(store: Store, shared: Path) -> None:
    with gzip.open(shared / "datasets" / "gpu-dev-b" / "metrics.jsonl.gz", "rt", encoding="utf-8") as file:
        lines = [json.loads(line) for _, line in zip(range(LINES), file, strict=False)]
    for line in lines:
        for resource in line["resourceMetrics"]:
            scraped = "server.address" in _values(resource["resource"]["attributes"])
            for scope in resource["scopeMetrics"]:
                scope["metrics"] = [m for m in scope["metrics"] if scraped and ("gauge" in m or "sum" in m)]
    insert(store, Signal.METRICS, *(json_format.ParseDict(line, ExportMetricsServiceRequest()) for line in lines))
    over_otlp = _frame(store)
    for table in ("otel_metrics_gauge", "otel_metrics_sum"):
        store.command(f"TRUNCATE TABLE {table}")
    request = Series2()
    for line in lines:
        _as_prometheus(line, request)
    body = request.message.SerializeToString()
    landing = RemoteWriteLanding(Version.V2)
    pieces = envelope("default", 1, RECEIVED, body, keyed(request_key("default", Version.V2, body)))
    store.insert_bytes(landing.table, pieces, "Protobuf", landing.settings())
    assert len(over_otlp) > 500
    assert {json.loads(row)["gpu"] != "" for row in over_otlp} == {True, False}
    assert _frame(store) == over_otlp
