"""One-to-one pods, workloads and services are one thing; replicas are not."""

from __future__ import annotations

from correlate.sameness import other_names, representatives
from tests.kit.causal import edge, edges


def same(*rows: tuple[str, str]) -> dict[str, str]:
    found = representatives(edges(*[edge(a, b) for a, b in rows]))
    return {k.replace("\x1f", ":"): s.replace("\x1f", ":") for k, s in found.iter_rows()}


def test_a_single_replica_is_its_service() -> None:
    assert same(("pod:a-0", "workload:a"), ("workload:a", "service:a")) == {
        "pod:a-0": "service:a",
        "workload:a": "service:a",
    }


def test_replicas_are_entities_of_their_own() -> None:
    found = same(("pod:a-0", "workload:a"), ("pod:a-1", "workload:a"), ("workload:a", "service:a"))
    assert found == {"workload:a": "service:a"}


def test_a_pod_without_workload_can_be_its_service() -> None:
    assert same(("pod:a-0", "service:a")) == {"pod:a-0": "service:a"}


def test_a_workload_behind_two_services_is_neither() -> None:
    assert same(("workload:a", "service:x"), ("workload:a", "service:y")) == {}


def test_other_names_hold_the_whole_group() -> None:
    found = other_names(representatives(edges(edge("pod:a-0", "workload:b"), edge("workload:b", "service:c"))))
    assert {name for names in found["names"].to_list() for name in names} == {"a-0", "b", "c"}
