"""The blast radius: what was hurt, in the names of things that people run, and not where it was measured.

An effect is told of the entity that showed it. A pod whose latency moved is its service being slow; only a pod that
died, was evicted or could not start is hurt as such. GPUs of a failed node are the cause's own parts. An ingress that
counts errors measures the service behind it. What a lost pod was part of, and the model that served from it, are
hurt with it.
"""

from __future__ import annotations

import polars as pl

from correlate.links import STARVES_NODE, entity_key

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
_OF_A_VERSION = ("quality.version", "change.rollout")
# A workload with one pod on each of most nodes is an agent of the nodes, and comes and goes with them.
_AGENT_PODS, _AGENT_NODES = 3, 0.6
# A rank that stops leaves its node as it was, and is the same fact at its GPU and its pod. A pod that found no place or
# did not start stands in for one that was lost.
_OF_A_RANK = "train.bad_rank"
_NO_HARM = ("gpu.hung", _OF_A_RANK, "pod.unschedulable", "pod.start_failed")
_HELD_S = 300
# Below this chains of links are guesses.
_REACHED = 0.15
_SWEEPS = 3


def hurt(members: pl.DataFrame, inside: pl.DataFrame, edges: pl.DataFrame, candidates: pl.DataFrame) -> pl.DataFrame:
    """(component, entity_type, entity, onset): what each component's cause hurt, earliest first.

    The cause is the first of `candidates` (columns of rank.ranked); `members` say which signals are its.
    """
    first = candidates.filter(pl.col("rank") == 1)
    keyed = members.with_columns(key=entity_key("entity_type", "entity"))
    causes = keyed.filter(pl.col("role") == "cause")
    steps = edges.select(
        "kind",
        "src_type",
        "dst_type",
        "valid_from",
        "valid_to",
        src=entity_key("src_type", "src"),
        dst=entity_key("dst_type", "dst"),
    )
    lost = keyed.filter(pl.col("kind").is_in(_LOST), pl.col("role") != "context")
    # A version whose answers are worse than another's is the cause; the service that gives them is hurt.
    versions = first.filter(pl.col("kind").is_in(_OF_A_VERSION)).select("component", "onset", "key")
    agents = _agents(steps)
    lost = lost.join(agents, on="key", how="anti")
    parts = [
        _told(keyed, steps, inside),
        *_lost_with(lost, steps),
        *_with_gpus(causes, steps),
        *_crowded(keyed, steps),
        *_fed(causes, steps),
        _blaming(keyed),
    ]
    named = pl.concat([part.select("component", "key", "onset") for part in parts]).join(
        versions, on=["component", "key"], how="anti"
    )
    # Pods of a workload that fails as such are lost, and no cause of their own.
    whole = first.filter(pl.col("entity_type") != "pod").select("component")
    gone = lost.filter(pl.col("entity_type") == "pod").join(whole, on="component", how="semi")
    others = named.join(causes, on=["component", "key"], how="anti")
    rest = (
        pl.concat([others, gone.select("component", "key", "onset")])
        .join(_changed_there(causes, named, steps), on=["component", "key"], how="anti")
        .join(agents, on="key", how="anti")
        .join(_along(causes, steps, ("hosts",)).filter(_is_gpu()), on=["component", "key"], how="anti")
        .sort("onset", "key")
        .pipe(_named)
        .join(first.select("component", "entity"), on=["component", "entity"], how="anti", maintain_order="left")
    )
    # A service and its workload bear one name.
    return pl.concat([_named(versions), rest]).unique(subset=["component", "entity"], keep="first", maintain_order=True)


def _is_gpu() -> pl.Expr:
    return pl.col("key").str.starts_with("gpu\x1f")


def _told(keyed: pl.DataFrame, steps: pl.DataFrame, inside: pl.DataFrame) -> pl.DataFrame:
    """(component, key, onset): effects that chains of links lead to, and services behind an ingress that shows any."""
    causes = keyed.filter(pl.col("role") == "cause").select("component", "key").unique()
    effects = keyed.filter(pl.col("role") == "effect").join(causes, on=["component", "key"], how="anti")
    ranks = steps.filter(pl.col("kind") == "part_of", pl.col("dst_type") == "job")["src"].unique()
    harmless = pl.col("kind").is_in(_NO_HARM) | pl.col("kind").str.starts_with("change.")
    changed = pl.col("family").is_in(_STATES) & ~harmless
    # A job's pods stop together, and say so in their logs.
    stopped = pl.col("key").is_in(ranks.implode()) & (pl.col("family") == "log")
    told = effects.filter(~pl.col("entity_type").is_in(["pod", "gpu", "ingress"]) | changed | stopped).join(
        _reached(causes, inside), on=["component", "key"], how="semi"
    )
    behind = _along(effects.filter(pl.col("entity_type") == "ingress"), steps, ("routes",))
    return pl.concat([told.select("component", "key", "onset"), behind.select("component", "key", "onset")])


def _lost_with(lost: pl.DataFrame, steps: pl.DataFrame) -> list[pl.DataFrame]:
    """What lost pods are part of, and the models served by that."""
    owners = _along(lost, steps, ("part_of",))
    return [owners, _along(owners, steps, ("serves",))]


def _with_gpus(causes: pl.DataFrame, steps: pl.DataFrame) -> list[pl.DataFrame]:
    """The node of a failed GPU, and whoever uses a GPU that fails or slows down."""
    devices = causes.filter(pl.col("family") == "gpu")
    hosts = steps.filter(pl.col("kind") == "hosts", pl.col("dst_type") == "gpu").select(key="dst", up="src")
    node = (
        devices.filter(pl.col("entity_type") == "gpu", pl.col("kind") != _OF_A_RANK)
        .join(hosts, on="key")
        .select("component", "onset", key="up")
    )
    below = pl.concat([devices.select("component", "onset", "key"), _along(devices, steps, ("hosts",))])
    holds = steps.filter(pl.col("kind") == "used_by").select(key="src", to="dst", last="valid_to")
    # Labels vanish with the fault: who held the GPU until about then is its user, who held it hours ago is not.
    users = (
        below.filter(_is_gpu())
        .join(holds, on="key")
        .filter(pl.col("last") >= pl.col("onset") - pl.duration(seconds=_HELD_S))
        .select("component", "onset", key="to")
        .pipe(_along, steps, ("part_of",))
    )
    return [node, users]


def _crowded(keyed: pl.DataFrame, steps: pl.DataFrame) -> list[pl.DataFrame]:
    """Pods beside one that starves its node, as far as they show it, and what they are part of."""
    placed = steps.filter(pl.col("kind") == "hosts", pl.col("dst_type") == "pod").select(node="src", key="dst").unique()
    hogs = keyed.filter(pl.col("role") == "cause", pl.col("kind").is_in(STARVES_NODE)).select("component", "key")
    nodes = hogs.join(placed, on="key").select("component", "node").unique()
    beside = (
        keyed.filter(pl.col("role") == "effect", pl.col("entity_type") == "pod")
        .join(placed, on="key")
        .join(nodes, on=["component", "node"], how="semi")
    )
    return [beside, _along(beside, steps, ("part_of",))]


def _fed(causes: pl.DataFrame, steps: pl.DataFrame) -> list[pl.DataFrame]:
    """Models that a drifting feature feeds, and the services whose answers come from them."""
    models = _along(causes.filter(pl.col("entity_type") == "feature"), steps, ("feeds",))
    serving = steps.filter(pl.col("kind") == "serves", pl.col("src_type") == "service").select(key="dst", up="src")
    return [models, models.join(serving.unique(), on="key").select("component", "onset", key="up")]


def _agents(steps: pl.DataFrame) -> pl.DataFrame:
    """(key): workloads that run one pod on each of most nodes, and their pods."""
    placed = steps.filter(pl.col("kind") == "hosts", pl.col("dst_type") == "pod").select(node="src", pod="dst").unique()
    owned = steps.filter(pl.col("kind") == "part_of", pl.col("dst_type") == "workload").select(pod="src", owner="dst")
    pods = placed.join(owned.unique(), on="pod").with_columns(total=placed["node"].n_unique())
    about = pods.group_by("owner").agg(
        pods=pl.col("pod").n_unique(), nodes=pl.col("node").n_unique(), total=pl.col("total").first()
    )
    agents = about.filter(
        pl.col("pods") >= _AGENT_PODS,
        pl.col("pods") == pl.col("nodes"),
        pl.col("nodes") >= _AGENT_NODES * pl.col("total"),
    )
    return pl.concat([agents.select(key="owner"), pods.join(agents, on="owner", how="semi").select(key="pod").unique()])


def _blaming(keyed: pl.DataFrame) -> pl.DataFrame:
    """Who says that it was failed is hurt, whether or not anything else shows it."""
    said = pl.col("evidence").str.json_path_match("$.callers").fill_null("").str.extract_all(r'[^"\[\],]+')
    return (
        keyed.filter(pl.col("kind").str.starts_with("dependency."))
        .select("component", "onset", caller=said)
        .explode("caller", empty_as_null=False)
        .drop_nulls()
        .select("component", "onset", key=entity_key(pl.lit("service"), pl.col("caller")))
    )


def _changed_there(causes: pl.DataFrame, named: pl.DataFrame, steps: pl.DataFrame) -> pl.DataFrame:
    """What a change was made to: where the fault lies, and not what it hurt.

    A commit is shipped to many services, and lies where it does harm first.
    """
    shipped = named.join(_along(causes, steps, ("ships",)), on=["component", "key"], how="semi")
    shown = shipped.sort("onset", "key").unique("component", keep="first", maintain_order=True)
    return pl.concat([_along(causes, steps, ("changes",)), shown.select("component", "onset", "key")])


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
