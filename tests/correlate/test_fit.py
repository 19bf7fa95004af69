"""Which change fits: shared words and time, not recency."""

from __future__ import annotations

import json
from typing import Any

import polars as pl

from correlate.fit import with_fit
from correlate.kinds import with_facts
from tests.kit.causal import signal, signals

SYMPTOM = signal(
    "log.burst", "log", "service:gateway", 0, lasts=300, explanation="jwt validation failed: token is expired"
)


def deploy(name: str, words: str, at: float = -300) -> dict[str, Any]:
    evidence = json.dumps({"words": words})
    return signal("change.deploy", "change", f"deployment_change:{name}", at, score=5.0, evidence=evidence)


def fits(*changes: dict[str, Any]) -> dict[str, float]:
    members = with_facts(signals(SYMPTOM, *changes)).with_columns(component=pl.lit("c"))
    return dict(with_fit(members).select("entity", "fit").rows())


def test_the_change_that_touched_what_fails_fits_and_the_latest_does_not() -> None:
    got = fits(
        deploy("right", "refactor(auth): simplify jwt expiry validation in token verifier", -900),
        deploy("recent", "fix(order): correct tax rounding", -60),
    )
    assert got["right"] > 1 > got["recent"]
    assert got["gateway"] == 1.0


def test_the_name_of_the_service_is_no_fit() -> None:
    assert fits(deploy("same", "tidy gateway gateway middleware"))["same"] < 1


def test_what_came_after_the_first_symptom_did_not_cause_it() -> None:
    assert fits(deploy("late", "validation of the expired token", 120))["late"] < 0.1


def test_a_mechanism_in_common_is_a_fit_and_what_rules_it_out_is_none() -> None:
    grows = "record scores src/history.go\n+\tscoreLog = append(scoreLog, record)"
    bounded = "prefetch items src/prefetch.go\n+\tvar recent = lru.New(256)\n+\trecent.Add(item)"
    oom = signal("pod.oom_killed", "kubernetes", "service:gateway", 0, explanation="OOMKilled: exceeded memory limit")
    members = with_facts(signals(oom, deploy("grows", grows), deploy("bounded", bounded))).with_columns(
        component=pl.lit("c")
    )
    got = dict(with_fit(members).select("entity", "fit").rows())
    assert got["grows"] > 1 > got["bounded"]


def test_lines_about_another_system_are_no_words_for_a_change() -> None:
    blames = signal("log.burst", "log", "service:gateway", 0, explanation="POST https://api.pay.com/x returned 503")
    members = with_facts(signals(blames, deploy("tuned", "tune the charge post of the pay api"))).with_columns(
        component=pl.lit("c")
    )
    assert dict(with_fit(members).select("entity", "fit").rows())["tuned"] < 1


def test_a_commit_that_fits_nothing_is_next_to_no_candidate() -> None:
    evidence = json.dumps({"words": "golden files for invoice rendering"})
    commit = signal("change.commit", "change", "commit:abc", -60, score=5.0, evidence=evidence)
    assert fits(commit)["abc"] < 0.05
