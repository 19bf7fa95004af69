"""Pods that fail alike: the workload is the suspect."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from correlate.incident import assemble
from correlate.settings import CorrelateSettings
from tests.kit.causal import edge, edges, entities, nanos, signal, signals

SHOP = (
    edge("pod:shop-a", "workload:shop-w", "part_of"),
    edge("pod:shop-b", "workload:shop-w", "part_of"),
    edge("workload:shop-w", "service:shop", "runs"),
    edge("service:shop", "service:front", "calls"),
    edge("pod:rank-0", "job:sft", "part_of"),
    edge("pod:rank-1", "job:sft", "part_of"),
)
FRONT = signal("trace.errors", "trace", "service:front", 30, lasts=300, score=7.0)


def only(*rows: dict[str, Any]) -> dict[str, Any]:
    found = assemble(signals(*rows), entities(), edges(*SHOP), nanos(7200), "default", CorrelateSettings()).incidents
    assert found.height == 1
    return found.row(0, named=True)


def root(row: dict[str, Any]) -> tuple[str, str]:
    entity = json.loads(row["root_causes"])[0]["entity"]
    return entity["type"], entity["name"]


def hurt(row: dict[str, Any]) -> set[str]:
    return {entity["name"] for entity in json.loads(row["blast_radius"])}


def test_an_image_that_cannot_be_pulled_is_the_workloads_fault_and_the_pod_is_hurt() -> None:
    row = only(signal("pod.image_pull", "kubernetes", "pod:shop-a", 0, lasts=300), FRONT)
    assert root(row) == ("service", "shop")
    assert "shop-a" in hurt(row)
    assert "shop" not in hurt(row)


def test_pods_that_crash_alike_share_their_program() -> None:
    crashes = [signal("pod.crash_loop", "kubernetes", f"pod:shop-{name}", 0, lasts=300) for name in "ab"]
    row = only(*crashes, FRONT)
    assert root(row) == ("service", "shop")
    assert {"shop-a", "shop-b"} <= hurt(row)


def test_one_pod_that_crashes_is_its_own_fault() -> None:
    assert root(only(signal("pod.crash_loop", "kubernetes", "pod:shop-a", 0, lasts=300), FRONT)) == ("pod", "shop-a")


def test_ranks_of_a_job_stop_together_and_are_left_alone() -> None:
    rows = [signal("pod.oom_killed", "kubernetes", f"pod:rank-{n}", n, lasts=300, score=9.0) for n in (0, 1)]
    found = assemble(signals(*rows), entities(), edges(*SHOP), nanos(7200), "default", CorrelateSettings()).incidents
    assert {root(row)[0] for row in found.iter_rows(named=True)} == {"pod"}


def test_an_incident_lasts_as_long_as_its_root_looks_wrong() -> None:
    first = signal("pod.crash_loop", "kubernetes", "pod:shop-a", 0, lasts=60, score=9.0)
    faint = signal("metric.shift", "metric", "pod:shop-a", 60, lasts=840, score=3.1)
    row = only(first, faint, FRONT)
    assert row["updated_at"] == pl.Series([nanos(900)]).cast(pl.Datetime("ns", "UTC"))[0]
