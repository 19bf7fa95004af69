"""Faults of nodes and of their memory and disks: archetypes A15 to A18."""

from __future__ import annotations

import numpy as np

from tests.scenarios.effects import crash, hurt, job, replaced, stall
from tests.scenarios.world import World


def node_names(node: str) -> list[str]:
    """A node, long and short."""
    return [node, node.split(".")[0]]


def a15(world: World, at: float) -> None:
    """A container grows to its memory limit and is killed by the kernel."""
    pod = world.rng.choice([*world.part("retriever"), *world.part("rag"), *world.servers[:1]])
    world.edit(
        pod.name,
        "container.memory.working_set",
        lambda t, v: np.where((t >= at - 900) & (t < at), v * (1 + (t - at + 900) / 450), v),
    )
    world.kernel(
        pod.node, at - 0.2, "python3 invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=936"
    )
    group = f"/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod{pod.uid.replace('-', '_')}.slice/cri-containerd-{'0f1e2d3c4b5a6978' * 4}.scope"
    world.kernel(
        pod.node,
        at,
        f"oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=cri-containerd-{'0f1e2d3c4b5a6978' * 4}.scope,mems_allowed=0-1,oom_memcg={group},task_memcg={group},task=python3,pid=1123901,uid=1000",
    )
    world.kernel(
        pod.node,
        at + 0.1,
        "Memory cgroup out of memory: Killed process 1123901 (python3) total-vm:98327128kB, anon-rss:61306328kB, file-rss:11132kB, shmem-rss:0kB, UID:1000 pgtables:120000kB oom_score_adj:936",
    )
    blast = crash(world, pod, at + world.lag(0.5, 2, 20), [], down_s=260, code=137, reason="OOMKilled", backoff=True)
    world.blame([pod.name, pod.owner, f"{pod.namespace}/{pod.name}", pod.replicaset, pod.service], blast, at, at + 400)


def a16(world: World, at: float) -> None:
    """A node's kubelet stops; its pods go on for nobody."""
    node = world.serving_pod().node
    silent(world, node, at)
    notready = at + world.lag(40, 50, 60)
    not_ready(world, node, notready, None)
    blast = lose(world, node, at, notready)
    for pod in [one for one in world.platform.on(node) if one.kind == "Deployment"]:
        when = notready + 300
        world.event(
            "Pod",
            pod.name,
            pod.namespace,
            when,
            "TaintManagerEviction",
            f"Marking for deletion Pod {pod.namespace}/{pod.name}",
        )
        replaced(world, pod, when + 2, "", starts=None)
    world.blame(node_names(node), blast, at, at + 1200)


def silent(world: World, node: str, at: float) -> None:
    """Nothing comes from a node any more."""
    world.absent(node, at + 10)
    world.dark[node][world.span(at)] = 1.0


def not_ready(world: World, node: str, at: float, until: float | None) -> None:
    """A node is not ready, its state unknown; its pods are told so."""
    world.ready[node][world.span(at, until or 1e9)] = -1.0
    world.event("Node", node, "default", at, "NodeNotReady", f"Node {node} status is now: NodeNotReady")
    for pod in world.platform.on(node):
        world.event("Pod", pod.name, pod.namespace, at + 2, "NodeNotReady", "Node is not ready", warning=True)


def lose(world: World, node: str, at: float, told: float, until: float = 1e9) -> list[str]:
    """Pods of a node are lost, for users at once; returns what that hurts."""
    blast: list[str] = []
    for pod in [one for one in world.platform.on(node) if one.kind != "DaemonSet"]:
        world.up[pod.name][world.span(at, until)] = 0.0
        blast += hurt(world, pod)
        if pod.kind == "Job":
            stall(world, at + 5)
            others = [one for one in world.workers if one is not pod]
            for one in others:
                world.say(
                    one,
                    at + 30,
                    f"{one.name}:895:1321 [2] include/socket.h:403 NCCL WARN Connect to {pod.ip}<38190> failed : No route to host",
                )
                world.say(
                    one,
                    told + 10,
                    "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:3690, remote process exited or there was a network error, NCCL version 2.27.3",
                )
                world.down(one, told + 12, told + 400, "Error", 134)
                world.restarted(one, told + 14)
            blast += job(world)
    return list(dict.fromkeys(blast))


def a17(world: World, at: float) -> None:
    """A node crashes and boots again."""
    node = world.serving_pod().node
    if world.rng.random() < 0.5:
        world.kernel(node, at - 0.5, world.rng.choice(("mce: [Hardware Error]: CPU 34: Machine Check Exception: 5 Bank 7: bd80000000100134",
                                                       "Kernel panic - not syncing: Fatal exception in interrupt",
                                                       "[Hardware Error]: event severity: fatal")))  # fmt: skip
    back = at + world.lag(180, 400, 700)
    world.absent(node, at + 5, back + 30)
    world.dark[node][world.span(at, back)] = 1.0
    not_ready(world, node, at + world.lag(40, 50, 60), back + 10)
    blast = lose(world, node, at, at + 60, back + 90)
    world.kernel(
        node, back - 40, "Linux version 6.8.0-1021-aws (buildd@lcy02) (x86_64-linux-gnu-gcc-13) #23-Ubuntu SMP"
    )
    world.kernel(
        node,
        back - 20,
        f"NVRM: loading NVIDIA UNIX x86_64 Kernel Module  {world.platform.driver}  Thu Oct 19 18:56:32 UTC 2025",
    )
    world.event("Node", node, "default", back, "Starting", "Starting kubelet.", node=node)
    world.event(
        "Node",
        node,
        "default",
        back + 2,
        "Rebooted",
        f"Node {node} has been rebooted, boot id: 5f0d8a52-6a3e-4b5e-9f59-2d8a1d1f0c01",
        warning=True,
        node=node,
    )
    world.event("Node", node, "default", back + 12, "NodeReady", f"Node {node} status is now: NodeReady", node=node)
    for pod in world.platform.on(node):
        world.pod_event(pod, back + 15, "SandboxChanged", "Pod sandbox changed, it will be killed and re-created.")
        world.restarts[pod.name][world.span(back + 30)] += 1
        world.terminated[pod.name] = ("Unknown", 255)
    world.blame(node_names(node), blast, at, back + 120)


def a18(world: World, at: float) -> None:
    """A node's disk fills and its pods are evicted."""
    victim = world.rng.choice([*world.part("rag"), *world.part("retriever"), world.serving_pod()])
    node = victim.node
    world.edit(
        node,
        "k8s.node.filesystem.available",
        lambda t, v: np.where(t >= at - 3000, np.maximum(v * (1 - (t - at + 3000) / 3150), 4e10), v),
    )
    world.event(
        "Node",
        node,
        "default",
        at,
        "EvictionThresholdMet",
        "Attempting to reclaim ephemeral-storage",
        warning=True,
        node=node,
    )
    world.event(
        "Node",
        node,
        "default",
        at + 5,
        "NodeHasDiskPressure",
        f"Node {node} status is now: NodeHasDiskPressure",
        node=node,
    )
    condition = "k8s.node.condition_disk_pressure" if world.platform.vocabulary.k8s == "k8scluster" else "DiskPressure"
    world.set(f"api:{node}", condition, at + 10, 1.0, at + 700)
    blast: list[str] = []
    pods = [
        pod
        for pod in world.platform.on(node)
        if pod.kind == "Deployment" and pod.owner != world.platform.services["dns"]
    ]
    for place, pod in enumerate(pods[:3]):
        when = at + world.lag(8, 20, 110) + place * 12
        world.pod_event(
            pod,
            when,
            "Evicted",
            "The node was low on resource: ephemeral-storage. Threshold quantity: 60129542144, available: 41943040Ki. ",
            warning=True,
        )
        world.pod_event(pod, when + 1, "Killing", f"Stopping container {pod.container}")
        world.gone(pod, when + 5)
        others = [name for name in world.platform.cpu_nodes if name != node]
        replaced(world, pod, when + 8, world.rng.choice(others), starts=when + world.lag(90, 240, 500))
        blast += hurt(world, pod)
    world.blame(node_names(node), list(dict.fromkeys(blast)), at, at + 800)


FAULTS = {"A15": a15, "A16": a16, "A17": a17, "A18": a18}
