"""Signals and topology for tests, in seconds after a fixed moment."""

from __future__ import annotations

from typing import Any

import polars as pl

from correlate.signals import SIGNAL, TIME, with_ids

T0 = 1_700_000_000
HOUR = 3600.0

EDGE = {
    "kind": pl.String(), "src_type": pl.String(), "src": pl.String(), "dst_type": pl.String(), "dst": pl.String(),
    "valid_from": TIME, "valid_to": TIME, "weight": pl.Float64(),
}  # fmt: skip


def nanos(seconds: float) -> int:
    """Nanoseconds since the epoch, `seconds` after T0."""
    return int((T0 + seconds) * 1e9)


def signal(
    kind: str, family: str, entity: str, at: float, *, lasts: float = 0.0, score: float = 8.0, **more: Any
) -> dict[str, Any]:
    """One row: `entity` is written `type:name`."""
    entity_type, name = entity.split(":", 1)
    row = {
        "kind": kind, "family": family, "rule": family, "entity_type": entity_type, "entity": name, "seen": nanos(at),
        "onset": nanos(at), "until": nanos(at + lasts), "score": score, "direction": 1, "value": 1.0, "baseline": 0.0,
        "severity": "high", "explanation": f"{kind} at {name}", "evidence": "{}",
    }  # fmt: skip
    return row | more


def signals(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows as the engine hands them on: SIGNAL columns without `seen`, plus id, rule and family."""
    schema: dict[str, Any] = {**SIGNAL, "rule": pl.String(), "family": pl.String()}
    raw = schema | dict.fromkeys(["seen", "onset", "until"], pl.Int64())
    frame = pl.DataFrame(list(rows), schema=raw, orient="row").with_columns(pl.col("seen", "onset", "until").cast(TIME))
    return with_ids(frame.select(*schema), "default").drop("seen")


def edge(src: str, dst: str, kind: str = "hosts", start: float = -HOUR, end: float = HOUR) -> dict[str, Any]:
    """`src` and `dst` written `type:name`; a fault of src can break dst."""
    (src_type, src_name), (dst_type, dst_name) = src.split(":", 1), dst.split(":", 1)
    return {
        "kind": kind, "src_type": src_type, "src": src_name, "dst_type": dst_type, "dst": dst_name,
        "valid_from": nanos(start), "valid_to": nanos(end), "weight": 1.0,
    }  # fmt: skip


def edges(*rows: dict[str, Any]) -> pl.DataFrame:
    """A topology frame."""
    raw = EDGE | dict.fromkeys(["valid_from", "valid_to"], pl.Int64())
    return pl.DataFrame(list(rows), schema=raw, orient="row").with_columns(pl.col("valid_from", "valid_to").cast(TIME))


def entities(**aliases: list[str]) -> pl.DataFrame:
    """Entities by `type__name=[aliases]`."""
    pairs = [key.split("__", 1) for key in aliases]
    return pl.DataFrame(
        {"type": [t for t, _ in pairs], "name": [n for _, n in pairs], "aliases": list(aliases.values())},
        schema={"type": pl.String, "name": pl.String, "aliases": pl.List(pl.String)},
    )


# A GPU node serving one model behind a gateway: the story most tests tell.
SERVING = (
    edge("node:n1", "gpu:GPU-1"),
    edge("gpu:GPU-1", "pod:phi-0", "runs"),
    edge("node:n1", "pod:phi-0"),
    edge("pod:phi-0", "workload:phi-w", "owned"),
    edge("pod:phi-1", "workload:phi-w", "owned"),
    edge("workload:phi-w", "service:phi", "serves"),
    edge("service:phi", "model:phi-4", "serves"),
    edge("service:phi", "service:gateway", "calls"),
)
GPU_STORY = (
    signal("xid.79", "gpu", "gpu:GPU-1", 0, score=10.0, severity="critical"),
    signal("pod.restart", "kubernetes", "pod:phi-0", 5, score=7.0),
    signal("metric.shift", "metric", "service:phi", 60, lasts=300, score=6.0),
    signal("trace.errors", "trace", "service:gateway", 70, lasts=240, score=7.0),
    signal("quality.drop", "quality", "model:phi-4", 200, lasts=400, score=8.0),
)
