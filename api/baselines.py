"""Chance and N-sigma on the telemetry an evaluation stored, scored by the rules of `scoring`.

Both are told when each fault began, which Causeline is not. They read the store directly, after
the system under test has let go of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from api.scoring import Fault, accuracy, entity_names, reciprocal
from correlate.baseline import READS, chance_at, features, nsigma
from correlate.frames import load
from store import Store, Window

_HISTORY_S = 600.0
_PLACES = (1, 3, 5)


@dataclass(frozen=True, slots=True)
class Baseline:
    """What a method that is no correlator gets on the same evidence, shares in 0..1."""

    name: str
    ac1: float
    ac3: float
    ac5: float
    mrr: float | None = None


def baselines(store: Store, tenant: str, faults: list[Fault]) -> list[Baseline]:
    """Chance and N-sigma over the entities that have any series around each fault."""
    aliases = {
        (row["type"], row["name"]): row["aliases"] for row in store.rows("correlate_entities", {"tenant": tenant})
    }
    ranks: list[int | None] = []
    luck: list[list[float]] = []
    for fault in faults:
        right = [bool(names & fault.accept) for names in _ranking(store, tenant, fault, aliases)]
        ranks.append(right.index(True) + 1 if True in right else None)
        luck.append([chance_at(k, len(right), sum(right)) for k in _PLACES])
    chance = (sum(column) / len(luck) for column in zip(*luck, strict=True))
    ac1, ac3, ac5 = (accuracy(ranks, k) for k in _PLACES)
    return [Baseline("chance", *chance), Baseline("n-sigma", ac1, ac3, ac5, reciprocal(ranks))]


def _ranking(
    store: Store, tenant: str, fault: Fault, aliases: dict[tuple[str, str], list[str]]
) -> list[frozenset[str]]:
    """The names of each entity, in N-sigma's order."""
    window = Window(int(fault.start * 1e9), int(fault.end * 1e9))
    frames = load(store, tenant, window, _HISTORY_S, READS)
    order = nsigma(features(frames).collect(), window.start, window.seconds, _HISTORY_S)
    return [
        entity_names({"name": name, "aliases": aliases.get((kind, name), [])})
        for kind, name in zip(order["entity_type"], order["entity"], strict=True)
    ]
