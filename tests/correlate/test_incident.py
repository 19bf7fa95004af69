"""Incidents: the right root on top, the same answer whatever the order, unrelated faults apart."""

from __future__ import annotations

import json
from typing import Any

import polars as pl
import pytest

from correlate.incident import assemble
from correlate.settings import CorrelateSettings
from tests.kit.causal import GPU_STORY, SERVING, edge, edges, entities, nanos, signal, signals

SETTINGS = CorrelateSettings()
NAMES = entities(gpu__GPU_1=["n1/gpu0"])


def incidents(
    *rows: dict[str, Any], topology: tuple[dict[str, Any], ...] = SERVING, now: float = 7200.0
) -> pl.DataFrame:
    return assemble(signals(*rows), NAMES, edges(*topology), nanos(now), "default", SETTINGS).incidents


def roots(row: dict[str, Any]) -> list[str]:
    return [cause["entity"]["name"] for cause in json.loads(row["root_causes"])]


def test_the_failed_gpu_is_the_root_of_all_that_followed() -> None:
    found = incidents(*GPU_STORY)
    assert found.height == 1
    row = found.row(0, named=True)
    assert roots(row)[0] == "GPU-1"
    assert row["severity"] == "critical"
    assert row["state"] == "resolved"
    assert {e["name"] for e in json.loads(row["blast_radius"])} == {"phi-0", "phi", "gateway", "phi-4", "n1"}
    assert json.loads(row["root_causes"])[0]["terms"]["explained_by"] is None
    assert json.loads(row["root_causes"])[1]["terms"]["explained_by"].startswith("gpu:")


def test_each_entity_plays_one_part_and_the_critical_failure_is_where_the_cause_shows() -> None:
    graph = json.loads(incidents(*GPU_STORY).row(0, named=True)["graph"])
    parts = {node["name"]: node["part"] for node in graph["nodes"]}
    assert parts["GPU-1"] == "root_cause"
    assert parts["phi-0"] == "critical_failure"
    assert {parts["gateway"], parts["phi-4"]} == {"impact"}


def test_a_score_is_the_sum_of_what_speaks_for_and_against_it() -> None:
    for cause in json.loads(incidents(*GPU_STORY).row(0, named=True)["root_causes"]):
        terms = cause["terms"]
        assert sum(terms["sum"].values()) == pytest.approx(terms["logit"], abs=1e-3)
        assert terms["fit"] == 1.0


def test_a_commit_that_a_deployment_ships_as_its_own_is_no_second_candidate() -> None:
    words = json.dumps({"revision": "7dacc6c8", "words": "simplify phi sampling temperature"})
    deploy = signal("change.deploy", "change", "deployment_change:phi-v2", -60, score=5.0, evidence=words)
    commit = signal("change.commit", "change", "commit:7dacc6c8", -120, score=5.0, evidence=words)
    ships = edge("commit:7dacc6c8", "service:phi", "ships")
    changes = edge("deployment_change:phi-v2", "service:phi", "changes")
    found = incidents(*GPU_STORY[2:], deploy, commit, topology=(*SERVING, ships, changes))
    assert "phi-v2" in roots(found.row(0, named=True))
    assert "7dacc6c8" not in roots(found.row(0, named=True))


def test_confidences_leave_room_for_unknown() -> None:
    causes = json.loads(incidents(*GPU_STORY).row(0, named=True)["root_causes"])
    assert 0.5 < causes[0]["score"] < 1
    assert sum(cause["score"] for cause in causes) < 1


def test_an_innocent_deploy_is_context_and_not_the_cause() -> None:
    deploy = signal("change.rollout", "change", "workload:phi-w", -60, score=5.0, severity="info")
    found = incidents(*GPU_STORY, deploy)
    assert found.height == 1
    assert roots(found.row(0, named=True))[0] == "GPU-1"


def test_unrelated_faults_stay_apart() -> None:
    other = signal("pod.crash_loop", "kubernetes", "pod:weaviate-0", 20, score=9.0)
    found = incidents(*GPU_STORY, other)
    assert sorted(roots(row)[0] for row in found.iter_rows(named=True)) == ["GPU-1", "weaviate-0"]


def worse_replica(model: str) -> pl.DataFrame:
    """One replica of phi answers badly, and the scores of a model fall."""
    return incidents(
        signal("quality.replica", "quality", "pod:phi-0", 0, lasts=900, score=7.0),
        signal("quality.drop", "quality", f"model:{model}", 30, lasts=900, score=8.0),
    )


def test_a_replica_that_answers_badly_explains_why_its_models_scores_fall() -> None:
    found = worse_replica("phi-4")
    assert found.height == 1
    assert roots(found.row(0, named=True))[0] == "phi-0"


def test_a_bad_replica_says_nothing_about_a_model_that_it_does_not_serve() -> None:
    assert worse_replica("mistral").height == 2


def test_a_weak_lonely_signal_opens_nothing() -> None:
    assert incidents(signal("metric.shift", "metric", "service:phi", 0, score=3.5)).is_empty()


def test_an_incident_is_open_until_it_has_been_quiet() -> None:
    assert incidents(*GPU_STORY, now=500).row(0, named=True)["state"] == "open"
    assert incidents(*GPU_STORY, now=500).row(0, named=True)["ended_at"] is None
    closed = incidents(*GPU_STORY, now=1200).row(0, named=True)
    assert closed["state"] == "resolved"
    assert closed["ended_at"] is not None


def test_a_callee_explains_its_callers() -> None:
    chain = [edge(f"service:s{i}", f"service:s{i + 1}", "calls") for i in range(4)]
    rows = [signal("trace.self_time", "trace", "service:s0", 0, lasts=120, score=7.0)]
    rows += [signal("trace.errors", "trace", f"service:s{i}", 0, lasts=120, score=7.5) for i in range(1, 5)]
    found = incidents(*rows, topology=tuple(chain))
    assert roots(found.row(0, named=True))[0] == "s0"


def test_a_service_and_its_only_pod_do_not_compete() -> None:
    topology = (edge("pod:cart-0", "workload:cart"), edge("workload:cart", "service:cart"))
    rows = [
        signal("pod.oom_killed", "kubernetes", "pod:cart-0", 0, score=9.0),
        signal("trace.errors", "trace", "service:cart", 10, lasts=60, score=8.0),
    ]
    row = incidents(*rows, topology=topology).row(0, named=True)
    causes = json.loads(row["root_causes"])
    assert len(causes) == 1
    assert "cart-0" in [causes[0]["entity"]["name"], *causes[0]["entity"]["aliases"]]


@pytest.mark.parametrize("seed", range(5))
def test_order_and_duplicates_change_nothing(seed: int) -> None:
    rows, topology = signals(*GPU_STORY), edges(*SERVING)
    once = assemble(rows, NAMES, topology, nanos(7200), "default", SETTINGS)
    again = assemble(
        pl.concat([rows, rows]).sample(fraction=1.0, shuffle=True, seed=seed),
        NAMES,
        pl.concat([topology, topology]).sample(fraction=1.0, shuffle=True, seed=seed),
        nanos(7200),
        "default",
        SETTINGS,
    )
    assert again.incidents.equals(once.incidents)


def test_renaming_entities_renames_the_answer_and_nothing_else() -> None:
    def renamed(text: str) -> str:
        kind, name = text.split(":", 1)
        return f"{kind}:zz-{name}"

    rows = [row | {"entity": f"zz-{row['entity']}"} for row in GPU_STORY]
    topology = [e | {"src": f"zz-{e['src']}", "dst": f"zz-{e['dst']}"} for e in SERVING]
    before = json.loads(incidents(*GPU_STORY).row(0, named=True)["root_causes"])
    after = json.loads(incidents(*rows, topology=tuple(topology)).row(0, named=True)["root_causes"])
    assert [renamed("x:" + c["entity"]["name"]) for c in before] == ["x:" + c["entity"]["name"] for c in after]
    assert [c["score"] for c in before] == [c["score"] for c in after]


def test_nothing_in_nothing_out() -> None:
    assert incidents().is_empty()


def test_what_began_before_and_is_not_explained_makes_no_cause_late() -> None:
    noise = signal("metric.shift", "metric", "service:other", -400, lasts=900, score=4.0)
    calls = (edge("service:phi", "service:gateway", "calls"), edge("service:other", "service:gateway", "calls"))
    slow = signal("trace.self_time", "trace", "service:phi", 0, lasts=300, score=6.0)
    felt = signal("trace.errors", "trace", "service:gateway", 10, lasts=300, score=6.0)
    found = incidents(noise, slow, felt, topology=calls)
    late = {
        cause["entity"]["name"]: cause["terms"]["late_s"]
        for row in found.iter_rows(named=True)
        for cause in json.loads(row["root_causes"])
    }
    assert late["phi"] == 0


def test_what_callers_measure_at_an_address_is_the_service_that_answers_there() -> None:
    calls = (
        edge("service:search", "service:front", "calls"),
        edge("service:search.eu-1.lb.example.com", "service:front", "calls"),
    )
    rows = [
        signal("metric.shift", "metric", "service:search", 0, lasts=300, score=5.5),
        signal("metric.shift", "metric", "service:search.eu-1.lb.example.com", 0, lasts=300, score=6.0),
        signal("trace.errors", "trace", "service:front", 10, lasts=300, score=6.0),
    ]
    assert roots(incidents(*rows, topology=calls).row(0, named=True))[0] == "search"
