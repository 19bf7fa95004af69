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
from correlate.rules.gpu_thermal import held_back, told_of_node
from correlate.sessions import sessions


def detect(frames: Frames) -> pl.LazyFrame:
    """Nodes whose GPUs were braked together, seen in the window."""
    facts = held_back(frames, "gpu.power").select("time", *told_of_node("node.power", "the power brake"))
    return sessions(facts, frames)


RULE = Rule("gpu_power_brake", "gpu", ("metric_series", "metric_points"), detect, gpu_series.METRICS)
