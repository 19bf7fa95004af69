"""A policy in force: which rules run, and what becomes of their signals."""

from __future__ import annotations

import logging
import threading
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from correlate.errors import PolicyError
from correlate.policy.files import Policy, files_of, read
from correlate.policy.models import Override
from correlate.policy.site_rules import compiled
from correlate.rule import Rule

log = logging.getLogger(__name__)
_Stamp = tuple[tuple[str, int, int], ...]


def rules_in_force(policy: Policy, built_in: Sequence[Rule]) -> tuple[Rule, ...]:
    """Built-in and site rules but for those that are disabled, in order."""
    every = (*built_in, *(compiled(rule) for rule in policy.rules))
    return tuple(rule for rule in every if rule.name not in policy.disabled)


def applied(policy: Policy, signals: pl.DataFrame) -> pl.DataFrame:
    """The signals with overrides applied in their order; severities of site rules are what they say."""
    severities = {rule.name: rule.severity for rule in policy.rules if rule.severity}
    if severities:
        said = pl.col("rule").replace_strict(severities, default=None, return_dtype=pl.String)
        signals = signals.with_columns(severity=pl.coalesce(said, "severity"))
    for override in policy.overrides:
        fits = _fits(override)
        if override.drop:
            signals = signals.filter(~fits)
            continue
        score = pl.col("score") * override.weight if override.weight is not None else pl.col("score")
        score = pl.lit(override.score) if override.score is not None else score.clip(0.0, 10.0)
        signals = signals.with_columns(score=pl.when(fits).then(score).otherwise("score"))
        if override.severity:
            signals = signals.with_columns(severity=pl.when(fits).then(pl.lit(override.severity)).otherwise("severity"))
        if override.least_score is not None:
            signals = signals.filter(~fits | (pl.col("score") >= override.least_score))
    return signals


def _fits(override: Override) -> pl.Expr:
    parts = [pl.lit(value=True)]
    if override.kind is not None:
        # `*` stands for anything; the rest is the kind's own text.
        pattern = "^" + override.kind.replace(".", r"\.").replace("*", ".*") + "$"
        parts.append(pl.col("kind").str.contains(pattern))
    if override.rule is not None:
        parts.append(pl.col("rule") == override.rule)
    if override.entity is not None:
        parts.append(pl.col("entity").str.contains(override.entity))
    return pl.all_horizontal(parts)


class PolicyKeeper:
    """The policy of a file or folder, read again when it changed.

    A file that became wrong changes nothing: the last good policy stays, and `complaint` says why.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._stamp: _Stamp | None = None
        self._policy = Policy()
        self.complaint = ""

    def current(self, path: Path | None) -> Policy:
        """The policy now. Raises PolicyError only when there never was a good one."""
        if path is None:
            return Policy()
        with self._lock:
            fresh = path != self._path
            try:
                files = files_of(path)
                stamp = tuple((str(f), f.stat().st_mtime_ns, f.stat().st_size) for f in files)
                if fresh or stamp != self._stamp:
                    self._stamp = stamp
                    self._policy = read(files)
                    self.complaint = ""
                self._path = path
            except (PolicyError, OSError) as error:
                if fresh:
                    raise
                if str(error) != self.complaint:
                    log.warning("the policy stays as it was: %s", error)
                self.complaint = str(error)
            return self._policy


keeper = PolicyKeeper()
"""The process's policy."""
