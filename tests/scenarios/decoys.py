"""Things that happen beside every fault and cause none of it."""

from __future__ import annotations

from tests.scenarios.platform import suffix
from tests.scenarios.world import BACKGROUND_S, World


def scatter(world: World, begin: float) -> None:
    """Two decoys of four, near the fault in time and away from it in the topology."""
    chosen = world.rng.sample((_deployment, _cordon, _burst, _harmless_xid), 2)
    for decoy in chosen:
        decoy(world, max(begin + world.rng.uniform(-400, 300), BACKGROUND_S + 20.0))


def _deployment(world: World, at: float) -> None:
    """A new version of a batch service, which works."""
    owner = world.platform.services["batch"]
    old = world.part("batch")[0]
    fresh = f"{owner}-{suffix(world.rng, 9)}"
    world.event("Deployment", owner, "apps", at, "ScalingReplicaSet", f"Scaled up replica set {fresh} from 0 to 1")
    world.event("ReplicaSet", fresh, "apps", at + 1, "SuccessfulCreate", f"Created pod: {fresh}-{suffix(world.rng, 5)}")
    world.event(
        "Deployment",
        owner,
        "apps",
        at + 40,
        "ScalingReplicaSet",
        f"Scaled down replica set {old.replicaset} from 1 to 0",
    )
    world.decoys.append((at, at + 60, [owner]))


def _cordon(world: World, at: float) -> None:
    """A node is closed for new pods, for maintenance next week."""
    used = set(world.truth.accept + world.truth.blast)
    free = [node for node in world.platform.cpu_nodes if node not in used]
    node = world.rng.choice(free or world.platform.cpu_nodes)
    world.event(
        "Node", node, "default", at, "NodeNotSchedulable", f"Node {node} status is now: NodeNotSchedulable", node=node
    )
    world.decoys.append((at, at + 600, [node]))


def _burst(world: World, at: float) -> None:
    """A cron job logs a lot, and that is all."""
    pod = world.part("batch")[0]
    for place in range(60):
        world.app_log(pod, at + place * 0.8, "INFO", f"exported page {place} of 60")
    world.decoys.append((at, at + 60, [pod.owner, pod.name]))


def _harmless_xid(world: World, at: float) -> None:
    """A user's program does something illegal on a GPU that serves nobody else."""
    used = set(world.truth.accept + world.truth.blast)
    free = [gpu for gpu in world.platform.gpus if not gpu.pod and gpu.uuid not in used and gpu.node not in used]
    if not free:
        return
    gpu = world.rng.choice(free)
    number, text = world.rng.choice((
        (43, "pid=40912, name=python3, Ch 00000010"),
        (13, "pid=40912, name=python3, Graphics SM Warp Exception on (GPC 0, TPC 1, SM 0): Out Of Range Address"),
    ))  # fmt: skip
    world.kernel(gpu.node, at, f"NVRM: Xid (PCI:{gpu.bdf}): {number}, {text}")
    world.set(gpu.uuid, "DCGM_FI_DEV_XID_ERRORS", at, float(number))
    world.decoys.append((at, at + 60, [gpu.uuid]))
