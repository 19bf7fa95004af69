"""OTLP metrics of every kind, fifteen seconds apart, that PromQL tests read back."""

from __future__ import annotations

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    ExponentialHistogram,
    ExponentialHistogramDataPoint,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
    Summary,
    SummaryDataPoint,
)

from tests.kit.otlp import T0, metrics, put

STEP = 15 * 10**9
POINTS = 41
# The last point's time, seconds.
END = (T0 + (POINTS - 1) * STEP) // 10**9
CUMULATIVE, DELTA = 2, 1
TRACE = bytes.fromhex("0af7651916cd43dd8448eb211c80319c")
RESOURCE = {
    "service.namespace": "shop", "service.name": "web", "service.instance.id": "web-1", "k8s.pod.name": "web-abc",
    "telemetry.sdk.name": "otel",
}  # fmt: skip


def request() -> ExportMetricsServiceRequest:
    """A gauge, cumulative and delta sums, a classic and an exponential histogram, and a summary."""
    return metrics(_gauge(), _sum("http.server.requests", CUMULATIVE), _sum("jobs.done", DELTA), _classic(),
                   _exponential(), _summary(), **RESOURCE)  # fmt: skip


def _gauge() -> Metric:
    points = [_number(n, 20.0 + n, {"hw.id": "gpu-0"}) for n in range(POINTS)]
    return Metric(name="gpu.temperature", unit="Cel", description="How hot.", gauge=Gauge(data_points=points))


def _sum(name: str, temporality: int) -> Metric:
    """Three every fifteen seconds, which is 0.2 a second."""
    values = [3.0 * n if temporality == CUMULATIVE else 3.0 for n in range(POINTS)]
    points = [_number(n, value, {"http.route": "/a"}) for n, value in enumerate(values)]
    exemplar = points[-1].exemplars.add(time_unix_nano=T0 + (POINTS - 1) * STEP, as_double=1.5, trace_id=TRACE)
    put(exemplar.filtered_attributes, {"user": "u1"})
    return Metric(
        name=name, unit="{request}",
        sum=Sum(data_points=points, aggregation_temporality=temporality, is_monotonic=True),  # type: ignore[arg-type]
    )  # fmt: skip


def _number(n: int, value: float, attributes: dict[str, str]) -> NumberDataPoint:
    point = NumberDataPoint(time_unix_nano=T0 + n * STEP, start_time_unix_nano=T0, as_double=value)
    put(point.attributes, attributes)
    return point


def _classic() -> Metric:
    points = [
        HistogramDataPoint(
            time_unix_nano=T0 + n * STEP, count=10 * n, sum=2.0 * n,
            explicit_bounds=[0.1, 0.5], bucket_counts=[4 * n, 4 * n, 2 * n],
        )
        for n in range(POINTS)
    ]  # fmt: skip
    return Metric(
        name="http.server.duration", unit="s",
        histogram=Histogram(data_points=points, aggregation_temporality=CUMULATIVE),  # type: ignore[arg-type]
    )  # fmt: skip


def _exponential() -> Metric:
    """At scale 0: four in (1, 2], four in (2, 4], two that are zero."""
    points = []
    for n in range(POINTS):
        point = ExponentialHistogramDataPoint(
            time_unix_nano=T0 + n * STEP, count=10 * n, sum=18.0 * n, scale=0, zero_count=2 * n
        )
        point.positive.offset = 0
        point.positive.bucket_counts.extend([4 * n, 4 * n])
        points.append(point)
    return Metric(
        name="queue.wait", unit="ms",
        exponential_histogram=ExponentialHistogram(data_points=points, aggregation_temporality=CUMULATIVE),  # type: ignore[arg-type]
    )  # fmt: skip


def _summary() -> Metric:
    points = []
    for n in range(POINTS):
        point = SummaryDataPoint(time_unix_nano=T0 + n * STEP, count=n, sum=0.5 * n)
        point.quantile_values.add(quantile=0.5, value=0.25)
        points.append(point)
    return Metric(name="rpc.latency", unit="s", summary=Summary(data_points=points))
