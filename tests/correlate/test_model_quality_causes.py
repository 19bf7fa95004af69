"""Causes of bad answers: drift and data quality, guardrails, swapped models, slices, retries."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from correlate.rules import drift_measures, evaluation_slices, guardrail_wave, model_swap, trace_retries
from tests.kit.telemetry import Metrics, Row, facts, found, frames, step


@pytest.mark.parametrize(
    ("metric", "labels", "before", "after", "kind"),
    [
        ("data_drift", '{"method":"ks_p_value","feature":"f"}', 0.6, 0.001, "quality.drift"),
        ("feature_drift_ks", '{"feature":"f"}', 0.03, 0.3, "quality.drift"),
        ("model.input.drift", '{"method":"jensen_shannon","feature":"f"}', 0.02, 0.4, "quality.drift"),
        ("nannyml.hellinger", '{"feature":"f"}', 0.02, 0.4, "quality.drift"),
        ("feature_missing_rate", '{"feature":"f"}', 0.01, 0.5, "data.missing"),
        ("dataset_unseen_values_rate", '{"column":"f"}', 0.0, 0.3, "data.invalid"),
        ("training_data.label_flip_ratio", '{"feature":"f"}', 0.0, 0.1, "data.integrity"),
    ],
)
def test_a_measure_gets_worse_in_its_own_direction(
    metric: str, labels: str, before: float, after: float, kind: str
) -> None:
    data = Metrics()
    data.add(metric, step(before, after), labels=labels)
    # What has always been so, and what gets better.
    other = labels.replace('"f"', '"g"')
    data.add(metric, lambda _: after, labels=other)
    data.add(metric, step(after, before), labels=labels.replace('"f"', '"h"'))
    assert facts(found(drift_measures.RULE, data.frames())) == {(kind, "feature", "f")}


def test_something_missing_elsewhere_is_no_data_quality() -> None:
    data = Metrics()
    data.add("cache_missing_rate", step(0.0, 0.5), service="s")
    assert found(drift_measures.RULE, data.frames()).is_empty()


def test_a_wave_of_blocked_requests() -> None:
    data = Metrics()
    for service, per_s in (("rag", 2.0), ("well", 0.11)):
        data.add(
            "guardrail.decisions", lambda t: t + 9000.0, kind="sum", service=service, labels='{"decision":"allow"}'
        )
        data.add(
            "guardrail.decisions",
            lambda t, per_s=per_s: 0.1 * (t + 9000) + max(0.0, t - 300) * (per_s - 0.1),  # type: ignore[misc]
            kind="sum",
            service=service,
            labels='{"decision":"block"}',
        )
    assert facts(found(guardrail_wave.RULE, data.frames())) == {("security.guardrail_wave", "service", "rag")}


def test_a_wave_is_seen_in_spans_as_well() -> None:
    def decided(service: str, share: Callable[[float], float]) -> list[Row]:
        times = range(-7200, 900, 3)
        return [
            {"time": t, "service": service, "decision": "block" if (n % 20) / 20 < share(t) else "allow"}
            for n, t in enumerate(times)
        ]

    rows = [*decided("rag", lambda t: 0.8 if t >= 300 else 0.05), *decided("strict", lambda _: 0.8)]
    assert facts(found(guardrail_wave.RULE, frames(gen_ai_calls=rows))) == {
        ("security.guardrail_wave", "service", "rag")
    }


def test_another_model_answers() -> None:
    def answers(model: str, who: Callable[[float], str]) -> list[Row]:
        return [{"time": t, "model": model, "response_model": who(t)} for t in range(-7200, 900, 30)]

    rows = [
        *answers("gpt", lambda t: "gpt-0613" if t < 100 else "gpt-mini"),
        *answers("same", lambda _: "same-1"),
        *answers("mixed", lambda t: f"mixed-{int(t) // 30 % 2}"),
        *answers("fallback", lambda t: "small" if t == 300 else "large"),
    ]
    assert facts(found(model_swap.RULE, frames(gen_ai_calls=rows))) == {("change.model", "model", "gpt")}


def sliced(low: Callable[[float, dict[str, object]], bool]) -> tuple[list[Row], list[Row]]:
    evaluations: list[Row] = []
    calls: list[Row] = []
    for n, t in enumerate(range(-7200, 900, 30)):
        call: Row = {
            "time": t,
            "trace_id": str(t),
            "model": "m",
            "pod": f"p-{n % 4}",
            "node": f"n{n % 4 // 2}",
            "route": f"/r{n % 3}",
            "input_tokens": 30_000.0 if n % 5 < 2 else 500.0,
        }
        score = 0.3 if low(t, call) else 0.9 + 0.02 * (n % 3 - 1)
        calls.append(call)
        evaluations.append({"time": t, "name": "Faithfulness", "model": "m", "score": score, "trace_id": str(t)})
    return evaluations, calls


@pytest.mark.parametrize(
    ("low", "fact", "words"),
    [
        (lambda t, call: t >= 0 and call["node"] == "n1", ("quality.node", "node", "n1"), "n1"),
        (lambda t, call: t >= 0 and call["route"] == "/r2", ("quality.subset", "model", "m"), "route /r2"),
        (
            lambda t, call: t >= 0 and call["input_tokens"] > 1000,
            ("quality.subset", "model", "m"),
            "context 16k to 64k tokens",
        ),
    ],
)
def test_a_subset_of_the_answers_is_worse(
    low: Callable[[float, dict[str, object]], bool], fact: tuple[str, str, str], words: str
) -> None:
    evaluations, calls = sliced(low)
    seen = found(evaluation_slices.RULE, frames(evaluations=evaluations, gen_ai_calls=calls))
    assert facts(seen) == {fact}
    assert words in seen["explanation"][0]


def test_answers_that_are_worse_everywhere_have_no_slice() -> None:
    evaluations, calls = sliced(lambda t, _: t >= 0)
    assert found(evaluation_slices.RULE, frames(evaluations=evaluations, gen_ai_calls=calls)).is_empty()


def test_one_replica_is_not_its_node() -> None:
    evaluations, calls = sliced(lambda t, call: t >= 0 and call["pod"] == "p-3")
    alone = [call | {"node": f"own-{call['pod']}"} for call in calls]
    assert found(evaluation_slices.RULE, frames(evaluations=evaluations, gen_ai_calls=alone)).is_empty()


def called(attempts: Callable[[float], int], failing: bool) -> list[Row]:
    rows = []
    for n, t in enumerate(range(-1800, 900, 2)):
        tries = attempts(t)
        rows += [
            {
                "time": t,
                "trace_id": str(t),
                "span_id": f"{n}-{k}",
                "parent_id": "root",
                "service": "web",
                "kind": "Client",
                "name": "GET",
                "peer": "stock.svc",
                "error": failing and k < tries - 1,
            }
            for k in range(tries)
        ]
    return rows


def test_retries_accuse_what_they_hit() -> None:
    seen = found(trace_retries.RULE, frames(spans=called(lambda t: 3 if t >= 300 else 1, failing=True)))
    assert facts(seen) == {("trace.retries", "service", "stock")}


def test_loops_and_usual_retries_are_none() -> None:
    assert found(trace_retries.RULE, frames(spans=called(lambda t: 3 if t >= 300 else 1, failing=False))).is_empty()
    assert found(trace_retries.RULE, frames(spans=called(lambda _: 3, failing=True))).is_empty()
