"""Causal links: which signal can have produced which, along topology and time.

A link runs from a signal i to a signal j when a fault of i's entity can break j's entity (a path
of at most `max_hops` edges), j began after i (within what the sources' delays allow), and i's
effects were still possible. Its weight multiplies distance, mechanism and lag. Silent entities on
the path are allowed: a chain must not break because one component has no telemetry.
"""

from __future__ import annotations

import polars as pl

from correlate.settings import CorrelateSettings

MIN_WEIGHT = 0.05
# A caller can overload its callee, but far less often than a callee breaks its caller.
_LOAD_WEIGHT = 0.25
# Kinds of signals on a pod whose harm is to its neighbours on the node.
STARVES_NODE = ("pod.cpu_hog",)
# Slack for clock skew between nodes and for scrape intervals, on top of each source's own delay.
_SKEW_S = 30.0
# An order of events that contradicts a link makes it less likely, it does not forbid it.
_EARLY_TAU_S = 60.0
_EARLY_MAX_S = 300.0
# A link's weight falls to 1/e when the effect began this many times the cause's hold later, and not before a minute
# and a half: what holds briefly still needs its time to be seen.
_LATE_HOLDS, _LATE_LEAST_S = 1.5, 90.0

# Of several paths the surest, then the shortest, then the one that held longest: all of it, so that no tie is left
# to the order of rows.
_BEST_PATH = ("path", "hops", "valid_from", "valid_to")
_BEST_FALLS = [True, False, False, True]

LINK = {
    "cause_id": pl.String(),
    "effect_id": pl.String(),
    "cause": pl.String(),
    "effect": pl.String(),
    "hops": pl.Int64(),
    "lag_s": pl.Float64(),
    "weight": pl.Float64(),
}


def entity_key(kind: str | pl.Expr, name: str | pl.Expr) -> pl.Expr:
    """One text key for an entity held in two columns."""
    return pl.concat_str(kind, name, separator="\x1f")


def with_load(edges: pl.DataFrame) -> pl.DataFrame:
    """Edges plus the reverse of each call edge: a caller's surge reaches its callee."""
    load = edges.filter(pl.col("kind") == "calls").select(
        kind=pl.lit("load"),
        src_type="dst_type",
        src="dst",
        dst_type="src_type",
        dst="src",
        valid_from="valid_from",
        valid_to="valid_to",
        weight=pl.lit(_LOAD_WEIGHT),
    )
    kept = edges.with_columns(weight=pl.lit(1.0))
    return pl.concat([kept.select(load.columns), load])


def with_crowding(edges: pl.DataFrame, signals: pl.DataFrame) -> pl.DataFrame:
    """Edges plus one from each pod that starves its node to every other pod on that node."""
    hogs = signals.filter(pl.col("kind").is_in(STARVES_NODE)).select("entity_type", "entity").unique()
    placed = edges.filter(pl.col("kind") == "hosts", pl.col("dst_type") == "pod")
    beside = placed.join(hogs, left_on=["dst_type", "dst"], right_on=["entity_type", "entity"]).join(
        placed, on=["src_type", "src"], suffix="_other"
    )
    crowding = beside.filter(pl.col("dst") != pl.col("dst_other")).select(
        kind=pl.lit("crowds"),
        src_type="dst_type",
        src="dst",
        dst_type="dst_type_other",
        dst="dst_other",
        valid_from=pl.max_horizontal("valid_from", "valid_from_other"),
        valid_to=pl.min_horizontal("valid_to", "valid_to_other"),
        weight=pl.lit(1.0),
    )
    return pl.concat([edges.select(crowding.columns), crowding])


def reach(edges: pl.DataFrame, entities: pl.Series, settings: CorrelateSettings) -> pl.DataFrame:
    """(src, dst, hops, path, valid_from, valid_to): which of `entities` can affect which, and how surely."""
    steps = (
        with_load(edges)
        .select(
            src=entity_key("src_type", "src"),
            dst=entity_key("dst_type", "dst"),
            path="weight",
            valid_from="valid_from",
            valid_to="valid_to",
        )
        .filter(pl.col("src") != pl.col("dst"))
        .group_by("src", "dst")
        .agg(pl.max("path"), pl.min("valid_from"), pl.max("valid_to"))
    )
    own = entities.unique().to_frame("src")
    found = [own.join(steps, on="src").with_columns(hops=pl.lit(1, pl.Int64), path=pl.col("path") * settings.hop_decay)]
    for hop in range(2, settings.max_hops + 1):
        found.append(
            found[-1]
            .join(steps.rename({"src": "dst", "dst": "next"}), on="dst", suffix="_next")
            .filter(pl.col("next") != pl.col("src"))
            .select(
                "src",
                dst="next",
                path=pl.col("path") * pl.col("path_next") * settings.hop_decay,
                valid_from=pl.max_horizontal("valid_from", "valid_from_next"),
                valid_to=pl.min_horizontal("valid_to", "valid_to_next"),
                hops=pl.lit(hop, pl.Int64),
            )
            .filter(pl.col("path") >= MIN_WEIGHT)
            .sort(*_BEST_PATH, descending=_BEST_FALLS)
            .unique(subset=["src", "dst"], keep="first", maintain_order=True)
        )
    columns = ["src", "dst", "hops", "path", "valid_from", "valid_to"]
    return (
        pl.concat([part.select(columns) for part in found])
        .filter(pl.col("dst").is_in(entities.unique().implode()))
        .sort(*_BEST_PATH, descending=_BEST_FALLS)
        .unique(subset=["src", "dst"], keep="first", maintain_order=True)
    )


def links(
    signals: pl.DataFrame, edges: pl.DataFrame, mechanisms: pl.DataFrame, settings: CorrelateSettings
) -> pl.DataFrame:
    """All links (columns LINK) among `signals`, which carry `hold_s` and `source_delay_s` of their kind."""
    node = signals.select(
        "id", "family", "kind", "onset", "until", "hold_s", "source_delay_s", key=entity_key("entity_type", "entity")
    )
    paths = reach(with_crowding(edges, signals), node["key"], settings)
    same = (
        node.select(src="key", dst="key")
        .unique()
        .with_columns(
            hops=pl.lit(0, pl.Int64),
            path=pl.lit(1.0),
            valid_from=pl.lit(None, node.schema["onset"]),
            valid_to=pl.lit(None, node.schema["onset"]),
        )
    )
    pairs = (
        pl.concat([same, paths])
        .join(node, left_on="src", right_on="key")
        .join(node, left_on="dst", right_on="key", suffix="_effect")
        .filter(pl.col("id") != pl.col("id_effect"))
        .filter(_edge_held())
        .with_columns(lag_s=(pl.col("onset_effect") - pl.col("onset")).dt.total_microseconds() / 1e6)
        .with_columns(reach_s=(pl.col("until") - pl.col("onset")).dt.total_microseconds() / 1e6 + pl.col("hold_s"))
        .filter(pl.col("lag_s") <= pl.col("reach_s"), pl.col("lag_s") >= -_EARLY_MAX_S)
        .join(mechanisms, left_on=["family", "family_effect"], right_on=["cause", "effect"], how="left")
        # What is known of two kinds goes before what is known of their families.
        .join(mechanisms, left_on=["kind", "kind_effect"], right_on=["cause", "effect"], how="left", suffix="_kind")
        .with_columns(weight=pl.coalesce("weight_kind", "weight"))
    )
    return (
        pairs.with_columns(weight=pl.col("path") * pl.col("weight").fill_null(0.0) * _time_factor())
        .filter(pl.col("weight") >= MIN_WEIGHT)
        .select(
            cause_id="id", effect_id="id_effect", cause="src", effect="dst", hops="hops", lag_s="lag_s", weight="weight"
        )
        .sort("cause_id", "effect_id")
    )


def _edge_held() -> pl.Expr:
    grace = pl.duration(seconds=120)
    started = pl.col("valid_from").is_null() | (pl.col("valid_from") - grace <= pl.col("onset_effect"))
    lasted = pl.col("valid_to").is_null() | (pl.col("valid_to") + grace >= pl.col("onset"))
    return started & lasted


def _time_factor() -> pl.Expr:
    slack = _SKEW_S + pl.col("source_delay_s")
    early = (-(pl.col("lag_s")) - slack).clip(lower_bound=0.0)
    # Counted from the onset: a symptom that goes on for long is no reason for what begins much later.
    # What the effect's source takes to tell of it is no lateness.
    late = (pl.col("lag_s") - pl.col("source_delay_s_effect")).clip(lower_bound=0.0) / pl.max_horizontal(
        _LATE_HOLDS * pl.col("hold_s"), pl.lit(_LATE_LEAST_S)
    )
    return (-early / _EARLY_TAU_S - late).exp()
