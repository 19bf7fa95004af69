"""What a fleet's SDKs send: requests of one service instance each, with spans of traces that cross services.

The same seed gives the same bytes. A trace has one span a service it passes, 4 to 12 in all, so the spans of
a trace arrive in as many requests; every request has one resource with 8 attributes, every span 9.
"""

from __future__ import annotations

import random
from collections import defaultdict

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    Sum,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.kit.otlp import SECOND, logs, metrics, put, serialized, traces

SERVICES = ("gateway", "checkout", "cart", "catalog", "payment", "shipping", "email", "currency", "ads", "search")
PODS = 4
BOUNDS = (5.0, 10.0, 25.0, 50.0, 75.0, 100.0, 250.0, 500.0, 750.0, 1000.0, 2500.0, 5000.0, 7500.0, 10000.0)


def instance(service: str, pod: int) -> dict[str, str]:
    """Resource attributes of one pod of a service."""
    name = f"{service}-7d9c6b5f4-{pod:02x}xk{pod * 7919 % 97:02d}"
    return {
        "service.name": service,
        "service.namespace": "shop",
        "service.version": "1.4.2",
        "service.instance.id": f"{name}.shop",
        "k8s.namespace.name": "shop",
        "k8s.pod.name": name,
        "k8s.node.name": f"node-{pod * 31 % 12:02d}",
        "telemetry.sdk.language": "python",
    }


def trace_requests(spans: int, size: int, start: int, seed: int = 1) -> list[bytes]:
    """About `spans` spans from `start` (ns) on, `size` a request."""
    rng = random.Random(seed)
    waiting: dict[tuple[str, int], list[Span]] = defaultdict(list)
    bodies: list[bytes] = []
    at = start
    while len(bodies) * size < spans:
        at += rng.randrange(100_000, 1_000_000)
        trace_id, parent, begin = rng.randbytes(16), b"", at
        for service in ("gateway", *rng.sample(SERVICES[1:], rng.randrange(3, 10))):
            pod, span_id = rng.randrange(PODS), rng.randbytes(8)
            begin += rng.randrange(50_000, 900_000)
            span = Span(
                trace_id=trace_id,
                span_id=span_id,
                parent_span_id=parent,
                name=f"GET /api/{service}/{rng.randrange(6)}",
                kind=Span.SPAN_KIND_SERVER,
                start_time_unix_nano=begin,
                end_time_unix_nano=begin + int(rng.lognormvariate(15, 1)),
                flags=1,
            )
            put(span.attributes, _span_attributes(rng, service))
            parent = span_id if rng.random() < 0.7 else parent
            held = waiting[service, pod]
            held.append(span)
            if len(held) == size:
                bodies.append(serialized(traces(*held, **instance(service, pod))))
                held.clear()
    return bodies


def _span_attributes(rng: random.Random, service: str) -> dict[str, str | int]:
    route = rng.randrange(6)
    return {
        "http.request.method": "GET",
        "http.route": f"/api/{service}/{{id}}/{route}",
        "http.response.status_code": rng.choice((200, 200, 200, 200, 404, 500)),
        "url.path": f"/api/{service}/{rng.randrange(100_000)}/{route}",
        "url.scheme": "https",
        "server.address": f"{service}.shop.svc.cluster.local",
        "server.port": 8443,
        "network.peer.address": f"10.2.{rng.randrange(4)}.{rng.randrange(250)}",
        "user_agent.original": "python-httpx/0.28.1",
    }


def log_requests(records: int, size: int, start: int, seed: int = 2) -> list[bytes]:
    """`records` log records, `size` a request, two in three with a trace."""
    rng = random.Random(seed)
    bodies: list[bytes] = []
    at = start
    while len(bodies) * size < records:
        service, pod = rng.choice(SERVICES), rng.randrange(PODS)
        held = []
        for _ in range(size):
            at += rng.randrange(20_000, 200_000)
            order, took = rng.randrange(10**7), rng.randrange(900)
            traced = rng.random() < 2 / 3
            record = LogRecord(
                time_unix_nano=at,
                observed_time_unix_nano=at + 1_000_000,
                severity_number=rng.choice((9, 9, 9, 13, 17)),  # type: ignore[arg-type]
                severity_text="INFO",
                trace_id=rng.randbytes(16) if traced else b"",
                span_id=rng.randbytes(8) if traced else b"",
                flags=int(traced),
            )
            record.body.string_value = f"order {order} handled by {service} in {took} ms, cache hit={took % 2 == 0}"
            put(record.attributes, {"logger": f"{service}.orders", "thread": rng.randrange(16), "order.id": str(order)})
            held.append(record)
        bodies.append(serialized(logs(*held, **instance(service, pod))))
    return bodies


def metric_requests(points: int, size: int, start: int, seed: int = 3) -> list[bytes]:
    """`points` data points, `size` a request: a third each of gauges, counters and histograms, every 15 s."""
    rng = random.Random(seed)
    bodies: list[bytes] = []
    tick = 0
    each = size // 3
    while len(bodies) * size < points:
        tick += 1
        now = start + tick * 15 * SECOND
        for service in SERVICES:
            for pod in range(PODS):
                bodies.append(
                    serialized(metrics(*_instruments(rng, service, each, start, now), **instance(service, pod)))
                )
                if len(bodies) * size >= points:
                    return bodies
    return bodies


def _instruments(rng: random.Random, service: str, each: int, start: int, now: int) -> list[Metric]:
    gauge, total, histogram = Gauge(), Sum(), Histogram()
    total.is_monotonic = True
    total.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    histogram.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    for number in range(each):
        labels = {"http.route": f"/api/{service}/{number % 20}", "http.response.status_code": 200 + number // 20}
        gauge.data_points.append(NumberDataPoint(time_unix_nano=now, as_double=rng.random() * 100))
        total.data_points.append(
            NumberDataPoint(start_time_unix_nano=start, time_unix_nano=now, as_int=rng.randrange(10**6))
        )
        counts = [rng.randrange(50) for _ in range(len(BOUNDS) + 1)]
        histogram.data_points.append(
            HistogramDataPoint(
                start_time_unix_nano=start,
                time_unix_nano=now,
                count=sum(counts),
                sum=rng.random() * 1e5,
                bucket_counts=counts,
                explicit_bounds=BOUNDS,
            )
        )
        for kind in (gauge, total, histogram):
            put(kind.data_points[-1].attributes, labels)
    return [
        Metric(name="http.server.active_requests", unit="{request}", gauge=gauge),
        Metric(name="http.server.requests", unit="{request}", sum=total),
        Metric(name="http.server.request.duration", unit="ms", histogram=histogram),
    ]
