"""What health agents of GPUs say in records of their own.

Signal: the kind that the `gpu_health_texts` catalogue gives the text, or xid.<code> where it names one, on a GPU where
the record says which, else on the node.
Condition: a log record that is an NVSentinel health event (also as CloudEvent) which is unhealthy and asks for an
action, or a gpud event of type Critical or Fatal. What asks for nothing counts nothing: of a large fleet's health
events 99 in 100 do.
Why it matters: agents see what no metric has (a failed diagnosis, a missing device), and name the action.
Source: https://github.com/NVIDIA/NVSentinel and https://github.com/leptonai/gpud
"""

from __future__ import annotations

import polars as pl

from correlate import catalog, names
from correlate.frames import Frames
from correlate.rule import Rule
from correlate.sessions import evidence_of, sessions

_SECOND_HAND = 0.9
_FATAL, _NOT_FATAL = 1.0, 0.7
_XID = r"(?i)\bxid[ :=_]*(\d+)"
_NONE = ("NONE", "0", "")


def _path(*paths: str) -> pl.Expr:
    return pl.coalesce(*(pl.col("body").str.json_path_match(path).replace("", None) for path in paths), pl.lit(""))


def _sentinel(logs: pl.LazyFrame) -> pl.LazyFrame:
    """NVSentinel's health events as `time, node, text, device, fatal`."""

    def told(name: str) -> pl.Expr:
        return _path(f"$.data.healthEvent.{name}", f"$.healthEvent.{name}", f"$.{name}")

    events = logs.filter(
        pl.col("body").str.contains('"checkName"', literal=True),
        pl.col("body").str.contains('"recommendedAction"', literal=True),
    )
    return (
        events.with_columns(
            healthy=told("isHealthy"), action=told("recommendedAction"), fatal=told("isFatal") == "true",
            node=pl.coalesce(told("nodeName").replace("", None), "node"),
            check=told("checkName"), message=told("message"),
            codes=told("errorCode"), entities=told("entitiesImpacted"),
        )
        .filter(pl.col("healthy") != "true", ~pl.col("action").is_in(list(_NONE)))
        .select(
            "time", "node", "fatal", "action",
            text=pl.concat_str("check", "codes", "message", separator=" "),
            device=pl.col("entities").str.extract(r"(GPU-[0-9a-fA-F-]{8,})", 1),
            bdf=names.bdf("entities"),
        )
    )  # fmt: skip


def _gpud(logs: pl.LazyFrame) -> pl.LazyFrame:
    """gpud's events in the same columns."""
    events = logs.filter(
        pl.col("body").str.contains('"component"', literal=True), pl.col("body").str.contains("accelerator-nvidia")
    )
    kind = _path("$.type")
    return events.filter(kind.is_in(["Critical", "Fatal"])).select(
        "time",
        "node",
        fatal=kind == "Fatal",
        action=_path("$.suggested_actions.repair_actions"),
        text=pl.concat_str(_path("$.component"), _path("$.name"), _path("$.message"), separator=" "),
        device=pl.col("body").str.extract(r"(GPU-[0-9a-fA-F-]{8,})", 1),
        bdf=names.bdf(_path("$.message")),
    )


def detect(frames: Frames) -> pl.LazyFrame:
    """Faults that agents reported in the window."""
    texts = (
        catalog.table("gpu_health_texts").lazy().with_columns(pl.col("score").cast(pl.Float64)).with_row_index("rank")
    )
    codes = catalog.table("xid").lazy().select("code", rated=pl.col("score").cast(pl.Float64))
    columns = ("time", "node", "fatal", "action", "text", "device", "bdf")
    rows = pl.concat([part(frames["logs"]).select(columns) for part in (_sentinel, _gpud)]).with_row_index("row")
    named = (
        rows.join(texts, how="cross")
        .filter((pl.col("pattern") == "") | pl.col("text").str.contains(pl.col("pattern")))
        .sort("row", "rank")
        .unique("row", keep="first", maintain_order=True)
        .with_columns(code=pl.col("text").str.extract(_XID, 1).cast(pl.Int64))
        .join(codes, on="code", how="left")
    )
    place = pl.when(pl.col("bdf").is_not_null() & (pl.col("node") != "")).then(pl.format("{}/{}", "node", "bdf"))
    gpu = pl.coalesce("device", place)
    xid = pl.col("code").is_not_null()
    weight = pl.when("fatal").then(_FATAL).otherwise(_NOT_FATAL)
    facts = named.select(
        "time",
        kind=pl.when(xid).then(pl.format("xid.{}", pl.col("code").fill_null(0))).otherwise("kind"),
        entity_type=pl.when(gpu.is_not_null()).then(pl.lit("gpu")).otherwise(pl.lit("node")),
        entity=pl.coalesce(gpu, "node"),
        score=pl.when(xid).then(pl.col("rated").fill_null(4.0) * _SECOND_HAND).otherwise(pl.col("score") * weight),
        explanation=pl.format("health agent on {}: {}", "node", pl.col("text").str.slice(0, 160)),
        evidence=evidence_of(action="action", node="node", text=pl.col("text").str.slice(0, 300)),
    )
    return sessions(facts, frames)


RULE = Rule("health_agents", "gpu", ("logs",), detect)
