"""One pass: load a window's frames, run the rules, and hand back their signals.

The only place besides store.scan that collects. A rule that fails costs its own signals and
leaves a failure row; every other rule's result stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from correlate import topology
from correlate.errors import RuleError
from correlate.frames import FRAMES, Frames, load
from correlate.policy.files import Policy
from correlate.policy.force import applied, keeper, rules_in_force
from correlate.resolve import resolved
from correlate.rule import Rule
from correlate.rules import RULES
from correlate.settings import CorrelateSettings
from correlate.sightings import sightings
from correlate.signals import SIGNAL, with_ids
from store import Store, Window

NO_POLICY = Policy()
POINTS = frozenset({"metric_points", "histogram_points"})
# What expressions over telemetry can raise: polars' own errors and the ordinary mistakes of Python code.
FAULTS = (
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
    ArithmeticError,
    AttributeError,
    LookupError,
    RuntimeError,
    TypeError,
    ValueError,
)


_METRICS = {"metric_series", *POINTS}


@dataclass(frozen=True, slots=True)
class Detection:
    """What one pass found.

    `signals` has the SIGNAL columns plus `id`, `rule` and `family`; `entities` and `edges` are
    the topology seen in the frames; `failures` names the rules that raised,
    `policy` is the version of the policy in force; of many traces one in `traces_one_in` was looked at.
    """

    window: Window
    signals: pl.DataFrame
    entities: pl.DataFrame
    edges: pl.DataFrame
    failures: tuple[RuleError, ...]
    policy: str = ""
    traces_one_in: int = 1


def detect(
    store: Store, tenant: str, window: Window, settings: CorrelateSettings, rules: Sequence[Rule] = RULES
) -> Detection:
    """Run `rules`, and those of the policy, over one window of a tenant's telemetry and the history before it."""
    policy = keeper.current(settings.policy)
    rules = rules_in_force(policy, rules)
    needed = [name for name in FRAMES if name in topology.READS or any(name in rule.reads for rule in rules)]
    frames = load(
        store,
        tenant,
        window,
        settings.history_s,
        needed,
        metrics=metrics_read(rules),
        shards=settings.series_shards,
        max_spans=settings.max_spans,
    )
    return run(frames, tenant, settings, rules, policy, keeper.complaint)


def metrics_read(rules: Sequence[Rule]) -> str:
    """A regular expression of the metrics whose points the rules read; '' when one of them reads all."""
    wanted = [rule.metrics for rule in rules if not POINTS.isdisjoint(rule.reads)]
    if not wanted:
        return "^$"
    return "|".join(f"(?:{pattern})" for pattern in sorted(set(wanted))) if all(wanted) else ""


def run(
    frames: Frames,
    tenant: str,
    settings: CorrelateSettings,
    rules: Sequence[Rule] = RULES,
    policy: Policy = NO_POLICY,
    complaint: str = "",
) -> Detection:
    """Run `rules` over frames already loaded, and apply the policy's overrides to their signals.

    A `complaint` about the policy's files is a failure that an operator sees beside those of rules.
    """
    # Some twenty parts of the topology read the sightings: once is enough, and a plan that holds them all is slow.
    # In one piece: formatting text that lies in several is what polars 2.1 panics at when it streams.
    seen = _collected([sightings(frames)])[0].rechunk().lazy()
    entities, edges = _collected([topology.entities(frames, seen), topology.edges(frames, seen)])
    filled = {name for name in frames.tables if _has_rows(frames[name])}
    metrics = (
        frames["metric_series"].select(pl.col("metric").unique()).collect()["metric"] if filled & _METRICS else None
    )
    found: list[pl.DataFrame] = []
    failures = [RuleError("policy", complaint)] if complaint else []
    for rule in rules:
        # Without telemetry there is nothing to say, and planning a rule costs more than reading nothing.
        if rule.reads and _filled_for(rule, filled, metrics).isdisjoint(rule.reads):
            continue
        try:
            found.append(_signals_of(rule, frames, settings))
        except FAULTS as error:
            failures.append(RuleError(rule.name, f"{type(error).__name__}: {str(error)[:500]}"))
    signals = pl.concat(found) if found else _nothing()
    signals = resolved(applied(policy, signals), entities)
    return Detection(
        frames.window, with_ids(signals, tenant), entities, edges, tuple(failures), policy.version, frames.traces_one_in
    )


def _signals_of(rule: Rule, frames: Frames, settings: CorrelateSettings) -> pl.DataFrame:
    signals = (
        rule.detect(frames)
        .select(*SIGNAL)
        .cast(pl.Schema(SIGNAL))
        .filter(pl.col("seen").is_between(frames.start, frames.end, closed="left"))
        .filter(pl.col("score") >= settings.min_score, pl.col("entity") != "", pl.col("onset").is_not_null())
        .with_columns(
            rule=pl.lit(rule.name),
            family=pl.lit(rule.family),
            until=pl.max_horizontal("until", "onset"),
        )
    )
    return _collected([signals])[0]


def _collected(plans: list[pl.LazyFrame]) -> list[pl.DataFrame]:
    """The plans' frames.

    polars' streaming engine has panicked in text expressions (an assertion in binview, seen with 2.1) that its
    in-memory engine computes, so that one gets the second try.
    """
    try:
        return pl.collect_all(plans)
    except pl.exceptions.PanicException:
        return pl.collect_all(plans, engine="in-memory")


def _filled_for(rule: Rule, filled: set[str], metrics: pl.Series | None) -> set[str]:
    """Frames that have rows for the rule: those of metrics only when there are some of the metrics it is about."""
    if rule.metrics and metrics is not None and not metrics.str.contains(rule.metrics).any():
        return filled - _METRICS
    return filled


def _has_rows(frame: pl.LazyFrame) -> bool:
    return frame.head(1).collect().height > 0


def _nothing() -> pl.DataFrame:
    return pl.DataFrame(schema={**SIGNAL, "rule": pl.String(), "family": pl.String()})
