"""Faults that a training job feels first: network, code and storage, archetypes A10, A11 and A19."""

from __future__ import annotations

import numpy as np

from tests.scenarios.effects import abort, stall, watchdog
from tests.scenarios.node_faults import node_names
from tests.scenarios.world import World


def a10(world: World, at: float) -> None:
    """A NIC's link goes down under a training job."""
    bad = world.rng.choice(world.workers)
    node = bad.node
    world.kernel(node, at, world.rng.choice((
        "mlx5_core 0000:9c:00.0 ibp156s0: Link down",
        "mlx5_port_module_event:1131:(pid 0): Port module event[error]: module 0, Cable error, High Temperature",
        "mlx5_core 0000:9c:00.0: Port module event: module 0, Cable unplugged")))  # fmt: skip
    world.grow(node, "k8s.node.network.errors", at + 15, 400)
    resource = {
        "k8s.node.name": node,
        "host.name": node,
        "k8s.cluster.name": world.platform.cluster,
        "service.name": "node-exporter",
    }
    labels = {"device": "mlx5_3", "port": "1", "instance": f"{node}:9100"}
    world.extra.append(
        (
            resource,
            "node_infiniband_link_downed_total",
            "sum",
            labels,
            np.cumsum(
                np.where((world.t >= at) & (world.t < at + 200), world.noise.poisson(1.5, len(world.t)), 0)
            ).astype(float),
        )
    )
    others = [pod for pod in world.workers if pod is not bad]
    stall(world, at + 4)
    for pod in others:
        for place in range(3):
            world.say(
                pod,
                at + world.lag(4, 15, 50) + place,
                f"{pod.name}:3468:3905 [{place}] ib_plugin.c:1615 NCCL WARN NET/IB : Got completion from peer {bad.ip}<54862> with status=12 opcode=0 len=0 vendor err 129 (Recv)",
            )
    world.say(
        bad,
        at + 6,
        f"{bad.name}:1201:1399 [2] misc/ibvwrap.cc:94 NCCL WARN NET/IB : mlx5_3:1 Got async event : port error",
    )
    blast = abort(world, at + world.lag(60, 120, 600), {"*": [
        "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:2251, remote process exited or there was a network error, NCCL version 2.27.3",
        "ncclRemoteError: A call failed possibly due to a network error or a remote process exiting prematurely."]}, code=1)  # fmt: skip
    world.blame([*node_names(node), "mlx5_3", f"{node}/mlx5_3", f"{node}/mlx5_3:1"], blast, at, at + 900)


def a11(world: World, at: float) -> None:
    """One rank diverges in code and never enters the collective that the others wait in."""
    bad = world.workers[-1]
    stall(world, at)
    for gpu in [gpu for pod in world.workers for gpu in pod.gpus]:
        world.set(gpu.uuid, "DCGM_FI_DEV_GPU_UTIL", at, 100.0, at + 620)
    for gpu in bad.gpus:
        world.set(gpu.uuid, "DCGM_FI_DEV_GPU_UTIL", at, 0.0, at + 620)
    number = world.rng.randint(20_000, 90_000)
    sequence = {pod.name: number if pod is not bad else number - 1 for pod in world.workers}
    said = watchdog(world, at, sequence)
    said[bad.name] = [f"[rank{world.workers.index(bad)}]:[E TCPStore.cpp:122] [c10d] recvValue failed on SocketImpl(fd=91): Connection was likely closed",
                      f"[rank{world.workers.index(bad)}]:[W ProcessGroupNCCL.cpp:1662] [PG ID 0 Rank {world.workers.index(bad)}] last enqueued work: {number - 1}, last completed work: {number - 1}"]  # fmt: skip
    blast = abort(world, at + 604, said)
    accept = [bad.name, f"{bad.namespace}/{bad.name}", *(name for gpu in bad.gpus for name in gpu.accept)]
    world.blame(accept, [name for name in blast if name != bad.name], at, at + 1000)


def a19(world: World, at: float) -> None:
    """The storage that all workers mount stops answering."""
    server = world.rng.choice(("10.20.0.5", "nfs-01.storage.internal", "7.247.192.16"))
    lustre = world.rng.random() < 0.3
    nodes = sorted({pod.node for pod in world.workers} | {world.serving_pod().node})
    for node in nodes:
        for again in range(2):
            when = at + world.lag(1, 30, 90) + 100 * again
            world.kernel(node, when, f"LustreError: 11-0: scratch-MDT0000-mdc: operation ldlm_enqueue to node {server}@o2ib failed: rc = -107"
                         if lustre else f"nfs: server {server} not responding, {'timed out' if again else 'still trying'}")  # fmt: skip
        for after in (125, 246):
            world.kernel(node, at + after, "INFO: task python3:136986 blocked for more than 120 seconds.")
    stall(world, at + 20)
    fresh = world.rng.choice(world.servers)
    world.pod_event(
        fresh,
        at + 90,
        "FailedMount",
        f'MountVolume.SetUp failed for volume "models" : mount failed: exit status 32 Mounting command: mount -t nfs {server}:/export/models: Connection timed out',
        warning=True,
    )
    blast = abort(world, at + 620, watchdog(world, at + 20))
    for node in nodes:
        if not lustre:
            world.kernel(node, at + 900, f"nfs: server {server} OK")
    world.blame(
        [server, f"nfs server {server}", "nfs", "storage", *(name for node in nodes for name in node_names(node))],
        [*blast],
        at,
        at + 950,
    )


FAULTS = {"A10": a10, "A11": a11, "A19": a19}
