"""Metrics of a scenario's infrastructure, as they follow from its drivers: GPUs, nodes, pods, workloads."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.scenarios.load import Load, wave
from tests.scenarios.platform import Gpu, Pod
from tests.scenarios.series import RECEIVERS, add, scraped, state
from tests.scenarios.serving import edge, judge, server, training
from tests.scenarios.world import STEP_S, World


def emit(world: World, load: Load) -> None:
    """Append every metric series of the scenario to the world."""
    for gpu in world.platform.gpus:
        _gpu(world, gpu, load)
    for node in world.platform.nodes:
        _node(world, node)
    for resource, name, kind, labels, values in world.extra:
        add(
            world,
            (str(resource.get("k8s.node.name", "")),),
            resource,
            RECEIVERS + "prometheusreceiver",
            name,
            kind,
            labels,
            values,
        )
    for pod in world.platform.pods:
        _pod(world, pod, load)
        if pod.owner.endswith("-predictor"):
            server(world, pod, load)
    _workloads(world)
    training(world)
    edge(world, load)
    judge(world)


def _gpu(world: World, gpu: Gpu, load: Load) -> None:
    exporter = next(pod for pod in world.platform.on(gpu.node) if pod.owner == "nvidia-dcgm-exporter")
    resource = scraped(world, exporter, "dcgm-exporter", 9400)
    label = {"hostname": "hostname", "Hostname": "Hostname", "exported": "Hostname"}[world.platform.vocabulary.dcgm]
    owned = "exported_" if world.platform.vocabulary.dcgm == "exported" else ""
    attributes: dict[str, Any] = {
        "gpu": str(gpu.index), "UUID": gpu.uuid, "pci_bus_id": f"0000{gpu.bdf.upper()}.0", "device": f"nvidia{gpu.index}",
        "modelName": "NVIDIA H100 80GB HBM3", "DCGM_FI_DRIVER_VERSION": world.platform.driver, label: gpu.node,
    }  # fmt: skip
    holder = world.platform.pod(gpu.pod) if gpu.pod else None
    if holder is not None:
        attributes |= {
            f"{owned}pod": holder.name,
            f"{owned}namespace": holder.namespace,
            f"{owned}container": holder.container,
        }
    n = len(world.t)
    busy = np.zeros(n)
    if holder is not None and holder.kind == "Job":
        # Ranks that wait in a collective spin: busy by count, idle by power.
        busy = np.where(world.training > 0, 0.93, 0.99) * world.up[holder.name]
        work = np.where(world.training > 0, 0.93 / world.step, 0.15) * world.up[holder.name]
    elif holder is not None:
        busy = load.busy[holder.name] * world.up[holder.name]
        work = busy
    else:
        work = busy
    jitter = world.noise.normal(1.0, 0.02, n)
    values = {
        "DCGM_FI_DEV_GPU_UTIL": np.round(100 * np.clip(busy * jitter, 0, 1)),
        "DCGM_FI_DEV_POWER_USAGE": (90 + 540 * work) * jitter,
        "DCGM_FI_DEV_GPU_TEMP": np.round((34 + 28 * work) * world.noise.normal(1.0, 0.01, n)),
        "DCGM_FI_DEV_MEMORY_TEMP": np.round((42 + 30 * work) * world.noise.normal(1.0, 0.01, n)),
        "DCGM_FI_DEV_SM_CLOCK": np.where(busy > 0.02, 1980.0, 345.0) - 15 * world.noise.integers(0, 2, n),
        "DCGM_FI_DEV_FB_USED": np.where(busy > 0, 71_000.0 + world.noise.integers(0, 300, n), 4.0),
        "DCGM_FI_PROF_PIPE_TENSOR_ACTIVE": 0.45 * work * jitter,
        "DCGM_FI_DEV_XID_ERRORS": np.zeros(n),
        "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS": np.where(busy > 0.02, 0.0, 1.0),
        "DCGM_FI_DEV_PCIE_LINK_WIDTH": np.full(n, 16.0),
        "DCGM_FI_DEV_ROW_REMAP_PENDING": np.zeros(n),
    }
    counters = (
        "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL",
        "DCGM_FI_DEV_UNCORRECTABLE_REMAPPED_ROWS", "DCGM_FI_DEV_THERMAL_VIOLATION", "DCGM_FI_DEV_POWER_VIOLATION",
        "DCGM_FI_DEV_NVLINK_CRC_FLIT_ERROR_COUNT_TOTAL",
    )  # fmt: skip
    about = (gpu.uuid, f"dcgm:{gpu.node}", gpu.node)
    if gpu.node in world.relabel:
        since, driver = world.relabel[gpu.node]
        info = {**attributes, "DCGM_FI_DRIVER_VERSION": driver}
        fresh = np.where(world.t >= since, 0.0, np.nan)
        add(world, (), resource, RECEIVERS + "prometheusreceiver", "DCGM_FI_DEV_XID_ERRORS", "gauge", info, fresh)
    for name, of in values.items():
        add(world, about, resource, RECEIVERS + "prometheusreceiver", name, "gauge", attributes, of)
    for name in counters:
        add(world, about, resource, RECEIVERS + "prometheusreceiver", name, "sum", attributes, np.zeros(n))
    traffic = np.cumsum(1e6 * work * jitter)
    add(
        world,
        about,
        resource,
        RECEIVERS + "prometheusreceiver",
        "DCGM_FI_DEV_NVLINK_BANDWIDTH_TOTAL",
        "sum",
        attributes,
        traffic,
    )
    if gpu.index == 0:
        up = np.ones(n)
        for change in world.edits.get((f"dcgm:{gpu.node}", "up"), ()):
            up = change(world.t, up)
        add(world, (gpu.node,), resource, RECEIVERS + "prometheusreceiver", "up", "gauge", {}, up)


def _node(world: World, node: str) -> None:
    n = len(world.t)
    resource = {
        "k8s.node.name": node, "k8s.cluster.name": world.platform.cluster,
        "cloud.availability_zone": world.platform.zones[node],
    }  # fmt: skip
    values = {
        "k8s.node.cpu.usage": ("gauge", 14 * wave(world) * world.noise.normal(1, 0.05, n), "{cpu}"),
        "k8s.node.memory.available": ("gauge", 6e11 * world.noise.normal(1, 0.01, n), "By"),
        "k8s.node.filesystem.available": ("gauge", np.full(n, 1.1e12) - 2e5 * world.t, "By"),
        "k8s.node.network.errors": ("sum", np.zeros(n), "{error}"),
        "k8s.node.network.io": ("sum", np.cumsum(3e8 * wave(world) * world.noise.normal(1, 0.05, n)), "By"),
    }
    for name, (kind, of, unit) in values.items():
        more: dict[str, Any] = {"interface": "eth0", "direction": "receive"} if ".network." in name else {}
        add(world, (node,), resource, RECEIVERS + "kubeletstatsreceiver", name, kind, more, of, unit=unit)
    # The API server tells of conditions, and goes on when the node is silent.
    ready = world.ready[node]
    if world.platform.vocabulary.k8s == "k8scluster":
        cluster = {"k8s.node.name": node, "k8s.node.uid": f"uid-{node}", "k8s.cluster.name": world.platform.cluster}
        for condition, bad in (("ready", ready), ("disk_pressure", np.zeros(n)), ("memory_pressure", np.zeros(n))):
            name = f"k8s.node.condition_{condition}"
            add(world, (f"api:{node}",), cluster, RECEIVERS + "k8sclusterreceiver", name, "gauge", {}, bad)
        return
    for condition, of in (("Ready", ready), ("DiskPressure", np.zeros(n)), ("MemoryPressure", np.zeros(n))):
        # -1 is unknown.
        for status, is_on in (("true", of == 1), ("false", of == 0), ("unknown", of == -1)):
            labels = {"node": node, "condition": condition, "status": status}
            values_ = is_on.astype(float)
            for change in world.edits.get((f"api:{node}", condition), ()):
                values_ = change(world.t, values_) if status == "true" else 1.0 - change(world.t, 1.0 - values_)
            state(world, (), "kube_node_status_condition", "gauge", labels, values_)


def _pod(world: World, pod: Pod, load: Load) -> None:
    n = len(world.t)
    there = np.where(world.exists[pod.name] > 0, 1.0, np.nan)
    running = there * np.where(world.up[pod.name] > 0, 1.0, np.nan)
    base = {
        "k8s.node.name": pod.node, "k8s.namespace.name": pod.namespace, "k8s.pod.name": pod.name,
        "k8s.pod.uid": pod.uid, "k8s.container.name": pod.container, "k8s.cluster.name": world.platform.cluster,
    }  # fmt: skip
    cpu = running * pod.cpu * wave(world) * world.rate * world.noise.normal(1, 0.06, n)
    memory = running * pod.memory * world.noise.normal(1, 0.01, n)
    if world.platform.vocabulary.pods == "kubeletstats":
        scope = RECEIVERS + "kubeletstatsreceiver"
        add(world, (pod.name, pod.node), base, scope, "container.cpu.usage", "gauge", {}, cpu, unit="{cpu}")
        add(world, (pod.name, pod.node), base, scope, "container.memory.working_set", "gauge", {}, memory, unit="By")
    else:
        labels = {"namespace": pod.namespace, "pod": pod.name, "container": pod.container, "node": pod.node}
        cadvisor = {"service.name": "kubelet", "service.instance.id": f"{pod.node}:10250", "k8s.node.name": pod.node,
                    "k8s.cluster.name": world.platform.cluster}  # fmt: skip
        scope = RECEIVERS + "prometheusreceiver"
        seconds = np.nancumsum(np.nan_to_num(cpu) * STEP_S) * running
        add(world, (pod.name, pod.node), cadvisor, scope, "container_cpu_usage_seconds_total", "sum", labels, seconds)
        edited = memory
        for change in world.edits.get((pod.name, "container.memory.working_set"), ()):
            edited = change(world.t, edited)
        add(world, (pod.name, pod.node), cadvisor, scope, "container_memory_working_set_bytes", "gauge", labels, edited)
    reason, code = world.terminated.get(pod.name, ("", 0))
    ready = world.up[pod.name] * there
    if world.platform.vocabulary.k8s == "k8scluster":
        image = {"container.image.name": pod.image, "container.image.tag": pod.tag}
        scope = RECEIVERS + "k8sclusterreceiver"
        ended = {**base, **image, **({"k8s.container.status.last_terminated_reason": reason} if reason else {})}
        add(
            world,
            (),
            ended,
            scope,
            "k8s.container.restarts",
            "gauge",
            {},
            world.restarts[pod.name] * there,
            unit="{restart}",
        )
        add(world, (), {**base, **image}, scope, "k8s.container.ready", "gauge", {}, ready)
        return
    labels = {"namespace": pod.namespace, "pod": pod.name, "uid": pod.uid, "container": pod.container}
    state(world, (), "kube_pod_container_status_restarts_total", "sum", labels, world.restarts[pod.name] * there)
    state(world, (), "kube_pod_container_status_ready", "gauge", labels, ready)
    info = {**{k: labels[k] for k in ("namespace", "pod", "uid")}, "node": pod.node, "pod_ip": pod.ip,
            "created_by_kind": "ReplicaSet" if pod.kind == "Deployment" else pod.kind,
            "created_by_name": pod.replicaset if pod.kind == "Deployment" else pod.owner}  # fmt: skip
    state(world, (), "kube_pod_info", "gauge", info, there)
    if reason:
        after = np.where(world.restarts[pod.name] > 0, 1.0, np.nan) * there
        state(
            world, (), "kube_pod_container_status_last_terminated_reason", "gauge", {**labels, "reason": reason}, after
        )
        state(world, (), "kube_pod_container_status_last_terminated_exitcode", "gauge", labels, after * code)
    if waiting := world.waiting.get(pod.name):
        down = np.where(world.up[pod.name] > 0, 0.0, 1.0) * there
        state(world, (), "kube_pod_container_status_waiting_reason", "gauge", {**labels, "reason": waiting}, down)


def _workloads(world: World) -> None:
    owners = {pod.owner: pod for pod in world.platform.pods if pod.kind == "Deployment"}
    for owner, pod in owners.items():
        pods = world.platform.of(owner)
        first = [one for one in pods if world.exists[one.name][0] > 0]
        available = np.sum([world.up[one.name] * world.exists[one.name] for one in pods], axis=0)
        desired = np.full(len(world.t), float(len(first)))
        available = np.minimum(available, desired)
        if world.platform.vocabulary.k8s == "k8scluster":
            resource = {
                "k8s.deployment.name": owner,
                "k8s.namespace.name": pod.namespace,
                "k8s.cluster.name": world.platform.cluster,
            }
            scope = RECEIVERS + "k8sclusterreceiver"
            add(world, (), resource, scope, "k8s.deployment.available", "gauge", {}, available, unit="{pod}")
            add(world, (), resource, scope, "k8s.deployment.desired", "gauge", {}, desired, unit="{pod}")
        else:
            labels = {"namespace": pod.namespace, "deployment": owner}
            state(world, (), "kube_deployment_status_replicas_available", "gauge", labels, available)
            state(world, (), "kube_deployment_spec_replicas", "gauge", labels, desired)
