"""What is known about each kind of signal: how plausible it is as a root, how long it echoes."""

from __future__ import annotations

import polars as pl

from correlate import catalog

# For a kind no catalogue row covers: a symptom that echoes for two minutes.
_UNKNOWN = {"root_prior": 0.1, "role": "symptom", "hold_s": 120.0, "source_delay_s": 0.0, "state_change": False}
FACTS = ("root_prior", "role", "hold_s", "source_delay_s", "state_change", "title", "action")


def with_facts(signals: pl.DataFrame) -> pl.DataFrame:
    """`signals` with the FACTS columns of their kind.

    A kind takes the row of its own name, else the row of its prefix (`xid.79` falls back to
    `xid`), else the facts of an unknown symptom. `context` is true for what surrounds an incident
    without being a symptom of it: drains, deploys, telemetry gaps.
    """
    kinds = catalog.kinds().select("kind", *FACTS)
    prefix = kinds.rename({"kind": "prefix"})
    joined = (
        signals.with_columns(prefix=pl.col("kind").str.split(".").list.first())
        .join(kinds, on="kind", how="left")
        .join(prefix, on="prefix", how="left", suffix="_prefix")
    )
    facts = [
        pl.coalesce(name, f"{name}_prefix").fill_null(_UNKNOWN[name]).alias(name) for name in FACTS if name in _UNKNOWN
    ]
    return joined.with_columns(
        *facts,
        title=pl.coalesce("title", "title_prefix", "kind"),
        action=pl.coalesce("action", "action_prefix", pl.lit("")),
    ).select(*signals.columns, *FACTS, context=(pl.col("role") == "context") | (pl.col("family") == "change"))
