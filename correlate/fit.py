"""Which change fits the symptoms: by what it touched and when, never by which came last.

A change brings words (its title, the files and lines it touched); so do symptoms (log lines, metric names, failing
operations). At least two in common, beside the names of services, are a fit. A change made after the first symptom
did not cause it.
"""

from __future__ import annotations

import polars as pl

# A change that shares nothing with the symptoms keeps this share of its evidence; one that fits well has it doubled.
_UNFIT, _FIT = 0.25, 2.2
# Words in common that may be chance, and that make a good fit.
_CHANCE, _ENOUGH = 1.0, 3.0
_TOO_LATE = 0.05
_SLACK_S = 30.0
# What is in every diff, log and metric of every system.
_COMMON = (
    "above", "after", "before", "call", "calls", "cases", "changed", "context", "deployed", "duration", "error",
    "errors", "failed", "feature", "flag", "follows", "from", "func", "host", "http", "https", "lines", "logged",
    "metric", "metrics", "never", "nothing", "post", "rate", "ratio", "request", "requests", "return", "returned",
    "samples", "seconds", "server", "service", "shifted", "status", "string", "text", "that", "this", "times",
    "traces", "upstream", "usually", "warn", "with", "write",
)  # fmt: skip
# A host that calls fail to reach is a suspect of its own, and no word about what was changed.
_HOSTS = r"https?://\S+|[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|io|local|internal|svc)\b\S*"


def _words(text: pl.Expr) -> pl.Expr:
    """Words of a text, camelCase and snake_case taken apart, endings cut so that expire, expiry and expired meet."""
    apart = text.str.replace_all(_HOSTS, " ").str.replace_all(r"([a-z])([A-Z])", "${1} ${2}").str.to_lowercase()
    return (
        apart.str.extract_all(r"[a-z]{4,}")
        .list.eval(pl.element().filter(~pl.element().is_in(list(_COMMON))).str.slice(0, 5))
        .list.unique()
    )


def with_fit(members: pl.DataFrame) -> pl.DataFrame:
    """`members` with `fit`: the factor on a change's evidence; 1 for all that is not a change with words."""
    words = pl.col("evidence").str.json_path_match("$.words")
    is_change = (pl.col("family") == "change") & words.is_not_null()
    changes = members.filter(is_change).select("component", "id", "onset", word=_words(words))
    if changes.is_empty():
        return members.with_columns(fit=pl.lit(1.0))
    said = (
        members.filter(pl.col("family") != "change")
        .select("component", word=_words(pl.concat_str("explanation", pl.lit(" "), "evidence")))
        .explode("word", empty_as_null=False)
        .drop_nulls()
        .unique()
    )
    # Being about the same service is what the topology says already.
    names = members.filter(pl.col("family") != "change").select("component", word=_words(pl.col("entity")))
    own = names.explode("word", empty_as_null=False).drop_nulls().unique()
    shared = (
        changes.explode("word", empty_as_null=False)
        .drop_nulls()
        .unique(["component", "id", "word"])
        .join(said, on=["component", "word"], how="semi")
        .join(own, on=["component", "word"], how="anti")
        .group_by("component", "id")
        .agg(hits=pl.len())
    )
    first = members.filter(~pl.col("context")).group_by("component").agg(first=pl.col("onset").min())
    late = (pl.col("onset") - pl.col("first")).dt.total_milliseconds() / 1e3 > _SLACK_S
    part = ((pl.col("hits").fill_null(0).cast(pl.Float64) - _CHANCE) / (_ENOUGH - _CHANCE)).clip(0.0, 1.0)
    judged = (
        changes.select("component", "id", "onset")
        .join(shared, on=["component", "id"], how="left")
        .join(first, on="component")
        .select(
            "component",
            "id",
            judged=pl.when(late).then(_TOO_LATE).otherwise(_UNFIT + (_FIT - _UNFIT) * part).round(6),
        )
    )
    return (
        members.join(judged, on=["component", "id"], how="left", maintain_order="left")
        .with_columns(fit=pl.col("judged").fill_null(1.0))
        .drop("judged")
    )
