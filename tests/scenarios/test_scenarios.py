"""Faults of every archetype in a simulated platform: played the same every time, and their causes named."""

from __future__ import annotations

import pytest

from api.evaluation.labels import Labels
from store import Store
from tests.scenarios.judge import FAULTS, judge, labels, play, requests
from tests.scenarios.world import BACKGROUND_S, LENGTH_S

FLOOR_FIRST, FLOOR_THREE, FLOOR_BLAST = 0.8, 0.9, 0.45
"""Shares of scenarios with the cause first and among three, and the mean overlap of what was hurt."""


def test_there_is_a_scenario_of_every_archetype() -> None:
    assert sorted(FAULTS) == [f"A{number:02d}" for number in range(1, 37)]


@pytest.mark.parametrize("archetype", ["A01", "A22"])
def test_the_same_seed_plays_the_same_scenario(archetype: str) -> None:
    first, again, other = (
        [message.SerializeToString(deterministic=True) for _, message in requests(play(archetype, seed))]
        for seed in (3, 3, 4)
    )
    assert first == again
    assert first != other


@pytest.mark.parametrize("archetype", sorted(FAULTS))
def test_labels_are_ones_that_evaluate_reads(archetype: str) -> None:
    world = play(archetype, 1)
    known = Labels.parse(labels(world), archetype)
    assert known.faults[0].accept
    assert BACKGROUND_S - 300 <= world.truth.begin < world.truth.end <= LENGTH_S + 300


@pytest.mark.parametrize("archetype", ["A10", "A24"])
def test_the_cause_is_named(store: Store, archetype: str) -> None:
    assert judge(store, archetype, 1).right


@pytest.mark.slow
def test_causes_of_all_archetypes(store: Store) -> None:
    outcomes = [judge(store, archetype, 1) for archetype in sorted(FAULTS)]
    missed = [(one.archetype, one.verdict.first) for one in outcomes if not one.right]
    blasts = [one.jaccard for one in outcomes if one.jaccard is not None]
    assert sum(one.right for one in outcomes) >= FLOOR_FIRST * len(outcomes), missed
    assert sum(one.among_three for one in outcomes) >= FLOOR_THREE * len(outcomes), missed
    assert sum(one.verdict.decoy_first for one in outcomes) == 0
    assert sum(blasts) / len(blasts) >= FLOOR_BLAST
