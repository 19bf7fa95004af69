"""What a metric measures, by its name: latency, errors, traffic, saturation, and which way is bad.

Names follow no one convention; these words are shared by semantic conventions, Prometheus exporters, cloud monitors
and hand-made metrics. A name that says nothing is `other`, and any move of it counts.
Source: https://sre.google/sre-book/monitoring-distributed-systems/ (the four golden signals)
"""

from __future__ import annotations

import polars as pl

LATENCY, ERRORS, TRAFFIC, SATURATION, OTHER = "latency", "errors", "traffic", "saturation", "other"

SUCCESS = r"(?i)availab|success|(?:^|[._])(?:ok|hit|ready|healthy)(?:[._]|$)|hit_?(?:rate|ratio)|goodput"
_ERRORS = (
    r"(?i)error|fail|fault|exception|(?:^|[._])[45]xx|servfail|abort|reject|timeout|timed_?out|refus|denied|unauthori"
    r"|dropped|retr(?:y|ies)|exhaust|oom|killed"
)
_LATENCY = (
    r"(?i)latency|duration|response_?time|elapsed|(?:^|[._])wait(?:[._]|$)|time_to_|time_per_|delay"
    r"|(?:^|[._])age(?:[._]|$)|lag(?:[._]|$)"
)
_SATURATION = (
    r"(?i)cpu|memory|heap|rss|working_?set|disk|filesystem|utili[sz]ation|usage|in_?use|pool|queue|waiting|pending"
    r"|backlog|cache|connections|threads|temperature|throttl"
)
_TRAFFIC = (
    r"(?i)request|(?:^|[._])rps(?:[._]|$)|qps|throughput|calls|quer(?:y|ies)|transmit|receive|network|messages|tokens"
    r"|per_?(?:sec|second|min|minute)|_rate$|[.]rate$|flushed|processed|bytes|syscall"
)
# A share of something: what is zero most of the time has no scale of its own.
_SHARE = r"(?i)ratio|rate|share|percent|pct|availab|utili[sz]ation|success"


def meaning(metric: str = "metric") -> pl.Expr:
    """LATENCY, ERRORS, TRAFFIC, SATURATION or OTHER. Failures win over what failed, latency over what was slow."""
    name = pl.col(metric)
    return (
        pl.when(name.str.contains(_ERRORS) | name.str.contains(SUCCESS))
        .then(pl.lit(ERRORS))
        .when(name.str.contains(_LATENCY))
        .then(pl.lit(LATENCY))
        .when(name.str.contains(_SATURATION))
        .then(pl.lit(SATURATION))
        .when(name.str.contains(_TRAFFIC))
        .then(pl.lit(TRAFFIC))
        .otherwise(pl.lit(OTHER))
    )


def counts_successes(metric: str = "metric") -> pl.Expr:
    """Whether the metric falls when things fail."""
    return pl.col(metric).str.contains(SUCCESS) & ~pl.col(metric).str.contains(_ERRORS)


def whole(metric: str = "metric", unit: str = "unit", most: str = "most") -> pl.Expr:
    """1 or 100 for a share in that scale, judged by name, unit and the largest value seen; null for anything else."""
    share = pl.col(metric).str.contains(_SHARE) | pl.col(unit).is_in(["1", "%"])
    return (
        pl.when(share & (pl.col(most) <= 1.001))
        .then(1.0)
        .when((pl.col(metric).str.contains(r"(?i)percent|pct") | (pl.col(unit) == "%")) & (pl.col(most) <= 100.1))
        .then(100.0)
    )
