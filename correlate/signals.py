"""The signal: what a rule reports. One row says when, which entity, what, how strongly, and why.

Columns a rule returns (`SIGNAL`): `kind` names the fact (`xid.79`, `pod.restart`,
`trace.edge_gap`), `seen` is when the evidence was observed and `onset` when the thing began
(a watchdog line is seen ten minutes after its onset), `until` when it was last active.
`score` is evidence strength on one scale for all families: 0 is nothing, 3 is notable, 10 is
as sure as a single observation gets. `value` and `baseline` are the numbers behind it.
"""

from __future__ import annotations

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


def signal_id(*columns: str) -> pl.Expr:
    """A stable hexadecimal id from the named columns' text, equal on every run and machine."""
    # struct().hash() is not stable between polars versions, so ids come from the text's own hash in the engine.
    return pl.concat_str([pl.col(c).cast(pl.String) for c in columns], separator="|")
