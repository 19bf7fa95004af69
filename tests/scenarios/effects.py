"""How faults hurt pods, jobs and services, whatever broke them."""

from __future__ import annotations

from tests.scenarios.platform import Pod, suffix
from tests.scenarios.world import World


def crash(world: World, pod: Pod, at: float, lines: list[str], *, down_s: float = 90.0, code: int = 1,
          reason: str = "Error", backoff: bool = False) -> list[str]:  # fmt: skip
    """A container ends with those last words and is started again; returns the names of what that hurts."""
    for place, line in enumerate(lines):
        world.say(pod, at + 0.1 * place, line)
    world.down(pod, at + 0.5, at + down_s, reason, code, restarts=3 if backoff else 1)
    if backoff:
        world.waiting[pod.name] = "CrashLoopBackOff"
    world.restarted(pod, at + 1.0, backoff=backoff)
    return hurt(world, pod)


def hurt(world: World, pod: Pod) -> list[str]:
    """A pod, what it is part of, and who is served by that."""
    names = [pod.name, pod.owner]
    if pod.owner.endswith("-predictor"):
        names += [world.platform.services["gateway"], world.model_of(pod)]
    return names


def stall(world: World, at: float) -> None:
    """The training job stops making progress for good."""
    world.training[world.span(at)] = 0.0


def abort(world: World, at: float, lines: dict[str, list[str]], code: int = 134) -> list[str]:
    """All ranks end and are started again five minutes later; returns the names of what that hurts."""
    for place, pod in enumerate(world.workers):
        for step, line in enumerate(lines.get(pod.name, lines.get("*", []))):
            world.say(pod, at + 0.3 * place + 0.1 * step, line)
        world.down(pod, at + 3 + place, at + 300, "Error", code)
        world.restarted(pod, at + 5 + place)
    world.training[world.span(at + 320)] = 1.0
    return job(world)


def job(world: World) -> list[str]:
    """The training job and its pods."""
    return [world.services_job, *(pod.name for pod in world.workers)]


def watchdog(world: World, began: float, sequence: dict[str, int] | None = None) -> dict[str, list[str]]:
    """What each rank's NCCL watchdog says ten minutes after a collective that began then."""
    operation = world.rng.choice(("ALLREDUCE", "_ALLGATHER_BASE", "_REDUCE_SCATTER_BASE"))
    number = world.rng.randint(20_000, 90_000)
    said = {}
    for rank, pod in enumerate(world.workers):
        own = (sequence or {}).get(pod.name, number)
        ran = 600_000 + world.rng.randint(10, 900)
        said[pod.name] = [
            f"[rank{rank}]:[E ProcessGroupNCCL.cpp:632] [Rank {rank}] Watchdog caught collective operation timeout: "
            f"WorkNCCL(SeqNum={own}, OpType={operation}, NumelIn=131072000, NumelOut=131072000, Timeout(ms)=600000) "
            f"ran for {ran} milliseconds before timing out.",
            f"[rank{rank}]:[E ProcessGroupNCCL.cpp:694] [Rank {rank}] To avoid data inconsistency, we are taking the entire process down.",
        ]
    return said


def replaced(world: World, pod: Pod, at: float, node: str, *, starts: float | None = None) -> Pod:
    """A new pod of the same workload on another node, running from `starts`."""
    name = pod.name if pod.kind == "StatefulSet" else f"{pod.name.rsplit('-', 1)[0]}-{suffix(world.rng, 5)}"
    fresh = world.add_pod(pod, name, node, at)
    kind = "ReplicaSet" if pod.kind == "Deployment" else pod.kind
    owner = pod.replicaset if pod.kind == "Deployment" else pod.owner
    world.event(kind, owner, pod.namespace, at, "SuccessfulCreate", f"Created pod: {name}")
    if starts is None:
        nodes = len(world.platform.nodes)
        text = (f"0/{nodes} nodes are available: 1 node(s) were unschedulable, {nodes - 1} Insufficient nvidia.com/gpu. "
                f"preemption: 0/{nodes} nodes are available: {nodes} No preemption victims found for incoming pod.")  # fmt: skip
        world.event("Pod", name, pod.namespace, at + 1, "FailedScheduling", text, warning=True)
        world.gone(fresh, 0.0)
        return fresh
    world.event(
        "Pod", name, pod.namespace, at + 1, "Scheduled", f"Successfully assigned {pod.namespace}/{name} to {node}"
    )
    world.up[name][~world.span(starts)] = 0.0
    return fresh
