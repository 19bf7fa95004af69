"""The demo's platform: nodes, GPUs, pods, and what each collector calls them."""

from __future__ import annotations

import random
import uuid
from dataclasses import dataclass, field

CLUSTER = "prod-fra-1"
GPU_NODES = (
    "ip-10-42-7-21.eu-central-1.compute.internal",
    "ip-10-42-7-34.eu-central-1.compute.internal",
    "ip-10-42-9-12.eu-central-1.compute.internal",
)
CPU_NODE = "ip-10-42-3-5.eu-central-1.compute.internal"
NODES = (*GPU_NODES, CPU_NODE)
_BUSES = ("1b", "43", "9b", "df")
_random = random.Random(79)  # noqa: S311 - names, not secrets


def _uuid() -> str:
    return str(uuid.UUID(int=_random.getrandbits(128), version=4))


@dataclass(frozen=True, slots=True)
class Gpu:
    """One GPU; `bdf` is its PCI address as the kernel prints it."""

    node: str
    index: int
    bdf: str
    uuid: str = field(default_factory=lambda: f"GPU-{_uuid()}")


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of a workload; `kind` is deployment, job or daemonset, `revision` its ReplicaSet."""

    name: str
    namespace: str
    node: str
    workload: str
    container: str
    kind: str = "deployment"
    version: str = ""
    image: str = ""
    gpus: tuple[Gpu, ...] = ()
    model: str = ""
    uid: str = field(default_factory=_uuid)

    @property
    def revision(self) -> str:
        """Name of the ReplicaSet, for pods of deployments."""
        return self.name.rsplit("-", 1)[0]

    def as_collector(self) -> dict[str, str]:
        """Resource attributes as the Collector's k8sattributes processor sets them."""
        return {
            "k8s.cluster.name": CLUSTER,
            "k8s.namespace.name": self.namespace,
            "k8s.pod.name": self.name,
            "k8s.pod.uid": self.uid,
            "k8s.container.name": self.container,
            "k8s.node.name": self.node,
            f"k8s.{self.kind}.name": self.workload,
        }

    def as_sdk(self) -> dict[str, str]:
        """Resource attributes as an instrumented process with the Collector behind it has them."""
        return {
            "service.name": self.workload,
            "service.namespace": self.namespace,
            "service.version": self.version,
            "service.instance.id": self.uid,
            "deployment.environment.name": "prod",
            **self.as_collector(),
            "host.name": self.name,
        }

    def as_scraped(self, port: int) -> dict[str, str]:
        """Resource attributes that the Prometheus receiver gives a scraped pod."""
        return {
            "service.name": self.workload,
            "service.instance.id": f"{self.name}:{port}",
            "server.port": str(port),
            "url.scheme": "http",
            "k8s.cluster.name": CLUSTER,
            "k8s.node.name": self.node,
            "k8s.pod.name": self.name,
            "k8s.namespace.name": self.namespace,
        }

    def log_attributes(self) -> dict[str, str]:
        """Log attributes that the Collector's container parser adds."""
        path = f"/var/log/pods/{self.namespace}_{self.name}_{self.uid}/{self.container}/0.log"
        return {"log.iostream": "stdout", "log.file.path": path}


GPUS = {node: tuple(Gpu(node, index, f"0000:{bus}:00") for index, bus in enumerate(_BUSES)) for node in GPU_NODES}

GATEWAY = Pod(
    "chat-gateway-7d9c6b5f48-x2lqp", "apps", CPU_NODE, "chat-gateway", "gateway",
    version="2.14.0", image="registry.example.com/apps/chat-gateway:2.14.0",
)  # fmt: skip
EVALUATOR = Pod(
    "eval-runner-84bd5f7c9d-m6j2p", "apps", CPU_NODE, "eval-runner", "evaluator",
    version="0.9.3", image="registry.example.com/apps/eval-runner:0.9.3",
)  # fmt: skip
EXPORT_OLD = Pod(
    "invoice-export-65c8f9d7b4-w9trk", "billing", CPU_NODE, "invoice-export", "app",
    version="4.1.7", image="registry.example.com/billing/invoice-export:4.1.7",
)  # fmt: skip
EXPORT_NEW = Pod(
    "invoice-export-7f6b8c94d9-p4zcn", "billing", CPU_NODE, "invoice-export", "app",
    version="4.2.0", image="registry.example.com/billing/invoice-export:4.2.0",
)  # fmt: skip


def _predictor(workload: str, suffix: str, model: str, gpus: tuple[Gpu, ...]) -> Pod:
    return Pod(
        f"{workload}-{suffix}", "inference", gpus[0].node, workload, "vllm",
        version="v0.11.0", image="vllm/vllm-openai:v0.11.0", gpus=gpus, model=model,
    )  # fmt: skip


def _trainer(name: str, node: str) -> Pod:
    return Pod(
        name, "train", node, "pretrain-moe", "trainer", kind="job",
        version="25.08", image="nvcr.io/nvidia/pytorch:25.08-py3", gpus=GPUS[node][:2] if node else (),
    )  # fmt: skip


QWEN = (
    _predictor("qwen2-5-72b-predictor", "6f8d7c9b5c-k4m2t", "qwen2.5-72b", GPUS[GPU_NODES[0]][2:]),
    _predictor("qwen2-5-72b-predictor", "6f8d7c9b5c-9wzrn", "qwen2.5-72b", GPUS[GPU_NODES[1]][2:]),
)
# Takes a whole node, so that nothing is free when the training job looks for two GPUs.
MISTRAL = _predictor("mistral-small-predictor", "5c7b9d6f4c-tq8vd", "mistral-small-24b", GPUS[GPU_NODES[2]])
TRAINERS = (
    _trainer("pretrain-moe-worker-0-b7k2n", GPU_NODES[0]),
    _trainer("pretrain-moe-worker-1-h5x9c", GPU_NODES[1]),
)
EVICTED = TRAINERS[1]
REPLACEMENT = _trainer("pretrain-moe-worker-1-r6d8s", "")
EXPORTERS = tuple(
    Pod(f"nvidia-dcgm-exporter-{suffix}", "gpu-operator", node, "dcgm-exporter", "exporter", kind="daemonset")
    for suffix, node in zip(("4ztqw", "7cfrz", "m2xkd"), GPU_NODES, strict=True)
)
PREDICTORS = (*QWEN, MISTRAL)
PODS = (GATEWAY, EVALUATOR, *PREDICTORS, *TRAINERS)

OWNER = {gpu.uuid: pod for pod in PODS for gpu in pod.gpus}

LOST_GPU = QWEN[1].gpus[1]
BROKEN_NODE = LOST_GPU.node
BROKEN_POD = QWEN[1]
HEALTHY_POD = QWEN[0]


def node_resource(node: str) -> dict[str, str]:
    """Resource attributes of a node's journal."""
    return {"k8s.cluster.name": CLUSTER, "k8s.node.name": node, "host.name": node}
