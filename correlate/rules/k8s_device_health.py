"""Health of devices as the kubelet knows it, and GPUs that a node no longer offers.

Signal: gpu.health on a GPU (on its pod where the device has no GPU's name), xid.<code> where the message names one;
gpu.unavailable on a node.
Condition: a pod's allocated device becomes Unhealthy; or the number of GPUs that a node can allocate falls below what
it was while the node stays. A device is Unknown after half a minute without news of its plugin, which says more about
the plugin.
Why it matters: it is Kubernetes' own link from a device to the pod that holds it, right also when the exporter's pod
labels are gone; and a GPU that the device plugin took away is the reason why pods wait.
Source: https://kep.k8s.io/4680 and
https://kubernetes.io/docs/concepts/extend-kubernetes/compute-storage-net/device-plugins/
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.frames import Frames
from correlate.rule import Rule, named
from correlate.rules.k8s_states import between
from correlate.sessions import evidence_of, sessions
from correlate.signals import TIME

_KNOWN_S = 180
_SECOND_HAND = 0.9
_SCORE = 8.0
_ALLOCATABLE = ("kube_node_status_allocatable", "k8s.node.allocatable_nvidia_com_gpu")
_RESOURCE = r"(?i)nvidia[._]com[/_](?:gpu|mig)|amd[._]com[/_]gpu|gpu\.intel"


def _unhealthy(frames: Frames) -> pl.LazyFrame:
    known = pl.lit(frames.since).cast(TIME) + pl.duration(seconds=_KNOWN_S)
    codes = catalog.table("xid").lazy().select("code", rated=pl.col("score").cast(pl.Float64))
    per = ("uid", "name", "item")
    turned = (
        frames["k8s_objects"]
        .filter(pl.col("what") == "device")
        .sort(*per, "time", "state")
        .with_columns(was=pl.col("state").shift(1).over(per), before=pl.col("time").shift(1).over(per))
        .filter(
            pl.col("state") == "Unhealthy",
            pl.col("was").fill_null("") != "Unhealthy",
            pl.col("was").is_not_null() | (pl.col("time") > known),
        )
        .with_columns(code=pl.col("detail").str.extract(r"(?i)\bxid[ :=]*(\d+)", 1).cast(pl.Int64))
        .join(codes, on="code", how="left")
    )
    device = pl.col("item").str.extract(r"((?:GPU|MIG)-[0-9a-fA-F-]+)", 1)
    gpu = device.is_not_null()
    named = pl.col("code").is_not_null()
    return turned.select(
        "time",
        onset=between(),
        kind=pl.when(named & gpu)
        .then(pl.format("xid.{}", pl.col("code").fill_null(0)))
        .otherwise(pl.lit("gpu.health")),
        entity_type=pl.when(gpu).then(pl.lit("gpu")).otherwise(pl.lit("pod")),
        entity=pl.when(gpu).then(device).otherwise("name"),
        score=pl.when(named & gpu).then(pl.col("rated").fill_null(4.0) * _SECOND_HAND).otherwise(_SCORE),
        explanation=pl.format("device {} of {} is unhealthy: {}", "item", "name", "detail"),
        evidence=evidence_of(pod="name", node="node", device="item", message="detail"),
    )


def _taken_away(frames: Frames) -> pl.LazyFrame:
    resource = pl.coalesce(pl.col("labels").str.json_path_match("$.resource").replace("", None), "metric")
    series = (
        frames["metric_series"]
        .filter(pl.col("metric").is_in(_ALLOCATABLE), pl.col("node") != "")
        .with_columns(resource=resource)
        .filter(pl.col("resource").str.contains(_RESOURCE))
        .select("series", "node", "resource")
    )
    return (
        frames["metric_points"]
        .join(series, on="series")
        .sort("series", "time")
        .with_columns(was=pl.col("value").shift(1).over("series"), before=pl.col("time").shift(1).over("series"))
        .filter(pl.col("value") < pl.col("was"))
        .select(
            "time",
            "value",
            onset=between(),
            kind=pl.lit("gpu.unavailable"),
            entity_type=pl.lit("node"),
            entity="node",
            score=pl.lit(6.0),
            direction=pl.lit(-1),
            baseline="was",
            explanation=pl.format(
                "{} offers {} of {} before ({})",
                "node", pl.col("value").cast(pl.Int64), pl.col("was").cast(pl.Int64), "resource",
            ),
            evidence=evidence_of(resource="resource"),
        )
    )  # fmt: skip


def detect(frames: Frames) -> pl.LazyFrame:
    """Devices that failed or vanished from a node's offer, seen in the window."""
    return pl.concat([sessions(_unhealthy(frames), frames), sessions(_taken_away(frames), frames)])


RULE = Rule("k8s_device_health", "gpu", ("k8s_objects", "metric_series", "metric_points"), detect, named(_ALLOCATABLE))
