"""The rule contract.

A rule is a pure function from frames to signals: no I/O, no clock, no collect(). The engine adds
rule and family, keeps what was seen inside the window, and turns an exception into a row that an
operator can see.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import polars as pl

from correlate.frames import Frames


class Detect(Protocol):
    """Turns frames into signals.

    MUST return a LazyFrame with exactly the columns of `correlate.signals.SIGNAL`; MUST give the
    same rows for the same frames in any row order; MUST NOT report anything seen before the
    window's start.
    """

    def __call__(self, frames: Frames) -> pl.LazyFrame:
        """Signals seen in `frames.window`."""
        ...


@dataclass(frozen=True, slots=True)
class Rule:
    """A named detector. `name` equals its module's name; `reads` lists the frames it needs.

    A rule that reads `metric_points` or `histogram_points` says in `metrics`, a regular expression, of which metrics
    ('' is all, which does not scale: points of a hundred thousand series are gigabytes).

    `family` groups evidence that is not independent (gpu, kubernetes, metric, trace, log,
    quality, change): calibration is per entity and family, and fusion takes a family's best.
    """

    name: str
    family: str
    reads: tuple[str, ...]
    detect: Detect
    metrics: str = ""


def named(metrics: Iterable[str]) -> str:
    """A regular expression that fits just these metrics, for `Rule.metrics`."""
    return f"^(?:{'|'.join(map(re.escape, metrics))})$"
