"""The blast radius: what was hurt, in the names of things that people run, and not where it was measured.

An effect is told of the entity that showed it. A pod whose latency moved is its service being slow; only a pod that
died, was evicted or could not start is hurt as such. GPUs of a failed node are the cause's own parts. An ingress that
counts errors measures the service behind it. What a lost pod was part of, and the model that served from it, are
hurt with it.
"""

from __future__ import annotations

import polars as pl

from correlate.links import entity_key

# Families whose facts say that a thing itself changed state; the others measure.
_STATES = ("kubernetes", "gpu", "quality")
_LOST = (
    "pod.crash_loop",
    "pod.restart",
    "pod.oom_killed",
    "pod.evicted",
    "pod.node_lost",
    "pod.image_pull",
)
_OF_A_VERSION = ("quality.version",)
# A rank that stops leaves its node as it was, and is the same fact at its GPU and its pod. A pod that found no place or
# did not start stands in for one that was lost.
_OF_A_RANK = "train.bad_rank"
_NO_HARM = ("gpu.hung", _OF_A_RANK, "pod.unschedulable", "pod.start_failed")
# Below this chains of links are guesses.
_REACHED = 0.15
_SWEEPS = 3


def hurt(members: pl.DataFrame, inside: pl.DataFrame, edges: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """(component, entity_type, entity, onset): what each component's cause hurt, earliest first.

    The cause is the first of `candidates` (columns of rank.ranked); `members` say which signals are its.
    """
    first = candidates.filter(pl.col("rank") == 1)
    keyed = members.with_columns(key=entity_key("entity_type", "entity"))
    causes = keyed.filter(pl.col("role") == "cause").select("component", "key").unique()
    effects = keyed.filter(pl.col("role") == "effect").join(causes, on=["component", "key"], how="anti")
    steps = edges.select(
        "kind", "src_type", "dst_type", src=entity_key("src_type", "src"), dst=entity_key("dst_type", "dst")
    )
    ranks = steps.filter(pl.col("kind") == "part_of", pl.col("dst_type") == "job")["src"].unique()
    changed = pl.col("family").is_in(_STATES) & ~pl.col("kind").is_in(_NO_HARM)
    # A job's pods stop together, and say so in their logs.
    stopped = pl.col("key").is_in(ranks.implode()) & (pl.col("family") == "log")
    told = effects.filter(~pl.col("entity_type").is_in(["pod", "gpu", "ingress"]) | changed | stopped).join(
        _reached(causes, inside), on=["component", "key"], how="semi"
    )
    lost = keyed.filter(pl.col("kind").is_in(_LOST), pl.col("role") != "context")
    # A pod is lost with what it is part of, and that with the model it serves.
    owners = _along(lost, steps, ("part_of",))
    served = _along(owners, steps, ("serves",))
    hosts = steps.filter(pl.col("kind") == "hosts", pl.col("dst_type") == "gpu").select(key="dst", up="src")
    node = (
        keyed.filter(pl.col("role") == "cause", pl.col("entity_type") == "gpu", pl.col("kind") != _OF_A_RANK)
        .filter(pl.col("family") == "gpu")
        .join(hosts, on="key")
        .select("component", "onset", key="up")
    )
    # Whoever uses a GPU that fails or slows down has the fault as well.
    devices = keyed.filter(pl.col("role") == "cause", pl.col("family") == "gpu")
    below = pl.concat([devices.select("component", "onset", "key"), _along(devices, steps, ("hosts",))])
    users = _along(_along(below.filter(pl.col("key").str.starts_with("gpu")), steps, ("used_by",)), steps, ("part_of",))
    measured = effects.filter(pl.col("entity_type") == "ingress")
    behind = _along(measured, steps, ("routes",))
    parts = _along(keyed.filter(pl.col("role") == "cause"), steps, ("hosts",)).filter(
        pl.col("key").str.starts_with("gpu")
    )
    # A version whose answers are worse than another's is the cause; the service that gives them is hurt.
    versions = first.filter(pl.col("kind").is_in(_OF_A_VERSION)).select("component", "onset", "key")
    # Who says that it was failed is hurt, whether or not anything else shows it.
    said = pl.col("evidence").str.json_path_match("$.callers").fill_null("").str.extract_all(r'[^"\[\],]+')
    blaming = (
        keyed.filter(pl.col("kind").str.starts_with("dependency."))
        .select("component", "onset", caller=said)
        .explode("caller", empty_as_null=False)
        .drop_nulls()
        .select("component", "onset", key=entity_key(pl.lit("service"), pl.col("caller")))
    )
    named = pl.concat(
        [part.select("component", "key", "onset") for part in (told, owners, served, node, users, behind, blaming)]
    ).join(versions, on=["component", "key"], how="anti")
    # Pods of a workload that fails as such are lost, and no cause of their own.
    whole = first.filter(pl.col("entity_type") != "pod").select("component")
    gone = lost.filter(pl.col("entity_type") == "pod").join(whole, on="component", how="semi")
    root_names = first.select("component", "entity")
    # What a change was made to is where the fault lies, and not what it hurt.
    made = keyed.filter(pl.col("role") == "cause")
    shipped = named.join(_along(made, steps, ("ships",)), on=["component", "key"], how="semi")
    # A commit reaches many services, and shows first where it does harm.
    shown = shipped.sort("onset", "key").unique("component", keep="first", maintain_order=True)
    changed_there = pl.concat([_along(made, steps, ("changes",)), shown.select("component", "onset", "key")])
    return (
        pl.concat(
            [
                named.join(causes, on=["component", "key"], how="anti"),
                gone.select("component", "key", "onset"),
            ]
        )
        .join(changed_there, on=["component", "key"], how="anti")
        .join(parts, on=["component", "key"], how="anti")
        .sort("onset", "key")
        .pipe(_named)
        .join(root_names, on=["component", "entity"], how="anti", maintain_order="left")
        .pipe(lambda rest: pl.concat([_named(versions), rest]))
        # A service and its workload bear one name.
        .unique(subset=["component", "entity"], keep="first", maintain_order=True)
    )


def _named(rows: pl.DataFrame) -> pl.DataFrame:
    """(component, onset, entity_type, entity) of rows with a key."""
    piece = pl.col("key").str.split("\x1f")
    return rows.select("component", "onset", entity_type=piece.list.first(), entity=piece.list.last())


def _along(rows: pl.DataFrame, steps: pl.DataFrame, kinds: tuple[str, ...]) -> pl.DataFrame:
    """(component, onset, key): where edges of those kinds lead from `rows`."""
    chosen = steps.filter(pl.col("kind").is_in(kinds)).select(key="src", to="dst").unique()
    return rows.select("component", "onset", "key").join(chosen, on="key").select("component", "onset", key="to")


def _reached(causes: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    """(component, key): entities that chains of links lead to from the cause."""
    steps = inside.group_by("component", "cause", "effect").agg(pl.max("weight"))
    known = causes.select("component", "key", share=pl.lit(1.0))
    for _ in range(_SWEEPS):
        further = known.join(steps, left_on=["component", "key"], right_on=["component", "cause"]).select(
            "component", key="effect", share=pl.col("share") * pl.col("weight")
        )
        known = (
            pl.concat([known, further.filter(pl.col("share") >= _REACHED)])
            .group_by("component", "key")
            .agg(pl.max("share"))
        )
    return known.select("component", "key")
