"""What an NVLink 5 error (Xid 144-150) says: unit, severity, link, and what NVIDIA's table makes of its hex words.

One code stands for a link that is down and for a link that lost a bit, so the words after it decide: `NETIR_LINK_EVT
Fatal XC0 i0 Link 08 (0x004505c6 0x00000000 ...)`. The first hex word holds the sub-code (bits 20 to 25, in both
layouts that drivers use), the second the error status. Lines may be cut off after the first word.
Source: sheet "XID 144-150 Decode" of the catalogue at https://docs.nvidia.com/deploy/xid-errors/
"""

from __future__ import annotations

import polars as pl

from correlate import catalog

LINE = (
    r"(?P<unit>[A-Z][A-Z_/0-9]+)\s+(?P<severity>Fatal|Nonfatal)\s+XC\d+ i\d+ Link (?P<link>-?\d+)\s+"
    r"\((?P<info>0x[0-9a-fA-F]+)(?: (?P<status>0x[0-9a-fA-F]+))?"
)
FIRST, LAST = 144, 150
"""The codes that this covers."""

# Without a row in the table: a link that only lost bits, as its text says.
_NONFATAL = 3.0
_SUB_CODE = 1 << 20


def parse(text: str = "text") -> list[pl.Expr]:
    """`unit, severity, link, intrinfo, error_status` of a line's text; '' or null where it says nothing."""
    found = pl.col(text).str.extract_groups(LINE)
    return [
        found.struct.field("unit").fill_null("").alias("unit"),
        found.struct.field("severity").str.to_lowercase().fill_null("").alias("severity"),
        found.struct.field("link").cast(pl.Int64).alias("link"),
        found.struct.field("info").fill_null("").alias("intrinfo"),
        found.struct.field("status").fill_null("").alias("error_status"),
    ]


def _number(hexadecimal: str) -> pl.Expr:
    return pl.col(hexadecimal).replace("", None).str.strip_prefix("0x").str.to_integer(base=16, strict=False)


def decoded(events: pl.LazyFrame) -> pl.LazyFrame:
    """Xids (`code, text`, ...) with what `parse` finds, and `link_score, link_action, effect`: null for other codes.

    An error that the table does not list keeps its code's score, unless its own text calls it nonfatal.
    """
    table = (
        catalog.table("nvlink5")
        .lazy()
        .select(
            "unit", "sub", "effect",
            code="xid", status="status", table_action="action", table_score=pl.col("score").cast(pl.Float64),
        )
    )  # fmt: skip
    known = pl.col("code").is_between(FIRST, LAST)
    told = events.with_columns(parse()).with_columns(
        sub=_number("intrinfo") // _SUB_CODE % 64,
        status=_number("error_status").cast(pl.Int64),
    )
    return told.join(table, on=["code", "unit", "sub", "status"], how="left").with_columns(
        link_score=pl.when(known).then(
            pl.coalesce("table_score", pl.when(pl.col("severity") == "nonfatal").then(_NONFATAL))
        ),
        link_action=pl.when(known).then("table_action"),
        effect=pl.col("effect").fill_null(""),
    )
