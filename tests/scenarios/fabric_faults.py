"""Faults of what joins GPUs: archetypes A06, A07 and A30.

Texts are those of drivers, libraries and tools as they print them (docs.nvidia.com/deploy/xid-errors, public issues).
"""

from __future__ import annotations

from tests.scenarios.effects import abort, crash, stall, watchdog
from tests.scenarios.gpu_lines import engine_dead, xid
from tests.scenarios.world import World


def a06(world: World, at: float) -> None:
    """A fatal NVSwitch error takes down every GPU of a baseboard."""
    node = world.serving_pod().node
    code, text = world.rng.choice(((20034, "Fatal, Link 30 LTSSM Fault Up"), (24007, "Severity 1 Engine instance 12 Sub-engine instance 00"),
                                   (12028, "Fatal, Link 61 egress non-posted PRIV error (First)")))  # fmt: skip
    world.kernel(node, at, f"nvidia-nvswitch0: SXid (PCI:0000:86:00.0): {code}, {text}")
    world.node_log(
        node,
        at + world.lag(0.5, 1, 6),
        f"[Mar 02 2026 10:03:55] [ERROR] [tid 841] detected NVSwitch fatal error {code} on fid 0 on NVSwitch pci bus id 00000000:86:00.0 physical id 3 port 30",
        "/var/log/fabricmanager.log",
    )
    gpus = [gpu for gpu in world.platform.gpus_of(node) if gpu.pod]
    for gpu in gpus:
        world.kernel(
            node,
            at + 0.04,
            f"NVRM: Xid (PCI:{gpu.bdf}): 74, pid='<unknown>', name=<unknown>, NVLink: fatal error detected on link 6(0x0, 0x0, 0x10000, 0x0, 0x0, 0x0, 0x0)",
        )
        for channel in range(2):
            world.kernel(
                node,
                at + 0.12,
                f"NVRM: Xid (PCI:{gpu.bdf}): 45, pid=22884, name=python, Ch 0000001{channel} caused by previous Xid 74",
            )
        world.set(gpu.uuid, "DCGM_FI_DEV_XID_ERRORS", at + 30, 45.0)
    blast = [gpu.uuid for gpu in gpus]
    for pod in {gpu.pod for gpu in gpus}:
        holder = world.platform.pod(pod)
        if holder.kind != "Job":
            blast += crash(
                world,
                holder,
                at + world.lag(1, 5, 40),
                engine_dead(world, "CUDA error: unspecified launch failure"),
                down_s=600,
                backoff=True,
            )
        else:
            stall(world, at + 5)
            blast += abort(world, at + 605, watchdog(world, at))
    world.blame([node, node.split(".")[0], "0000:86:00", f"{node}/0000:86:00", "nvidia-nvswitch0", f"{node}/nvswitch0"],
                list(dict.fromkeys(blast)), at, at + 900)  # fmt: skip


def a07(world: World, at: float) -> None:
    """An NVLink 5 link of a rack-scale domain goes down."""
    pod = world.rng.choice(world.workers)
    gpu = world.gpu_of(pod)
    words = "(0x004525c6 0x00000000 0x00000000 0x00000000 0x00000000 0x00000000)"
    xid(world, gpu, at, 149, f"NETIR_LINK_EVT Fatal XC0 i0 Link 09 {words}")
    peers = [one for one in world.platform.gpus_of(gpu.node) if one is not gpu]
    for peer in peers[:2]:
        world.kernel(
            gpu.node,
            at + world.lag(0.5, 1, 5),
            f"NVRM: Xid (PCI:{peer.bdf}): 145, pid=876767, name=python, RLW_RXPIPE Nonfatal XC0 i0 Link 13 (0x0409a0c2 0x00000008 0x00000001 0x00000000 0x00100000 0x00000004)",
        )
    world.kernel(
        gpu.node,
        at + 0.5,
        f"NVRM: Xid (PCI:{gpu.bdf}): 154, GPU recovery action changed from 0x0 (None) to 0x4 (Drain and Reset)",
    )
    world.kernel(gpu.node, at + 2, f"NVRM: Xid (PCI:{gpu.bdf}): 45, pid=876767, name=python, Ch 00000004")
    stall(world, at + 3)
    blast = abort(world, at + world.lag(30, 60, 300), {"*": [
        "torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:3690, unhandled cuda error (run with NCCL_DEBUG=INFO for details), NCCL version 2.27.3",
        "Cuda failure 'unspecified launch failure'"]}, code=1)  # fmt: skip
    world.blame(gpu.accept, [*blast, gpu.node], at, at + 700)


def a30(world: World, at: float) -> None:
    """Fabric Manager ends, and no new process can start its GPU."""
    node = world.serving_pod().node
    world.node_log(node, at, world.rng.choice((
        "[Mar 02 2026 10:21:50] [ERROR] detected number of NVSwitches don't match with any supported system topology, aborting fabric manager",
        "nvidia-fabricmanager.service: Main process exited, code=exited, status=1/FAILURE")), "/var/log/fabricmanager.log")  # fmt: skip
    world.node_log(
        node, at + 1, "systemd[1]: nvidia-fabricmanager.service: Failed with result 'exit-code'.", "/var/log/syslog"
    )
    blast = []
    for pod in world.platform.on(node):
        if pod.gpus and pod.kind != "Job":
            died = at + world.lag(20, 60, 200)
            world.kernel(node, died, f"NVRM: Xid (PCI:{pod.gpus[0].bdf}): 45, pid=22884, name=python, Ch 00000008")
            blast += crash(world, pod, died, ["RuntimeError: Unexpected error from cudaGetDeviceCount(). Error 802: system not yet initialized"],
                           down_s=900, backoff=True)  # fmt: skip
    world.blame([node, node.split(".")[0]], list(dict.fromkeys(blast)), at, at + 1000)


FAULTS = {"A06": a06, "A07": a07, "A30": a30}
