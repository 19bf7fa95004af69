"""Chance, N-sigma and BARO's scorer on the telemetry an evaluation stored, scored by the rules of `scoring`.

They are told when each fault began and how long it lasted, which Causeline is not. They read the store directly,
after the system under test has let go of it.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import polars as pl

from api.evaluation.labels import Fault
from api.evaluation.scoring import RETRIEVED, accuracy, entity_names, reciprocal
from correlate.baseline import READS, chance_at, features, nsigma, robust
from correlate.frames import load
from store import Store, Window

_HISTORY_S = 600.0
METHODS: dict[str, Callable[[pl.DataFrame, int, float, float], pl.DataFrame]] = {"n-sigma": nsigma, "baro": robust}

Aliases = dict[tuple[str, str], list[str]]


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a method that is no correlator gets on the same evidence, shares in 0..1."""

    name: str
    ac1: float
    ac3: float
    ac5: float
    avg5: float
    mrr: float | None = None
    retrieval15: float | None = None


def baselines(store: Store, tenant: str, faults: list[Fault]) -> list[Baseline]:
    """Chance and each method over the entities that have any series around each fault."""
    aliases: Aliases = {
        (row["type"], row["name"]): row["aliases"] for row in store.rows("correlate_entities", {"tenant": tenant})
    }
    ranks: dict[str, list[int | None]] = {name: [] for name in METHODS}
    luck: list[list[float]] = []
    for fault in faults:
        window = Window(int(fault.start * 1e9), int(fault.end * 1e9))
        buckets = features(load(store, tenant, window, _HISTORY_S, READS)).collect()
        for name, method in METHODS.items():
            order = method(buckets, window.start, window.seconds, _HISTORY_S)
            right = _right(order, aliases, fault)
            ranks[name].append(right.index(True) + 1 if True in right else None)
        # A random order is of the entities that any of the methods could have named.
        right = _right(buckets.select("entity_type", "entity").unique(), aliases, fault)
        luck.append([chance_at(k, len(right), sum(right)) for k in range(1, 6)])
    by_chance = [statistics.mean(column) for column in zip(*luck, strict=True)]
    return [_baseline("chance", by_chance), *(_ranked(name, found) for name, found in ranks.items())]


def _baseline(name: str, places: Sequence[float], mrr: float | None = None, retrieved: float | None = None) -> Baseline:
    return Baseline(name, places[0], places[2], places[4], statistics.mean(places), mrr, retrieved)


def _ranked(name: str, ranks: Sequence[int | None]) -> Baseline:
    places = [accuracy(ranks, k) for k in range(1, 6)]
    return _baseline(name, places, reciprocal(ranks), accuracy(ranks, RETRIEVED))


def _right(order: pl.DataFrame, aliases: Aliases, fault: Fault) -> list[bool]:
    """For each entity, best first, whether it may be named."""
    return [
        bool(entity_names({"name": name, "aliases": aliases.get((kind, name), [])}) & fault.accept)
        for kind, name in zip(order["entity_type"], order["entity"], strict=True)
    ]
