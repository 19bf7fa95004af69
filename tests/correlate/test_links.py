"""Causal links follow topology and time."""

from __future__ import annotations

import polars as pl
import pytest

from correlate import catalog
from correlate.kinds import with_facts
from correlate.links import links
from correlate.settings import CorrelateSettings
from tests.kit.causal import GPU_STORY, SERVING, edge, edges, signal, signals

SETTINGS = CorrelateSettings()


def linked(rows: pl.DataFrame, topology: pl.DataFrame) -> dict[tuple[str, str], float]:
    """(cause entity, effect entity) -> weight."""
    found = links(with_facts(rows), topology, catalog.mechanisms(), SETTINGS)
    names = [pl.col(c).str.split("\x1f").list.last() for c in ("cause", "effect")]
    return {(c, e): w for c, e, w in found.select(*names, "weight").iter_rows()}


def test_a_fault_is_linked_to_what_it_carries_and_not_back() -> None:
    found = linked(signals(*GPU_STORY), edges(*SERVING))
    assert found["GPU-1", "phi-0"] > found["GPU-1", "phi"] > 0
    assert ("phi-0", "GPU-1") not in found
    assert found["phi", "gateway"] > 0


def test_a_silent_entity_does_not_break_the_chain() -> None:
    rows = signals(signal("xid.79", "gpu", "gpu:GPU-1", 0), signal("metric.shift", "metric", "service:phi", 60))
    assert ("GPU-1", "phi") in linked(rows, edges(*SERVING))


def test_unconnected_entities_are_not_linked() -> None:
    rows = signals(signal("xid.79", "gpu", "gpu:GPU-1", 0), signal("metric.shift", "metric", "service:other", 10))
    assert linked(rows, edges(*SERVING)) == {}


def test_an_effect_long_after_the_cause_has_echoed_out_is_not_linked() -> None:
    def at(seconds: float) -> dict[tuple[str, str], float]:
        rows = signals(
            signal("trace.errors", "trace", "service:phi", 0),
            signal("trace.errors", "trace", "service:gateway", seconds),
        )
        return linked(rows, edges(*SERVING))

    assert ("phi", "gateway") in at(30)
    assert ("phi", "gateway") not in at(7200)


def test_an_effect_before_its_cause_weighs_less_and_is_dropped_beyond_the_slack() -> None:
    def weight(seconds: float) -> float:
        rows = signals(
            signal("xid.79", "gpu", "gpu:GPU-1", 0), signal("pod.restart", "kubernetes", "pod:phi-0", seconds)
        )
        return linked(rows, edges(*SERVING)).get(("GPU-1", "phi-0"), 0.0)

    assert weight(5) > weight(-120) > 0
    assert weight(-400) == 0


def test_an_edge_counts_only_while_it_held() -> None:
    rows = signals(signal("xid.79", "gpu", "gpu:GPU-1", 0), signal("pod.restart", "kubernetes", "pod:old", 5))
    assert linked(rows, edges(edge("gpu:GPU-1", "pod:old", end=-1800))) == {}
    assert linked(rows, edges(edge("gpu:GPU-1", "pod:old", end=0)))


def test_a_caller_can_overload_its_callee_but_less_likely() -> None:
    rows = signals(
        signal("trace.errors", "trace", "service:phi", 0, lasts=60),
        signal("trace.errors", "trace", "service:gateway", 0, lasts=60),
    )
    found = linked(rows, edges(*SERVING))
    assert found["phi", "gateway"] > 2 * found["gateway", "phi"] > 0


@pytest.mark.parametrize("seed", range(3))
def test_row_order_does_not_matter(seed: int) -> None:
    rows, topology = signals(*GPU_STORY), edges(*SERVING)
    shuffled = linked(
        rows.sample(fraction=1.0, shuffle=True, seed=seed), topology.sample(fraction=1.0, shuffle=True, seed=seed)
    )
    assert shuffled == linked(rows, topology)


def test_a_pod_that_starves_its_node_reaches_its_neighbours_and_no_other_pod_does() -> None:
    topology = edges(edge("node:n1", "pod:batch"), edge("node:n1", "pod:web"), edge("node:n2", "pod:far"))
    slow = [signal("metric.shift", "metric", f"pod:{name}", 30) for name in ("web", "far")]
    hog = linked(signals(signal("pod.cpu_hog", "metric", "pod:batch", 0), *slow), topology)
    assert hog["batch", "web"] > 0
    assert ("batch", "far") not in hog
    assert linked(signals(signal("pod.restart", "kubernetes", "pod:batch", 0), *slow), topology) == {}


def test_a_link_fades_with_the_time_since_the_cause_began() -> None:
    def weight(at: float) -> float:
        rows = signals(
            signal("metric.errors", "metric", "service:phi", 0, lasts=900),
            signal("trace.errors", "trace", "service:gateway", at),
        )
        return linked(rows, edges(*SERVING)).get(("phi", "gateway"), 0.0)

    assert weight(10) > weight(120) > weight(400) >= 0
    assert weight(400) < 0.2 * weight(10)


def test_of_two_equal_paths_the_one_that_held_is_taken_whatever_the_order_of_rows() -> None:
    topology = edges(
        edge("node:n1", "pod:old", start=-3600, end=-1800),
        edge("node:n1", "pod:new"),
        edge("pod:old", "service:web", "serves", start=-3600, end=-1800),
        edge("pod:new", "service:web", "serves"),
    )
    rows = signals(
        signal("node.not_ready", "kubernetes", "node:n1", 0, lasts=300),
        signal("trace.errors", "trace", "service:web", 30),
    )
    found = [linked(rows, topology.sample(fraction=1, shuffle=True, seed=seed)) for seed in range(12)]
    assert all(links_found == found[0] for links_found in found)
    assert ("n1", "web") in found[0]


def test_two_kinds_may_be_known_better_than_their_families() -> None:
    topology = edges(edge("service:callee", "service:caller", "calls"))
    gap = signal("trace.edge_gap", "trace", "service:callee", 0, lasts=60)
    own = signal("trace.self_time", "trace", "service:caller", 10, lasts=60)
    errors = signal("trace.errors", "trace", "service:caller", 10, lasts=60)
    found = links(with_facts(signals(gap, own, errors)), topology, catalog.mechanisms(), CorrelateSettings())
    kinds = with_facts(signals(gap, own, errors)).select(effect_id="id", kind="kind")
    weights = dict(
        found.filter(pl.col("cause").str.ends_with("callee"))
        .join(kinds, on="effect_id")
        .select("kind", "weight")
        .rows()
    )
    assert weights.get("trace.self_time", 0.0) < weights["trace.errors"] / 4


def test_an_effect_that_begins_two_minutes_after_a_brief_cause_is_hardly_its_own() -> None:
    topology = edges(edge("service:callee", "service:caller", "calls"))
    rows = (
        signal("trace.errors", "trace", "service:callee", 0, lasts=150),
        signal("trace.errors", "trace", "service:caller", 120, lasts=60),
    )
    at_once = (rows[0], signal("trace.errors", "trace", "service:caller", 10, lasts=60))
    late, soon = linked(signals(*rows), topology), linked(signals(*at_once), topology)
    assert late.get(("callee", "caller"), 0.0) < 0.2 < soon["callee", "caller"]
