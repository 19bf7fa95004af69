"""What the services report themselves: spans and access logs of requests, evaluations, vLLM and training metrics."""

from __future__ import annotations

from dataclasses import dataclass, field

from opentelemetry.sdk.metrics.export import HistogramDataPoint
from opentelemetry.trace import Span, SpanKind

from api.demo import story
from api.demo.cluster import EVALUATOR, GATEWAY, HEALTHY_POD, MISTRAL, PREDICTORS, QWEN, TRAINERS, Pod
from api.demo.collectors import FILES, PROMETHEUS
from api.demo.stage import Stage

REQUESTS_PER_TICK = 10
_ROUTE = "/v1/chat/completions"
_TTFT_BOUNDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
_MS = 1_000_000
# How long the gateway goes on sending requests to a replica that no longer answers.
_ENDPOINT_REMOVED_S = 25.0


@dataclass
class _Totals:
    """Cumulative values of one predictor since it started."""

    requests: int = 0
    tokens: int = 0
    ttft_s: float = 0.0
    buckets: list[int] = field(default_factory=lambda: [0] * (len(_TTFT_BOUNDS) + 1))

    def saw(self, ttft: float, tokens: int) -> None:
        """Account for one answered request."""
        self.requests += 1
        self.tokens += tokens
        self.ttft_s += ttft
        self.buckets[sum(ttft > bound for bound in _TTFT_BOUNDS)] += 1


class Traffic:
    """Chat requests through gateway and predictors, and a training job beside them."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._emit = stage.emit
        self._totals = {pod.name: _Totals() for pod in PREDICTORS}
        self._step = 81_200

    def tick(self, at: float, seconds: float) -> None:
        """The requests of the `seconds` after `at`, and one scrape of what serves and trains."""
        for number in range(REQUESTS_PER_TICK):
            self._request(at + (number + self._stage.chance.random()) * seconds / REQUESTS_PER_TICK, number)
        for pod in PREDICTORS:
            if story.serves(pod, at):
                self._serving(pod, at)
        if story.trains(at):
            self._training(at)

    def _request(self, at: float, number: int) -> None:
        """One chat request: its spans, its access log line and the evaluation of its answer."""
        pod = MISTRAL if number % 3 == 2 else QWEN[number % 2]
        lost = not story.serves(pod, at)
        if lost and at >= _ENDPOINT_REMOVED_S:
            pod, lost = HEALTHY_POD, False
        pressure = story.pressure(pod, at)
        ttft = self._stage.around(0.21 + 4.6 * pressure, 0.12)
        tokens = self._stage.chance.randrange(90, 180)
        answer_s = 0.04 if lost else ttft + tokens * self._stage.around(0.014 + 0.006 * pressure, 0.05)
        timed_out = pressure > 0.6 and self._stage.chance.random() < 0.15
        status = 502 if lost else 504 if timed_out else 200
        start, end = self._stage.ns(at), self._stage.ns(at + answer_s + 0.012)
        call = self._gateway(pod, start, end, status)
        if lost:
            return
        self._totals[pod.name].saw(ttft, tokens)
        response = f"chatcmpl-{self._stage.chance.getrandbits(64):016x}"
        answered = {
            "gen_ai.request.model": pod.model,
            "gen_ai.response.id": response,
            "gen_ai.latency.time_to_first_token": ttft,
            "gen_ai.usage.output_tokens": tokens,
        }
        inner = start + 7 * _MS, end - 7 * _MS
        served = self._emit.span(pod.as_sdk(), "llm_request", SpanKind.SERVER, *inner, answered, call)
        self._evaluate(pod, at, end, response, served)

    def _gateway(self, pod: Pod, start: int, end: int, status: int) -> Span:
        """The gateway's part of a request; returns the span of its call to the predictor."""
        resource, error = GATEWAY.as_sdk(), None if status == 200 else f"upstream answered {status}"
        received = {"http.request.method": "POST", "http.route": _ROUTE, "http.response.status_code": status}
        root = self._emit.span(resource, f"POST {_ROUTE}", SpanKind.SERVER, start, end, received, error=error)
        line = f"POST {_ROUTE} {status} {(end - start) // _MS}ms model={pod.model}"
        self._emit.log(resource, "access", end, line, "INFO", span=root)
        asked = {
            "gen_ai.operation.name": "chat",
            "gen_ai.provider.name": "vllm",
            "gen_ai.request.model": pod.model,
            "server.address": f"{pod.workload}.{pod.namespace}",
        }
        inner = start + 4 * _MS, end - 4 * _MS
        return self._emit.span(resource, f"chat {pod.model}", SpanKind.CLIENT, *inner, asked, root, error)

    def _evaluate(self, pod: Pod, at: float, end: int, response: str, served: Span) -> None:
        score = min(max(self._stage.chance.gauss(story.quality(pod.model, at), 0.035), 0.0), 1.0)
        attributes = {
            "gen_ai.evaluation.name": "Correctness",
            "gen_ai.evaluation.score.value": round(score, 3),
            "gen_ai.evaluation.score.label": "pass" if score >= 0.7 else "fail",
            "gen_ai.response.id": response,
            "gen_ai.request.model": pod.model,
        }
        name, two_seconds = "gen_ai.evaluation.result", 2_000 * _MS
        self._emit.log(EVALUATOR.as_sdk(), "eval-runner", end + two_seconds, "", "INFO", attributes, name, served)

    def _serving(self, pod: Pod, at: float) -> None:
        when, pressure, totals = self._stage.ns(at + 9.0), story.pressure(pod, at), self._totals[pod.name]
        scraped, labels = pod.as_scraped(8000), {"model_name": pod.model, "engine": "0"}
        gauges = {
            "vllm:num_requests_running": round(self._stage.around(14 + 30 * pressure)),
            "vllm:num_requests_waiting": round(self._stage.around(46 * pressure, 0.1)),
            "vllm:kv_cache_usage_perc": min(self._stage.around(0.41 + 0.55 * pressure), 1.0),
        }
        counters = {
            "vllm:request_success_total": float(totals.requests),
            "vllm:generation_tokens_total": float(totals.tokens),
        }
        self._emit.gauges(scraped, PROMETHEUS, when, gauges, labels)
        self._emit.counters(scraped, PROMETHEUS, when, counters, labels)
        point = HistogramDataPoint(
            attributes={"gen_ai.operation.name": "chat", "gen_ai.request.model": pod.model},
            start_time_unix_nano=self._stage.ns(-86_400.0),
            time_unix_nano=when,
            count=totals.requests,
            sum=round(totals.ttft_s, 4),
            bucket_counts=tuple(totals.buckets),
            explicit_bounds=_TTFT_BOUNDS,
            min=0.05,
            max=20.0,
        )
        scope = "opentelemetry.instrumentation.vllm"
        self._emit.histogram(pod.as_sdk(), scope, "gen_ai.server.time_to_first_token", point)
        queue = (
            f"Running: {gauges['vllm:num_requests_running']} reqs, Waiting: {gauges['vllm:num_requests_waiting']} reqs"
        )
        speed = f"Avg prompt throughput: {self._stage.around(1410, 0.1):.1f} tokens/s"
        self._write(pod, when, f"INFO [loggers.py:123] Engine 000: {speed}, {queue}")

    def _training(self, at: float) -> None:
        self._step += 6
        pod, when, seconds = TRAINERS[0], self._stage.ns(at + 12.0), self._stage.around(4.9)
        values = {
            "train/global_step": float(self._step),
            "train/step_time": seconds,
            "train/tokens_per_second": self._stage.around(208_000 / seconds),
        }
        self._emit.gauges(pod.as_sdk(), "training", when, values, {"run_id": "pretrain-moe-7", "rank": "0"})
        took = f"elapsed time per iteration (ms): {seconds * 1000:.1f}"
        self._write(pod, when, f" iteration {self._step:8d}/  500000 | {took} | lm loss: 2.2714E+00 |")

    def _write(self, pod: Pod, when: int, line: str) -> None:
        """A line on the container's standard output, as the Collector reads it from the node's disk."""
        self._emit.log(pod.as_collector(), FILES, when, line, "", pod.log_attributes())
