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
