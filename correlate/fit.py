"""Which change fits the symptoms: by what it touched and when, never by which came last.

A change brings terms (what it changed and what it says); so do symptoms (log lines, metric names, failing
operations). Terms in common, the rarer among changes the better, and a common mechanism are a fit; being about the same
service is none, the topology says that already. A line that reports how another system failed is no word about own
code. A change made after the first symptom did not cause it, and one that changes no behaviour hardly did.
"""

from __future__ import annotations

import polars as pl

from correlate import catalog
from correlate.diffs import behaviour, change_terms, changed_text, terms
from correlate.peers import tells_of_another

# A change that shares nothing with the symptoms keeps this share of its evidence; one that fits well has it doubled.
_UNFIT, _FIT = 0.25, 2.2
# A commit is one of many that a deployment ships: without a fit it is no candidate at all.
_UNFIT_COMMIT = 0.02
# Weight of terms in common that may be chance; what is beyond it counts less and less, by this scale.
_CHANCE, _SCALE = 0.6, 1.0
# A mechanism in common says more than a word.
_MECHANISM = 1.5
_TOO_LATE = 0.05
_SLACK_S = 30.0
# A host that calls fail to reach is a suspect of its own, and no word about what was changed.
_HOSTS = r"https?://\S+|[\w-]+(?:\.[\w-]+)*\.(?:com|net|org|io|local|internal|svc)\b\S*"


def with_fit(members: pl.DataFrame) -> pl.DataFrame:
    """`members` with `fit`: the factor on a change's evidence; 1 for all that is not a change with words."""
    words = pl.col("evidence").str.json_path_match("$.words")
    is_change = (pl.col("family") == "change") & words.is_not_null()
    changes = members.filter(is_change).select("component", "id", "kind", "onset", words=words)
    if changes.is_empty():
        return members.with_columns(fit=pl.lit(1.0))
    about = changes.select("id", "words").unique("id")
    said = _said(members)
    named = _names(members)
    shared = pl.concat([_terms_shared(changes, about, said, named), _mechanisms_shared(changes, about, said)])
    # What all changes that can break something speak of does not tell them apart.
    acts = behaviour(about)
    of = (
        changes.select("component", "id")
        .join(acts, on="id")
        .with_columns(among=pl.col("behaves").sum().over("component").clip(1.0))
    )
    rarity = (1.0 + pl.col("among") / pl.col("having")).log() / (1.0 + pl.col("among")).log()
    hits = (
        shared.join(of, on=["component", "id"])
        .with_columns(having=pl.col("behaves").sum().over("component", "term").clip(1.0))
        .group_by("component", "id")
        .agg(hits=(pl.col("weight") * rarity).sum().round(9))
    )
    first = members.filter(~pl.col("context")).group_by("component").agg(first=pl.col("onset").min())
    late = (pl.col("onset") - pl.col("first")).dt.total_milliseconds() / 1e3 > _SLACK_S
    beyond = (pl.col("hits").fill_null(0.0) * pl.col("behaves") - _CHANCE).clip(lower_bound=0.0)
    part = 1.0 - (-beyond / _SCALE).exp()
    least = pl.when(pl.col("kind") == "change.commit").then(_UNFIT_COMMIT).otherwise(_UNFIT)
    judged = (
        changes.join(hits, on=["component", "id"], how="left")
        .join(acts, on="id")
        .join(first, on="component")
        .select(
            "component",
            "id",
            judged=pl.when(late).then(_TOO_LATE * least / _UNFIT).otherwise(least + (_FIT - least) * part).round(6),
        )
    )
    return (
        members.join(judged, on=["component", "id"], how="left", maintain_order="left")
        .with_columns(fit=pl.col("judged").fill_null(1.0))
        .drop("judged")
    )


def _names(members: pl.DataFrame) -> pl.DataFrame:
    """(component, term): words of the names of what shows symptoms; being about a service is what the topology says."""
    names = members.filter(~pl.col("context")).select("component", term=terms(pl.col("entity")))
    return names.explode("term", empty_as_null=False).drop_nulls().unique()


def _said(members: pl.DataFrame) -> pl.DataFrame:
    """(component, text): what symptoms say of the system itself; samples of log lines one by one."""
    symptoms = members.filter(~pl.col("context"))
    samples = pl.col("evidence").str.json_path_match("$.samples[0]")
    told = pl.coalesce(samples, pl.concat_str("explanation", pl.lit(" "), "evidence"))
    more = [pl.col("evidence").str.json_path_match(f"$.samples[{at}]") for at in (1, 2)]
    return (
        symptoms.select("component", text=pl.concat_list(told, *more))
        .explode("text", empty_as_null=False)
        .drop_nulls()
        .filter(~tells_of_another(pl.col("text")))
        .with_columns(pl.col("text").str.replace_all(_HOSTS, " "))
        .unique()
    )


def _terms_shared(changes: pl.DataFrame, about: pl.DataFrame, said: pl.DataFrame, named: pl.DataFrame) -> pl.DataFrame:
    """(component, id, term, weight): terms of a change that symptoms of its component use, but for names."""
    symptoms = said.select("component", term=terms(pl.col("text"))).explode("term", empty_as_null=False).drop_nulls()
    return (
        changes.select("component", "id")
        .join(change_terms(about), on="id")
        .join(symptoms.unique(), on=["component", "term"], how="semi")
        .join(named, on=["component", "term"], how="anti")
    )


def _mechanisms_shared(changes: pl.DataFrame, about: pl.DataFrame, said: pl.DataFrame) -> pl.DataFrame:
    """(component, id, term, weight): mechanisms that a change touches and symptoms show."""
    table = catalog.table("concepts")
    altered = changed_text(about).join(table, how="cross")
    ruled_out = (pl.col("unless") != "") & _matches("text", "unless")
    touched = altered.filter(_matches("text", "change"), ~ruled_out).select("id", term="concept")
    shown = said.join(table, how="cross").filter(_matches("text", "symptom")).select("component", term="concept")
    return (
        changes.select("component", "id")
        .join(touched.unique(), on="id")
        .join(shown.unique(), on=["component", "term"], how="semi")
        .select("component", "id", term=pl.format("mechanism:{}", "term"), weight=pl.lit(_MECHANISM))
    )


def _matches(text: str, pattern: str) -> pl.Expr:
    return pl.col(text).str.contains(pl.format("(?i){}", pattern))
