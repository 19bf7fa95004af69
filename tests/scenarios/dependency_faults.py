"""Faults of dependencies, and of demand: archetypes A23 to A25, A27 and A32."""

from __future__ import annotations

import numpy as np

from tests.scenarios.effects import crash, replaced
from tests.scenarios.software_faults import names_of
from tests.scenarios.world import World


def a23(world: World, at: float) -> None:
    """The vector store goes down: retrieval fails, answers come without context."""
    store = world.part("vectors")[0]
    finder = world.part("retriever")
    broken = world.rng.choice(("down", "refused"))
    if broken == "down":
        world.down(store, at, at + 700, "Error", 1, restarts=3)
        world.waiting[store.name] = "CrashLoopBackOff"
        world.restarted(store, at, backoff=True)
        world.say(
            store,
            at,
            "thread 'main' panicked at src/storage/segment.rs:311: called `Result::unwrap()` on an `Err` value: ServiceError { description: \"WAL is corrupted\" }",
        )
    else:
        world.fail[store.name][world.span(at, at + 900)] = 0.9
        world.errors[store.name] = "collection not ready: shard 0 is in state Dead"
    world.faithful[world.span(at, at + 900)] = 0.55
    world.errors[store.owner] = "connection refused"
    blast = [
        finder[0].owner,
        world.platform.services["rag"],
        *world.platform.models,
    ]
    world.blame([store.name, *names_of(store)], blast, at, at + 900)


def a24(world: World, at: float) -> None:
    """A model provider outside fails the services that call it, or silently answers with another model."""
    provider, address, model, old, new = world.rng.choice((
        ("openai", "api.openai.com", "gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-11-20"),
        ("anthropic", "api.anthropic.com", "claude-sonnet-4", "claude-sonnet-4-20250514", "claude-sonnet-4-20250930"),
        ("aws.bedrock", "bedrock-runtime.us-east-1.amazonaws.com", "nova-pro", "nova-pro-v1:0", "nova-pro-v1:1"),
    ))  # fmt: skip
    silent = world.rng.random() < 0.35
    world.outside = (provider, address, model, at, at if silent else at + 1000)
    world.response_model[model] = [(0.0, old), *([(at, new)] if silent else [])]
    world.answer[world.span(at + 60, at + 1000)] = 0.75 if silent else 0.93
    blast = [world.platform.services["rag"], *world.platform.models]
    names = [address, provider, f"{provider}/{model}", model, old, new, f"https://{address}"]
    world.blame(names, blast if silent else [*blast, world.platform.services["gateway"]], at, at + 1000, nothing=True)


def a25(world: World, at: float) -> None:
    """Name resolution fails in the whole cluster: calls never arrive, model servers idle."""
    end = at + 700
    mask = world.span(at, end)
    world.reached["names"] = np.ones_like(world.t)
    world.reached["names"][mask] = 0.3
    for owner in [*(f"{model}-predictor" for model in world.platform.models), world.platform.services["retriever"],
                  world.platform.services["vectors"]]:  # fmt: skip
        world.reached[owner][mask] = 0.25
        world.errors[owner] = world.rng.choice((
            "[Errno -3] Temporary failure in name resolution", "getaddrinfo EAI_AGAIN", "lookup on 10.96.0.10:53: server misbehaving"))  # fmt: skip
    for pod in world.part("dns"):
        for place in range(20):
            world.say(
                pod,
                at + 5 + place * 20,
                f"[ERROR] plugin/errors: 2 {world.platform.services['vectors']}.apps.svc.cluster.local. A: read udp 10.4.1.7:41122->169.254.169.253:53: i/o timeout",
            )
    dns = world.part("dns")[0]
    blast = [world.platform.services[part] for part in ("gateway", "rag", "retriever")] + [
        f"{model}-predictor" for model in world.platform.models
    ]
    world.blame([*(pod.name for pod in world.part("dns")), *names_of(dns), "dns", "kube-dns"], blast, at, end)


def a27(world: World, at: float) -> None:
    """Twice and a half the requests: queues fill, first tokens take long, some are turned away."""
    ramp = np.clip((world.t - at + 60) / 120, 0, 1) * (world.t < at + 1300)
    world.rate *= 1 + 1.5 * ramp
    for pod in world.servers:
        world.fail[pod.name] += 0.12 * (ramp > 0.9)
        world.errors[pod.name] = "429 Too Many Requests: queue is full"
    gateway = world.platform.services["gateway"]
    servers = [f"{model}-predictor" for model in world.platform.models]
    hpa = servers[0]
    world.event(
        "HorizontalPodAutoscaler",
        hpa,
        "inference",
        at + 60,
        "SuccessfulRescale",
        "New size: 5; reason: pods metric vllm:num_requests_waiting above target",
    )
    pod = world.platform.of(hpa)[0]
    replaced(world, pod, at + 62, "", starts=None)
    world.blame(
        [gateway, *servers, *world.platform.models, "ingress", "traffic"],
        [gateway, *servers],
        at - 60,
        at + 1400,
        nothing=True,
    )


def a32(world: World, at: float) -> None:
    """A short fault, and retries that keep the load up after it is over."""
    pod = world.serving_pod()
    blast = crash(world, pod, at, ["Segmentation fault (core dumped)"], down_s=80, code=139)
    ramp = np.clip((world.t - at - 20) / 90, 0, 1) * (world.t < at + 1400)
    world.rate *= 1 + 1.2 * ramp
    for one in world.servers:
        world.fail[one.name] += 0.1 * (ramp > 0.9)
        world.errors[one.name] = "408 request timed out in queue"
    world.retries = (at + 20, at + 1400)
    world.blame([pod.name, f"{pod.namespace}/{pod.name}", *names_of(pod)], [name for name in blast if name not in (pod.name, pod.owner)],
                at, at + 1400)  # fmt: skip


FAULTS = {"A23": a23, "A24": a24, "A25": a25, "A27": a27, "A32": a32}
