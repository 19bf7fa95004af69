"""Facts as tables: error codes, event reasons, metric meanings and what each kind of signal implies.

Each table is a .csv beside this module. Its first line is a comment that names the source; the rest is
plain CSV. Tables are joined to telemetry, never looped over.
"""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from io import StringIO

import polars as pl

from correlate.errors import CatalogError

ACTIONS = frozenset(
    {
        "none",
        "inspect",
        "restart_app",
        "reset_gpu",
        "reset_gpu_when_idle",
        "reboot_node",
        "drain_node",
        "replace_hardware",
        "restart_fabric_manager",
        "check_power",
        "check_cooling",
        "check_network",
        "check_storage",
        "check_dependency",
        "check_data",
        "roll_back",
        "fix_image",
        "fix_config",
        "free_disk",
        "raise_memory_limit",
        "add_capacity",
        "update_software",
        "report_to_vendor",
        "fix_monitoring",
        "move_load",
    }
)
"""Recommended actions a catalogue may name."""

ROLES = frozenset({"cause", "symptom", "context"})


@cache
def table(name: str) -> pl.DataFrame:
    """The named catalogue as a frame; numbers are typed, empty text is ''.

    Raises CatalogError when there is no such file or its first line does not say where it comes from.
    """
    path = files(__package__).joinpath(f"{name}.csv")
    if not path.is_file():
        raise CatalogError(f"there is no catalogue {name!r}")
    comment, _, body = path.read_text(encoding="utf-8").partition("\n")
    if not comment.startswith("#"):
        raise CatalogError(f"catalogue {name}: the first line must be a comment that names the source")
    frame = pl.read_csv(StringIO(body), infer_schema_length=None)
    return frame.with_columns(pl.col(pl.String).fill_null(""))


@cache
def kinds() -> pl.DataFrame:
    """Kind of signal -> family, root_prior (0..1), role, hold_s, source_delay_s, state_change, title, action.

    Rows for single Xid and SXid codes come from their own catalogues.
    """
    own = table("kinds").with_columns(pl.col("root_prior", "hold_s", "source_delay_s").cast(pl.Float64))
    codes = [_codes(name, own) for name in ("xid", "sxid")]
    return pl.concat([own, *codes])


def _codes(name: str, own: pl.DataFrame) -> pl.DataFrame:
    general = own.filter(pl.col("kind") == name).drop("kind", "root_prior", "role", "title", "action")
    label = {"xid": "Xid", "sxid": "SXid"}[name]
    rows = table(name).select(
        pl.format("{}.{}", pl.lit(name), "code").alias("kind"),
        pl.col("root_prior").cast(pl.Float64),
        "role",
        pl.format("{} {}: {}", pl.lit(label), "code", "description").alias("title"),
        "action",
    )
    return rows.join(general, how="cross").select(own.columns)


@cache
def mechanisms() -> pl.DataFrame:
    """(cause, effect, weight): how plausibly a signal of one family produces one of another."""
    return table("mechanisms").select("cause", "effect", pl.col("weight").cast(pl.Float64))
