"""Metric series of many kinds made inside the engine: noise that means nothing, and some of it shifted.

Kinds by number: constants, mild and wild noise, uniform and heavy-tailed values, a random walk, counters that reset,
sparse samples, values that are not numbers, series that end, switches, delta sums and histograms.
"""

from __future__ import annotations

from store import Store, Window

KINDS = (
    "constant", "mild", "wild", "uniform", "heavy", "walk", "counter", "sparse", "nan", "ends", "switch", "delta",
    "histogram",
)  # fmt: skip
_SECOND = 1_000_000_000


def fill(store: Store, window: Window, history_s: int, count: int, *, shifted: int = 0, seed: int = 1) -> None:
    """Store `count` series of all kinds from `history_s` before the window to its end, sampled every 15 s.

    Every `shifted`th series triples in the middle of the window; 0 shifts none.
    """
    start = window.start // _SECOND - history_s
    steps = (window.end // _SECOND - start) // 15
    middle = (window.start + window.end) // 2 // _SECOND
    factor = f"if(s % {shifted} = 0 AND at >= toDateTime64({middle}, 9, 'UTC'), 3, 1)" if shifted else "1"
    points = f"""
        SELECT *, {factor} AS factor FROM
        (
            SELECT number AS s, number % {len(KINDS)} AS kind, arrayJoin(range({steps})) AS i,
                toDateTime64({start} + i * 15, 9, 'UTC') AS at,
                'm.' || toString(s % 500) AS metric, 'pod-' || toString(s) AS pod,
                sipHash64(s, i, 4, {seed}) / 18446744073709551616 AS u,
                2 * ((sipHash64(s, i, 1, {seed}) + 0.0 + sipHash64(s, i, 2, {seed}) + sipHash64(s, i, 3, {seed}))
                    / 18446744073709551616 - 1.5) AS g
            FROM numbers({count})
        )"""
    common = (
        "map('k8s.pod.name', pod) AS ResourceAttributes, metric AS MetricName, at AS TimeUnix, 'default' AS Tenant, "
        "cityHash64(s, 7) AS SeriesHash"
    )
    gauge = """multiIf(kind = 0, 5., kind = 1, 100 + 5 * g, kind = 2, 100 + 30 * g, kind = 3, 100 * u,
        kind = 4, 10 / sqrt(u), kind = 7, 100 + 10 * g, kind = 8, if(u < 0.3, nan, 100 + 10 * g), kind = 9, 100 + 5 * g,
        toFloat64(u < 0.02)) * factor"""
    store.command(
        f"INSERT INTO otel_metrics_gauge (ResourceAttributes, MetricName, TimeUnix, Tenant, SeriesHash, Value, Flags) "
        f"SELECT {common}, {gauge}, kind = 9 AND i > {steps} - 100 FROM ({points}) "
        f"WHERE kind IN (0, 1, 2, 3, 4, 7, 8, 9, 10) AND (kind != 7 OR i % 20 = s % 20)"
    )
    store.command(
        f"INSERT INTO otel_metrics_gauge (ResourceAttributes, MetricName, TimeUnix, Tenant, SeriesHash, Value) "
        f"SELECT {common}, (200 + sum(g) OVER (PARTITION BY s ORDER BY i)) * factor FROM ({points}) WHERE kind = 5"
    )
    # Counted up to a few thousand, then from nothing again.
    store.command(
        f"INSERT INTO otel_metrics_sum (ResourceAttributes, MetricName, TimeUnix, Tenant, SeriesHash, Value, "
        f"AggregationTemporality, IsMonotonic) SELECT {common}, if(kind = 11, (20 + 4 * g) * factor, "
        f"c - 5000 * floor(c / 5000)), if(kind = 11, 1, 2), true "
        f"FROM (SELECT *, sum((20 + 4 * g) * factor) OVER (PARTITION BY s ORDER BY i) AS c FROM ({points}) "
        f"WHERE kind IN (6, 11))"
    )
    store.command(
        f"INSERT INTO otel_metrics_histogram (ResourceAttributes, MetricName, TimeUnix, Tenant, SeriesHash, "
        f"Count, Sum, AggregationTemporality) SELECT {common}, "
        f"toUInt64(sum(toUInt64(u * 20)) OVER (PARTITION BY s ORDER BY i)), "
        f"sum(toUInt64(u * 20) * (0.2 + 0.02 * g) * factor) OVER (PARTITION BY s ORDER BY i), 2 "
        f"FROM ({points}) WHERE kind = 12"
    )
