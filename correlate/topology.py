"""Entities and edges that telemetry shows, each with the time it was seen to hold.

An edge src -> dst means that a fault of src can break dst: a zone its nodes, a node its GPUs and pods, a
GPU the pods that use it, pods their workload or job and the other way round (a rollout breaks pods, one
rank stops the others), a workload its service, a callee its callers, a service the models it serves.
"""

from __future__ import annotations

import polars as pl

from correlate import names
from correlate.frames import Frames
from correlate.relations import EDGE, calls, graphed, label_edges, peers, stated, uses_model
from correlate.sightings import READS as _SIGHTED
from correlate.sightings import sightings

READS = (*_SIGHTED, "changes")
"""Frames the topology is read from."""

ENTITY: dict[str, pl.DataType] = {"type": pl.String(), "name": pl.String(), "aliases": pl.List(pl.String())}

_SLASHED = "{}/{}"


def entities(frames: Frames, seen: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Entities (`ENTITY`): every name seen, with the other names it goes by.

    `seen` is `sightings(frames)` where the caller has it already.
    """
    seen = sightings(frames) if seen is None else seen
    parts = [
        *_hardware(seen),
        *_pods(seen),
        *_owners(seen),
        *_services(seen),
        _models(seen),
        *_labelled(frames),
        _changes(frames),
        _commits(frames),
        peers(frames, seen)
        .filter(pl.col("src_type") == "dependency")
        .select(type="src_type", name="src", alias=pl.lit("")),
    ]
    return (
        pl.concat([part.select("type", "name", "alias") for part in parts])
        .filter(pl.col("name") != "")
        .group_by("type", "name")
        .agg(
            pl.col("alias")
            .filter((pl.col("alias") != "") & (pl.col("alias") != pl.col("name")))
            .unique()
            .sort()
            .alias("aliases")
        )
        .cast(pl.Schema(ENTITY))
    )


def _named(seen: pl.LazyFrame, kind: str, name: str, *aliases: pl.Expr) -> pl.LazyFrame:
    rows = seen.filter(pl.col(name) != "").select(
        type=pl.lit(kind), name=name, alias=pl.concat_list(pl.lit(""), *aliases)
    )
    return rows.explode("alias", empty_as_null=False).unique()


def _alias(pattern: str, *columns: str | pl.Expr) -> pl.Expr:
    """The pattern filled with the columns, '' where one of the plain ones is empty."""
    plain = [c for c in columns if isinstance(c, str)]
    return pl.when(stated(*plain)).then(pl.format(pattern, *columns)).otherwise(pl.lit(""))


def _hardware(seen: pl.LazyFrame) -> list[pl.LazyFrame]:
    devices = seen.filter(pl.col("gpu") != "")
    spelled = []
    for node in (pl.col("node"), names.short_node("node")):
        spelled += [
            pl.when(stated("node", "gpu_bdf")).then(pl.format("{}/{}", node, "gpu_bdf")).otherwise(pl.lit("")),
            *(
                pl.when(stated("node", "gpu_index")).then(pl.format(pattern, node, "gpu_index")).otherwise(pl.lit(""))
                for pattern in ("{}/gpu{}", "{}:gpu{}", "{}/nvidia{}")
            ),
        ]
    return [
        _named(seen, "zone", "zone"),
        _named(seen, "node", "node", names.short_node("node")),
        _named(devices, "gpu", "gpu", *spelled),
    ]


def _pods(seen: pl.LazyFrame) -> list[pl.LazyFrame]:
    return [_named(seen, "pod", "pod", _alias(_SLASHED, "namespace", "pod"), pl.col("pod_uid"))]


def _owners(seen: pl.LazyFrame) -> list[pl.LazyFrame]:
    # A pod's row rarely states the namespace; another row of the same pod does.
    spaces = seen.filter(stated("pod", "namespace")).select("pod", "namespace").unique(subset="pod", keep="any")
    placed = seen.join(spaces, on="pod", how="left", suffix="_pod").with_columns(
        namespace=pl.when(pl.col("namespace") != "").then("namespace").otherwise(pl.col("namespace_pod").fill_null(""))
    )
    own = [
        _alias(_SLASHED, "namespace", "owner"),
        _alias("{}.{}", "owner", "namespace"),
        pl.col("replicaset"),
        names.cron_of("owner"),
    ]
    return [_named(placed.filter(pl.col("owner_type") == kind), kind, "owner", *own) for kind in ("workload", "job")]


def _services(seen: pl.LazyFrame) -> list[pl.LazyFrame]:
    spaces = seen.filter(stated("pod", "namespace")).select("pod", "namespace").unique(subset="pod", keep="any")
    served = (
        seen.filter(pl.col("service") != "")
        .join(spaces, on="pod", how="left", suffix="_pod")
        .with_columns(
            namespace=pl.coalesce(pl.when(pl.col("namespace") != "").then("namespace"), "namespace_pod", pl.lit(""))
        )
    )
    return [
        _named(
            served,
            "service",
            "service",
            _alias(_SLASHED, "namespace", "service"),
            _alias("{}.{}", "service", "namespace"),
        )
    ]


def _labelled(frames: Frames) -> list[pl.LazyFrame]:
    """Input features and ingresses: objects that exist only as labels of metrics or targets of events."""
    label = frames["metric_series"].select(
        "model", feature=pl.col("labels").str.json_path_match("$.feature").fill_null(""),
        ingress=pl.col("labels").str.json_path_match("$.ingress").fill_null(""),
    )  # fmt: skip
    feature = [_alias("{}/{}", "model", "feature"), _alias("feature:{}", "feature")]
    synced = (
        frames["k8s_events"].filter(pl.col("object_kind") == "Ingress").select(ingress="object", namespace="namespace")
    )
    return [
        _named(label, "feature", "feature", *feature),
        _named(label, "ingress", "ingress"),
        _named(synced, "ingress", "ingress", _alias(_SLASHED, "namespace", "ingress")),
    ]


def _changes(frames: Frames) -> pl.LazyFrame:
    """Deployments by id, revision (in full and as people shorten it) and version."""
    rows = frames["changes"].filter(pl.col("what") == "deployment")
    short = [pl.col("revision").str.slice(0, length) for length in (12, 8, 7)]
    named = pl.when(stated("service", "version")).then(pl.format("{}@{}", "service", "version")).otherwise(pl.lit(""))
    return rows.select(
        type=pl.lit("deployment_change"), name="id", alias=pl.concat_list("revision", *short, "version", named)
    ).explode("alias", empty_as_null=False)


def _commits(frames: Frames) -> pl.LazyFrame:
    """Commits by revision, in full and as people shorten it."""
    rows = frames["changes"].filter(pl.col("what") == "commit", pl.col("revision") != "")
    short = [pl.col("revision").str.slice(0, length) for length in (12, 8, 7)]
    return rows.select(type=pl.lit("commit"), name="revision", alias=pl.concat_list(*short)).explode(
        "alias", empty_as_null=False
    )


def _shipped(frames: Frames) -> pl.LazyFrame:
    """Commit -> services whose first deployment since then ships it, valid from that deployment on.

    A deployment ships what was committed before its own revision and after the service's deployment before.
    """
    rows = frames["changes"]
    commits = rows.filter(pl.col("what") == "commit", pl.col("revision") != "").select("revision", committed="time")
    heads = commits.group_by("revision").agg(head=pl.col("committed").min())
    deployments = (
        rows.filter(pl.col("what") == "deployment", pl.col("service") != "")
        .join(heads, on="revision", how="left")
        .with_columns(head=pl.coalesce("head", "time"))
        .sort("service", "time")
        .with_columns(before=pl.col("head").shift(1).over("service"))
        .select("service", "head", "before", deployed="time")
    )
    shipped = commits.join(deployments, how="cross").filter(
        pl.col("committed") <= pl.col("head"),
        pl.col("before").is_null() | (pl.col("committed") > pl.col("before")),
    )
    return shipped.select(
        kind=pl.lit("ships"),
        src_type=pl.lit("commit"),
        src="revision",
        dst_type=pl.lit("service"),
        dst="service",
        valid_from="deployed",
        valid_to=pl.col("deployed") + pl.duration(hours=2),
        weight=pl.lit(1.0),
    )


def _changed(frames: Frames) -> pl.LazyFrame:
    """Change -> the service it was made to."""
    rows = frames["changes"].filter(pl.col("what") != "commit")
    flag = pl.col("what") == "flag"
    return rows.select(
        kind=pl.lit("changes"),
        src_type=pl.when(flag).then(pl.lit("feature_flag")).otherwise(pl.lit("deployment_change")),
        src="id",
        dst_type=pl.lit("service"),
        dst="service",
        valid_from="time",
        valid_to=pl.col("time") + pl.duration(hours=2),
        weight=pl.lit(1.0),
    )


def _spoken(seen: pl.LazyFrame) -> pl.LazyFrame:
    """(owner, model, spoken): a model's label in metrics and its name in requests, for workloads that serve one."""
    by = (
        seen.filter(stated("owner", "model"))
        .group_by("owner")
        .agg(
            pl.col("model").filter(pl.col("source") == "span").unique().alias("spoken"),
            pl.col("model").unique().alias("model"),
        )
    )
    single = by.filter(pl.col("spoken").list.len() == 1, pl.col("model").list.len() <= 3)
    return single.explode("model", empty_as_null=False).with_columns(pl.col("spoken").list.first())


def _models(seen: pl.LazyFrame) -> pl.LazyFrame:
    known = _spoken(seen).select("model", "spoken").unique(subset="model", keep="any")
    canonical = seen.filter(pl.col("model") != "").join(known, on="model", how="left")
    return canonical.select(type=pl.lit("model"), name=pl.coalesce("spoken", "model"), alias="model").unique()


def edges(frames: Frames, seen: pl.LazyFrame | None = None) -> pl.LazyFrame:
    """Edges (`EDGE`), valid from when the two names were first seen together until they last were.

    `seen` is `sightings(frames)` where the caller has it already.
    """
    seen = sightings(frames) if seen is None else seen
    known = _spoken(seen).select("model", "spoken").unique(subset="model", keep="any")
    spoken = seen.join(known, on="model", how="left").with_columns(model=pl.coalesce("spoken", "model"))
    jobs, workloads = spoken.filter(pl.col("owner_type") == "job"), spoken.filter(pl.col("owner_type") == "workload")
    # Labels vanish with the fault, so what holds a GPU is known only from before.
    parts = [
        _pairs(seen, "hosts", "zone", "node"),
        _pairs(seen, "hosts", "node", "gpu"),
        _pairs(seen, "hosts", "node", "pod"),
        _pairs(seen, "used_by", "gpu", "pod"),
        _pairs(workloads, "part_of", "pod", "owner", dst_type="workload"),
        _pairs(workloads, "owns", "owner", "pod", src_type="workload"),
        _pairs(jobs, "part_of", "pod", "owner", dst_type="job"),
        _pairs(jobs, "owns", "owner", "pod", src_type="job"),
        _pairs(_own_service(workloads), "runs", "owner", "service", src_type="workload"),
        _pairs(_own_service(jobs), "runs", "owner", "service", src_type="job"),
        # What a callee does to a service is measured at its pods.
        _pairs(_own_service(workloads), "shows_at", "service", "pod"),
        _pairs(workloads, "serves", "owner", "model", src_type="workload"),
        _pairs(_own_service(workloads), "serves", "service", "model"),
        _changed(frames),
        _shipped(frames),
        calls(frames),
        graphed(frames, seen),
        uses_model(frames),
        peers(frames, seen),
        *label_edges(frames, seen),
    ]
    return (
        pl.concat([part.select(*EDGE).cast(pl.Schema(EDGE)) for part in parts])
        .filter(pl.col("src") != "", pl.col("dst") != "")
        .group_by("kind", "src_type", "src", "dst_type", "dst")
        .agg(pl.col("valid_from").min(), pl.col("valid_to").max(), pl.col("weight").sum())
        .select(*EDGE)
    )


def _own_service(seen: pl.LazyFrame) -> pl.LazyFrame:
    return seen.filter(stated("owner", "service"))


def _pairs(
    seen: pl.LazyFrame, kind: str, src: str, dst: str, *, src_type: str = "", dst_type: str = ""
) -> pl.LazyFrame:
    return seen.filter(stated(src, dst)).select(
        kind=pl.lit(kind),
        src_type=pl.lit(src_type or src),
        src=src,
        dst_type=pl.lit(dst_type or dst),
        dst=dst,
        valid_from="first",
        valid_to="last",
        weight=pl.lit(1.0),
    )
