"""What drivers print about GPUs, and how a sick GPU shows in those who use it."""

from __future__ import annotations

from tests.scenarios.platform import Gpu
from tests.scenarios.world import World


def ident(world: World, gpu: Gpu, at: float) -> None:
    """The lines that a driver prints of a GPU before its first Xid."""
    world.kernel(gpu.node, at - 0.02, f"NVRM: GPU at PCI:{gpu.bdf}: {gpu.uuid}")
    world.kernel(gpu.node, at - 0.01, f"NVRM: GPU Board Serial Number: 165{world.rng.randint(10**9, 10**10 - 1)}")


def xid(world: World, gpu: Gpu, at: float, code: int, text: str, *, gauge: bool = True) -> None:
    """An Xid in the kernel log, and half a minute later in the exporter's gauge."""
    world.kernel(gpu.node, at, f"NVRM: Xid (PCI:{gpu.bdf}): {code}, {text}")
    if gauge:
        world.set(gpu.uuid, "DCGM_FI_DEV_XID_ERRORS", at + 30, float(code))


def engine_dead(world: World, cause: str) -> list[str]:
    """The last words of a model server whose GPU failed it."""
    return {
        "vllm": [f"(VllmWorker rank=0 pid=241) RuntimeError: {cause}",
                 "(EngineCore_0 pid=197) ERROR [core.py:720] EngineCore encountered a fatal error.",
                 "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. See stack trace (above) for the root cause."],
        "sglang": [f"[TP0] Scheduler hit an exception: Traceback (most recent call last): RuntimeError: {cause}",
                   "Received sigquit from a child process. It usually means the child failed."],
        "tgi": [f"RuntimeError: {cause}", "ERROR text_generation_launcher: Shard 0 crashed", "Error: ShardFailed"],
    }[world.platform.vocabulary.serving]  # fmt: skip


def slowed(world: World, node: str, at: float, factor: float) -> list[str]:
    """Who uses the node's GPUs is slower by that factor; returns the names of what that hurts."""
    owners = []
    for pod in world.platform.on(node):
        if pod.gpus and pod.kind == "Job":
            world.step[world.span(at)] *= factor
            owners.append(pod.owner)
        elif pod.gpus:
            world.slow[pod.name][world.span(at)] *= factor
            owners.append(pod.owner)
    return [*dict.fromkeys(owners), *(gpu.uuid for gpu in world.platform.gpus_of(node) if gpu.pod)]


def names_of(world: World, node: str) -> list[str]:
    """Names of a node, and of its GPUs."""
    return [node, node.split(".")[0], *(gpu.uuid for gpu in world.platform.gpus_of(node))]
