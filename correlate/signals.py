"""The signal: what a rule reports. One row says when, which entity, what, how strongly, and why.

Columns a rule returns (`SIGNAL`): `kind` names the fact (`xid.79`, `pod.restart`,
`trace.edge_gap`), `seen` is when the evidence was observed and `onset` when the thing began
(a watchdog line is seen ten minutes after its onset), `until` when it was last active.
`score` is evidence strength on one scale for all families: 0 is nothing, 3 is notable, 10 is
as sure as a single observation gets. `value` and `baseline` are the numbers behind it.
"""

from __future__ import annotations

import hashlib

import polars as pl

TIME = pl.Datetime("ns", "UTC")

SIGNAL: dict[str, pl.DataType] = {
    "kind": pl.String(),
    "entity_type": pl.String(),
    "entity": pl.String(),
    "seen": TIME,
    "onset": TIME,
    "until": TIME,
    "score": pl.Float64(),
    "direction": pl.Int8(),
    "value": pl.Float64(),
    "baseline": pl.Float64(),
    "severity": pl.String(),
    "explanation": pl.String(),
    "evidence": pl.String(),
}
"""Columns and types of a rule's result; `evidence` is JSON text naming rows, traces or samples."""


def empty() -> pl.LazyFrame:
    """No signals, with the right columns."""
    return pl.LazyFrame(schema=SIGNAL)


def with_ids(signals: pl.DataFrame, tenant: str) -> pl.DataFrame:
    """Add `id`, keep the strongest row of each, and order by onset then id.

    The id is a hash of what the signal is (rule, kind, entity, onset), so any pass that sees the
    same thing gives it the same id.
    """
    identity = pl.concat_str(
        pl.lit(tenant),
        "rule",
        "kind",
        "entity_type",
        "entity",
        pl.col("onset").dt.epoch("ms").cast(pl.String),
        separator="\x1f",
    )
    keys = signals.select(identity.alias("key"))["key"]
    # polars' own hash changes between versions; ids must not.
    ids = [hashlib.blake2b(key.encode(), digest_size=12).hexdigest() for key in keys]
    return (
        signals.with_columns(id=pl.Series(ids, dtype=pl.String))
        .sort("score", "until", descending=True)
        .unique(subset="id", keep="first", maintain_order=True)
        .sort("onset", "id")
    )
