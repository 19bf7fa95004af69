"""Relations that spans and metric labels state: who calls whom, who prompts which model, what feeds what."""

from __future__ import annotations

import polars as pl

from correlate import names
from correlate.frames import Frames
from correlate.signals import TIME

EDGE: dict[str, pl.DataType] = {
    "kind": pl.String(),
    "src_type": pl.String(),
    "src": pl.String(),
    "dst_type": pl.String(),
    "dst": pl.String(),
    "valid_from": TIME,
    "valid_to": TIME,
    "weight": pl.Float64(),
}
"""Columns of an edge; weight is the number of calls, or 1."""


def stated(*needed: str) -> pl.Expr:
    """Whether all the named columns say something."""
    return pl.all_horizontal(pl.col(c) != "" for c in needed)


def calls(frames: Frames) -> pl.LazyFrame:
    """Callee -> caller, from spans whose parent belongs to another service; weight is the number of calls."""
    spans = frames["spans"].filter(pl.col("service") != "")
    parents = spans.select("trace_id", parent_id="span_id", caller="service")
    return (
        spans.select("trace_id", "parent_id", "service", "time")
        .filter(pl.col("parent_id") != "")
        .join(parents, on=["trace_id", "parent_id"])
        .filter(pl.col("service") != pl.col("caller"))
        .group_by("service", "caller")
        .agg(
            pl.col("time").min().alias("valid_from"),
            pl.col("time").max().alias("valid_to"),
            pl.len().cast(pl.Float64).alias("weight"),
        )
        .with_columns(kind=pl.lit("calls"), src_type=pl.lit("service"), dst_type=pl.lit("service"))
        .rename({"service": "src", "caller": "dst"})
    )


# Labels that name both ends of a call in metrics made from traces or by a mesh. Tempo and the OpenTelemetry service
# graph connector: https://grafana.com/docs/tempo/latest/metrics-from-traces/service_graphs/ ; Istio:
# https://istio.io/latest/docs/reference/config/metrics/
CALL_LABELS = (
    ("client", "server"),
    ("source_canonical_service", "destination_canonical_service"),
    ("source_workload", "destination_workload"),
    ("source_service", "destination_service"),
)
_NOBODY = ("", "unknown", "user")


def call_ends(labels: str = "labels") -> tuple[pl.Expr, pl.Expr]:
    """(caller, callee) that a metric's labels name, '' where they do not name both."""
    caller, callee = pl.lit(""), pl.lit("")
    for source, target in reversed(CALL_LABELS):
        ends = [pl.col(labels).str.json_path_match(f"$['{name}']").fill_null("") for name in (source, target)]
        both = ~ends[0].is_in(_NOBODY) & ~ends[1].is_in(_NOBODY)
        caller = pl.when(both).then(ends[0]).otherwise(caller)
        callee = pl.when(both).then(ends[1]).otherwise(callee)
    return caller, callee


def graphed(frames: Frames, seen: pl.LazyFrame) -> pl.LazyFrame:
    """Callee -> caller, from metrics whose labels name both ends; weight is the number of such series."""
    caller, callee = call_ends()
    span = seen.select(valid_from=pl.col("first").min(), valid_to=pl.col("last").max())
    named = frames["metric_series"].select(caller=caller, callee=callee)
    return (
        named.filter(stated("caller", "callee"), pl.col("caller") != pl.col("callee"))
        .group_by("caller", "callee")
        .agg(pl.len().cast(pl.Float64).alias("weight"))
        .join(span, how="cross")
        .select(
            "valid_from", "valid_to", "weight",
            kind=pl.lit("calls"), src_type=pl.lit("service"), src="callee", dst_type=pl.lit("service"), dst="caller",
        )
    )  # fmt: skip


def uses_model(frames: Frames) -> pl.LazyFrame:
    """Caller -> model: who builds a model's prompts decides what its answers are worth."""
    return (
        frames["spans"]
        .filter(stated("service", "model"), pl.col("kind") == "Client")
        .group_by("service", "model")
        .agg(
            pl.col("time").min().alias("valid_from"),
            pl.col("time").max().alias("valid_to"),
            pl.len().cast(pl.Float64).alias("weight"),
        )
        .with_columns(kind=pl.lit("prompts"), src_type=pl.lit("service"), dst_type=pl.lit("model"))
        .rename({"service": "src", "model": "dst"})
    )


def peers(frames: Frames, seen: pl.LazyFrame) -> pl.LazyFrame:
    """What a client span names as its server: a service or workload of ours, else a dependency outside."""
    host = pl.col("peer").str.replace(r":\d+$", "")
    address = host.str.contains(r"^[\d.]+$|^\[?[0-9a-fA-F:]+\]?$")
    first = host.str.split(".").list.first()
    calls = (
        frames["spans"]
        .filter(stated("service", "peer"), pl.col("kind").is_in(["Client", "Producer"]))
        .select("service", "time", host=host, label=pl.when(address).then(host).otherwise(first))
        .group_by("service", "host", "label")
        .agg(
            pl.col("time").min().alias("valid_from"),
            pl.col("time").max().alias("valid_to"),
            pl.len().cast(pl.Float64).alias("weight"),
        )
    )
    services = seen.filter(pl.col("service") != "").select(label="service", is_service=pl.lit(value=True)).unique()
    workloads = (
        seen.filter(pl.col("owner") != "", pl.col("owner_type") == "workload")
        .select(label="owner", is_workload=pl.lit(value=True))
        .unique()
    )
    found = calls.join(services, on="label", how="left").join(workloads, on="label", how="left")
    return (
        found.with_columns(
            src_type=pl.when(pl.col("is_service"))
            .then(pl.lit("service"))
            .when(pl.col("is_workload"))
            .then(pl.lit("workload"))
            .otherwise(pl.lit("dependency")),
            src=pl.when(pl.col("is_service").fill_null(value=False) | pl.col("is_workload").fill_null(value=False))
            .then("label")
            .otherwise("host"),
            kind=pl.lit("calls"),
            dst_type=pl.lit("service"),
            dst="service",
        )
        .filter(~((pl.col("src_type") == "service") & (pl.col("src") == pl.col("dst"))))
        .select(*EDGE)
    )


def label_edges(frames: Frames, seen: pl.LazyFrame) -> list[pl.LazyFrame]:
    """Features feed models; an ingress controller serves ingresses, which lead to services."""
    span = seen.select(valid_from=pl.col("first").min(), valid_to=pl.col("last").max())
    series = (
        frames["metric_series"]
        .select(
            "model",
            "pod",
            feature=pl.col("labels").str.json_path_match("$.feature").fill_null(""),
            ingress=pl.col("labels").str.json_path_match("$.ingress").fill_null(""),
            backend=pl.col("labels").str.json_path_match("$.service").fill_null(""),
        )
        .unique()
    )
    series = series.with_columns(controller=names.owner("pod")).join(span, how="cross").with_columns(weight=pl.lit(1.0))
    wanted = (
        ("feeds", "feature", "feature", "model", "model"),
        ("serves", "workload", "controller", "ingress", "ingress"),
        ("routes", "ingress", "ingress", "service", "backend"),
    )
    parts = []
    for kind, src_type, src, dst_type, dst in wanted:
        needed = [src, dst, "ingress"] if src == "controller" else [src, dst]
        parts.append(
            series.filter(stated(*needed)).select(
                "valid_from",
                "valid_to",
                "weight",
                kind=pl.lit(kind),
                src_type=pl.lit(src_type),
                src=src,
                dst_type=pl.lit(dst_type),
                dst=dst,
            )
        )
    return parts
