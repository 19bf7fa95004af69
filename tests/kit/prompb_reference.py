"""A slow decoder of remote-write messages to the rows the store should hold, written for reading and not for speed.

Tests compare ClickHouse's decoding with it.
"""

from __future__ import annotations

import math
import re
import struct
from collections import Counter
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

Row = dict[str, Any]
LAST_MS = 5_662_224_000_000
TYPES = ("", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset")
UNITS = {"seconds": "s", "bytes": "By", "ratio": "1", "bytes_per_second": "By/s", "furlongs": "furlongs", "": ""}
TABLES = ("gauge", "sum", "histogram", "exponential_histogram")


@dataclass
class Series:
    """A series of either version, its references resolved."""

    labels: list[tuple[str, str]]
    samples: list[tuple[int, float, int]]
    exemplars: list[tuple[dict[str, str], float, int]]
    histograms: list[Any]
    type: int = 0
    help: str = ""
    unit: str = ""
    created: int = 0


@dataclass
class Expected:
    """Rows by table, and what the answer should count."""

    rows: dict[str, list[Row]] = field(default_factory=lambda: {table: [] for table in TABLES})
    samples: int = 0
    histograms: int = 0
    exemplars: int = 0
    rejected: int = 0


def series_of(message: Any) -> list[Series]:
    """Series of a WriteRequest or a Request."""
    if not hasattr(message, "symbols"):
        return [
            Series(
                [(label.name, label.value) for label in one.labels],
                [(sample.timestamp, sample.value, 0) for sample in one.samples],
                [({la.name: la.value for la in e.labels}, e.value, e.timestamp) for e in one.exemplars],
                list(one.histograms),
            )
            for one in message.timeseries
        ]

    def pairs(refs: Any) -> list[tuple[str, str]]:
        texts = [message.symbols[ref] for ref in refs]
        return list(zip(texts[::2], texts[1::2], strict=True))

    return [
        Series(
            pairs(one.labels_refs),
            [(sample.timestamp, sample.value, sample.start_timestamp) for sample in one.samples],
            [(dict(pairs(e.labels_refs)), e.value, e.timestamp) for e in one.exemplars],
            list(one.histograms),
            one.metadata.type,
            message.symbols[one.metadata.help_ref],
            message.symbols[one.metadata.unit_ref],
            one.created_timestamp,
        )
        for one in message.timeseries
    ]


def stale(value: float) -> bool:
    """Whether the value is Prometheus' stale marker."""
    return struct.pack("<d", value) == struct.pack("<Q", 0x7FF0000000000002)


def plain(value: float) -> Any:
    """A float that equals itself."""
    return "nan" if math.isnan(value) else value


def storable(at: int) -> bool:
    """Whether a partition can hold the time."""
    return 0 < at <= LAST_MS


def nanos(at: int) -> int:
    """Nanoseconds of a time, 0 for one that cannot be stored."""
    return at * 1_000_000 if storable(at) else 0


def expected(message: Any, received_ns: int) -> Expected:
    """What a request should become."""
    out = Expected()
    for one in series_of(message):
        labels = [(name, value) for name, value in one.labels if value]
        names = [name for name, _ in labels]
        amount = len(one.samples) + len(one.histograms) + len(one.exemplars)
        if "__name__" not in names or "" in names or len(set(names)) < len(names):
            out.rejected += amount
            continue
        shared = _shared(one, labels)
        _numbers(out, one, shared, received_ns)
        _histograms(out, one, shared)
    return out


def _shared(one: Series, labels: list[tuple[str, str]]) -> Row:
    found = dict(labels)
    job = found.get("job", "")
    parts = job.split("/")
    resource = {"service.name": job}
    if len(parts) == 2 and all(parts):
        resource = {"service.namespace": parts[0], "service.name": parts[1]}
    resource["service.instance.id"] = found.get("instance", "")
    scope = {name: value for name, value in labels if name.startswith("otel_scope_")}
    own = ("otel_scope_name", "otel_scope_version", "otel_scope_schema_url")
    return {
        "MetricName": found["__name__"],
        "MetricDescription": one.help,
        "MetricUnit": UNITS.get(one.unit, one.unit),
        "MetricMetadata": [("prometheus.type", TYPES[one.type])] if 1 <= one.type <= 7 else [],
        "ResourceAttributes": [(key, value) for key, value in resource.items() if value],
        "ServiceName": resource["service.name"],
        "ScopeName": scope.get("otel_scope_name", "causeline.remote_write"),
        "ScopeVersion": scope.get("otel_scope_version", ""),
        "ScopeSchemaUrl": scope.get("otel_scope_schema_url", ""),
        "ScopeAttributes": [(name.removeprefix("otel_scope_"), v) for name, v in scope.items() if name not in own],
        "Attributes": [
            (name, value) for name, value in labels if name not in {"__name__", "job", "instance"} and name not in scope
        ],
    }


def _is_sum(one: Series, name: str) -> bool:
    if one.type in {3, 5}:
        return bool(re.search(r"_(bucket|sum|count)\Z", name))
    if one.type == 0:
        return bool(re.search(r"(?i)_(total|counter|bucket|sum|count)\Z", name))
    return one.type == 1


def _exemplars(exemplars: list[tuple[dict[str, str], float, int]]) -> Row:
    rows: Row = {f"Exemplars.{part}": [] for part in ("FilteredAttributes", "Value", "SpanId", "TraceId")}
    rows["exemplar_times"] = []
    for labels, value, at in exemplars:
        kept, ids = dict(labels), {}
        for name, size in (("trace_id", 32), ("span_id", 16)):
            found = re.fullmatch(f"[0-9a-fA-F]{{{size}}}", labels.get(name, ""))
            ids[name] = kept.pop(name).lower() if found else ""
        rows["Exemplars.FilteredAttributes"].append(list(kept.items()))
        rows["Exemplars.Value"].append(plain(value))
        rows["Exemplars.SpanId"].append(ids["span_id"])
        rows["Exemplars.TraceId"].append(ids["trace_id"])
        rows["exemplar_times"].append(nanos(at))
    return rows


def _numbers(out: Expected, one: Series, shared: Row, received_ns: int) -> None:
    points = [(at, value, start or one.created) for at, value, start in one.samples if storable(at)]
    out.rejected += len(one.samples) - len(points)
    out.samples += len(points)
    is_sum = _is_sum(one, shared["MetricName"])
    rows = out.rows["sum" if is_sum else "gauge"]
    extra: Row = {"AggregationTemporality": 2, "IsMonotonic": True} if is_sum else {}
    if not one.histograms:
        out.exemplars += len(one.exemplars)
        if not points and one.exemplars:
            at = max(at for _, _, at in one.exemplars)
            row: Row = {"time": nanos(at) or received_ns // 1_000_000 * 1_000_000, "start": 0, "Value": 0.0, "Flags": 1}
            rows.append({**shared, **extra, **row, "ValueType": "none", **_exemplars(one.exemplars)})
    with_value = [n for n, (_, value, _) in enumerate(points) if not stale(value)]
    last = with_value[-1] if with_value else len(points) - 1
    for n, (at, value, start) in enumerate(points):
        ended = stale(value)
        row = {
            "time": nanos(at),
            "start": nanos(start),
            "Value": 0.0 if ended else plain(value),
            "Flags": int(ended),
            "ValueType": "none" if ended else "as_double",
            **_exemplars(one.exemplars if n == last else []),
        }
        rows.append({**shared, **extra, **row})


def buckets(spans: Any, counts: list[Any]) -> dict[int, Any] | None:
    """Index -> count as the spans say, None when they make no sense."""
    if sum(span.length for span in spans) != len(counts) or any(span.offset < 0 for span in spans[1:]):
        return None
    out, index, at = {}, 0, 0
    for span in spans:
        index += span.offset
        for _ in range(span.length):
            out[index] = counts[at]
            index, at = index + 1, at + 1
    return out


def _histograms(out: Expected, one: Series, shared: Row) -> None:
    for n, histogram in enumerate(one.histograms):
        exemplars = one.exemplars if n == len(one.histograms) - 1 else []
        row = _histogram(histogram)
        if row is None:
            out.rejected += 1 + len(exemplars)
            continue
        out.histograms += 1
        out.exemplars += len(exemplars)
        gauge = one.type == 4 or histogram.reset_hint == 3
        row |= {
            "time": nanos(histogram.timestamp),
            "start": nanos(getattr(histogram, "start_timestamp", 0) or one.created),
            "AggregationTemporality": 0 if gauge else 2,
        }
        table = "histogram" if histogram.schema == -53 else "exponential_histogram"
        out.rows[table].append({**shared, **row, **_exemplars(exemplars)})


def _counted(histogram: Any, side: str, *, floats: bool) -> list[Any]:
    if floats:
        return list(getattr(histogram, f"{side}_counts"))
    total, counts = 0, []
    for delta in getattr(histogram, f"{side}_deltas"):
        total += delta
        counts.append(total)
    return counts


def _histogram(histogram: Any) -> Row | None:
    """Columns of a histogram, None for one to be refused."""
    floats = histogram.WhichOneof("count") == "count_float"
    sides = {}
    for side in ("positive", "negative"):
        counts = _counted(histogram, side, floats=floats)
        sides[side] = buckets(getattr(histogram, f"{side}_spans"), counts)
        if sides[side] is None or not all(0 <= count < 1.8e19 for count in counts):
            return None
    ended = stale(histogram.sum)
    if floats and not ended and not all(0 <= c < 1.8e19 for c in (histogram.count_float, histogram.zero_count_float)):
        return None
    custom = histogram.schema == -53
    if not storable(histogram.timestamp) or not (custom or -10 <= histogram.schema <= 20):
        return None
    count = histogram.count_float if floats else histogram.count_int
    row: Row = {
        "Count": 0 if ended else round(count),
        "Sum": 0.0 if ended else plain(histogram.sum),
        "HasSum": not ended,
        "Flags": int(ended),
        "FloatCount": count if floats and not ended else 0.0,
    }
    made = _custom(histogram, sides, floats) if custom else _exponential(histogram, sides, floats)
    if made is None:
        return None
    own, emptied = made
    return {**row, **own, **({name: [] for name in emptied} if ended else {})}


def _custom(histogram: Any, sides: Any, floats: bool) -> tuple[Row, tuple[str, ...]] | None:
    bounds = list(histogram.custom_values)
    rising = all(b > a for a, b in pairwise(bounds))
    places = _places(histogram.positive_spans)
    inside = all(first >= 0 and last <= len(bounds) for first, last in places)
    if histogram.negative_spans or not rising or not inside:
        return None
    dense = [sides["positive"].get(n, 0) for n in range(len(bounds) + 1)]
    row = {
        "ExplicitBounds": bounds,
        "BucketCounts": [round(count) for count in dense],
        "FloatBucketCounts": [float(count) for count in dense] if floats else [],
    }
    return row, tuple(row)


def _places(spans: Any) -> list[tuple[int, int]]:
    """First and last index of each span."""
    out, index = [], 0
    for span in spans:
        index += span.offset
        out.append((index, index + span.length - 1))
        index += span.length
    return out


def _exponential(histogram: Any, sides: Any, floats: bool) -> tuple[Row, tuple[str, ...]] | None:
    limit = 1100 << max(histogram.schema, 0)
    places = [*_places(histogram.positive_spans), *_places(histogram.negative_spans)]
    if any(abs(index) > limit for place in places for index in place):
        return None
    ended = stale(histogram.sum)
    coarser = 0
    while not ended and any(
        side and (max(side) - 1 >> coarser) - (min(side) - 1 >> coarser) >= max(512, 8 * len(side))
        for side in sides.values()
    ):
        coarser += 1
    zero = histogram.zero_count_float if floats else histogram.zero_count_int
    row: Row = {
        "Scale": histogram.schema - coarser,
        "ZeroCount": 0 if ended else round(zero),
        "ZeroThreshold": histogram.zero_threshold,
        "FloatZeroCount": zero if floats and not ended else 0.0,
    }
    for name, side in sides.items():
        title = name.title()
        total: Counter[int] = Counter()
        for index, count in side.items():
            total[index - 1 >> coarser] += round(count)
        exact: Counter[int] = Counter()
        for index, count in side.items():
            exact[index - 1 >> coarser] += count
        kept = [index for index in total if coarser == 0 or total[index]]
        first, last = (min(kept), max(kept)) if kept and not ended else (0, -1)
        row[f"{title}Offset"] = first
        row[f"{title}BucketCounts"] = [total[index] for index in range(first, last + 1)]
        row[f"{title}FloatCounts"] = [float(exact[index]) for index in range(first, last + 1)] if floats else []
    return row, ()
