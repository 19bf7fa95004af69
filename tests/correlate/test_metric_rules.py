"""Metrics in general: shifted levels, error ratios, pods that take their node's CPU."""

from __future__ import annotations

from typing import Any

import polars as pl

from correlate.rules import cpu_hog, metric_errors, metric_shift
from tests.kit.levels import values
from tests.kit.telemetry import Metrics, facts, found, frames, onset_s, step


def noise(at: float) -> float:
    return (at * 7919 % 101) / 101 - 0.5


def test_levels_that_move_are_a_shift_both_ways() -> None:
    data = Metrics()
    for metric in ("queue", "waiting"):
        data.add(metric, lambda t: 100 + 5 * noise(t) + (900 if t >= 300 else 0), pod="up-0")
    for metric in ("throughput", "tokens", "batches", "power"):
        data.add(metric, lambda t: 100 + 5 * noise(t) - (95 if t >= 300 else 0), pod="down-0", unit="1")
    # Of an entity that is measured in many ways, a single small move is not yet a notable fact.
    data.add("queue", lambda t: 100 + 5 * noise(t) + (60 if t >= 300 else 0), pod="alone-0")
    for metric in ("requests", "errors", "latency", "threshold"):
        data.add(metric, lambda t: 100 + 5 * noise(t), pod="alone-0")
    data.add("queue", lambda t: 100 + 20 * noise(t), pod="noisy-0")
    data.add("queue", lambda t: 1000.0 if t == 300 else 100.0, pod="spike-0")
    seen = found(metric_shift.RULE, data.frames())
    assert facts(seen) == {("metric.shift", "pod", "up-0"), ("metric.shift", "pod", "down-0")}
    assert dict(seen.select("entity", "direction").rows()) == {"up-0": 1, "down-0": -1}


def test_rare_samples_stand_until_the_next_one() -> None:
    data = Metrics()
    data.add("latency", lambda t: 0.05 + 0.002 * noise(t) + (1.0 if t >= 300 else 0), service="far", every=300.0)
    seen = found(metric_shift.RULE, data.frames(start=0.0, end=900.0))
    assert facts(seen) == {("metric.shift", "service", "far")}
    assert 240 <= onset_s(seen, "metric.shift") <= 300


def test_a_share_of_successes_is_judged_by_its_failures() -> None:
    data = Metrics()
    data.add("availability", lambda t: 1.0 if t < 300 else 0.95, service="shop", unit="1", every=60.0)
    data.add("availability", lambda t: 1.0 if t < 300 else 0.9995, service="fine", unit="1", every=60.0)
    assert facts(found(metric_shift.RULE, data.frames())) == {("metric.shift", "service", "shop")}


def test_latency_of_no_requests_says_nothing() -> None:
    data = Metrics()
    data.add("requests.rate", lambda _: 0.0, pod="idle-0")
    data.add("requests.rate", lambda _: 5.0, pod="busy-0")
    for pod in ("idle-0", "busy-0"):
        data.add("latency.p99", lambda t: 0.05 + (20.0 if t >= 300 else 0), pod=pod)
    assert facts(found(metric_shift.RULE, data.frames())) == {("metric.shift", "pod", "busy-0")}


def test_an_earlier_fault_does_not_hide_the_next_one() -> None:
    data = Metrics()
    data.add("queue", lambda t: 100 + 5 * noise(t) + (900 if -1500 <= t < -1100 or t >= 300 else 0), pod="again-0")
    assert facts(found(metric_shift.RULE, data.frames())) == {("metric.shift", "pod", "again-0")}


def test_a_shift_has_one_onset_whichever_window_sees_it() -> None:
    data = Metrics()
    for metric in ("queue", "waiting"):
        data.add(metric, lambda t: 100 + 5 * noise(t) + (900 if t >= 300 else 0), pod="up-0", end=1800.0)
    first = found(metric_shift.RULE, data.frames(start=0.0, end=900.0))
    second = found(metric_shift.RULE, data.frames(start=900.0, end=1800.0))
    assert first["onset"].to_list() == second["onset"].to_list() != []


def test_a_counter_reset_is_no_shift() -> None:
    data = Metrics()
    for metric in ("work_total", "bytes_total", "calls_total"):
        data.add(metric, lambda t: (t + 7200) * 3 if t < 300 else (t - 290) * 3, kind="sum", pod="p-0")
    assert found(metric_shift.RULE, data.frames()).is_empty()


def test_series_as_values() -> None:
    data = Metrics()
    data.add("count", lambda t: 2 * t, start=0.0, end=121.0, every=60.0, kind="sum")
    data.add("level", lambda t: t, start=0.0, end=121.0, every=60.0)
    data.series.append({"series": 3, "metric": "took", "type": "histogram"})
    data.histograms += [
        {"series": 3, "time": t, "count": n, "sum": s}
        for t, n, s in ((0, 10.0, 5.0), (60, 20.0, 25.0), (120, 4.0, 1.0))
    ]
    given = data.frames()
    rows = values(given, given["metric_series"], "60s").collect()
    by = {key: rows.filter(pl.col("series") == key)["value"].to_list() for key in (1, 2, 3)}
    assert by == {1: [2.0, 2.0], 2: [0.0, 60.0, 120.0], 3: [2.0, 0.25]}


def requests(bad: float, status: str) -> Metrics:
    """Ten requests a second at an edge; after 300 s a share of them ends in `status`, in a series born then."""
    data = Metrics()
    edge: dict[str, Any] = {"kind": "sum", "service": "controller", "pod": "controller-0"}
    label = '{{"ingress":"edge","status":"{}"}}'
    data.add(
        "requests_total", lambda t: (t + 7200) * 10 - max(0.0, t - 300) * 10 * bad, labels=label.format("200"), **edge
    )
    data.add("requests_total", lambda t: (t - 300) * 10 * bad if t > 300 else None, labels=label.format(status), **edge)
    return data


def test_a_status_never_seen_before_counts_from_zero() -> None:
    seen = found(metric_errors.RULE, requests(0.5, "503").frames())
    assert facts(seen) == {("metric.errors", "ingress", "edge")}
    assert 240 <= onset_s(seen, "metric.errors") <= 360


def test_clients_that_ask_for_nonsense_and_rare_errors_are_not_ours() -> None:
    assert found(metric_errors.RULE, requests(0.5, "404").frames()).is_empty()
    assert found(metric_errors.RULE, requests(0.01, "503").frames()).is_empty()


def test_dns_success_is_no_error() -> None:
    data = Metrics()
    data.add("dns_responses_total", lambda t: (t + 7200) * 10, kind="sum", pod="dns-0", labels='{"rcode":"NOERROR"}')
    assert found(metric_errors.RULE, data.frames()).is_empty()


def test_a_pod_that_takes_the_cpu_is_named_and_a_shared_rise_is_not() -> None:
    data = Metrics()
    data.add("container.cpu.usage", lambda t: 50.0 if t >= 300 else None, node="n1", pod="batch-0", container="c")
    for node in ("n1", "n2"):
        for pod in ("a", "b", "c", "d"):
            usage = step(4.0, 8.0 if node == "n2" else 4.0)
            data.add("container.cpu.usage", usage, node=node, pod=f"{node}-{pod}", container="c")
    assert facts(found(cpu_hog.RULE, data.frames())) == {("pod.cpu_hog", "pod", "batch-0")}


def test_rules_stand_empty_frames() -> None:
    for rule in (metric_shift.RULE, metric_errors.RULE, cpu_hog.RULE):
        assert found(rule, frames()).is_empty()
