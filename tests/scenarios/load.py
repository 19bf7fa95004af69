"""Demand over time, and the queues and latencies of the model servers that follow from it."""

from __future__ import annotations

import numpy as np

from tests.scenarios.records import Floats
from tests.scenarios.world import World


def wave(world: World) -> Floats:
    """Demand over the day, around 1."""
    return np.asarray(1.0 + 0.08 * np.sin((world.t + 3000) / 86400 * 6.283 * 6), dtype=np.float64)


class Load:
    """Demand, queues and latencies of the model servers, by pod."""

    def __init__(self, world: World) -> None:
        demand = wave(world) * world.rate * world.reached[world.platform.services["gateway"]]
        self.demand = demand
        self.requests: dict[str, Floats] = {}
        self.queue: dict[str, Floats] = {}
        self.busy: dict[str, Floats] = {}
        self.first: dict[str, Floats] = {}
        self.token: dict[str, Floats] = {}
        for model in world.platform.models:
            pods = world.platform.of(f"{model}-predictor")
            size = len(pods)
            up = np.sum([world.up[pod.name] for pod in pods], axis=0)
            reach = world.reached[f"{model}-predictor"]
            for pod in pods:
                alive = world.up[pod.name]
                share = np.where(up > 0, size / np.maximum(up, 1.0), 0.0) * alive * reach
                rho = 0.55 * demand * world.prompt * share * world.slow[pod.name]
                over = _smooth(np.maximum(rho - 0.78, 0.0))
                noise = world.noise.normal(1.0, 0.04, len(world.t))
                self.requests[pod.name] = demand * share * 1.2 * noise
                self.queue[pod.name] = (
                    np.round(np.clip(150 * over, 0, 240) + world.noise.poisson(0.4, len(world.t))) * alive
                )
                self.busy[pod.name] = np.clip(rho * noise, 0.0, 1.0)
                self.first[pod.name] = 0.28 * world.prompt * world.slow[pod.name] * (1 + 14 * over) * noise
                self.token[pod.name] = 0.028 * world.slow[pod.name] * (1 + 0.8 * over) * noise


def _smooth(values: Floats) -> Floats:
    out = np.zeros_like(values)
    level = 0.0
    for place, value in enumerate(values.tolist()):
        level += 0.4 * (value - level)
        out[place] = level
    return out


def edge_failures(world: World) -> Floats:
    """Share of requests that fail at the gateway."""
    failing = []
    for model in world.platform.models:
        pods = world.platform.of(f"{model}-predictor")
        dead = np.mean([1.0 - world.up[pod.name] for pod in pods], axis=0)
        # Endpoints of a dead pod are taken out within a minute.
        fresh = np.clip(dead - np.concatenate([[0.0, 0.0], dead[:-2]]), 0.0, 1.0)
        server = np.mean([world.fail[pod.name] for pod in pods], axis=0)
        none = (dead >= 1.0).astype(float)
        failing.append(np.clip(np.maximum(none, 0.6 * fresh + server), 0.0, 1.0))
    # Without passages an answer is worse, and no failure.
    path = np.mean([np.maximum(world.fail[pod.name], 1 - world.up[pod.name]) for pod in world.part("rag")], axis=0)
    unreached = 1.0 - np.minimum.reduce([world.reached[f"{model}-predictor"] for model in world.platform.models])
    return np.asarray(np.clip(np.mean(failing, axis=0) + 0.5 * path + unreached, 0.002, 1.0), dtype=np.float64)


def edge_latency(world: World, load: Load) -> Floats:
    """Middle latency at the gateway, in seconds."""
    totals = [load.first[pod.name] + 110 * load.token[pod.name] for pod in world.servers]
    middle = np.mean(totals, axis=0)
    slow = np.mean([world.slow[pod.name] for part in ("retriever", "vectors") for pod in world.part(part)], axis=0)
    return np.asarray(middle + 0.05 * slow + 0.1, dtype=np.float64)
