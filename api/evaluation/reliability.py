"""Whether a confidence of 0.8 means right four times in five.

Compared are the first cause's confidence and whether it was right, over the faults that have an incident. ECE is the
mean distance between confidence and frequency, weighted by how many answers a bin has; Brier the mean squared
distance between confidence and 0 or 1. Source: https://arxiv.org/abs/1706.04599
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from correlate.confidence import Sigmoid, fit

Json = dict[str, Any]
BINS = 10


@dataclass(frozen=True, slots=True)
class Answer:
    """A first cause: its dataset, its confidence as shown and before calibration, and whether it was right."""

    dataset: str
    shown: float
    raw: float
    right: bool


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers with a confidence in [low, high): how many, their mean confidence, how often they were right."""

    low: float
    high: float
    answers: int
    confidence: float
    frequency: float


@dataclass(frozen=True, slots=True)
class Reliability:
    """A reliability curve and its two figures, 0 best; None without answers."""

    name: str
    answers: int
    right: int
    ece: float | None
    brier: float | None
    bins: tuple[Bin, ...]


def answers(result: Json) -> list[Answer]:
    """The answers in one dataset's result (`run.evaluated`)."""
    return [
        Answer(result["dataset"], verdict["confidence"], verdict["raw"], verdict["rank"] == 1)
        for verdict in result["score"]["verdicts"]
        if verdict["confidence"] is not None
    ]


def reliability(name: str, confidences: Sequence[float], right: Sequence[bool]) -> Reliability:
    """The curve of confidences against what was right."""
    pairs = list(zip(confidences, right, strict=True))
    if not pairs:
        return Reliability(name, 0, 0, None, None, ())
    held: dict[int, list[tuple[float, bool]]] = {}
    for confidence, good in pairs:
        held.setdefault(min(int(confidence * BINS), BINS - 1), []).append((confidence, good))
    bins = tuple(
        Bin(n / BINS, (n + 1) / BINS, len(own), statistics.mean(c for c, _ in own), statistics.mean(g for _, g in own))
        for n, own in sorted(held.items())
    )
    ece = sum(b.answers * abs(b.confidence - b.frequency) for b in bins) / len(pairs)
    brier = statistics.mean((confidence - good) ** 2 for confidence, good in pairs)
    return Reliability(name, len(pairs), sum(right), ece, brier, bins)


def left_out(found: Sequence[Answer]) -> list[float]:
    """Each answer's confidence after a fit to the answers of all other datasets: what a new system would see."""
    by_set = {
        name: fit([a.raw for a in found if a.dataset != name], [a.right for a in found if a.dataset != name])
        for name in {answer.dataset for answer in found}
    }
    return [by_set[answer.dataset].of(answer.raw) for answer in found]


def summary(found: Sequence[Answer]) -> Json:
    """Curves as shown, before calibration, and fitted with each dataset left out; and the sigmoid that fits all."""
    right = [answer.right for answer in found]
    best = fit([answer.raw for answer in found], right)
    curves = [
        reliability("shown", [answer.shown for answer in found], right),
        reliability("uncalibrated", [answer.raw for answer in found], right),
        reliability("fitted to all", [best.of(answer.raw) for answer in found], right),
    ]
    if len({answer.dataset for answer in found}) > 1:
        curves.append(reliability("fitted to the other sets", left_out(found), right))
    return {"curves": [asdict(curve) for curve in curves], "fit": _constants(best, found)}


def _constants(best: Sigmoid, found: Sequence[Answer]) -> Json:
    return {
        "slope": round(best.slope, 4),
        "intercept": round(best.intercept, 4),
        "answers": len(found),
        "right": sum(answer.right for answer in found),
        "datasets": sorted({answer.dataset for answer in found}),
    }
