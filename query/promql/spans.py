"""What spans say of services, as counters: `traces_spanmetrics_*` and `traces_service_graph_request_*`.

Names and labels are those of Tempo's metrics generator, which Grafana's service graph reads. They are counted when
asked for, from the beginning of what a query reads, so rates are right and the counts themselves begin at 0.
https://grafana.com/docs/tempo/latest/metrics-from-traces/
"""

from __future__ import annotations

from typing import Any

import numpy as np

from query.errors import QueryLimitExceeded
from query.promql.number import formatted
from query.promql.points import Run
from query.promql.values import NAME, Ints, Labels
from store import Store

_CALLS, _LATENCY = "traces_spanmetrics_calls_total", "traces_spanmetrics_latency"
_TOTAL, _FAILED = "traces_service_graph_request_total", "traces_service_graph_request_failed_total"
_SERVER = "traces_service_graph_request_server_seconds"
CALL_METRICS = (_CALLS, *(f"{_LATENCY}_{part}" for part in ("bucket", "sum", "count")))
GRAPH_METRICS = (_TOTAL, _FAILED, *(f"{_SERVER}_{part}" for part in ("bucket", "sum", "count")))
# Upper bounds of latency buckets, seconds; the statements count by the same.
BOUNDS = (0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.024, 2.048, 4.096, 8.192, 16.384)
# Counters have a point each so often, milliseconds; fewer over long spans of time.
_FINEST, _ABOUT = 15_000, 2000
# Rows of counts of one answer; more means that span names are made of ids.
_MOST = 200_000
# A day of spans is read at most: what a dashboard shows, and what can be counted while somebody waits.
_LONGEST = 26 * 3_600_000


def calls(store: Store, tenant: str, start: int, end: int) -> list[Run]:
    """Calls and latency of every operation."""
    found: list[Run] = []
    for labels, times, cells, _ in _counted(store, "promql_span_calls", tenant, start, end, _SPAN_LABELS):
        found.append(Run({NAME: _CALLS} | labels, times, cells[:, -1]))
        found += _histogram(_LATENCY, labels, times, cells)
    return found


def graph(store: Store, tenant: str, start: int, end: int) -> list[Run]:
    """Requests between services: a client span and the server span that is its child."""
    found: list[Run] = []
    for labels, times, cells, failed in _counted(store, "promql_span_edges", tenant, start, end, _EDGE_LABELS):
        found.append(Run({NAME: _TOTAL} | labels, times, cells[:, -1]))
        found.append(Run({NAME: _FAILED} | labels, times, failed))
        found += _histogram(_SERVER, labels, times, cells)
    return found


_SPAN_LABELS = ("service", "span_name", "span_kind", "status_code")
_EDGE_LABELS = ("client", "server", "connection_type")


def _counted(
    store: Store, name: str, tenant: str, start: int, end: int, labels: tuple[str, ...]
) -> list[tuple[Labels, Ints, np.ndarray, np.ndarray]]:
    """Labels, times, cumulative cells (sum, a column for each bound, count) and failures of each series."""
    start = max(start, end - _LONGEST)
    width = max((end - start) // _ABOUT // 1000 * 1000, _FINEST)
    first = (start // width) * width
    params = {"tenant": tenant, "start": first, "end": end, "width": width, "limit": _MOST + 1, "bounds": list(BOUNDS)}
    counted = store.rows(name, params)
    if len(counted) > _MOST:
        raise QueryLimitExceeded("too many operations to count spans by; select fewer hours")
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in counted:
        groups.setdefault(tuple(row[each] for each in labels), []).append(row)
    found = []
    for values, rows in groups.items():
        named = {label: value for label, value in zip(labels, values, strict=True) if value}
        found.append((named, *_cumulative(rows, first, width, end)))
    return found


def _cumulative(rows: list[dict[str, Any]], first: int, width: int, end: int) -> tuple[Ints, np.ndarray, np.ndarray]:
    """Counts of periods, which a row each tells of, as counters with a point at the end of every period."""
    number = (end - first) // width + 1
    cells, failed = np.zeros((number + 1, len(BOUNDS) + 3)), np.zeros(number + 1)
    for row in rows:
        place = (row["period"] - first) // width + 1
        cells[place, 0] += row["seconds"]
        cells[place, 1:-1] += row["counts"]
        cells[place, -1] += row["count"]
        failed[place] += row["failed"]
    times = first + np.arange(number + 1, dtype=np.int64) * width
    # The period under way ends now, not later.
    times[-1] = max(min(int(times[-1]), end), int(times[-2]) + 1)
    kept = times <= end
    cells[:, 1:-1] = np.cumsum(cells[:, 1:-1], axis=1)
    return times[kept], np.cumsum(cells, axis=0)[kept], np.cumsum(failed)[kept]


def _histogram(name: str, labels: Labels, times: Ints, cells: np.ndarray) -> list[Run]:
    edges = [*BOUNDS, np.inf]
    found = [
        Run({NAME: f"{name}_bucket"} | labels | {"le": formatted(edge)}, times, cells[:, 1 + place])
        for place, edge in enumerate(edges)
    ]
    found.append(Run({NAME: f"{name}_sum"} | labels, times, cells[:, 0]))
    found.append(Run({NAME: f"{name}_count"} | labels, times, cells[:, -1]))
    return found
