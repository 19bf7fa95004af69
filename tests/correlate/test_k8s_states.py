"""States, exit codes, taints, devices and restarts in place, in every vocabulary that tells them."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from correlate import catalog
from correlate.rules import (
    k8s_conditions,
    k8s_device_health,
    k8s_events,
    k8s_exit_codes,
    k8s_in_place,
    k8s_states,
    k8s_taints,
    npd_problems,
)
from tests.kit.telemetry import Metrics, Row, facts, found, frames, step

GPU = "GPU-509665ad-b600-ac93-3616-d754b23d636d"


def watched(what: str, item: str, state: str, at: float = 300.0, **more: Any) -> Row:
    """One fact of a watched pod, or of a node where `kind` says so."""
    row: Row = {"time": at, "kind": "Pod", "name": "p-0", "uid": "u", "node": "n1"}
    return row | {"what": what, "item": item, "state": state} | more


@pytest.mark.parametrize(
    ("metric", "labels", "value", "kind"),
    [
        ("kube_pod_container_status_terminated_reason", '{"reason":"OOMKilled"}', 1.0, "pod.oom_killed"),
        ("kube_pod_status_reason", '{"reason":"Evicted"}', 1.0, "pod.evicted"),
        ("kube_pod_status_disruption_reason", '{"reason":"PreemptionByScheduler"}', 1.0, "pod.preempted"),
        ("kube_pod_status_unschedulable", "{}", 1.0, "pod.unschedulable"),
        ("kube_pod_status_phase", '{"phase":"Failed"}', 1.0, "pod.failed"),
        ("k8s.container.status.reason", '{"k8s.container.status.reason":"ImagePullBackOff"}', 1.0, "pod.image_pull"),
        ("k8s.pod.status.reason", '{"k8s.pod.status.reason":"Evicted"}', 1.0, "pod.evicted"),
        ("k8s.pod.status.phase", '{"k8s.pod.status.phase":"Failed"}', 1.0, "pod.failed"),
        ("k8s.pod.phase", "{}", 4.0, "pod.failed"),
        ("k8s.pod.status_reason", "{}", 5.0, "pod.start_failed"),
    ],
)
def test_a_state_is_the_same_in_every_vocabulary(metric: str, labels: str, value: float, kind: str) -> None:
    data = Metrics()
    data.add(metric, step(0.0, value), pod="p-0", labels=labels)
    # The same state, since before the history began; and a state that is none of these.
    data.add(metric, lambda _: value, pod="old-0", labels=labels)
    data.add(metric, step(0.0, 2.0 if metric == "k8s.pod.phase" else 0.0), pod="well-0", labels=labels)
    assert facts(found(k8s_states.RULE, data.frames())) == {(kind, "pod", "p-0")}


def test_watched_pods_say_the_same() -> None:
    rows = [
        watched("waiting", "c", "CrashLoopBackOff"),
        watched("condition", "DisruptionTarget", "True", detail="DeletionByTaintManager"),
        watched("phase", "", "Running"),
        watched("terminated", "c", "Completed", name="done-0"),
    ]
    assert facts(found(k8s_states.RULE, frames(k8s_objects=rows))) == {
        ("pod.crash_loop", "pod", "p-0"),
        ("pod.evicted", "pod", "p-0"),
    }


def test_a_watched_state_is_reported_once_however_often_it_is_repeated() -> None:
    rows = [watched("terminated", "c", "OOMKilled", at) for at in range(-6000, 900, 60)]
    assert found(k8s_states.RULE, frames(k8s_objects=rows)).is_empty()


@pytest.mark.parametrize(("code", "kind"), [(139, "pod.crashed"), (127, "pod.start_failed"), (134, "pod.aborted")])
def test_an_exit_code_tells_how_a_container_died(code: int, kind: str) -> None:
    data = Metrics()
    data.add(k8s_exit_codes.METRIC, step(0.0, float(code)), pod="p-0", container="c")
    data.add(k8s_exit_codes.METRIC, lambda _: float(code), pod="old-0", container="c")
    assert facts(found(k8s_exit_codes.RULE, data.frames())) == {(kind, "pod", "p-0")}
    objects = [watched("terminated", "c", "Error", number=float(code))]
    assert facts(found(k8s_exit_codes.RULE, frames(k8s_objects=objects))) == {(kind, "pod", "p-0")}


@pytest.mark.parametrize("code", [0, 1, 137, 143, 255])
def test_codes_that_say_nothing_by_themselves_are_silent(code: int) -> None:
    data = Metrics()
    data.add(k8s_exit_codes.METRIC, step(0.0, float(code)), pod="p-0", container="c")
    assert found(k8s_exit_codes.RULE, data.frames()).is_empty()


def test_taints_of_health_agents_accuse_and_cordons_do_not() -> None:
    data = Metrics()
    xid = '{"key":"nvidia.com/gpu-xid-error","value":"true","effect":"NoSchedule"}'
    data.add("kube_node_spec_taint", lambda t: 1.0 if t >= 300 else None, node="n1", labels=xid)
    data.add("kube_node_spec_taint", lambda _: 1.0, node="n2", labels=xid)
    data.add("kube_node_spec_unschedulable", step(0.0, 1.0), node="n3")
    data.add("kube_node_spec_taint", lambda t: 1.0 if t >= 300 else None, node="n4", labels='{"key":"dedicated"}')
    seen = found(k8s_taints.RULE, data.frames())
    assert facts(seen) == {("gpu.health", "node", "n1"), ("change.cordon", "node", "n3")}
    roles = dict(catalog.kinds().select("kind", "role").iter_rows())
    assert roles["change.cordon"] == "context"


def test_an_unreachable_node_after_a_cordon_is_maintenance() -> None:
    rows = [
        watched("cordon", "", "False", -500.0, kind="Node", node="n1"),
        watched("cordon", "", "True", -400.0, kind="Node", node="n1"),
        watched("taint", "node.kubernetes.io/unreachable", "NoExecute", 300.0, kind="Node", node="n1"),
        watched("taint", "node.kubernetes.io/unreachable", "NoExecute", 300.0, kind="Node", node="n2"),
    ]
    cordon: Row = {"time": -400.0, "reason": "NodeNotSchedulable", "object_kind": "Node", "object": "n1"}
    seen = found(k8s_taints.RULE, frames(k8s_objects=rows, k8s_events=[cordon]))
    assert {fact for fact in facts(seen) if fact[0] != "change.cordon"} == {
        ("node.maintenance", "node", "n1"),
        ("node.not_ready", "node", "n2"),
    }


def test_an_unhealthy_device_accuses_its_gpu() -> None:
    rows = [
        watched("device", GPU, "Healthy", 100.0),
        watched("device", GPU, "Unhealthy", 300.0, detail="Xid 79"),
        watched("device", "claim:a/b", "Unhealthy", 300.0, name="p-1"),
        watched("device", "GPU-1", "Unknown", 300.0, name="p-2"),
    ]
    assert facts(found(k8s_device_health.RULE, frames(k8s_objects=rows))) == {
        ("xid.79", "gpu", GPU),
        ("gpu.health", "pod", "p-1"),
    }


def test_a_gpu_that_a_node_no_longer_offers() -> None:
    data = Metrics()
    gpus = '{"resource":"nvidia_com_gpu"}'
    data.add("kube_node_status_allocatable", step(8.0, 7.0), node="n1", labels=gpus)
    data.add("kube_node_status_allocatable", step(7.0, 8.0), node="n2", labels=gpus)
    data.add("kube_node_status_allocatable", step(64.0, 63.0), node="n3", labels='{"resource":"cpu"}')
    assert facts(found(k8s_device_health.RULE, data.frames())) == {("gpu.unavailable", "node", "n1")}


def test_all_containers_at_once_is_a_restart_in_place() -> None:
    data = Metrics()
    for container in ("a", "b"):
        data.add("k8s.container.restarts", step(0.0, 1.0), pod="gang-0", container=container)
    data.add("k8s.container.restarts", step(0.0, 1.0), pod="one-0", container="a")
    data.add("k8s.container.restarts", lambda _: 0.0, pod="one-0", container="b")
    data.add("k8s.container.restarts", step(0.0, 1.0), pod="single-0", container="a")
    said = watched("condition", "AllContainersRestarting", "True", name="said-0")
    assert facts(found(k8s_in_place.RULE, data.frames(k8s_objects=[said]))) == {
        ("pod.restart", "pod", "gang-0"),
        ("pod.restart", "pod", "said-0"),
    }


def test_problems_counted_by_node_problem_detector() -> None:
    data = Metrics()
    data.add("problem_counter", step(0.0, 1.0), kind="sum", node="n1", labels='{"reason":"TaskHung"}')
    data.add("problem_counter", lambda _: 3.0, kind="sum", node="n2", labels='{"reason":"TaskHung"}')
    data.add("problem_counter", step(0.0, 1.0), kind="sum", node="n3", labels='{"reason":"DockerHung?"}')
    assert facts(found(npd_problems.RULE, data.frames())) == {("node.kernel", "node", "n1")}


def test_conditions_of_health_agents_whatever_their_polarity() -> None:
    data = Metrics()
    ksm = "kube_node_status_condition"
    data.add(ksm, step(0.0, 1.0), node="n1", labels='{"condition":"GpuNvlinkWatch","status":"true"}')
    data.add(ksm, step(1.0, 0.0), node="n2", labels='{"condition":"StorageReady","status":"true"}')
    data.add(ksm, lambda _: 1.0, node="n3", labels='{"condition":"GpuNvlinkWatch","status":"true"}')
    data.add(ksm, lambda _: 1.0, node="n4", labels='{"condition":"StorageReady","status":"true"}')
    semconv = '{"k8s.node.condition.type":"Ready","k8s.node.condition.status":"true"}'
    data.add("k8s.node.condition.status", step(1.0, 0.0), node="n5", labels=semconv)
    data.add("problem_gauge", step(0.0, 1.0), node="n6", labels='{"type":"ReadonlyFilesystem","reason":"x"}')
    rows = [
        watched("condition", "MemoryPressure", state, at, kind="Node", node="n7")
        for state, at in (("False", 0.0), ("True", 300.0), ("True", 330.0))
    ]
    assert facts(found(k8s_conditions.RULE, data.frames(k8s_objects=rows))) == {
        ("gpu.nvlink", "node", "n1"),
        ("node.storage", "node", "n2"),
        ("node.not_ready", "node", "n5"),
        ("node.storage", "node", "n6"),
        ("node.memory_pressure", "node", "n7"),
    }


def _catalogued(shared: Path, kind: str) -> list[dict[str, str]]:
    with (shared / "domain" / "k8s_events.csv").open() as file:
        return [row for row in csv.DictReader(file) if row["record_kind"] == kind]


# Reasons whose message must be a real one, and those that only repetition makes a fault.
MESSAGES = {
    "BackOff": "Back-off restarting failed container c in pod p-0",
    "Failed": "Failed to pull image x",
    "EvictionThresholdMet": "Attempting to reclaim memory",
    "OOMKilling": "Out of memory: Killed process 1 (a)",
    "Killing": "Container c failed liveness probe, will be restarted",
    "TaintManagerEviction": "Marking for deletion Pod a/p-0",
    "DeviceTaintManagerEviction": "Marking for deletion Pod a/p-0",
    "NvidiaXID<NN>Warning": "GPU 3 reports an Xid",
}
# A preemption's victim is no fault, and what is said of a page or of one corrected error is no root by itself.
NO_ROOT = {"NvidiaPageRetirement", "FailedGetResourceMetric"}


def test_every_catalogued_event_has_its_causal_role(shared: Path) -> None:
    roles = dict(catalog.kinds().select("kind", "role").iter_rows())
    wrong = []
    for row in _catalogued(shared, "event"):
        reason = row["name"]
        if reason.startswith("<"):
            continue
        event: Row = {
            "time": 10.0,
            "reason": reason.replace("<NN>", "79"),
            "object_kind": row["involved_kind"].split("/")[0],
            "object": "x",
            "type": row["k8s_type"],
            "message": MESSAGES.get(reason, row["message_pattern"]),
            "count": 20,
        }
        seen = found(k8s_events.RULE, frames(k8s_events=[event]))
        told = [roles.get(kind, roles.get(kind.split(".")[0], "")) for kind in seen["kind"]]
        # What cannot be scheduled or reached is reported as a symptom of what is behind it.
        fitting = {
            "root_candidate": told in (["cause"], ["symptom"]) or reason in NO_ROOT,
            "cascade": len(told) == 1,
            # Context may be faint evidence, but accuses nobody.
            "context": "cause" not in told or seen["score"].to_list() <= [5.0],
        }
        if not fitting.get(row["causal_role"], True):
            wrong.append(f"{reason} ({row['causal_role']}): {seen['kind'].to_list()}")
    assert not wrong, "\n".join(wrong)


def test_every_catalogued_node_condition_is_known(shared: Path) -> None:
    known = set(catalog.table("node_conditions")["condition"])
    missing = [row["name"] for row in _catalogued(shared, "node_condition") if row["name"].lower() not in known]
    assert not missing


def test_every_catalogued_taint_that_accuses_is_known(shared: Path) -> None:
    rows = []
    for row in _catalogued(shared, "taint_or_label"):
        key = row["name"].split(":")[0].split("=")[0]
        if "/" in key and "DRA" not in key:
            rows.append(key)
    silent = []
    for key in rows:
        row = watched("taint", key, "NoSchedule", kind="Node", node="n1", detail="Unschedulable")
        if found(k8s_taints.RULE, frames(k8s_objects=[row])).is_empty():
            silent.append(key)
    assert rows
    assert not silent


def test_every_catalogued_reason_of_a_container_has_its_role(shared: Path) -> None:
    states = set(catalog.table("pod_states")["reason"])
    wrong = []
    for kind in ("container_termination_reason", "container_waiting_reason"):
        for row in _catalogued(shared, kind):
            wrong += [row["name"]] if row["causal_role"] == "root_candidate" and row["name"] not in states else []
    codes = set(catalog.table("exit_codes")["code"])
    for row in _catalogued(shared, "exit_code"):
        if row["causal_role"] == "root_candidate" and int(row["name"]) not in codes:
            wrong.append(row["name"])
        if row["causal_role"] == "ambiguous" and int(row["name"]) in codes:
            wrong.append(row["name"])
    for row in _catalogued(shared, "pod_condition"):
        name = row["name"]
        if "DisruptionTarget reason=" in name and name.split("reason=")[1] not in states:
            wrong.append(name)
    assert not wrong


@pytest.mark.parametrize("name", ["pod_states", "exit_codes", "node_conditions", "node_taints", "app_lines"])
def test_kinds_of_these_catalogues_are_described(name: str) -> None:
    assert set(catalog.table(name)["kind"]) <= set(pl.Series(catalog.kinds()["kind"]))
