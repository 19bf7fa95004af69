"""What people, schedulers and clouds do to nodes and pods on purpose: archetypes A20 and A28."""

from __future__ import annotations

from tests.scenarios.effects import hurt, job, replaced, stall
from tests.scenarios.node_faults import lose, node_names, not_ready, silent
from tests.scenarios.world import World


def a20(world: World, at: float) -> None:
    """A driver rollout goes from node to node, and each node's pods with it."""
    fresh = world.rng.choice(("580.65.06", "575.57.08", "580.82.07"))
    world.event(
        "DaemonSet",
        "nvidia-driver-daemonset",
        "gpu-operator",
        at - world.lag(60, 200, 400),
        "SuccessfulCreate",
        "Created pod: nvidia-driver-daemonset-x7k2p",
    )
    blast: list[str] = []
    nodes = world.platform.gpu_nodes[:2]
    for place, node in enumerate(nodes):
        when = at + place * 500
        world.event(
            "Node",
            node,
            "default",
            when,
            "NodeNotSchedulable",
            f"Node {node} status is now: NodeNotSchedulable",
            node=node,
        )
        for pod in [one for one in world.platform.on(node) if one.gpus]:
            world.pod_event(pod, when + 30, "Killing", f"Stopping container {pod.container}")
            if pod.kind == "Job":
                stall(world, when + 30)
                world.training[world.span(when + 420)] = 1.0
                blast += job(world)
                world.down(pod, when + 30, when + 400, "Error", 143)
            else:
                blast += hurt(world, pod)
                world.down(pod, when + 30, when + 400, "Error", 143)
        world.absent(f"dcgm:{node}", when + 60, when + 330)
        world.kernel(
            node, when + 200, f"NVRM: loading NVIDIA UNIX x86_64 Kernel Module  {fresh}  Wed Jul 16 18:56:32 UTC 2025"
        )
        world.relabel[node] = (when + 330, fresh)
        world.event(
            "Node",
            node,
            "default",
            when + 380,
            "NodeSchedulable",
            f"Node {node} status is now: NodeSchedulable",
            node=node,
        )
    accept = [
        "nvidia-driver-daemonset",
        "gpu-operator/nvidia-driver-daemonset",
        fresh,
        f"driver {fresh}",
        *(name for node in nodes for name in node_names(node)),
    ]
    world.blame(accept, list(dict.fromkeys(blast)), at, at + 950)


def a28(world: World, at: float) -> None:
    """A job of higher priority takes the GPUs of the training job, or the cloud takes a node back."""
    if world.rng.random() < 0.5:
        _preempt(world, at)
    else:
        _reclaim(world, at)


def _preempt(world: World, at: float) -> None:
    by = "urgent-eval-0"
    for place, pod in enumerate(world.workers):
        when = at + place
        world.event(
            "Pod",
            pod.name,
            pod.namespace,
            when,
            "Preempted",
            f"Preempted by pod 0c1d2e3f-77aa-4000-8000-00000000000{place} on node {pod.node}",
        )
        world.pod_event(pod, when + 1, "Killing", f"Stopping container {pod.container}")
        world.say(pod, when + 2, "signal 15 received, exiting")
        world.gone(pod, when + 30)
        replaced(world, pod, when + 35, "", starts=None)
        world.event(
            "Pod",
            f"{by[:-1]}{place}",
            "train",
            when + 40,
            "Scheduled",
            f"Successfully assigned train/{by[:-1]}{place} to {pod.node}",
        )
    stall(world, at + 3)
    names = [by, "urgent-eval", "train/urgent-eval-0", *job(world), *(f"train/{pod.name}" for pod in world.workers)]
    world.blame(names, job(world), at, at + 900, nothing=True)


def _reclaim(world: World, at: float) -> None:
    pod = world.rng.choice(world.workers)
    node = pod.node
    world.event(
        "Node",
        node,
        "default",
        at - 110,
        "SpotInterruption",
        f"Node {node} received a spot interruption warning, instance will be terminated in 2 minutes",
        warning=True,
    )
    world.event(
        "Node",
        node,
        "default",
        at - 100,
        "NodeNotSchedulable",
        f"Node {node} status is now: NodeNotSchedulable",
        node=node,
    )
    silent(world, node, at)
    world.event(
        "Node",
        node,
        "default",
        at + 55,
        "DeletingNode",
        f"Deleting node {node} because it does not exist in the cloud provider",
    )
    not_ready(world, node, at + 45, None)
    blast = lose(world, node, at, at + 50)
    world.blame(node_names(node), blast, at - 110, at + 900)


FAULTS = {"A20": a20, "A28": a28}
