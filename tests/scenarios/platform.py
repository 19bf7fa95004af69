"""A small AI platform: nodes with GPUs, pods of services and of a training job, and how its telemetry names them.

Everything is drawn from the scenario's seed: names, sizes, placement and the vocabularies in use.
"""

from __future__ import annotations

import random
import string
from dataclasses import dataclass, field


@dataclass(slots=True)
class Gpu:
    """One GPU of a node, and the pod that holds it."""

    node: str
    index: int
    uuid: str
    bdf: str
    pod: str = ""

    @property
    def accept(self) -> list[str]:
        """Names that say this GPU."""
        short = self.node.split(".")[0]
        return [
            self.uuid, f"{short}/gpu{self.index}", f"{short}:gpu{self.index}", f"{self.node}/{self.bdf}",
            f"{short}/{self.bdf}", f"{self.node}/nvidia{self.index}", self.node, short,
        ]  # fmt: skip


@dataclass(slots=True)
class Pod:
    """One pod: what it is part of, where it runs, what it holds."""

    name: str
    uid: str
    namespace: str
    owner: str
    kind: str
    node: str
    container: str
    image: str
    tag: str
    service: str
    ip: str
    gpus: list[Gpu] = field(default_factory=list)
    memory: float = 2e9
    cpu: float = 0.5

    @property
    def replicaset(self) -> str:
        """The ReplicaSet of a Deployment's pod."""
        return self.name.rsplit("-", 1)[0]


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """Which of the usual ways a platform has to say the same things."""

    k8s: str
    pods: str
    dcgm: str
    serving: str
    events: str
    kernel: str


@dataclass(slots=True)
class Platform:
    """The whole system."""

    cluster: str
    gpu_nodes: list[str]
    cpu_nodes: list[str]
    zones: dict[str, str]
    gpus: list[Gpu]
    pods: list[Pod]
    models: dict[str, str]
    services: dict[str, str]
    vocabulary: Vocabulary
    driver: str

    @property
    def nodes(self) -> list[str]:
        """All nodes, those with GPUs first."""
        return [*self.gpu_nodes, *self.cpu_nodes]

    def of(self, owner: str) -> list[Pod]:
        """Pods of a workload."""
        return [pod for pod in self.pods if pod.owner == owner]

    def on(self, node: str) -> list[Pod]:
        """Pods on a node."""
        return [pod for pod in self.pods if pod.node == node]

    def pod(self, name: str) -> Pod:
        """The pod of that name."""
        return next(pod for pod in self.pods if pod.name == name)

    def gpus_of(self, node: str) -> list[Gpu]:
        """GPUs of a node."""
        return [gpu for gpu in self.gpus if gpu.node == node]


_PARTS = {
    "gateway": ("api-gateway", "edge-router", "llm-gateway"),
    "rag": ("rag-api", "answer-svc", "assistant-backend"),
    "retriever": ("retriever", "doc-search", "passage-finder"),
    "vectors": ("qdrant", "milvus-standalone", "pgvector-db"),
    "guardrail": ("guardrails", "content-filter", "safety-proxy"),
    "evaluator": ("llm-judge", "eval-worker", "quality-monitor"),
    "dns": ("coredns",),
    "job": ("pretrain-7b", "sft-run", "llm-finetune"),
    "batch": ("report-export", "invoice-sync", "feature-backfill"),
}
_MODELS = (
    ("llama-70b", "meta-llama/Llama-3.3-70B-Instruct"),
    ("qwen-32b", "Qwen/Qwen3-32B"),
    ("mistral-small", "mistralai/Mistral-Small-24B-Instruct-2501"),
    ("gemma-27b", "google/gemma-3-27b-it"),
)
_IMAGES = {
    "vllm": ("vllm/vllm-openai", "v0.11.0"),
    "sglang": ("lmsysorg/sglang", "v0.5.3"),
    "tgi": ("ghcr.io/huggingface/text-generation-inference", "3.3.4"),
}


def build(seed: random.Random) -> Platform:
    """A platform of 3 or 4 GPU nodes with 4 GPUs each and two nodes without."""
    zone = seed.choice(("us-west-2", "eu-central-1", "ap-south-1"))
    count = seed.choice((3, 4))
    gpu_nodes, cpu_nodes = _nodes(seed, zone, count)
    models = dict(seed.sample(_MODELS, 2))
    vocabulary = Vocabulary(
        k8s=seed.choice(("k8scluster", "ksm")),
        pods=seed.choice(("kubeletstats", "cadvisor")),
        dcgm=seed.choice(("hostname", "Hostname", "exported")),
        serving=seed.choice(("vllm", "vllm", "sglang", "tgi")),
        events=seed.choice(("k8s_events", "k8s_events", "k8sobjects")),
        kernel=seed.choice(("journald", "syslog", "kmsg")),
    )
    services = {part: seed.choice(names) for part, names in _PARTS.items()}
    platform = Platform(
        cluster=f"{seed.choice(('ai', 'ml', 'gpu'))}-{seed.choice(('prod', 'main', 'east'))}-{seed.randint(1, 9)}",
        gpu_nodes=gpu_nodes,
        cpu_nodes=cpu_nodes,
        zones={node: f"{zone}{'ab'[place % 2]}" for place, node in enumerate([*gpu_nodes, *cpu_nodes])},
        gpus=[gpu for node in gpu_nodes for gpu in _gpus(seed, node)],
        pods=[],
        models=models,
        services=services,
        vocabulary=vocabulary,
        driver=seed.choice(("550.90.07", "570.124.06", "575.57.08")),
    )
    _place(platform, seed)
    return platform


def _nodes(seed: random.Random, zone: str, count: int) -> tuple[list[str], list[str]]:
    style = seed.choice(("aws", "rack", "plain"))
    names = []
    for place in range(count + 2):
        if style == "aws":
            names.append(f"ip-10-{seed.randint(0, 9)}-{seed.randint(0, 99)}-{10 + place}.{zone}.compute.internal")
        elif style == "rack":
            names.append(f"r{seed.randint(1, 9):02d}-u{20 + place}")
        else:
            names.append(f"{'gpu' if place < count else 'cpu'}-node-{place + seed.randint(0, 60) * 10:02d}")
    return names[:count], names[count:]


def _gpus(seed: random.Random, node: str) -> list[Gpu]:
    buses = sorted(seed.sample(("1b", "43", "52", "61", "9d", "c3", "d1", "df"), 4))
    return [Gpu(node, place, f"GPU-{uid(seed)}", f"0000:{bus}:00") for place, bus in enumerate(buses)]


def uid(seed: random.Random) -> str:
    """A uid as Kubernetes makes them."""
    text = f"{seed.getrandbits(128):032x}"
    return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"


def suffix(seed: random.Random, length: int) -> str:
    """Random letters of a pod's or ReplicaSet's name."""
    return "".join(seed.choices("bcdfghjklmnpqrstvwxz2456789", k=length))


def _place(platform: Platform, seed: random.Random) -> None:
    image, tag = _IMAGES[platform.vocabulary.serving]
    last = platform.gpu_nodes[-2:]
    serving_nodes = platform.gpu_nodes[:-1]
    free = {node: list(platform.gpus_of(node)) for node in platform.gpu_nodes}
    job = platform.services["job"]
    for rank, node in enumerate(last):
        taken = [free[node].pop() for _ in range(2)]
        _add(platform, seed, f"{job}-worker-{rank}", "train", job, "Job", node, "trainer", "registry.local/train", "24.10",
             job, taken, memory=60e9, cpu=8.0)  # fmt: skip
    for position, model in enumerate(platform.models):
        owner = f"{model}-predictor"
        hash_ = suffix(seed, 9)
        for replica in range(3 if position == 0 else 2):
            node = max(serving_nodes, key=lambda name: (len(free[name]), -(serving_nodes.index(name) + replica) % 3))
            if not free[node]:
                node = platform.gpu_nodes[-1]
            taken = [free[node].pop(0)] if free[node] else []
            _add(platform, seed, f"{owner}-{hash_}-{suffix(seed, 5)}", "inference", owner, "Deployment", node, "server",
                 image, tag, owner, taken, memory=40e9, cpu=3.0)  # fmt: skip
    for part, replicas in {
        "gateway": 2, "rag": 2, "retriever": 2, "vectors": 1, "guardrail": 1, "evaluator": 1, "dns": 2, "batch": 1,
    }.items():  # fmt: skip
        owner = platform.services[part]
        hash_ = suffix(seed, 9)
        stateful = part == "vectors"
        space = "kube-system" if part == "dns" else "apps"
        for replica in range(replicas):
            name = f"{owner}-{replica}" if stateful else f"{owner}-{hash_}-{suffix(seed, 5)}"
            node = platform.cpu_nodes[replica % 2] if replicas > 1 else seed.choice(platform.cpu_nodes)
            _add(platform, seed, name, space, owner, "StatefulSet" if stateful else "Deployment", node, part,
                 f"registry.local/{owner}", f"{seed.randint(1, 4)}.{seed.randint(0, 9)}.{seed.randint(0, 9)}", owner, [])  # fmt: skip
    for node in platform.gpu_nodes:
        _add(platform, seed, f"nvidia-dcgm-exporter-{suffix(seed, 5)}", "gpu-operator", "nvidia-dcgm-exporter",
             "DaemonSet", node, "exporter", "nvcr.io/nvidia/k8s/dcgm-exporter", "4.2.3", "dcgm-exporter", [])  # fmt: skip


def _add(
    platform: Platform, seed: random.Random, name: str, namespace: str, owner: str, kind: str, node: str,
    container: str, image: str, tag: str, service: str, gpus: list[Gpu], memory: float = 2e9, cpu: float = 0.5,
) -> Pod:  # fmt: skip
    ip = f"10.{seed.randint(40, 90)}.{seed.randint(0, 255)}.{seed.randint(2, 250)}"
    pod = Pod(name, uid(seed), namespace, owner, kind, node, container, image, tag, service, ip, gpus, memory, cpu)
    for gpu in gpus:
        gpu.pod = name
    platform.pods.append(pod)
    return pod


def hex_id(seed: random.Random, length: int) -> str:
    """Random hexadecimal digits."""
    return "".join(seed.choices(string.hexdigits[:16], k=length))
