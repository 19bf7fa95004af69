"""What the platform's collectors and services report in one half minute."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from opentelemetry.sdk.metrics.export import HistogramDataPoint
from opentelemetry.trace import SpanKind

from api.demo import story
from api.demo.cluster import (
    BROKEN_POD,
    CLUSTER,
    EVALUATOR,
    EXPORTERS,
    GATEWAY,
    GPUS,
    HEALTHY_POD,
    MISTRAL,
    NODES,
    OWNER,
    PODS,
    PREDICTORS,
    QWEN,
    TRAINERS,
    Gpu,
    Pod,
    node_resource,
)
from api.demo.sdk import Emitter

TICK_S = 30.0
REQUESTS_PER_TICK = 10
_CONTRIB = "github.com/open-telemetry/opentelemetry-collector-contrib/receiver"
_PROMETHEUS, _CLUSTER, _EVENTS = (
    f"{_CONTRIB}/prometheusreceiver",
    f"{_CONTRIB}/k8sclusterreceiver",
    f"{_CONTRIB}/k8seventsreceiver",
)
_KUBELET = f"{_CONTRIB}/kubeletstatsreceiver"
_TTFT_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_NOISE = (
    "systemd[1]: Started Session 4211 of user ops.",
    "perf: interrupt took too long (2512 > 2500), lowering kernel.perf_event_max_sample_rate to 79500",
    "IPv6: ADDRCONF(NETDEV_CHANGE): cali3f2a1b: link becomes ready",
)


@dataclass
class _Running:
    """Cumulative values of one predictor's counters and histogram."""

    requests: int = 0
    tokens: int = 0
    count: int = 0
    total: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_TTFT_BOUNDS) + 1))

    def saw(self, ttft: float, tokens: int) -> None:
        """Account for one answered request."""
        self.requests += 1
        self.tokens += tokens
        self.count += 1
        self.total += ttft
        self.buckets[sum(ttft > bound for bound in _TTFT_BOUNDS)] += 1


class Stream:
    """Emits the platform's regular telemetry tick by tick; `fault_ns` is when the story's 0 lies."""

    def __init__(self, emitter: Emitter, fault_ns: int) -> None:
        self._emit = emitter
        self._fault_ns = fault_ns
        self._random = random.Random(41)  # noqa: S311 - jitter, not secrets
        self._running = {pod.name: _Running() for pod in PREDICTORS}
        self._replays = dict.fromkeys(OWNER, 0.0)
        self._step = 81_200
        self._started_ns = self._ns(-story.BEFORE_S - 86_400)

    def _ns(self, at: float) -> int:
        return self._fault_ns + int(at * 1e9)

    def _around(self, value: float, spread: float = 0.03) -> float:
        return round(value * self._random.gauss(1.0, spread), 4)

    def tick(self, at: float) -> None:
        """Everything reported in the half minute that begins at `at` seconds from the fault."""
        for node, gpus in GPUS.items():
            exporter = next(pod for pod in EXPORTERS if pod.node == node)
            for gpu in gpus:
                if not story.is_lost(gpu.uuid, at):
                    self._gpu(gpu, exporter, at)
        self._kubernetes(at)
        for number in range(REQUESTS_PER_TICK):
            self._request(at + (number + self._random.random()) * TICK_S / REQUESTS_PER_TICK, number)
        for pod in PREDICTORS:
            if story.serves(pod, at):
                self._serving(pod, at)
        if story.trains(at):
            self._training(at)
        node = NODES[self._random.randrange(len(NODES))]
        self.say(story.Kernel(at + 11.0, node, self._random.choice(_NOISE)))

    def _gpu(self, gpu: Gpu, exporter: Pod, at: float) -> None:
        owner = OWNER.get(gpu.uuid)
        labels = {
            "gpu": str(gpu.index),
            "UUID": gpu.uuid,
            "pci_bus_id": f"0000{gpu.bdf.upper()}.0",
            "device": f"nvidia{gpu.index}",
            "modelName": "NVIDIA H100 80GB HBM3",
            "DCGM_FI_DRIVER_VERSION": "570.124.06",
            "hostname": gpu.node,
        }
        load = self._gpu_load(owner, at)
        if owner is not None:
            labels |= {"namespace": owner.namespace, "pod": owner.name, "container": owner.container}
        scraped, when = exporter.as_scraped(9400), self._ns(at + 4.0)
        for name, value in (
            ("DCGM_FI_DEV_GPU_UTIL", min(self._around(load * 100), 100.0)),
            ("DCGM_FI_DEV_POWER_USAGE", self._around(95 + load * 520)),
            ("DCGM_FI_DEV_GPU_TEMP", round(self._around(34 + load * 28, 0.02))),
            ("DCGM_FI_DEV_SM_CLOCK", 1980.0 if load > 0.02 else 345.0),
            ("DCGM_FI_DEV_FB_USED", 71_240.0 if owner else 4.0),
            ("DCGM_FI_DEV_XID_ERRORS", 0.0),
        ):
            self._emit.gauge(scraped, _PROMETHEUS, name, "", when, float(value), labels)
        self._emit.counter(scraped, _PROMETHEUS, "DCGM_FI_DEV_PCIE_REPLAY_COUNTER", "", when, 0.0, labels)

    def _gpu_load(self, owner: Pod | None, at: float) -> float:
        if owner is None or not story.serves(owner, at) or (owner in TRAINERS and at >= story.TRAINERS_GONE_S):
            return 0.0
        # Ranks that wait in a collective spin: full utilisation, little power.
        if owner in TRAINERS:
            return 0.97 if story.trains(at) else 0.99
        return min(0.62 + 0.33 * story.pressure(owner, at), 0.99) if owner is not BROKEN_POD else 0.62

    def _kubernetes(self, at: float) -> None:
        when = self._ns(at + 7.0)
        for pod in PODS:
            crashed = not story.serves(pod, at) or (pod in TRAINERS and at >= story.TRAINERS_GONE_S)
            image, _, tag = pod.image.rpartition(":")
            container = {**pod.as_collector(), "container.image.name": image, "container.image.tag": tag}
            self._emit.gauge(
                container, _CLUSTER, "k8s.container.restarts", "{restart}", when, story.restarts(pod, at), {}
            )
            self._emit.gauge(container, _CLUSTER, "k8s.container.ready", "", when, int(not crashed), {})
            self._emit.gauge(pod.as_collector(), _CLUSTER, "k8s.pod.phase", "", when, 2, {})
            cpu = 0.05 if crashed else 2.4
            self._emit.gauge(pod.as_collector(), _KUBELET, "container.cpu.usage", "{cpu}", when, self._around(cpu), {})
        up = sum(story.serves(pod, at) for pod in QWEN)
        for workload, available, desired in (
            (BROKEN_POD.workload, up, 2),
            (MISTRAL.workload, 1, 1),
            (GATEWAY.workload, 1, 1),
        ):
            namespace = "apps" if workload == GATEWAY.workload else "inference"
            deployment = {"k8s.deployment.name": workload, "k8s.namespace.name": namespace, "k8s.cluster.name": CLUSTER}
            self._emit.gauge(deployment, _CLUSTER, "k8s.deployment.available", "{pod}", when, available, {})
            self._emit.gauge(deployment, _CLUSTER, "k8s.deployment.desired", "{pod}", when, desired, {})
        for node in NODES:
            resource = {"k8s.node.name": node, "k8s.cluster.name": CLUSTER}
            self._emit.gauge(resource, _CLUSTER, "k8s.node.condition_ready", "", when, 1, {})

    def _request(self, at: float, number: int) -> None:
        """One chat request through gateway and predictor, its access log and perhaps its evaluation."""
        pod = MISTRAL if number % 3 == 2 else QWEN[number % 2]
        failed = not story.serves(pod, at) and at < 25.0
        pod = pod if story.serves(pod, at) or failed else HEALTHY_POD
        pressure = story.pressure(pod, at)
        ttft = self._around(0.21 + 4.6 * pressure, 0.12)
        tokens = self._random.randrange(90, 180)
        answer_s = 0.04 if failed else ttft + tokens * self._around(0.014 + 0.006 * pressure, 0.05)
        timed_out = pressure > 0.6 and self._random.random() < 0.15
        start, end = self._ns(at), self._ns(at + answer_s + 0.012)
        status = 502 if failed else 504 if timed_out else 200
        route = "/v1/chat/completions"
        error = f"upstream answered {status}" if status != 200 else None
        root = self._emit.span(
            GATEWAY.as_sdk(), f"POST {route}", SpanKind.SERVER, start, end,
            {"http.request.method": "POST", "http.route": route, "http.response.status_code": status}, error=error,
        )  # fmt: skip
        call = self._emit.span(
            GATEWAY.as_sdk(), f"chat {pod.model}", SpanKind.CLIENT, start + 4_000_000, end - 4_000_000,
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": "vllm",
                "gen_ai.request.model": pod.model,
                "server.address": f"{pod.workload}.inference",
            },
            root, error,
        )  # fmt: skip
        self._emit.log(
            GATEWAY.as_sdk(),
            "access",
            end,
            f"POST {route} {status} {int(answer_s * 1000)}ms model={pod.model}",
            "INFO",
            span=root,
        )
        if failed:
            return
        self._running[pod.name].saw(ttft, tokens)
        response = f"chatcmpl-{self._random.getrandbits(64):016x}"
        served = self._emit.span(
            pod.as_sdk(), "llm_request", SpanKind.SERVER, start + 7_000_000, end - 7_000_000,
            {
                "gen_ai.request.model": pod.model,
                "gen_ai.latency.time_to_first_token": ttft,
                "gen_ai.usage.output_tokens": tokens,
                "gen_ai.response.id": response,
            },
            call,
        )  # fmt: skip
        score = min(max(self._random.gauss(story.quality(pod.model, at), 0.035), 0.0), 1.0)
        self._emit.log(
            EVALUATOR.as_sdk(), "eval-runner", end + 2_000_000_000, "", "INFO",
            {
                "gen_ai.evaluation.name": "Correctness",
                "gen_ai.evaluation.score.value": round(score, 3),
                "gen_ai.evaluation.score.label": "pass" if score >= 0.7 else "fail",
                "gen_ai.response.id": response,
                "gen_ai.request.model": pod.model,
            },
            "gen_ai.evaluation.result", served,
        )  # fmt: skip

    def _serving(self, pod: Pod, at: float) -> None:
        when, pressure, running = self._ns(at + 9.0), story.pressure(pod, at), self._running[pod.name]
        labels = {"model_name": pod.model, "engine": "0"}
        waiting = round(self._around(46 * pressure, 0.1))
        scraped = pod.as_scraped(8000)
        for name, value in (
            ("vllm:num_requests_running", round(self._around(14 + 30 * pressure))),
            ("vllm:num_requests_waiting", waiting),
            ("vllm:kv_cache_usage_perc", min(self._around(0.41 + 0.55 * pressure), 1.0)),
        ):
            self._emit.gauge(scraped, _PROMETHEUS, name, "", when, float(value), labels)
        self._emit.counter(
            scraped, _PROMETHEUS, "vllm:request_success_total", "", when, float(running.requests), labels
        )
        self._emit.counter(
            scraped, _PROMETHEUS, "vllm:generation_tokens_total", "", when, float(running.tokens), labels
        )
        point = HistogramDataPoint(
            attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": pod.model},
            start_time_unix_nano=self._started_ns,
            time_unix_nano=when,
            count=running.count,
            sum=round(running.total, 4),
            bucket_counts=tuple(running.buckets),
            explicit_bounds=_TTFT_BOUNDS,
            min=0.05,
            max=20.0,
        )
        self._emit.histogram(
            pod.as_sdk(), "opentelemetry.instrumentation.vllm", "gen_ai.server.time_to_first_token", "s", when, point
        )
        self._file(
            pod, when,
            f"INFO [loggers.py:123] Engine 000: Avg prompt throughput: {self._around(1410, 0.1):.1f} tokens/s, "
            f"Running: {round(14 + 30 * pressure)} reqs, Waiting: {waiting} reqs",
        )  # fmt: skip

    def _training(self, at: float) -> None:
        self._step += 6
        pod, when, seconds = TRAINERS[0], self._ns(at + 12.0), self._around(4.9)
        labels = {"run_id": "pretrain-moe-7", "rank": "0"}
        for name, value in (
            ("train/global_step", float(self._step)),
            ("train/step_time", seconds),
            ("train/tokens_per_second", self._around(208_000 / seconds)),
        ):
            self._emit.gauge(pod.as_sdk(), "training", name, "", when, value, labels)
        self._file(
            pod,
            when,
            f" iteration {self._step:8d}/  500000 | elapsed time per iteration (ms): {seconds * 1000:.1f} | "
            "lm loss: 2.2714E+00 |",
        )

    def say(self, line: story.Once) -> None:
        """Emit one line of the story in the shape its collector gives it."""
        if isinstance(line, story.Kernel):
            severity = "err" if line.body.startswith("NVRM") else "INFO"
            attributes = {"log.file.name": "kmsg", "syslog.identifier": "kernel"}
            self._emit.log(
                node_resource(line.node), "otelcol/journaldreceiver", self._ns(line.at), line.body, severity, attributes
            )
        elif isinstance(line, story.Said):
            self._file(line.pod, self._ns(line.at), line.body)
        else:
            self._event(line)

    def _file(self, pod: Pod, when: int, body: str) -> None:
        self._emit.log(pod.as_collector(), "otelcol/filelogreceiver", when, body, "", pod.log_attributes())

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
            "k8s.event.name": f"{event.about.name}.{self._random.getrandbits(64):016x}",
            "k8s.namespace.name": event.about.namespace,
            "k8s.event.count": 1,
        }
        severity = "Warning" if event.warning else "Normal"
        self._emit.log(resource, _EVENTS, self._ns(event.at), event.message, severity, attributes)
