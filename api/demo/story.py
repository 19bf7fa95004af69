"""What happens in the demo's hour: the state of the platform at any moment, and what is said once.

All times are seconds from the fault: GPU 3 of one node falls off the bus at 0. The serving process
on it dies and crash-loops, the other replica takes all requests and queues, evaluation scores of
that model sink. A node agent sees the driver's error, closes the node and evicts the training pod
there; its peer loses the connection and restarts, and the job waits for two GPUs that nobody has.
Five minutes before, somebody deployed something unrelated. Order and lags are typical of a lost
GPU: kernel line first, DCGM series gone within a scrape or two, agents after a minute.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from api.demo.cluster import (
    BROKEN_NODE,
    BROKEN_POD,
    EVICTED,
    EXPORT_NEW,
    EXPORT_OLD,
    LOST_GPU,
    MISTRAL,
    REPLACEMENT,
    TRAINERS,
    Pod,
)

BEFORE_S = 40 * 60.0
AFTER_S = 16 * 60.0
DEPLOY_S = -300.0
SERIES_GONE_S = 20.0
AGENT_S = 62.0
EVICTION_S = 66.0
# The pod's grace period: then its process is killed and the peer's socket closes.
TRAINING_ENDS_S = EVICTION_S + 30.0
# Container starts of the crash-looping replica: kubelet doubles its back-off from 10 s.
RESTARTS_S = (9.0, 24.0, 51.0, 98.0, 187.0, 355.0, 664.0)


@dataclass(frozen=True, slots=True)
class Kernel:
    """A line of a node's kernel log."""

    at: float
    node: str
    body: str


@dataclass(frozen=True, slots=True)
class Said:
    """A line a container wrote."""

    at: float
    pod: Pod
    body: str


@dataclass(frozen=True, slots=True)
class About:
    """The object a Kubernetes event is about."""

    kind: str
    name: str
    namespace: str
    uid: str = ""
    node: str = ""
    fieldpath: str = ""

    @classmethod
    def container(cls, pod: Pod) -> About:
        """A pod's container."""
        return cls("Pod", pod.name, pod.namespace, pod.uid, pod.node, f"spec.containers{{{pod.container}}}")


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes event as the k8s_events receiver reports it."""

    at: float
    reason: str
    message: str
    about: About
    warning: bool = False


Once = Kernel | Said | Event


def is_lost(uuid: str, at: float) -> bool:
    """Whether that GPU's series have vanished from DCGM."""
    return uuid == LOST_GPU.uuid and at >= SERIES_GONE_S


def serves(pod: Pod, at: float) -> bool:
    """Whether a predictor answers requests."""
    return pod is not BROKEN_POD or at < 4.0


def restarts(pod: Pod, at: float) -> int:
    """Container restarts so far."""
    if pod is BROKEN_POD:
        return sum(at >= start for start in RESTARTS_S)
    return int(pod in TRAINERS and at >= TRAINING_ENDS_S)


def hardware_ready(node: str, at: float) -> bool:
    """What the node agent says about a node's GPUs."""
    return node != BROKEN_NODE or at < AGENT_S


def runs(pod: Pod, at: float) -> bool:
    """Whether a pod is there and its container does its work."""
    return serves(pod, at) and (pod not in TRAINERS or trains(at))


def is_gone(pod: Pod, at: float) -> bool:
    """Whether a pod no longer exists."""
    return pod is EVICTED and at >= TRAINING_ENDS_S


def pressure(pod: Pod, at: float) -> float:
    """0 when a predictor has its usual load, towards 1 as the queue of the last replica fills up."""
    if at < 30.0 or pod is MISTRAL:
        return 0.0
    return min((at - 30.0) / 240.0, 1.0)


def quality(model: str, at: float) -> float:
    """Mean evaluation score of a model: answers of the overloaded one time out or are cut short."""
    if model != BROKEN_POD.model or at < 150.0:
        return 0.88
    return 0.88 - 0.30 * min((at - 150.0) / 240.0, 1.0)


def trains(at: float) -> bool:
    """Whether the training job makes steps."""
    return at < TRAINING_ENDS_S


def once() -> list[Once]:
    """Everything that is said once, in order of time."""
    return sorted((*_deploy(), *_kernel(), *_replica(), *_training()), key=lambda line: line.at)


def _deploy() -> Iterator[Event]:
    old, new = EXPORT_OLD.revision, EXPORT_NEW.revision
    deployment = About("Deployment", EXPORT_NEW.workload, EXPORT_NEW.namespace)
    revision = About("ReplicaSet", new, EXPORT_NEW.namespace)
    container = About.container(EXPORT_NEW)
    image = EXPORT_NEW.image
    yield Event(DEPLOY_S, "ScalingReplicaSet", f"Scaled up replica set {new} from 0 to 1", deployment)
    yield Event(DEPLOY_S + 0.4, "SuccessfulCreate", f"Created pod: {EXPORT_NEW.name}", revision)
    yield Event(DEPLOY_S + 1.9, "Pulling", f'Pulling image "{image}"', container)
    yield Event(DEPLOY_S + 9.2, "Pulled", f'Successfully pulled image "{image}" in 7.304s', container)
    yield Event(DEPLOY_S + 9.8, "Started", "Started container app", container)
    yield Event(DEPLOY_S + 14.1, "ScalingReplicaSet", f"Scaled down replica set {old} from 1 to 0", deployment)
    yield Event(DEPLOY_S + 14.9, "Killing", "Stopping container app", About.container(EXPORT_OLD))


def _kernel() -> Iterator[Kernel]:
    bdf = LOST_GPU.bdf
    yield Kernel(-0.03, BROKEN_NODE, f"NVRM: GPU at PCI:{bdf}: {LOST_GPU.uuid}")
    yield Kernel(-0.02, BROKEN_NODE, "NVRM: GPU Board Serial Number: 1655123004417")
    yield Kernel(0.0, BROKEN_NODE, f"NVRM: Xid (PCI:{bdf}): 79, GPU has fallen off the bus.")
    yield Kernel(0.01, BROKEN_NODE, f"NVRM: GPU {bdf}.0: GPU has fallen off the bus.")
    for channel in range(8, 13):
        yield Kernel(
            0.8 + channel / 100,
            BROKEN_NODE,
            f"NVRM: Xid (PCI:{bdf}): 45, pid=3911872, name=VLLM::Worker_TP1, Ch {channel:08x}",
        )


def _replica() -> Iterator[Once]:
    pod = BROKEN_POD
    for line in (
        "(Worker_TP1 pid=241) RuntimeError: CUDA error: unspecified launch failure",
        "(EngineCore_DP0 pid=188) ERROR [core.py:710] EngineCore encountered a fatal error.",
        "vllm.v1.engine.exceptions.EngineDeadError: EngineCore encountered an issue. "
        "See stack trace (above) for the root cause.",
    ):
        yield Said(3.1, pod, line)
    back_off = f"Back-off restarting failed container vllm in pod {pod.name}_{pod.namespace}({pod.uid})"
    for start in RESTARTS_S:
        yield Event(start, "Started", "Started container vllm", About.container(pod))
        yield Said(start + 3.9, pod, "RuntimeError: No CUDA GPUs are available")
        yield Event(start + 6.0, "BackOff", back_off, About.container(pod), warning=True)
    node = About("Node", BROKEN_NODE, "default")
    lost = f"GPU {LOST_GPU.index} ({LOST_GPU.bdf}) has fallen off the bus"
    yield Event(AGENT_S, "NvidiaXID79Error", lost, node, warning=True)
    closed = f"Node {BROKEN_NODE} status is now: NodeNotSchedulable"
    yield Event(AGENT_S + 2.5, "NodeNotSchedulable", closed, node)


def _training() -> Iterator[Once]:
    peer, waiting = TRAINERS[0], About("Pod", REPLACEMENT.name, REPLACEMENT.namespace, REPLACEMENT.uid)
    marked = f"Marking for deletion Pod {EVICTED.namespace}/{EVICTED.name}"
    yield Event(EVICTION_S, "TaintManagerEviction", marked, About.container(EVICTED))
    yield Event(EVICTION_S + 0.3, "Killing", "Stopping container trainer", About.container(EVICTED))
    closed = f"misc/socket.cc:71 NCCL WARN socketProgress: Connection closed by remote peer {EVICTED.name}"
    yield Said(TRAINING_ENDS_S + 0.2, peer, f"{peer.name}:812:1207 [1] {closed}")
    aborted = "torch.distributed.DistBackendError: NCCL error: remote process exited or there was a network error"
    yield Said(TRAINING_ENDS_S + 0.9, peer, aborted)
    yield Event(TRAINING_ENDS_S + 4.0, "Started", "Started container trainer", About.container(peer))
    full = "0/4 nodes are available: 1 node(s) were unschedulable, 3 Insufficient nvidia.com/gpu."
    for repeat in range(3):
        yield Event(TRAINING_ENDS_S + 6.0 + 300.0 * repeat, "FailedScheduling", full, waiting, warning=True)
