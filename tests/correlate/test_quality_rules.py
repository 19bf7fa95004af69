"""Quality: evaluation scores and drift, with their direction, sample size and slices."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
import pytest

from correlate.evaluators import direction
from correlate.frames import Frames
from correlate.rules import evaluation_drop, quality_metric_drop
from tests.kit.telemetry import Metrics, facts, found, frames


def wobble(at: float) -> float:
    return 0.02 * ((at // 60) % 3 - 1)


def evaluated(
    score: Callable[[float], float],
    name: str = "Faithfulness",
    served: Callable[[float], tuple[str, str]] | None = None,
) -> Frames:
    """One evaluation a minute of model m; `served` says which version and pod answered."""
    times = range(-7200, 900, 60)
    rows = [{"time": t, "name": name, "model": "m", "score": score(t) + wobble(t), "trace_id": str(t)} for t in times]
    spans = []
    for t in times if served else ():
        version, pod = served(t) if served else ("", "")
        spans.append(
            {
                "time": t,
                "trace_id": str(t),
                "kind": "Server",
                "model": "m",
                "version": version,
                "pod": pod,
                "workload": "w",
            }
        )
    return frames(evaluations=rows, spans=spans)


def test_scores_that_fall_are_a_drop() -> None:
    seen = found(evaluation_drop.RULE, evaluated(lambda t: 0.9 if t < 200 else 0.5))
    assert facts(seen) == {("quality.drop", "model", "m")}


def test_one_bad_answer_is_no_drop() -> None:
    assert found(evaluation_drop.RULE, evaluated(lambda t: 0.1 if t == 300 else 0.9)).is_empty()


def test_a_rise_is_bad_where_lower_is_better() -> None:
    def rising(t: float) -> float:
        return 0.1 if t < 200 else 0.5

    assert facts(found(evaluation_drop.RULE, evaluated(rising, "Hallucination"))) == {("quality.drop", "model", "m")}
    assert found(evaluation_drop.RULE, evaluated(rising, "Correctness")).is_empty()


def test_labels_count_where_no_score_is_given() -> None:
    rows = [
        {"time": t, "name": "Correct", "model": "m", "score": None, "label": "pass" if t < 200 else "fail"}
        for t in range(-7200, 900, 60)
    ]
    assert facts(found(evaluation_drop.RULE, frames(evaluations=rows))) == {("quality.drop", "model", "m")}


def test_a_version_that_alone_is_worse_is_named() -> None:
    def served(t: float) -> tuple[str, str]:
        new = t >= 200 and (t // 60) % 2 == 0
        return ("2", "w-b-1") if new else ("1", "w-a-1")

    seen = found(evaluation_drop.RULE, evaluated(lambda t: 0.4 if served(t)[0] == "2" else 0.9, served=served))
    assert ("quality.version", "workload", "w") in facts(seen)


def test_a_drop_that_all_share_blames_no_slice() -> None:
    def served(t: float) -> tuple[str, str]:
        return ("1", f"w-a-{(t // 60) % 2:.0f}")

    seen = found(evaluation_drop.RULE, evaluated(lambda t: 0.9 if t < 200 else 0.4, served=served))
    assert facts(seen) == {("quality.drop", "model", "m")}


def test_gauges_of_quality_and_drift() -> None:
    data = Metrics()
    data.add("model.quality.score", lambda t: 0.9 + wobble(t) - (0.3 if t >= 200 else 0), model="m")
    data.add("model.quality.score", lambda t: 0.9 + wobble(t), model="fine")
    data.add(
        "feature_drift_psi", lambda t: 0.3 if t >= 200 else 0.04, model="m", labels='{"feature":"query_embedding"}'
    )
    data.add("feature_drift_psi", lambda t: 0.05 if t >= 200 else 0.02, model="m", labels='{"feature":"locale"}')
    seen = found(quality_metric_drop.RULE, data.frames())
    assert facts(seen) == {("quality.drop", "model", "m"), ("quality.drift", "feature", "query_embedding")}


@pytest.mark.parametrize(
    ("name", "way"),
    [
        ("Faithfulness", 1),
        ("correctness", 1),
        ("HallucinationMetric", -1),
        ("toxicity", -1),
        ("ks_p_value", 1),
        ("wer", -1),
    ],
)
def test_direction_of_evaluators(name: str, way: int) -> None:
    assert pl.select(direction(pl.lit(name))).item() == way
