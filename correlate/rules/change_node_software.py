"""Drivers, kernels and kubelets that changed on a node, and engines that were configured anew.

Signal: change.driver on a node; change.config on a pod or workload.
Condition: a node shows another GPU driver, kernel, container runtime or kubelet version than it had for five minutes
or more; the driver's module is loaded with another version; an engine's info metric has other settings.
Why it matters: a driver that does not fit the libraries fails every process on the node, and a smaller cache setting
makes a server preempt; both are planned changes, and neither writes an event.
Source: https://github.com/kubernetes/kube-state-metrics/blob/main/docs/metrics/cluster/node-metrics.md
(kube_node_info) and https://docs.vllm.ai/en/latest/usage/metrics.html (cache_config_info)
"""

from __future__ import annotations

import polars as pl

from correlate.frames import Frames
from correlate.identity import most_specific
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

_KNOWN_S = 300
LOADED = r"NVRM: loading NVIDIA UNIX \S+ Kernel Module\s+([\d.]+)"
_OF_NODE = {
    "GPU driver": ("DCGM_", "$.DCGM_FI_DRIVER_VERSION"),
    "kernel": ("kube_node_info", "$.kernel_version"),
    "kubelet": ("kube_node_info", "$.kubelet_version"),
    "container runtime": ("kube_node_info", "$.container_runtime_version"),
}
_SETTINGS = r"^(?:vllm:cache_config_info|sglang:.*config_info|tgi_.*_info)$"


def _versions(frames: Frames) -> pl.LazyFrame:
    """`entity_type, entity, what, version, first, last` of everything that carries a version or settings."""
    label = pl.col("labels")
    kind, entity = most_specific()
    parts = [
        frames["metric_series"]
        .filter(pl.col("metric").str.starts_with(prefix), pl.col("node") != "")
        .select(
            "first", "last", entity_type=pl.lit("node"), entity="node", what=pl.lit(what),
            version=label.str.json_path_match(path),
        )
        for what, (prefix, path) in _OF_NODE.items()
    ]  # fmt: skip
    parts.append(
        frames["metric_series"]
        .filter(pl.col("metric").str.contains(_SETTINGS))
        .select("first", "last", entity_type=kind, entity=entity, what=pl.lit("settings"), version="labels")
    )
    seen = pl.concat(parts).filter(pl.col("version") != "", pl.col("entity") != "")
    loaded = (
        frames["kernel_logs"]
        .with_columns(version=pl.col("body").str.extract(LOADED, 1))
        .filter(pl.col("version").is_not_null())
        .select(
            entity_type=pl.lit("node"), entity="node", what=pl.lit("GPU driver"), version="version", first="time",
            last="time",
        )
    )  # fmt: skip
    columns = ("entity_type", "entity", "what", "version", "first", "last")
    return (
        pl.concat([seen.select(columns), loaded.select(columns)])
        .group_by("entity_type", "entity", "what", "version")
        .agg(pl.col("first").min(), pl.col("last").max())
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Changes seen in the window; onset is the first sight of what is new."""
    per = ("entity_type", "entity", "what")
    changed = (
        _versions(frames)
        .sort(*per, "first", "version")
        .with_columns(before=pl.col("version").shift(1).over(per), since=pl.col("first").min().over(per))
        .filter(pl.col("before").is_not_null(), pl.col("first") > pl.col("since") + pl.duration(seconds=_KNOWN_S))
    )
    settings = pl.col("what") == "settings"
    facts = changed.select(
        "entity_type",
        "entity",
        time="first",
        kind=pl.when(settings).then(pl.lit("change.config")).otherwise(pl.lit("change.driver")),
        score=pl.lit(4.5),
        explanation=pl.format(
            "{} of {} changed from {} to {}",
            "what", "entity", pl.col("before").str.slice(0, 80), pl.col("version").str.slice(0, 80),
        ),
        evidence=evidence_of(what="what", before="before", version="version"),
    )  # fmt: skip
    return sessions(facts, frames)


RULE = Rule("change_node_software", "change", ("metric_series", "kernel_logs"), detect)
