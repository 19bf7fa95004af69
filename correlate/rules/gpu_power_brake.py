"""A power brake that concerns a whole node.

Signal: node.power on a node.
Condition: in one minute the power brake holds back at least two of a node's GPUs and at least half of them.
Why it matters: the brake is pulled by the node's power supplies or its rack's distribution unit, not by a GPU; told of
each GPU, one fault would look like several.
Source: clock event reasons, https://docs.nvidia.com/datacenter/dcgm/latest/dcgm-api/dcgm-api-field-ids.html
"""

from __future__ import annotations

import polars as pl

from correlate import gpu_series
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.rules.gpu_thermal import held_back
from correlate.sessions import evidence_of, sessions


def detect(frames: Frames) -> pl.LazyFrame:
    """Nodes whose GPUs were braked together, seen in the window."""
    facts = held_back(frames, "gpu.power").select(
        "time",
        kind=pl.lit("node.power"),
        entity_type=pl.lit("node"),
        entity="node",
        score=7.5 + 2.0 * pl.col("slow") / pl.col("gpus"),
        direction=pl.lit(1),
        value=pl.col("slow").cast(pl.Float64),
        baseline=pl.lit(0.0),
        explanation=pl.format("{} of {} GPUs of {} slowed down by the power brake", "slow", "gpus", "node"),
        evidence=evidence_of(gpus="devices"),
    )
    return sessions(facts, frames)


RULE = Rule("gpu_power_brake", "gpu", ("metric_series", "metric_points"), detect, gpu_series.METRICS)
