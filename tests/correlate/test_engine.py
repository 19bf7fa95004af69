"""One pass: what rules see, what is kept, and what a broken rule costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from correlate.engine import Detection, run
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.settings import CorrelateSettings
from correlate.signals import SIGNAL
from store import Window
from tests.kit.causal import nanos, signal
from tests.kit.telemetry import Metrics

READS = ("metric_series", "metric_points")
FRAMES = Frames(Window(nanos(0), nanos(900)), nanos(-3600))


def reporting(*rows: dict[str, Any], name: str = "always") -> Rule:
    def detect(frames: Frames) -> pl.LazyFrame:
        del frames
        raw = SIGNAL | dict.fromkeys(["seen", "onset", "until"], pl.Int64())
        times = pl.col("seen", "onset", "until").cast(pl.Datetime("ns", "UTC"))
        return (
            pl.DataFrame([{k: row[k] for k in SIGNAL} for row in rows], schema=raw, orient="row")
            .lazy()
            .with_columns(times)
        )

    return Rule(name, "metric", (), detect)


def broken(error: Exception) -> Rule:
    def detect(frames: Frames) -> pl.LazyFrame:
        raise error

    return Rule("broken", "metric", (), detect)


def judged(*rules: Rule) -> Detection:
    return run(FRAMES, "default", CorrelateSettings(), rules)


def test_a_broken_rule_costs_only_its_own_signals() -> None:
    for error in (KeyError("x"), ValueError("x"), pl.exceptions.ColumnNotFoundError("x"), ZeroDivisionError()):
        found = judged(broken(error), reporting(signal("metric.shift", "metric", "service:a", 10)))
        assert found.signals["entity"].to_list() == ["a"]
        assert [f.rule for f in found.failures] == ["broken"]


def test_a_rule_that_returns_the_wrong_columns_is_a_failed_rule() -> None:
    wrong = Rule("wrong", "metric", (), lambda frames: pl.LazyFrame({"kind": ["x"]}))
    assert [f.rule for f in judged(wrong).failures] == ["wrong"]


def test_only_what_was_seen_in_the_window_is_kept() -> None:
    rows = [
        signal("metric.shift", "metric", f"service:{name}", at)
        for name, at in (("before", -1), ("in", 0), ("after", 900))
    ]
    assert judged(reporting(*rows)).signals["entity"].to_list() == ["in"]


def test_an_onset_before_the_window_is_fine() -> None:
    late = signal("nccl.watchdog", "log", "job:train", 100) | {"onset": nanos(-500)}
    assert judged(reporting(late)).signals.height == 1


def test_weak_and_nameless_signals_are_dropped() -> None:
    weak = signal("metric.shift", "metric", "service:a", 10, score=2.9)
    nameless = signal("metric.shift", "metric", "service:", 10)
    assert judged(reporting(weak, nameless)).signals.is_empty()


def test_ids_depend_on_what_the_signal_is_and_not_on_the_pass() -> None:
    row = signal("metric.shift", "metric", "service:a", 10)
    first = judged(reporting(row, row | {"score": 9.0}))
    assert first.signals.height == 1
    assert first.signals["score"][0] == 9.0
    other = judged(reporting(row | {"entity": "b"}))
    assert other.signals["id"][0] != first.signals["id"][0]
    assert judged(reporting(row)).signals["id"][0] == first.signals["id"][0]


def test_no_rules_no_signals() -> None:
    assert judged().signals.is_empty()


def test_a_panic_of_the_streaming_engine_gets_a_second_try(monkeypatch: pytest.MonkeyPatch) -> None:
    collect_all, engines = pl.collect_all, []

    def panicking(plans: list[pl.LazyFrame], **options: Any) -> list[pl.DataFrame]:
        engines.append(options.get("engine"))
        if "engine" not in options:
            raise pl.exceptions.PanicException("assertion failed")
        frames: list[pl.DataFrame] = collect_all(plans, **options)
        return frames

    monkeypatch.setattr(pl, "collect_all", panicking)
    found = judged(reporting(signal("metric.shift", "metric", "service:a", 10)))
    assert found.signals["entity"].to_list() == ["a"]
    assert not found.failures
    assert engines == [None, "in-memory"] * 3


@pytest.mark.parametrize(("metric", "asked"), [("DCGM_FI_DEV_GPU_TEMP", True), ("container_cpu", False)])
def test_a_rule_about_metrics_that_nobody_sends_is_not_asked(metric: str, *, asked: bool) -> None:
    told = Metrics()
    told.add(metric, lambda _: 1.0)
    rule = replace(reporting(signal("xid.79", "gpu", "gpu:GPU-1", 60, score=9.0)), reads=READS, metrics="^DCGM_")
    assert bool(run(told.frames(), "default", CorrelateSettings(), (rule,)).signals.height) is asked
