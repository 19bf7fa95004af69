"""Alerts that other systems already raised.

Signal: alert.firing on the GPU, pod, workload, model, service or node that the alert's labels name, in this order.
Condition: an alert came through the Alertmanager API or webhook and was firing; one that only resolves, or names
nothing known, is none. Score by the label severity: critical or page 6, error or high 5, warning 4, anything else 3.
Sent again, it is the same signal for as long as it keeps coming; the onset is when the alert says that it began, an
hour back at most.
Why it matters: thresholds that a team wrote by hand say what they care about, and join what telemetry shows by itself.
Source: https://prometheus.io/docs/alerting/latest/configuration/#webhook_config and
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

_SCORES = {"critical": 6.0, "page": 6.0, "emergency": 6.0, "error": 5.0, "high": 5.0, "major": 5.0, "warning": 4.0}
_OTHER = 3.0
# Senders repeat what is firing: Prometheus every minute, Alertmanager every few hours unless told otherwise.
_REPEATED_S = 4 * 3600.0
_EARLIEST = "1h"
_ORDER = ("gpu", "pod", "workload", "model", "service", "node")


def detect(frames: Frames) -> pl.LazyFrame:
    """Alerts that were firing in the window."""
    entity_type, entity = pl.lit(""), pl.lit("")
    for kind in reversed(_ORDER):
        entity_type = pl.when(pl.col(kind) != "").then(pl.lit(kind)).otherwise(entity_type)
        entity = pl.when(pl.col(kind) != "").then(kind).otherwise(entity)
    facts = (
        frames["alerts"]
        .filter(pl.col("status") == "firing")
        .with_columns(entity_type=entity_type, entity=entity)
        .filter(pl.col("entity") != "")
        .select(
            "time",
            "entity_type",
            "entity",
            kind=pl.lit("alert.firing"),
            onset=pl.max_horizontal(pl.min_horizontal("started", "time"), pl.col("time").dt.offset_by(f"-{_EARLIEST}")),
            score=pl.col("severity").replace_strict(_SCORES, default=_OTHER, return_dtype=pl.Float64),
            explanation=pl.format("{}: {}", "name", pl.col("summary").str.slice(0, 160)),
            evidence=evidence_of(alert="name", fingerprint="fingerprint", message=pl.col("summary").str.slice(0, 160)),
        )
    )
    return sessions(facts, frames, gap_s=_REPEATED_S)


RULE = Rule("alertmanager_alerts", "metric", ("alerts",), detect)
