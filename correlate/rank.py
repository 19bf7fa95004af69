"""Ranking root causes inside incidents, with every term of every score kept.

For each entity of an incident: how strongly its own evidence speaks for a root (families fused as
best + 0.1 x the others), how much of that another entity explains away along causal links, how
much of the rest of the incident its fault would explain, and how late it began. The sum of the
terms' logarithms, soft-maxed against "unknown", is the confidence.
"""

from __future__ import annotations

import polars as pl

from correlate.fit import with_fit
from correlate.links import entity_key
from correlate.settings import CorrelateSettings

_FUSE_OTHERS = 0.1
_LEADING = ("entity_type", "entity", "kind", "explanation", "title", "action", "root_prior", "fit")
_OF_LOAD, _OF_CALLERS = 0.5, 0.75
_ADDRESS = (
    r"(?i)^(?:[a-z]+://)?(?:(?:[a-z0-9_-]+\.)+(?:com|net|org|io|dev|cloud|local|internal|svc)(?:[^a-z0-9]|$)"
    r"|\d+(?:\.\d+){3}(?:[^0-9.]|$))"
)
_EXPLAIN_SWEEPS = 4
_EXPLAIN_SHARE = 0.9
# A cause looks at least about as bad as what it broke; a faint one explains nothing away.
_EXPLAIN_RATIO = 0.8
_CHAIN_SWEEPS = 2
_COVERAGE_FLOOR = 0.3
_LATE_PER_MINUTE = 0.1
_LATE_MAX = 2.5
_LATE_SLACK_S = 60.0
# Log-weight of "something that left no evidence did it".
_UNKNOWN_LOGIT = -2.3

# What just passes the threshold of a signal says little of its entity, and next to nothing as a symptom to explain: in
# a large system there is always some of it. Shares of that threshold, taken away from scores.
_NOISE_OF_CAUSE, NOISE_OF_SYMPTOM = 0.5, 0.85
# Nothing that was told counts for less.
_LEAST = 0.05

# What goes on while a candidate shows nothing is hardly its doing; this share of its evidence is kept at least.
_ALONE_FLOOR = 0.5

PARTS = ("evidence", "explained", "unexplained", "lateness", "absence")
"""What a candidate's `logit` is the sum of: its own evidence, and what speaks against it."""

# Sums depend on the order of their terms in the last digits; what is compared is rounded, so that rows may come in any.
_DIGITS = 9


def fused(members: pl.DataFrame, settings: CorrelateSettings) -> pl.DataFrame:
    """Root evidence per (component, entity): `own` in 0..1 and the kind and sentence that lead it."""
    noise = _NOISE_OF_CAUSE * settings.min_score
    strength = ((pl.col("score") - noise) / (10.0 - noise)).clip(_LEAST, 1.5)
    weighted = (
        with_fit(members)
        .with_columns(root_prior=pl.col("root_prior") * _directness())
        .with_columns(weighted=strength * pl.col("root_prior") * pl.col("fit"))
    )
    by_family = (
        weighted.sort("weighted", "onset", "id", descending=[True, False, False])
        .group_by("component", "key", "family", maintain_order=True)
        .agg(
            pl.first(*_LEADING, "weighted"),
            pl.min("onset"),
        )
    )
    ids = members.sort("onset", "id").group_by("component", "key").agg(signal_ids=pl.col("id"))
    best = pl.col("weighted").max()
    return (
        by_family.sort("weighted", "family", descending=[True, False])
        .group_by("component", "key", maintain_order=True)
        .agg(
            pl.first(*_LEADING),
            pl.min("onset"),
            own=(best + _FUSE_OTHERS * (pl.col("weighted").sum() - best)).round(_DIGITS),
            families=pl.col("family").sort(),
        )
        .join(ids, on=["component", "key"])
    )


def _directness() -> pl.Expr:
    """How directly a measurement is about the entity it names: 1, less for what others make of it."""
    measured = pl.col("family").is_in(["metric", "trace"]) & ~pl.col("state_change")
    # How busy a node is, its pods decide.
    node = pl.col("entity_type") == "node"
    # An address is where callers sent their requests; what answers there is a service with a name of its own.
    address = pl.col("entity").str.contains(_ADDRESS)
    return pl.when(measured & node).then(_OF_LOAD).when(measured & address).then(_OF_CALLERS).otherwise(1.0)


def _entity_links(links: pl.DataFrame) -> pl.DataFrame:
    """The best link per (component, cause entity, effect entity), self excluded."""
    return (
        links.filter(pl.col("cause") != pl.col("effect"))
        .group_by("component", "cause", "effect")
        .agg(pl.max("weight"), pl.col("lag_s").min(), pl.col("hops").min())
    )


def explained_away(candidates: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """Add `residual`: the part of `own` that no other entity's fault accounts for, and `explained_by`."""
    pairs = _one_way(closure(links), candidates)
    state = candidates.with_columns(residual=pl.col("own"))
    for _ in range(_EXPLAIN_SWEEPS):
        causes = state.select("component", cause="key", cause_residual="residual", fits=pl.col("fit") > 1.0)
        effects = state.select("component", effect="key", own="own")
        taken = (
            pairs.join(causes, on=["component", "cause"])
            .join(effects, on=["component", "effect"])
            .with_columns(ratio=pl.col("cause_residual") / pl.col("own").clip(0.01))
            # A change does not look bad itself: one that fits by its mechanism explains what is worse than it.
            .with_columns(ratio=pl.when("fits").then(pl.max_horizontal("ratio", 1.0)).otherwise("ratio"))
            .filter(pl.col("ratio") >= _EXPLAIN_RATIO)
            .with_columns(share=pl.col("weight") * pl.col("ratio").clip(0.0, 1.0))
            .sort("share", "cause", descending=[True, False])
            .group_by("component", "effect", maintain_order=True)
            .agg(pl.first("share", "cause"))
        )
        state = (
            candidates.join(taken, left_on=["component", "key"], right_on=["component", "effect"], how="left")
            .with_columns(share=pl.col("share").fill_null(0.0))
            .with_columns(residual=pl.col("own") * (1.0 - _EXPLAIN_SHARE * pl.col("share")))
            .rename({"cause": "explained_by"})
        )
    return state


def _one_way(pairs: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """`pairs` without the weaker direction where two entities could each account for the other.

    A callee breaks its caller, and a caller's load its callee; with both, sweeps would take turns and end by chance.
    """
    owns = candidates.select("component", key="key", own="own")
    either = (
        pairs.join(owns.rename({"key": "cause", "own": "own_cause"}), on=["component", "cause"])
        .join(owns.rename({"key": "effect", "own": "own_effect"}), on=["component", "effect"])
        .with_columns(
            share=pl.col("weight") * (pl.col("own_cause") / pl.col("own_effect").clip(0.001)).clip(upper_bound=1.0)
        )
    )
    other = either.select("component", cause="effect", effect="cause", against="share")
    return (
        either.join(other, on=["component", "cause", "effect"], how="left")
        .filter(pl.col("share") >= pl.col("against").fill_null(0.0))
        .select(pairs.columns)
    )


def closure(links: pl.DataFrame) -> pl.DataFrame:
    """(component, cause, effect, weight): entity links and the chains made of them, best weight each."""
    direct = _entity_links(links).select("component", "cause", "effect", "weight")
    known = direct
    for _ in range(_CHAIN_SWEEPS):
        chained = known.join(direct, left_on=["component", "effect"], right_on=["component", "cause"], suffix="_next")
        longer = chained.filter(pl.col("cause") != pl.col("effect_next")).select(
            "component", "cause", effect="effect_next", weight=pl.col("weight") * pl.col("weight_next")
        )
        known = pl.concat([known, longer]).group_by("component", "cause", "effect").agg(pl.max("weight"))
    return known


def _symptoms(members: pl.DataFrame, settings: CorrelateSettings) -> pl.DataFrame:
    """`members` that need explaining, with scores beyond noise. A deploy or drain beside the fault does not."""
    beyond = pl.col("score") - NOISE_OF_SYMPTOM * settings.min_score
    return members.filter(~pl.col("context")).with_columns(score=beyond.clip(lower_bound=_LEAST))


def covered(candidates: pl.DataFrame, symptoms: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """Add `coverage`: the share (0..1) of the other entities' evidence that this entity's fault reaches."""
    symptoms = (
        symptoms.group_by("component", "key", "family")
        .agg(pl.max("score"))
        .group_by("component", "key")
        .agg(pl.sum("score"))
    )
    total = symptoms.group_by("component").agg(total=pl.sum("score"))
    own = symptoms.rename({"score": "own_score"})
    reached = (
        closure(links)
        .join(symptoms, left_on=["component", "effect"], right_on=["component", "key"])
        .group_by("component", key="cause")
        .agg(reached=(pl.col("score") * pl.col("weight")).sum())
    )
    rest = pl.col("total") - pl.col("own_score").fill_null(0.0)
    share = pl.col("reached").fill_null(0.0) / rest
    return (
        candidates.join(total, on="component", how="left")
        .join(own, on=["component", "key"], how="left")
        .join(reached, on=["component", "key"], how="left")
        # With nothing else to explain, coverage says nothing either way.
        .with_columns(coverage=pl.when(rest > 1e-9).then(share).otherwise(0.5).clip(0.0, 1.0).round(_DIGITS))
        .drop("total", "own_score", "reached")
    )


def _late(candidates: pl.DataFrame, symptoms: pl.DataFrame, links: pl.DataFrame) -> pl.DataFrame:
    """(component, key, late_s): seconds by which a candidate began after what it would explain, beyond the slack.

    What it would not explain says nothing about it, however early: another fault, or noise that was there before.
    """
    began = symptoms.group_by("component", effect=pl.col("key")).agg(effect_onset=pl.min("onset"))
    late = (pl.col("onset") - pl.col("effect_onset")).dt.total_milliseconds() / 1e3 - _LATE_SLACK_S
    return (
        _entity_links(links)
        .join(began, on=["component", "effect"])
        .join(candidates.select("component", "onset", cause="key"), on=["component", "cause"])
        .group_by("component", key="cause")
        .agg(late_s=late.max().clip(0.0))
    )


def _during(candidates: pl.DataFrame, symptoms: pl.DataFrame) -> pl.DataFrame:
    """(component, key, during): the share (0..1) of others' symptoms in time that a candidate was there for.

    Of measurements only: a change of state is made once, and what follows from it goes on without it. A symptom
    counts by its score, and by the part of its time that lies between the candidate's first and last sign.
    """
    core = symptoms.select("component", "key", "score", "onset", "until", "state_change")
    active = core.group_by("component", "key").agg(
        pl.col("onset").min().alias("from"),
        pl.col("until").max().alias("to"),
        pl.col("state_change").any().alias("stays"),
    )
    measured = candidates.select("component", "key").join(active.filter(~pl.col("stays")), on=["component", "key"])
    shared = pl.min_horizontal("until", "to") - pl.max_horizontal("onset", "from")
    length = (pl.col("until") - pl.col("onset")).dt.total_milliseconds().clip(lower_bound=1)
    overlap = (shared.dt.total_milliseconds() / length).clip(0.0, 1.0)
    return (
        measured.join(core.drop("state_change"), on="component", suffix="_other")
        .filter(pl.col("key") != pl.col("key_other"))
        .group_by("component", "key")
        .agg(during=((overlap * pl.col("score")).sum() / pl.col("score").sum()).round(_DIGITS))
    )


def ranked(members: pl.DataFrame, links: pl.DataFrame, settings: CorrelateSettings) -> pl.DataFrame:
    """Candidates of every component, best first.

    Adds `logit`, `confidence` (0..1, sums with "unknown" to 1 inside a component), `rank` and the
    terms behind them: own, residual, explained_by, coverage, late_s, during.
    """
    keyed = members.with_columns(key=entity_key("entity_type", "entity"))
    candidates = fused(keyed.filter(pl.col("root_prior") > 0), settings)
    symptoms = _symptoms(keyed, settings)
    scored = (
        covered(explained_away(candidates, links), symptoms, links)
        .join(_late(candidates, symptoms, links), on=["component", "key"], how="left")
        .join(_during(candidates, symptoms), on=["component", "key"], how="left")
        .with_columns(pl.col("late_s").fill_null(0.0), pl.col("during").fill_null(1.0))
        .with_columns(
            evidence=pl.col("own").clip(0.001).log(),
            explained=pl.col("residual").clip(0.001).log() - pl.col("own").clip(0.001).log(),
            unexplained=(_COVERAGE_FLOOR + (1 - _COVERAGE_FLOOR) * pl.col("coverage")).log(),
            lateness=-(_LATE_PER_MINUTE * pl.col("late_s") / 60.0).clip(0.0, _LATE_MAX),
            absence=(_ALONE_FLOOR + (1 - _ALONE_FLOOR) * pl.col("during")).log(),
        )
        .with_columns(logit=pl.sum_horizontal(*PARTS).round(_DIGITS))
    )
    # Sharper than plain odds: near-ties stay near-ties, clear winners read as clear.
    power = (2.0 * pl.col("logit")).exp()
    unknown = pl.lit(2.0 * _UNKNOWN_LOGIT).exp()
    return (
        scored.with_columns(confidence=(power / (power.sum().over("component") + unknown)).round(_DIGITS))
        .sort("component", "logit", "onset", "key", descending=[False, True, False, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1).over("component"))
        .filter(pl.col("rank") <= settings.max_candidates)
    )
