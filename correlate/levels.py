"""Which metric series are reduced to levels, a value a minute, and which of them the store keeps to itself.

A hundred thousand series have tens of millions of points an hour; few of them shift. `store/sql/metric_levels.sql`
reduces all of them where they are stored and hands over the series that `correlate.rules.metric_shift` could report.
"""

from __future__ import annotations

from correlate import golden

BUCKET_S = 60.0
"""Width in seconds of what a level stands for."""

BEFORE_S = 600
"""Seconds before a window that a run of notable levels may have begun in and still last."""

NOT_MEASURES = (
    r"(?i)(?:_info|_labels|_created|_timestamp|_timestamp_seconds|observed_generation|resource_version)$"
    r"|^(?:up|scrape_|kube_|k8s\.(?:container\.(?:restarts|ready)|pod\.phase|node\.condition|deployment\.|statefulset\.|replicaset\.|job\.|hpa\.))"
    r"|^target_info|uptime|start_?time|XID_ERROR|LINK_(?:WIDTH|GEN)|THROTTLE_REASONS|EVENT_REASONS|REMAP|VIOLATION|^DCGM_FI_DEV_ECC"
    r"|global_?step|learning_rate|_limit_bytes$|capacity|_quantile$|(?:^|[._:])(?:eval\w*|quality|drift|psi)(?:[._:]|$)"
)
"""Identities, states and clocks in the shape of numbers, and what has a rule of its own."""

REQUESTS = r"(?i)request|calls|rps|qps|quer(?:y|ies)"
"""Traffic that is asked for, not bytes: series that say whether an entity had anything to do."""


def params(start_ns: int) -> dict[str, str | int]:
    """Parameters of the query besides its time range, for a window that starts at `start_ns`."""
    judged_from = start_ns - BEFORE_S * 1_000_000_000
    return {"skip": NOT_MEASURES, "requests": REQUESTS, "successes": golden.SUCCESS, "judged_from": judged_from}
