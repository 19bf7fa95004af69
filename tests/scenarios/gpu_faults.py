"""Faults of single GPUs, or of all GPUs of a node: archetypes A01 to A05, A08, A09, A13, A26 and A31.

Texts are those of drivers, libraries and tools as they print them (docs.nvidia.com/deploy/xid-errors, public issues).
"""

from __future__ import annotations

import numpy as np

from tests.scenarios.effects import abort, crash, hurt, stall, watchdog
from tests.scenarios.gpu_lines import engine_dead, ident, names_of, slowed, xid
from tests.scenarios.platform import Pod
from tests.scenarios.world import World


def a01(world: World, at: float) -> None:
    """A GPU falls off the bus during distributed training."""
    pod = world.rng.choice(world.workers)
    gpu = world.gpu_of(pod)
    ident(world, gpu, at)
    xid(world, gpu, at, 79, world.rng.choice((
        "GPU has fallen off the bus.", "pid='<unknown>', name=<unknown>, GPU has fallen off the bus.")), gauge=False)  # fmt: skip
    world.kernel(gpu.node, at + 0.1, f"NVRM: GPU {gpu.bdf}.0: GPU has fallen off the bus.")
    for place in range(3):
        world.kernel(
            gpu.node, at + 1 + place * 0.01, f"NVRM: Xid (PCI:{gpu.bdf}): 45, pid=88120, name=python, Ch 0000000{place}"
        )
    world.absent(gpu.uuid, at + 20)
    world.say(pod, at + world.lag(1, 3, 40), "RuntimeError: CUDA error: unspecified launch failure")
    stall(world, at + 5)
    others = [one for one in world.workers if one is not pod]
    for one in others:
        world.say(
            one,
            at + 25,
            f"{one.name}:541:1595 [1] include/socket.h:403 NCCL WARN Connect to {pod.ip}<38190> failed : Connection refused",
        )
    blast = abort(world, at + world.lag(600, 610, 700), watchdog(world, at))
    world.event(
        "Node",
        gpu.node,
        "default",
        at + 700,
        "NodeNotSchedulable",
        f"Node {gpu.node} status is now: NodeNotSchedulable",
        node=gpu.node,
    )
    world.blame(gpu.accept, [*blast, gpu.node], at, at + 1200)


def a02(world: World, at: float) -> None:
    """An uncorrectable ECC error on an inference GPU."""
    pod = world.serving_pod()
    gpu = world.gpu_of(pod)
    world.grow(gpu.uuid, "DCGM_FI_DEV_ECC_SBE_VOL_TOTAL", at - 3000, 0.4, at)
    code, text = world.rng.choice((
        (48, "pid=22884, name=python, An uncorrectable double bit error (DBE) has been detected on GPU in the framebuffer at partition 6, subpartition 1."),
        (95, "pid=22884, Uncontained: LTC TAG (0x2, 0x1). RST: Yes, D-RST: No"),
    ))  # fmt: skip
    ident(world, gpu, at)
    xid(world, gpu, at, code, text)
    world.kernel(
        gpu.node,
        at + 0.2,
        f"NVRM: Xid (PCI:{gpu.bdf}): 63, pid='<unknown>', name=<unknown>, Row Remapper: New row (0x00000002b8d16995) marked for remapping, reset gpu to activate.",
    )
    world.grow(gpu.uuid, "DCGM_FI_DEV_ECC_DBE_VOL_TOTAL", at, 1.2, at + 60)
    world.set(gpu.uuid, "DCGM_FI_DEV_ROW_REMAP_PENDING", at + 45, 1.0)
    blast = crash(world, pod, at + world.lag(0.5, 2, 20), engine_dead(world, "CUDA error: uncorrectable ECC error encountered"),
                  down_s=700, backoff=True)  # fmt: skip
    world.blame(gpu.accept, [*blast, gpu.node], at, at + 720)


def a03(world: World, at: float) -> None:
    """A contained ECC error: one process dies, and the row is remapped at the next reset."""
    pod = world.serving_pod()
    gpu = world.gpu_of(pod)
    ident(world, gpu, at)
    world.kernel(
        gpu.node,
        at - 0.06,
        f"NVRM: Xid (PCI:{gpu.bdf}): 63, pid=22884, Row Remapper: New row marked for remapping, reset gpu to activate.",
    )
    xid(world, gpu, at, 94, "pid=22884, name=python3, Contained: CE User Channel (0x9). RST: No, D-RST: No")
    world.set(gpu.uuid, "DCGM_FI_DEV_ROW_REMAP_PENDING", at + 45, 1.0)
    blast = crash(
        world,
        pod,
        at + world.lag(0.5, 1, 15),
        engine_dead(world, "CUDA error: uncorrectable ECC error encountered"),
        down_s=80,
    )
    world.blame(gpu.accept, [*blast, gpu.node], at, at + 300)


def a04(world: World, at: float) -> None:
    """GPUs of a node are too hot and slow down."""
    node = world.serving_pod().node
    warm = at - 240
    for gpu in world.platform.gpus_of(node):
        world.edit(
            gpu.uuid, "DCGM_FI_DEV_GPU_TEMP", lambda t, v: np.where(t >= warm, np.minimum(v + (t - warm) / 12, 88), v)
        )
        world.edit(
            gpu.uuid,
            "DCGM_FI_DEV_MEMORY_TEMP",
            lambda t, v: np.where(t >= warm, np.minimum(v + (t - warm) / 10, 97), v),
        )
        if not gpu.pod:
            continue
        late = at + world.lag(0, 30, 90)
        world.scale(gpu.uuid, "DCGM_FI_DEV_SM_CLOCK", late, 0.62)
        world.set(gpu.uuid, "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", late, float(world.rng.choice((0x20, 0x40, 0x60))))
        world.grow(gpu.uuid, "DCGM_FI_DEV_THERMAL_VIOLATION", late, 9e6)
    world.event(
        "Node",
        node,
        "default",
        at + 90,
        "NvidiaThermalError",
        "DCGM detected a thermal violation",
        warning=True,
        node=node,
    )
    blast = slowed(world, node, at + 30, 1.55)
    world.blame(names_of(world, node), blast, warm, at + 1500)


def a05(world: World, at: float) -> None:
    """A power supply fails and the power brake slows the node's GPUs."""
    node = world.serving_pod().node
    resource_line = world.rng.choice((
        "ipmi: Power Supply 2: Power Supply Failure detected", "IPMI SEL: PS2 Status | Power Supply AC lost | Asserted",
        "bmc: PSU Redundancy | Redundancy Lost | Asserted"))  # fmt: skip
    world.node_log(node, at - world.lag(0, 40, 200), resource_line, "/var/log/ipmi-sel.log")
    for gpu in world.platform.gpus_of(node):
        if gpu.pod:
            world.scale(gpu.uuid, "DCGM_FI_DEV_SM_CLOCK", at + 20, 0.5)
            world.set(gpu.uuid, "DCGM_FI_DEV_CLOCK_THROTTLE_REASONS", at + 20, float(0x80))
            world.scale(gpu.uuid, "DCGM_FI_DEV_POWER_USAGE", at + 20, 0.55)
            world.grow(gpu.uuid, "DCGM_FI_DEV_POWER_VIOLATION", at + 20, 2e7)
    blast = slowed(world, node, at + 45, 1.8)
    world.blame(names_of(world, node), blast, at - 200, at + 1500)


def a08(world: World, at: float) -> None:
    """A GPU's firmware hangs; tools hang with it, and so does its server."""
    pod = world.serving_pod()
    gpu = world.gpu_of(pod)
    for place in range(6):
        name = world.rng.choice(("nvidia-smi", "gpud", "NvmlTaskRunner", "dcgm-exporter"))
        world.kernel(
            gpu.node,
            at + 6 * place,
            f"NVRM: Xid (PCI:{gpu.bdf}): 119, pid=2024380, name={name}, Timeout after 6s of waiting for RPC response from GPU{gpu.index} GSP! Expected function 76 (GSP_RM_CONTROL) (0x20803032 0x58c).",
        )
    world.kernel(
        gpu.node,
        at + 18,
        f"NVRM: Rate limiting GSP RPC error prints for GPU at PCI:{gpu.bdf} (printing 1 of every 30).  The GPU likely needs to be reset.",
    )
    dark = at + world.lag(30, 60, 200)
    world.absent(f"dcgm:{gpu.node}", dark)
    world.set(f"dcgm:{gpu.node}", "up", dark, 0.0)
    for after in (130, 250):
        world.kernel(gpu.node, at + after, "INFO: task nvidia-smi:2024380 blocked for more than 120 seconds.")
    died = at + world.lag(40, 120, 300)
    for place in range(3):
        world.pod_event(
            pod,
            died - 30 + 10 * place,
            "Unhealthy",
            'Liveness probe failed: Get "http://10.0.3.17:8000/health": context deadline exceeded',
            warning=True,
            count=place + 1,
        )
    world.pod_event(pod, died, "Killing", f"Container {pod.container} failed liveness probe, will be restarted")
    world.down(pod, died, died + 900, "Error", 137)
    world.blame(gpu.accept, [*hurt(world, pod), gpu.node], at, at + 1200)


def a09(world: World, at: float) -> None:
    """A GPU's PCIe link trains down to fewer lanes."""
    pod = world.rng.choice([world.serving_pod(), *world.workers])
    gpu = world.gpu_of(pod)
    for place in range(25):
        when = at + place * 20
        world.kernel(
            gpu.node,
            when,
            f"pcieport 0000:{gpu.bdf[5:7]}:01.0: AER: {world.rng.choice(('Correctable', 'Multiple Correctable'))} error message received from {gpu.bdf}.0",
        )
        world.kernel(
            gpu.node,
            when + 0.01,
            f"nvidia {gpu.bdf}.0: PCIe Bus Error: severity=Correctable, type=Physical Layer, (Receiver ID)",
        )
    world.grow(gpu.uuid, "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", at, 60)
    world.set(gpu.uuid, "DCGM_FI_DEV_PCIE_LINK_WIDTH", at + 45, float(world.rng.choice((4, 8))))
    if pod.kind == "Job":
        world.step[world.span(at + 60)] *= 1.45
        blast = [pod.owner, gpu.node]
    else:
        world.slow[pod.name][world.span(at + 60)] *= 1.4
        blast = [pod.owner, gpu.node]
    world.blame(gpu.accept, blast, at, at + 1500)


def a13(world: World, at: float) -> None:
    """One MPS client's fault kills all clients of its GPU."""
    victim = world.serving_pod()
    gpu = world.gpu_of(victim)
    tenants = [
        world.add_pod(_like(world, place), f"notebook-{name}-0", gpu.node, 0.0)
        for place, name in enumerate(("amira", "joel"))
    ]
    for tenant in tenants:
        tenant.owner = tenant.name.removesuffix("-0")
        tenant.kind = "StatefulSet"
        tenant.namespace = "research"
        tenant.gpus = [gpu]
        world.reached[tenant.owner] = np.ones_like(world.t)
    culprit = tenants[0]
    xid(
        world,
        gpu,
        at,
        31,
        "pid=51123, name=python3, Ch 0000000b, intr 10000000. MMU Fault: ENGINE GRAPHICS GPCCLIENT_T1_0 faulted @ 0x7f2a_04687000. Fault is of type FAULT_PDE ACCESS_TYPE_VIRT_READ",
    )
    world.kernel(gpu.node, at + 0.5, f"NVRM: Xid (PCI:{gpu.bdf}): 45, pid=22884, name=nvidia-cuda-mps, Ch 00000012")
    world.node_log(
        gpu.node,
        at + 0.3,
        "[2026-03-02 10:10:02.113 Control 1187] Server 22870 exited with status 1; device 0 encountered a fatal exception caused by client {51123}",
        "/var/log/nvidia-mps/control.log",
    )
    blast = []
    for place, pod in enumerate((culprit, tenants[1], victim)):
        text = (
            "CUDA error: an illegal memory access was encountered"
            if pod is culprit
            else "CUDA error: unspecified launch failure"
        )
        lines = engine_dead(world, text) if pod is victim else [f"RuntimeError: {text}"]
        blast += crash(world, pod, at + 1 + place * world.lag(0.5, 2, 6), lines, down_s=100, code=134)
    # The exporter names one holder of a shared GPU; both the client and its device are right.
    world.blame(
        [*gpu.accept, culprit.name, culprit.owner],
        [name for name in blast if name not in (culprit.name, culprit.owner)],
        at,
        at + 300,
    )


def _like(world: World, place: int) -> Pod:
    return world.part("batch")[0] if place >= 0 else world.serving_pod()


def a26(world: World, at: float) -> None:
    """One GPU computes wrong results, and nothing says so but the answers."""
    pod = world.serving_pod()
    gpu = world.gpu_of(pod)
    world.quality[pod.name][world.span(at)] = 0.45
    if world.platform.vocabulary.serving == "vllm":
        world.corrupted = (pod.name, at + world.lag(30, 90, 300))
    world.blame([*gpu.accept, pod.name, f"{pod.namespace}/{pod.name}"], [pod.owner, world.model_of(pod)], at, at + 1800)


def a31(world: World, at: float) -> None:
    """A node that fails again and again: different Xids within two hours."""
    pod = world.serving_pod()
    gpu = world.gpu_of(pod)
    history = ((at - 5400, 63, "pid=1896, Row Remapper: New row marked for remapping, reset gpu to activate."),
               (at - 3000, 94, "pid=2503421, name=python3, Ch 00000008"),
               (at - 1500, 31, "pid=2503421, name=python3, Ch 0000000b, engmask 00000120, intr 10000000"))  # fmt: skip
    for when, code, text in history:
        xid(world, gpu, when, code, text)
        world.down(pod, when + 2, when + 60, "Error", 1)
        world.restarted(pod, when + 2)
    xid(world, gpu, at, 62, "pid=22884, name=VLLM::Worker, 32259(2548) 00000000 00000000")
    for channel in range(2):
        world.kernel(
            gpu.node,
            at + 0.1,
            f"NVRM: Xid (PCI:{gpu.bdf}): 45, pid=22884, name=VLLM::Worker, Ch 0000001{channel} caused by previous Xid 62",
        )
    blast = crash(
        world, pod, at + 3, engine_dead(world, "CUDA error: unspecified launch failure"), down_s=500, backoff=True
    )
    world.blame(gpu.accept, [*blast, gpu.node], at, at + 600)


FAULTS = {
    "A01": a01, "A02": a02, "A03": a03, "A04": a04, "A05": a05, "A08": a08, "A09": a09, "A13": a13, "A26": a26, "A31": a31,
}  # fmt: skip
