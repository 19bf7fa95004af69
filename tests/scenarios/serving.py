"""Metrics of what the platform is for: model servers, the gateway, training and judges."""

from __future__ import annotations

from typing import Any

import numpy as np

from tests.scenarios.load import Load, edge_failures, edge_latency, wave
from tests.scenarios.platform import Pod
from tests.scenarios.records import Floats
from tests.scenarios.series import RECEIVERS, add, scraped
from tests.scenarios.world import STEP_S, World

_SECONDS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0)
_TOKENS = (0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.2, 0.5)


def buckets(world: World, per_step: Floats, middle: Floats, bounds: tuple[float, ...], spread: float = 0.45) -> Floats:
    """Cumulative bucket counts of a log-normal latency; a row each step."""
    edges = np.log(np.array(bounds))[None, :]
    z = (edges - np.log(np.maximum(middle, 1e-4))[:, None]) / spread
    below = 1.0 / (1.0 + np.exp(-1.702 * z))
    whole = np.concatenate([np.zeros((len(middle), 1)), below, np.ones((len(middle), 1))], axis=1)
    counts = np.diff(whole, axis=1) * np.maximum(np.nan_to_num(per_step), 0.0)[:, None]
    return np.asarray(np.floor(np.cumsum(counts, axis=0)), dtype=np.float64)


def server(world: World, pod: Pod, load: Load) -> None:
    model = world.model_of(pod)
    served = world.platform.models[model]
    running = np.where(world.up[pod.name] > 0, 1.0, np.nan)
    per_step = load.requests[pod.name] * STEP_S
    how = world.platform.vocabulary.serving
    scope = RECEIVERS + "prometheusreceiver"
    resource = scraped(world, pod, pod.service, 8000)
    labels: dict[str, Any] = {"model_name": served}
    about = (pod.name, pod.node)
    active = np.round(16 * load.busy[pod.name])
    names = {
        "vllm": ("vllm:num_requests_waiting", "vllm:num_requests_running", "vllm:kv_cache_usage_perc"),
        "sglang": ("sglang:num_queue_reqs", "sglang:num_running_reqs", "sglang:token_usage"),
        "tgi": ("tgi_queue_size", "tgi_batch_current_size", ""),
    }[how]
    for name, of in zip(names, (load.queue[pod.name], active, np.clip(load.busy[pod.name], 0, 0.99)), strict=True):
        if name:
            add(world, about, resource, scope, name, "gauge", labels, of * running)
    first, each, whole = {
        "vllm": ("vllm:time_to_first_token_seconds", "vllm:time_per_output_token_seconds", "vllm:e2e_request_latency_seconds"),
        "sglang": ("sglang:time_to_first_token_seconds", "sglang:inter_token_latency_seconds", "sglang:e2e_request_latency_seconds"),
        "tgi": ("tgi_request_queue_duration", "tgi_request_mean_time_per_token_duration", "tgi_request_duration"),
    }[how]  # fmt: skip
    total = load.first[pod.name] + 110 * load.token[pod.name]
    rows = ((first, load.first[pod.name], _SECONDS), (each, load.token[pod.name], _TOKENS), (whole, total, _SECONDS))
    for name, middle, bounds in rows:
        counts = np.where(np.isnan(running)[:, None], np.nan, buckets(world, per_step, middle, bounds))
        add(
            world,
            about,
            resource,
            scope,
            name,
            "histogram",
            labels,
            counts,
            bounds=bounds,
            mean=float(np.median(middle)),
        )
    done = np.cumsum(np.nan_to_num(per_step)) * running
    wrong = np.zeros(len(world.t))
    if world.corrupted[0] == pod.name:
        wrong = np.cumsum(np.where(world.t >= world.corrupted[1], 3.0, 0.0))
    if how == "vllm":
        add(world, about, resource, scope, "vllm:corrupted_requests_total", "sum", labels, wrong * running)
    finished = {
        "vllm": "vllm:request_success_total",
        "sglang": "sglang:num_requests_total",
        "tgi": "tgi_request_success",
    }[how]
    add(world, about, resource, scope, finished, "sum", labels, done)


def training(world: World) -> None:
    first = world.workers[0]
    n = len(world.t)
    resource = world.sdk(first)
    moving = np.where(world.up[first.name] * (world.training > 0) > 0, 1.0, 0.0)
    steps = 40_000 + np.cumsum(moving * STEP_S / (5.2 * world.step))
    alive = np.where(moving > 0, 1.0, np.nan)
    values = {
        "train/global_step": np.floor(steps),
        "train/loss": (2.3 + 0.05 * world.noise.normal(0, 1, n)) * alive,
        "train/grad_norm": (0.42 + 0.03 * world.noise.normal(0, 1, n)) * alive,
        "train/step_time": 5.2 * world.step * world.noise.normal(1, 0.02, n) * alive,
        "train/tokens_per_second": 41_000 / world.step * world.noise.normal(1, 0.02, n) * alive,
    }
    running = np.where(world.up[first.name] > 0, 1.0, np.nan)
    for name, of in values.items():
        add(
            world,
            (first.owner, first.node),
            resource,
            "training",
            name,
            "gauge",
            {"run_id": f"{first.owner}-7"},
            of * running,
        )


def edge(world: World, load: Load) -> None:
    gates = world.part("gateway")
    for pod in gates:
        running = np.where(world.up[pod.name] > 0, 1.0, np.nan)
        per_step = load.demand * 3.0 * STEP_S / len(gates) * world.noise.normal(1, 0.04, len(world.t))
        tries = np.zeros(len(world.t))
        if world.retries is not None:
            tries = np.cumsum(np.where(world.span(*world.retries), 40.0, 0.0))
        add(world, (pod.name, pod.node), world.sdk(pod), "opentelemetry.instrumentation.http", "gateway.upstream.retries", "sum",
            {}, tries * running, unit="{retry}")  # fmt: skip
        for code, share in (("200", 1.0 - edge_failures(world)), ("503", edge_failures(world))):
            counts = buckets(world, per_step * share, np.maximum(edge_latency(world, load), 0.05), _SECONDS)
            counts = np.where(np.isnan(running)[:, None], np.nan, counts)
            labels = {
                "http.request.method": "POST",
                "http.route": "/v1/chat/completions",
                "http.response.status_code": code,
            }
            add(world, (pod.name, pod.node), world.sdk(pod), "opentelemetry.instrumentation.http", "http.server.request.duration",
                "histogram", labels, counts, bounds=_SECONDS, mean=3.0, unit="s")  # fmt: skip
    shield = world.part("guardrail")[0]
    for decision, share in (("allow", 1.0 - world.blocked), ("block", world.blocked)):
        counts = np.cumsum(np.round(load.demand * 3.0 * STEP_S * share))
        labels = {"decision": decision, "category": "none" if decision == "allow" else "prompt_injection"}
        add(
            world,
            (shield.name, shield.node),
            world.sdk(shield),
            "guardrail",
            "guardrail.decisions",
            "sum",
            labels,
            counts,
        )
    for pod in world.part("dns"):
        resource = scraped(world, pod, "coredns", 9153)
        bad = 1.0 - world.reached["names"] if "names" in world.reached else np.zeros(len(world.t))
        for code, share in (("NOERROR", 1.0 - bad), ("SERVFAIL", bad)):
            counts = np.cumsum(np.round(40 * wave(world) * share))
            labels = {"server": "dns://:53", "zone": ".", "rcode": code, "plugin": "forward"}
            add(
                world,
                (pod.name, pod.node),
                resource,
                RECEIVERS + "prometheusreceiver",
                "coredns_dns_responses_total",
                "sum",
                labels,
                counts,
            )


def judge(world: World) -> None:
    pod = world.part("evaluator")[0]
    n = len(world.t)
    every = np.where(np.arange(n) % 4 == 0, 1.0, np.nan)
    for model in world.platform.models:
        pods = world.platform.of(f"{model}-predictor")
        good = np.mean([world.quality[one.name] for one in pods], axis=0) * world.answer
        for name, base, of in (("correctness", 0.86, good), ("faithfulness", 0.88, good * world.faithful)):
            score = np.clip(base * of + world.noise.normal(0, 0.012, n), 0, 1) * every
            labels = {"gen_ai.request.model": model, "gen_ai.evaluation.name": name}
            add(world, (model,), world.sdk(pod), "evaluator", "model.quality.score", "gauge", labels, score, unit="1")
        drift = np.clip(0.05 + world.noise.normal(0, 0.008, n), 0, 1) * every
        labels = {"gen_ai.request.model": model, "feature": "prompt_embedding", "method": "psi"}
        add(world, (model,), world.sdk(pod), "evaluator", "model.input.drift", "gauge", labels, drift, unit="1")
