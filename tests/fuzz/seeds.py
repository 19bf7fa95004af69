"""Valid requests to begin with: mutation needs structure to break."""

from __future__ import annotations

import random

from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, SeverityNumber
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    NumberDataPoint,
    SummaryDataPoint,
)
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from ingest.envelope import Signal
from tests.kit.otlp import T0, busy_request, logs, metrics, put, serialized, span, traces, with_attributes

VALUES = {
    "text": "x",
    "no": False,
    "seven": -7,
    "half": 0.5,
    "bytes": b"\0\xff",
    "list": ["a", 1, [True]],
    "map": {"k": {}},
}


def bodies() -> list[tuple[Signal, bytes]]:
    """Protobuf requests that together use every message and nearly every field of OTLP."""
    seed = random.Random(1)
    event = Span.Event(time_unix_nano=T0, name="exception")
    put(event.attributes, VALUES)
    link = Span.Link(trace_id=seed.randbytes(16), span_id=seed.randbytes(8), trace_state="a=b", flags=1)
    full = span(seed, events=[event], links=[link], trace_state="a=b", flags=257, dropped_events_count=1)
    full.status.code, full.status.message = Status.STATUS_CODE_ERROR, "failed"
    record = LogRecord(
        time_unix_nano=T0,
        severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
        severity_text="INFO",
        trace_id=seed.randbytes(16),
    )
    return [
        (Signal.TRACES, serialized(traces(with_attributes(full, **VALUES)))),
        (Signal.TRACES, serialized(busy_request(seed, 2))),
        (Signal.TRACES, b""),
        (Signal.LOGS, serialized(logs(with_attributes(record, body="a line"), LogRecord(observed_time_unix_nano=T0)))),
        (Signal.LOGS, serialized(logs(with_attributes(record, **VALUES), **VALUES))),
        (Signal.METRICS, serialized(metrics(*(metric(kind) for kind in POINTS)))),
        *((Signal.METRICS, serialized(metrics(metric(kind)))) for kind in POINTS),
    ]


EXEMPLAR = Exemplar(time_unix_nano=T0, as_double=0.5, trace_id=bytes(range(16)), span_id=bytes(range(8)))
BUCKETS = ExponentialHistogramDataPoint.Buckets(offset=1, bucket_counts=[1, 2])
QUANTILE = SummaryDataPoint.ValueAtQuantile(quantile=0.5, value=1)
POINTS = {
    "gauge": NumberDataPoint(time_unix_nano=T0, as_double=1.5, exemplars=[EXEMPLAR]),
    "sum": NumberDataPoint(time_unix_nano=T0, start_time_unix_nano=T0 - 9, as_int=-7, flags=1),
    "histogram": HistogramDataPoint(
        time_unix_nano=T0, count=3, sum=2.5, min=0.1, max=2, bucket_counts=[1, 2], explicit_bounds=[1]
    ),
    "exponential_histogram": ExponentialHistogramDataPoint(
        time_unix_nano=T0, count=3, scale=-1, zero_count=1, positive=BUCKETS
    ),
    "summary": SummaryDataPoint(time_unix_nano=T0, count=3, sum=0.5, quantile_values=[QUANTILE]),
}


def metric(kind: str) -> Metric:
    """A metric of a kind with one point."""
    item = Metric(name=f"a.{kind}", unit="s", description="what it counts")
    getattr(item, kind).data_points.append(with_attributes(POINTS[kind], host="h1"))
    return item
