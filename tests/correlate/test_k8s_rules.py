"""Kubernetes evidence: events of the object they are about, restarts, conditions, rollouts."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from correlate.rules import change_rollout, k8s_conditions, k8s_events, k8s_restarts, k8s_states
from tests.kit.telemetry import Metrics, Row, facts, found, frames, onset_s, step


def event(reason: str, target: str, message: str = "", at: float = 100.0, **more: Any) -> Row:
    kind, name = target.split("/", 1)
    return {"time": at, "reason": reason, "object_kind": kind, "object": name, "message": message} | more


def events(*rows: Row) -> pl.DataFrame:
    return found(k8s_events.RULE, frames(k8s_events=rows))


@pytest.mark.parametrize(
    ("row", "fact"),
    [
        (event("NodeNotReady", "Node/n1", type="Normal"), ("node.not_ready", "node", "n1")),
        (event("NodeHasDiskPressure", "Node/n1", type="Normal"), ("node.disk_pressure", "node", "n1")),
        (
            event("EvictionThresholdMet", "Node/n1", "Attempting to reclaim memory"),
            ("node.memory_pressure", "node", "n1"),
        ),
        (
            event("Evicted", "Pod/p-0", "The node was low on resource: ephemeral-storage."),
            ("pod.evicted", "pod", "p-0"),
        ),
        (
            event("BackOff", "Pod/p-0", "Back-off restarting failed container a in pod p-0"),
            ("pod.crash_loop", "pod", "p-0"),
        ),
        (event("BackOff", "Pod/p-0", 'Back-off pulling image "x:1"'), ("pod.image_pull", "pod", "p-0")),
        (event("Failed", "Pod/p-0", 'Failed to pull image "x:1": not found'), ("pod.image_pull", "pod", "p-0")),
        (event("FailedScheduling", "Pod/p-0", "0/3 nodes are available"), ("pod.unschedulable", "pod", "p-0")),
        (
            event("FailedCreate", "ReplicaSet/web-5d9c7f5b8", "exceeded quota"),
            ("workload.create_failed", "workload", "web"),
        ),
        (event("BackoffLimitExceeded", "Job/nightly"), ("job.failed", "job", "nightly")),
        (event("SpotInterruption", "Node/n1", "Spot interruption warning"), ("node.reclaimed", "node", "n1")),
        (event("SpotInterrupted", "Node/n1", "Spot interruption warning was"), ("node.reclaimed", "node", "n1")),
        (event("ScheduledEvent", "Node/n1", "EC2 maintenance"), ("node.maintenance", "node", "n1")),
        (event("Sync", "Ingress/edge", "Scheduled for sync"), ("change.config", "ingress", "edge")),
        (
            event("NvidiaXID79Error", "Node/n1", "GPU 7 (0000:df:00) has fallen off the bus"),
            ("xid.79", "gpu", "n1/0000:df:00"),
        ),
        (event("GPUDegraded", "Node/n1", "GPU 0 thermal slowdown"), ("gpu.thermal", "gpu", "n1/gpu0")),
        (
            event("Warning", "Node/n1", "[DCGM_FR_A1, DCGM_FR_B] NVLink down - RecommendedAction: COMPONENT_RESET"),
            ("gpu.nvlink", "node", "n1"),
        ),
    ],
)
def test_an_event_is_about_its_object(row: Row, fact: tuple[str, str, str]) -> None:
    assert facts(events(row)) == {fact}


@pytest.mark.parametrize(
    "row",
    [
        event("Scheduled", "Pod/p-0", "Successfully assigned a/p-0 to n1"),
        event("Unhealthy", "Pod/p-0", "Readiness probe failed: timeout"),
        event("Unhealthy", "Pod/p-0", "Startup probe failed: connection refused", count=20),
        event("TaintManagerEviction", "Pod/p-0", "Cancelling deletion of Pod a/p-0"),
        event("Killing", "Pod/p-0", "Stopping container a"),
        event(
            "Warning", "Node/n1", "[DCGM_FR_CLOCK_THROTTLE_THERMAL] GPU 3 thermal slowdown - RecommendedAction: NONE"
        ),
    ],
)
def test_ordinary_events_are_silent(row: Row) -> None:
    assert events(row).is_empty()


def test_probes_that_fail_again_and_again_are_reported() -> None:
    rows = [event("Unhealthy", "Pod/p-0", "Readiness probe failed: timeout", at) for at in (100, 110, 120)]
    assert facts(events(*rows)) == {("pod.probe_failed", "pod", "p-0")}


def test_a_node_was_silent_before_it_was_not_ready() -> None:
    assert onset_s(events(event("NodeNotReady", "Node/n1", at=100)), "node.not_ready") == 60.0


def test_trouble_of_a_cordoned_node_is_maintenance() -> None:
    seen = events(
        event("NodeNotSchedulable", "Node/n1", at=10),
        event("NodeNotReady", "Node/n1", at=300),
        event("Rebooted", "Node/n1", at=400),
    )
    assert {kind for kind, *_ in facts(seen)} == {"change.cordon", "node.maintenance"}
    assert all(score < 4 for score in seen["score"])


def test_a_cordon_that_follows_the_fault_does_not_excuse_it() -> None:
    seen = events(event("NodeNotReady", "Node/n1", at=100), event("NodeNotSchedulable", "Node/n1", at=200))
    assert ("node.not_ready", "node", "n1") in facts(seen)


def test_the_same_run_has_the_same_onset_in_every_window() -> None:
    rows = [event("BackOff", "Pod/p-0", "Back-off restarting failed container a", at) for at in (100, 500, 950, 1400)]
    first = found(k8s_events.RULE, frames(0, 900, k8s_events=rows))
    second = found(k8s_events.RULE, frames(900, 1800, k8s_events=rows))
    assert first["onset"].to_list() == second["onset"].to_list()


@pytest.mark.parametrize("metric", ["k8s.container.restarts", "kube_pod_container_status_restarts_total"])
def test_a_restart_in_place_is_seen_in_the_counter(metric: str) -> None:
    data = Metrics()
    data.add(metric, lambda t: 2.0 if t < 300 else 3.0, pod="p-0", container="a")
    data.add(metric, lambda _: 7.0, pod="steady-0", container="a")
    seen = found(k8s_restarts.RULE, data.frames())
    assert facts(seen) == {("pod.restart", "pod", "p-0")}
    assert 270 < onset_s(seen, "pod.restart") <= 300


def test_why_a_container_ended_is_read_from_its_state() -> None:
    data = Metrics()
    state = "kube_pod_container_status_last_terminated_reason"
    data.add(state, lambda t: 1.0 if t >= 300 else None, pod="p-0", labels='{"reason":"OOMKilled"}')
    data.add(state, lambda _: 1.0, pod="old-0", labels='{"reason":"OOMKilled"}')
    data.add(state, lambda t: 1.0 if t >= 300 else None, pod="done-0", labels='{"reason":"Completed"}')
    assert facts(found(k8s_states.RULE, data.frames())) == {("pod.oom_killed", "pod", "p-0")}


def test_conditions_of_both_vocabularies() -> None:
    data = Metrics()
    data.add("k8s.node.condition_ready", lambda t: 1.0 if t < 300 else -1.0, node="n1")
    data.add("k8s.node.condition_ready", lambda _: 1.0, node="n2")
    data.add(
        "kube_node_status_condition",
        lambda t: float(t >= 300),
        node="n3",
        labels='{"condition":"DiskPressure","status":"true"}',
    )
    data.add(
        "kube_node_status_condition",
        lambda t: float(t < 300),
        node="n3",
        labels='{"condition":"DiskPressure","status":"false"}',
    )
    seen = found(k8s_conditions.RULE, data.frames())
    assert facts(seen) == {("node.not_ready", "node", "n1"), ("node.disk_pressure", "node", "n3")}


def test_a_drained_node_that_goes_away_is_maintenance() -> None:
    data = Metrics()
    data.add("k8s.node.condition_ready", lambda t: 1.0 if t < 300 else 0.0, node="n1")
    seen = found(k8s_conditions.RULE, data.frames(k8s_events=[event("NodeNotSchedulable", "Node/n1", at=100)]))
    assert {kind for kind, *_ in facts(seen)} == {"node.maintenance"}


def test_missing_replicas_must_last() -> None:
    data = Metrics()
    for name, gone in (("web", 600.0), ("blip", 330.0)):
        data.add("k8s.deployment.desired", lambda _: 4.0, workload=name)
        data.add("k8s.deployment.available", lambda _: 4.0, workload=name, end=300.0)
        data.add("k8s.deployment.available", step(2.0, 4.0, gone), workload=name, start=300.0)
    assert facts(found(k8s_conditions.RULE, data.frames())) == {("workload.unavailable", "workload", "web")}


def test_a_rollout_is_a_new_replica_set_or_a_new_version_and_no_scale_up() -> None:
    rows = [
        event("ScalingReplicaSet", "Deployment/web", "Scaled up replica set web-5d9c7f5b8 from 0 to 1"),
        event("ScalingReplicaSet", "Deployment/grown", "Scaled up replica set grown-5d9c7f5b8 from 3 to 4"),
    ]
    spans = [
        {"time": at, "service": "api", "workload": "api", "version": "2" if at >= 200 else "1", "pod": "api-0"}
        for at in range(-900, 900, 60)
    ]
    seen = found(change_rollout.RULE, frames(k8s_events=rows, spans=spans))
    assert facts(seen) == {("change.rollout", "workload", "web"), ("change.rollout", "workload", "api")}
    assert "2" in seen.filter(pl.col("entity") == "api")["explanation"][0]
