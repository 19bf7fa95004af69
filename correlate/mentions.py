"""Dependencies that symptoms state: who fails names whom it needed.

Traces state calls, but not everywhere are traces. A service that logs an error about another, or counts errors per
endpoint by its name, depends on it. Such edges hold for the incident that states them.
"""

from __future__ import annotations

import polars as pl

# A name shorter than this is a word like any other.
_SHORTEST = 5
# So many entities may share the first part of their names for it to mean them.
_FAMILY = 3
_BEFORE_S = 7200
# A client that is named is no dependency.
_CLIENT = r"(?i)\b(?:requests?|calls?|clients?|callers?|traffic|messages?|users?)\s+(?:from|by)\s+\S+"
_TOKENS = (r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*", r"[A-Za-z]\w*(?:-\w+)*")


def stated(signals: pl.DataFrame, entities: pl.DataFrame, edges: pl.DataFrame) -> pl.DataFrame:
    """Edges (columns of `edges`) from services and dependencies to those whose symptoms name them."""
    known = _names(signals, entities)
    speakers = signals.filter(
        pl.col("family").is_in(["log", "metric"]), pl.col("entity_type").is_in(["service", "workload", "dependency"])
    )
    callers = pl.col("evidence").str.json_path_match("$.callers").fill_null("")
    blamed = speakers.filter(callers != "").select(
        src_type="entity_type",
        src="entity",
        dst=callers.str.extract_all(r'[^"\[\],]+'),
        onset="onset",
        until="until",
    )
    told = blamed.explode("dst", empty_as_null=False).with_columns(dst_type=pl.lit("service"))
    text = pl.concat_str("explanation", pl.lit(" "), "evidence").str.replace_all(_CLIENT, " ")
    spoken = (
        speakers.filter(callers == "")
        .select(
            "onset",
            "until",
            dst_type="entity_type",
            dst="entity",
            said=pl.concat_list(*(text.str.extract_all(pattern) for pattern in _TOKENS)).list.unique(),
        )
        .explode("said", empty_as_null=False)
        .join(known, on="said")
        .filter(pl.col("src") != pl.col("dst"))
    )
    columns = ["src_type", "src", "dst_type", "dst", "onset", "until"]
    found = pl.concat([told.select(columns), spoken.select(columns)]).filter(pl.col("dst") != "")
    return (
        found.group_by("src_type", "src", "dst_type", "dst")
        .agg(valid_from=pl.col("onset").min() - pl.duration(seconds=_BEFORE_S), valid_to=pl.col("until").max())
        .with_columns(kind=pl.lit("named"), weight=pl.lit(1.0))
        .select(edges.columns)
        .cast(edges.schema)
        .sort("src_type", "src", "dst_type", "dst")
    )


def _names(signals: pl.DataFrame, entities: pl.DataFrame) -> pl.DataFrame:
    """(said, src_type, src): what services and dependencies are called, by themselves and as a family."""
    named = pl.concat(
        [
            entities.select(src_type="type", src="name"),
            signals.select(src_type="entity_type", src="entity"),
        ]
    ).filter(pl.col("src_type").is_in(["service", "dependency"]), pl.col("src").str.len_chars() >= _SHORTEST)
    own = named.unique().with_columns(said="src")
    first = own.with_columns(said=pl.col("src").str.split("-").list.first())
    family = first.filter(
        pl.col("said") != pl.col("src"),
        pl.col("said").str.len_chars() >= _SHORTEST,
        pl.len().over("said") <= _FAMILY,
        ~pl.col("said").is_in(own["said"].implode()),
    )
    columns = ["said", "src_type", "src"]
    return pl.concat([own.select(columns), family.select(columns)]).unique()
