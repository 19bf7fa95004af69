"""What goes on in a scenario: drivers over time that background telemetry follows, and what a fault adds to it.

Faults move drivers (a pod is down, a service slow, a series gone) and write records; the telemetry of everything else
follows from the drivers, so that effects spread as they do in a system and not as a rule would like them.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from tests.scenarios.platform import Gpu, Platform, Pod, build, hex_id, uid
from tests.scenarios.records import Attributes, Call, Floats, Line, Series

START = 1_772_438_400 * 10**9
STEP_S = 30
BACKGROUND_S = 7200
LENGTH_S = 9600

Edit = Callable[[Floats, Floats], Floats]


@dataclass(slots=True)
class Truth:
    """What should be said of the scenario. `nothing` is whether saying nothing, or "unknown", is right as well."""

    accept: list[str] = field(default_factory=list)
    blast: list[str] = field(default_factory=list)
    begin: float = 0.0
    end: float = 0.0
    nothing: bool = False


class World:
    """Drivers, records and the truth of one scenario."""

    def __init__(self, archetype: str, seed: int) -> None:
        self.archetype = archetype
        self.rng = random.Random(f"{archetype}:{seed}")
        self.noise = np.random.default_rng(self.rng.getrandbits(63))
        self.platform: Platform = build(self.rng)
        self.t: Floats = np.arange(0, LENGTH_S, STEP_S, dtype=np.float64)
        self.truth = Truth()
        self.lines: list[Line] = []
        self.calls: list[Call] = []
        self.series: list[Series] = []
        self.decoys: list[tuple[float, float, list[str]]] = []
        ones = np.ones_like(self.t)
        pods = [pod.name for pod in self.platform.pods]
        self.up: dict[str, Floats] = {name: ones.copy() for name in pods}
        self.exists: dict[str, Floats] = {name: ones.copy() for name in pods}
        self.slow: dict[str, Floats] = {name: ones.copy() for name in pods}
        self.fail: dict[str, Floats] = {name: np.zeros_like(self.t) for name in pods}
        self.restarts: dict[str, Floats] = {name: np.zeros_like(self.t) for name in pods}
        self.quality: dict[str, Floats] = {name: ones.copy() for name in pods}
        self.reached: dict[str, Floats] = {pod.owner: ones.copy() for pod in self.platform.pods}
        self.rate: Floats = ones.copy()
        self.prompt: Floats = ones.copy()
        self.faithful: Floats = ones.copy()
        self.answer: Floats = ones.copy()
        self.blocked: Floats = ones * 0.01
        self.training: Floats = ones.copy()
        self.step: Floats = ones.copy()
        self.errors: dict[str, str] = {}
        self.waiting: dict[str, str] = {}
        self.terminated: dict[str, tuple[str, int]] = {}
        self.version: dict[str, str] = {}
        self.ready: dict[str, Floats] = {node: ones.copy() for node in self.platform.nodes}
        self.edits: dict[tuple[str, str], list[Edit]] = {}
        self.dark: dict[str, Floats] = {node: np.zeros_like(self.t) for node in self.platform.nodes}
        self.skew: dict[str, float] = dict.fromkeys(self.platform.nodes, 0.0)
        self.extra: list[tuple[dict[str, Any], str, str, dict[str, Any], Floats]] = []
        self.relabel: dict[str, tuple[float, str]] = {}
        self.outside: tuple[str, str, str, float, float] | None = None
        self.retries: tuple[float, float] | None = None
        self.corrupted: tuple[str, float] = ("", 0.0)
        self.response_model: dict[str, list[tuple[float, str]]] = {}

    def lag(self, low: float, typical: float, high: float) -> float:
        """A lag drawn between its least and most, around what is typical."""
        return self.rng.triangular(low, high, typical)

    def span(self, begin: float, end: float = LENGTH_S) -> Any:
        """Mask of the grid's moments in [begin, end)."""
        return (self.t >= begin) & (self.t < end)

    # Drivers

    def down(self, pod: Pod, begin: float, end: float, reason: str = "Error", code: int = 1, restarts: int = 1) -> None:
        """The pod's container is not running from `begin` to `end`, and was restarted that many times by then."""
        self.up[pod.name][self.span(begin, end)] = 0.0
        for at in np.linspace(begin + min(30.0, (end - begin) / 2), end, restarts).tolist():
            self.restarts[pod.name][self.span(at)] += 1.0
        self.terminated[pod.name] = (reason, code)

    def gone(self, pod: Pod, begin: float, end: float = LENGTH_S) -> None:
        """The pod does not exist in that time: nothing of it is reported."""
        self.up[pod.name][self.span(begin, end)] = 0.0
        self.exists[pod.name][self.span(begin, end)] = 0.0

    def edit(self, entity: str, metric: str, change: Edit) -> None:
        """Have `change(times, values)` applied to a metric of an entity: GPU uuid, node or pod name."""
        self.edits.setdefault((entity, metric), []).append(change)

    def set(self, entity: str, metric: str, begin: float, value: float, end: float = LENGTH_S) -> None:
        """A metric is `value` for a while."""
        self.edit(entity, metric, lambda t, v: np.where((t >= begin) & (t < end), value, v))

    def scale(self, entity: str, metric: str, begin: float, factor: float, end: float = LENGTH_S) -> None:
        """A metric is `factor` times as large for a while."""
        self.edit(entity, metric, lambda t, v: np.where((t >= begin) & (t < end), v * factor, v))

    def grow(self, entity: str, metric: str, begin: float, per_step: float, end: float = LENGTH_S) -> None:
        """A counter grows by about `per_step` each step of a while."""
        steps = self.noise.poisson(max(per_step, 0.0), len(self.t)).astype(float)
        self.edit(entity, metric, lambda t, v: v + np.cumsum(np.where((t >= begin) & (t < end), steps, 0.0)))

    def absent(self, entity: str, begin: float, end: float = LENGTH_S) -> None:
        """No metric of the entity is reported for a while."""
        self.edit(entity, "*", lambda t, v: np.where((t >= begin) & (t < end), np.nan, v))

    # Records

    def kernel(self, node: str, at: float, text: str) -> None:
        """A line of a node's kernel log, as the platform's collector ships it."""
        how = self.platform.vocabulary.kernel
        resource = {"k8s.cluster.name": self.platform.cluster, "k8s.node.name": node, "host.name": node}
        seen = at + 0.5
        stamp = at + self.skew[node]
        if how == "journald":
            attributes: Attributes = {"syslog.identifier": "kernel", "_TRANSPORT": "kernel"}
            self.lines.append(Line(stamp, resource, "otelcol/journaldreceiver", text, attributes, observed=seen))
        elif how == "syslog":
            body = f"{node.split('.')[0]} kernel: [{86400 + at:.6f}] {text}"
            attributes = {"log.file.path": "/var/log/messages", "log.file.name": "messages"}
            self.lines.append(Line(stamp, resource, "otelcol/filelogreceiver", body, attributes, observed=seen))
        else:
            body = f"[{231_000 + at:.6f}] {text}"
            attributes = {"log.file.name": "kmsg"}
            self.lines.append(Line(stamp, resource, "otelcol/filelogreceiver", body, attributes, observed=seen))

    def node_log(self, node: str, at: float, text: str, file: str) -> None:
        """A line of another log file of a node."""
        resource = {"k8s.cluster.name": self.platform.cluster, "k8s.node.name": node, "host.name": node}
        attributes = {"log.file.path": file, "log.file.name": file.rsplit("/", 1)[-1]}
        self.lines.append(
            Line(at + self.skew[node], resource, "otelcol/filelogreceiver", text, attributes, observed=at + 0.5)
        )

    def say(self, pod: Pod, at: float, text: str, stream: str = "stderr") -> None:
        """A line that a pod's container prints."""
        resource = {
            "k8s.cluster.name": self.platform.cluster, "k8s.namespace.name": pod.namespace, "k8s.pod.name": pod.name,
            "k8s.pod.uid": pod.uid, "k8s.container.name": pod.container, "k8s.node.name": pod.node,
            f"k8s.{pod.kind.lower()}.name": pod.owner,
        }  # fmt: skip
        path = f"/var/log/pods/{pod.namespace}_{pod.name}_{pod.uid}/{pod.container}/0.log"
        attributes = {"log.iostream": stream, "log.file.path": path}
        shifted = at + self.skew[pod.node]
        self.lines.append(Line(shifted, resource, "otelcol/filelogreceiver", text, attributes, observed=at + 0.5))

    def app_log(self, pod: Pod, at: float, severity: str, text: str, trace: bytes = b"", span: bytes = b"") -> None:
        """A log record of an application's SDK."""
        number = {"INFO": 9, "WARN": 13, "ERROR": 17}[severity]
        shifted = at + self.skew[pod.node]
        self.lines.append(
            Line(shifted, self.sdk(pod), "app", text, {}, number, severity, at + 0.3, trace_id=trace, span_id=span)
        )

    def event(self, kind: str, name: str, namespace: str, at: float, reason: str, message: str,
              *, warning: bool = False, node: str = "", count: int = 1) -> None:  # fmt: skip
        """A Kubernetes event, as the platform's receiver writes it."""
        typed = "Warning" if warning else "Normal"
        moment = f"{np.datetime64(START + int(at * 1e9), 'ns').astype('datetime64[s]')}"
        if self.platform.vocabulary.events == "k8s_events":
            resource = {
                "k8s.node.name": node, "k8s.object.kind": kind, "k8s.object.name": name,
                "k8s.object.uid": uid(self.rng), "k8s.object.fieldpath": "", "k8s.object.api_version": "v1",
                "k8s.cluster.name": self.platform.cluster,
            }  # fmt: skip
            attributes = {
                "k8s.event.reason": reason, "k8s.event.action": "", "k8s.event.start_time": f"{moment} +0000 UTC",
                "k8s.event.name": f"{name}.{hex_id(self.rng, 16)}", "k8s.event.uid": uid(self.rng),
                "k8s.namespace.name": namespace, "k8s.event.count": count,
            }  # fmt: skip
            scope = "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/k8seventsreceiver"
            self.lines.append(Line(at, resource, scope, message, attributes, 13 if warning else 9, typed))
            return
        stamp = moment + "Z"
        body = {
            "type": "ADDED",
            "object": {
                "kind": "Event", "apiVersion": "v1", "reason": reason, "message": message, "type": typed,
                "count": count, "firstTimestamp": stamp, "lastTimestamp": stamp,
                "metadata": {"name": f"{name}.{hex_id(self.rng, 16)}", "namespace": namespace, "uid": uid(self.rng)},
                "involvedObject": {"kind": kind, "namespace": namespace, "name": name, "uid": uid(self.rng)},
                "source": {"component": "kubelet" if node else "controller", "host": node},
            },
        }  # fmt: skip
        attributes = {"event.domain": "k8s", "event.name": body["object"]["metadata"]["name"],  # type: ignore[index]
                      "k8s.resource.name": "events"}  # fmt: skip
        resource = {"k8s.namespace.name": namespace, "k8s.cluster.name": self.platform.cluster}
        scope = "github.com/open-telemetry/opentelemetry-collector-contrib/receiver/k8sobjectsreceiver"
        self.lines.append(Line(at, resource, scope, body, attributes, observed=at + 0.2))

    def pod_event(
        self, pod: Pod, at: float, reason: str, message: str, *, warning: bool = False, count: int = 1
    ) -> None:
        """An event about a pod, from the kubelet of its node."""
        self.event("Pod", pod.name, pod.namespace, at, reason, message, warning=warning, node=pod.node, count=count)

    def restarted(self, pod: Pod, at: float, *, backoff: bool = False) -> None:
        """The events of a container that ended and was started again."""
        self.pod_event(pod, at + 3, "Pulled", f'Container image "{pod.image}:{pod.tag}" already present on machine')
        self.pod_event(pod, at + 4, "Created", f"Created container: {pod.container}")
        self.pod_event(pod, at + 5, "Started", f"Started container {pod.container}")
        if backoff:
            text = f"Back-off restarting failed container {pod.container} in pod {pod.name}_{pod.namespace}({pod.uid})"
            for place, after in enumerate((15, 45, 110, 230)):
                self.pod_event(pod, at + after, "BackOff", text, warning=True, count=place + 1)

    def sdk(self, pod: Pod) -> dict[str, Any]:
        """Resource attributes of a pod's own SDK."""
        return {
            "service.name": pod.service, "service.namespace": pod.namespace,
            "service.version": self.version.get(pod.name, pod.tag), "service.instance.id": pod.uid,
            "deployment.environment.name": "prod", "k8s.cluster.name": self.platform.cluster,
            "k8s.namespace.name": pod.namespace, "k8s.pod.name": pod.name, "k8s.pod.uid": pod.uid,
            "k8s.node.name": pod.node, f"k8s.{pod.kind.lower()}.name": pod.owner, "k8s.container.name": pod.container,
            "host.name": pod.name,
        }  # fmt: skip

    # What faults ask of the platform

    def serving_pod(self) -> Pod:
        """A pod of a model server with a GPU."""
        models = [pod for pod in self.platform.pods if pod.owner.endswith("-predictor") and pod.gpus]
        return self.rng.choice(models)

    def gpu_of(self, pod: Pod) -> Gpu:
        """A GPU of a pod."""
        return self.rng.choice(pod.gpus)

    @property
    def workers(self) -> list[Pod]:
        """Pods of the training job."""
        return self.platform.of(self.platform.services["job"])

    @property
    def servers(self) -> list[Pod]:
        """Pods of all model servers."""
        return [pod for pod in self.platform.pods if pod.owner.endswith("-predictor")]

    def part(self, name: str) -> list[Pod]:
        """Pods of the service that plays a part: gateway, rag, retriever, vectors, guardrail, evaluator, dns, batch."""
        return self.platform.of(self.platform.services[name])

    @property
    def services_job(self) -> str:
        """The training job's name."""
        return self.platform.services["job"]

    def add_pod(self, like: Pod, name: str, node: str, at: float) -> Pod:
        """Another pod of the same workload, there from `at` on and up from then on."""
        ip = f"10.{self.rng.randint(40, 90)}.{self.rng.randint(0, 255)}.{self.rng.randint(2, 250)}"
        pod = Pod(name, uid(self.rng), like.namespace, like.owner, like.kind, node, like.container, like.image, like.tag,
                  like.service, ip, [], like.memory, like.cpu)  # fmt: skip
        self.platform.pods.append(pod)
        there = self.span(at).astype(float)
        ones = np.ones_like(self.t)
        self.exists[name], self.up[name] = there, there.copy()
        self.slow[name], self.quality[name] = ones.copy(), ones.copy()
        self.fail[name], self.restarts[name] = ones * 0.0, ones * 0.0
        return pod

    def model_of(self, pod: Pod) -> str:
        """The model that a predictor's pod serves."""
        return pod.owner.removesuffix("-predictor")

    def blame(self, accept: list[str], blast: list[str], begin: float, end: float, *, nothing: bool = False) -> None:
        """Say what the right answer is."""
        self.truth = Truth(accept, blast, begin, end, nothing)
