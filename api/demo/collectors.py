"""What the node agents and the Collector report: DCGM, Kubernetes, kernel and container logs, events."""

from __future__ import annotations

from api.demo import story
from api.demo.cluster import (
    BROKEN_POD,
    CLUSTER,
    EXPORTERS,
    GATEWAY,
    GPUS,
    MISTRAL,
    NODES,
    OWNER,
    PODS,
    QWEN,
    TRAINERS,
    Gpu,
    Pod,
    node_resource,
)
from api.demo.stage import Stage

_CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib/receiver"
PROMETHEUS = f"{_CONTRIB}/prometheusreceiver"
_CLUSTER = f"{_CONTRIB}/k8sclusterreceiver"
_EVENTS = f"{_CONTRIB}/k8seventsreceiver"
_KUBELET = f"{_CONTRIB}/kubeletstatsreceiver"
_JOURNAL = f"{_CONTRIB}/journaldreceiver"
FILES = f"{_CONTRIB}/filelogreceiver"
_NOISE = (
    "systemd[1]: Started Session 4211 of user ops.",
    "perf: interrupt took too long (2512 > 2500), lowering kernel.perf_event_max_sample_rate to 79500",
    "IPv6: ADDRCONF(NETDEV_CHANGE): cali3f2a1b: link becomes ready",
)


class Collectors:
    """Reports the platform's state."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._emit = stage.emit

    def tick(self, at: float) -> None:
        """One scrape of everything, at `at` seconds from the fault, and a kernel line that means nothing."""
        for exporter in EXPORTERS:
            for gpu in GPUS[exporter.node]:
                if not story.is_lost(gpu.uuid, at):
                    self._gpu(gpu, exporter, at)
        for pod in PODS:
            if not story.is_gone(pod, at):
                self._pod(pod, at)
        self._replicas(at)
        for node in NODES:
            conditions = {
                "k8s.node.condition_ready": 1.0,
                "k8s.node.condition_accelerated_hardware_ready": float(story.hardware_ready(node, at)),
            }
            self._emit.gauges(node_resource(node), _CLUSTER, self._stage.ns(at + 7.0), conditions)
        self.say(story.Kernel(at + 11.0, self._stage.chance.choice(NODES), self._stage.chance.choice(_NOISE)))

    def _gpu(self, gpu: Gpu, exporter: Pod, at: float) -> None:
        owner = OWNER.get(gpu.uuid)
        if owner is not None and story.is_gone(owner, at):
            owner = None
        labels = {
            "gpu": str(gpu.index),
            "UUID": gpu.uuid,
            "pci_bus_id": f"0000{gpu.bdf.upper()}.0",
            "device": f"nvidia{gpu.index}",
            "modelName": "NVIDIA H100 80GB HBM3",
            "DCGM_FI_DRIVER_VERSION": "570.124.06",
            "hostname": gpu.node,
        }
        if owner is not None:
            labels |= {"namespace": owner.namespace, "pod": owner.name, "container": owner.container}
        load = _gpu_load(owner, at)
        values = {
            "DCGM_FI_DEV_GPU_UTIL": min(self._stage.around(load * 100), 100.0),
            "DCGM_FI_DEV_POWER_USAGE": self._stage.around(95 + load * 520),
            "DCGM_FI_DEV_GPU_TEMP": round(self._stage.around(34 + load * 28, 0.02)),
            "DCGM_FI_DEV_SM_CLOCK": 1980.0 if load else 345.0,
            "DCGM_FI_DEV_FB_USED": 71_240.0 if load else 4.0,
            "DCGM_FI_DEV_XID_ERRORS": 0.0,
        }
        scraped, when = exporter.as_scraped(9400), self._stage.ns(at + 4.0)
        self._emit.gauges(scraped, PROMETHEUS, when, values, labels)
        self._emit.counters(scraped, PROMETHEUS, when, {"DCGM_FI_DEV_PCIE_REPLAY_COUNTER": 0.0}, labels)

    def _pod(self, pod: Pod, at: float) -> None:
        when, runs = self._stage.ns(at + 7.0), story.runs(pod, at)
        image, _, tag = pod.image.rpartition(":")
        container = {**pod.as_collector(), "container.image.name": image, "container.image.tag": tag}
        state = {"k8s.container.restarts": story.restarts(pod, at), "k8s.container.ready": int(runs)}
        self._emit.gauges(container, _CLUSTER, when, state)
        self._emit.gauges(pod.as_collector(), _CLUSTER, when, {"k8s.pod.phase": 2})
        cpu = self._stage.around(2.4 if runs else 0.05)
        self._emit.gauges(pod.as_collector(), _KUBELET, when, {"container.cpu.usage": cpu})

    def _replicas(self, at: float) -> None:
        for pods in (QWEN, (MISTRAL,), (GATEWAY,)):
            deployment = {
                "k8s.cluster.name": CLUSTER,
                "k8s.namespace.name": pods[0].namespace,
                "k8s.deployment.name": pods[0].workload,
            }
            available = sum(story.runs(pod, at) for pod in pods)
            values = {"k8s.deployment.available": available, "k8s.deployment.desired": len(pods)}
            self._emit.gauges(deployment, _CLUSTER, self._stage.ns(at + 7.0), values)

    def say(self, line: story.Once) -> None:
        """Emit one line of the story in the shape its collector gives it."""
        if isinstance(line, story.Kernel):
            severity = "err" if line.body.startswith("NVRM") else "INFO"
            attributes = {"log.file.name": "kmsg", "syslog.identifier": "kernel"}
            self._emit.log(node_resource(line.node), _JOURNAL, self._stage.ns(line.at), line.body, severity, attributes)
        elif isinstance(line, story.Said):
            resource, attributes = line.pod.as_collector(), line.pod.log_attributes()
            self._emit.log(resource, FILES, self._stage.ns(line.at), line.body, "", attributes)
        else:
            self._event(line)

    def _event(self, event: story.Event) -> None:
        resource = {
            "k8s.node.name": event.about.node,
            "k8s.object.kind": event.about.kind,
            "k8s.object.name": event.about.name,
            "k8s.object.uid": event.about.uid,
            "k8s.object.fieldpath": event.about.fieldpath,
            "k8s.object.api_version": "v1",
            "k8s.object.resource_version": "51130135",
        }
        attributes = {
            "k8s.event.reason": event.reason,
            "k8s.event.action": "",
            "k8s.event.name": f"{event.about.name}.{self._stage.chance.getrandbits(64):016x}",
            "k8s.namespace.name": event.about.namespace,
            "k8s.event.count": 1,
        }
        severity = "Warning" if event.warning else "Normal"
        self._emit.log(resource, _EVENTS, self._stage.ns(event.at), event.message, severity, attributes)


def _gpu_load(owner: Pod | None, at: float) -> float:
    if owner is None or not story.runs(owner, at):
        return 0.0
    if owner in TRAINERS:
        return 0.97
    return 0.62 if owner is BROKEN_POD else 0.62 + 0.33 * story.pressure(owner, at)
