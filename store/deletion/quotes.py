"""Texts of the correlator that quote what is deleted: explanations, evidence, names of entities, what people wrote.

Rows whose text can be said again without the value are rewritten, and their old versions deleted; others go. Rows to be
deleted are named by a hash of their key, because names of entities may be the value.
"""

from __future__ import annotations

from dataclasses import dataclass

from store import mutations
from store.client import Store
from store.deletion.conditions import hashed
from store.deletion.subject import DELETED, Subject
from store.retention.plan import UNHURRIED

# Their names travel in one address.
_ROWS_AT_ONCE = 2_000


@dataclass(frozen=True, slots=True)
class Texts:
    """A table's columns that may quote, and its key. Of one that is `rewritten` the newest Version counts."""

    table: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    lists: tuple[str, ...] = ()
    rewritten: bool = False

    def quotes(self) -> str:
        """Whether a row quotes the subject."""
        single = [f"match({column}, {{quoted:String}})" for column in self.columns]
        many = [f"arrayExists(x -> match(x, {{quoted:String}}), {column})" for column in self.lists]
        return f"Tenant = {{owner:String}} AND ({' OR '.join(single + many)})"

    @property
    def identity(self) -> str:
        """A hash that names a row, under the subject's key."""
        return hashed(f"toString(tuple({', '.join(self.key)}))")


TEXTS = (
    Texts("signals", ("SignalId",), ("Explanation", "Evidence", "EntityName"), rewritten=True),
    Texts("incidents", ("IncidentId",), ("Title", "RootCauses", "BlastRadius", "Graph"), ("Entities",), rewritten=True),
    Texts("correlation_jobs", ("JobId",), ("Error",), rewritten=True),
    Texts("correlation_windows", ("JobId", "WindowStart"), ("Error",), rewritten=True),
    Texts("notifications", ("Target", "IncidentId"), ("Error",), rewritten=True),
    Texts("incident_events", ("IncidentId", "At", "Kind", "Version"), ("Before", "After", "Text")),
    Texts("incident_feedback", ("IncidentId", "EntityType", "EntityName"), ("EntityName", "Terms", "Text")),
    Texts("entities", ("EntityType", "EntityName"), ("EntityName",), ("Aliases",)),
    Texts("entity_edges", ("Kind", "SrcName", "DstName", "ValidFrom"), ("SrcName", "DstName")),
    Texts("idempotent_answers", ("Key",), ("Answer",)),
    Texts("rule_failures", ("Rule", "WindowStart", "WindowEnd"), ("Error",)),
    Texts("ingest_rejected", ("Batch", "Request", "Reason"), (), ("Sample",)),
    Texts("prometheus_metadata", ("MetricName", "Exact"), ("MetricName", "Help")),
)


def count(store: Store, subject: Subject, texts: Texts) -> int:
    """Rows that quote the subject, old versions among them. Raises StoreError."""
    text = f"SELECT count() AS rows FROM {texts.table} WHERE {texts.quotes()}"  # noqa: S608 - names are ours
    return int(store.page(text, _params(subject), UNHURRIED)[0]["rows"])


def remove(store: Store, subject: Subject, texts: Texts) -> None:
    """Take the subject out of a table's texts. Safe to repeat. Raises StoreError."""
    while found := store.page(_named(texts), _params(subject), UNHURRIED):
        version = int(found[0]["version"]) + 1
        if texts.rewritten:
            store.command(_rewrite(texts), {**_params(subject), "version": version}, UNHURRIED)
        older = " AND Version < {version:UInt64}" if texts.rewritten else ""
        statement = (
            "ALTER TABLE {table:Identifier}${on_cluster} DELETE WHERE Tenant = {owner:String} AND "
            f"{texts.identity} IN {{rows:Array(String)}}{older}"
        )
        params = {**subject.key, "owner": subject.tenant, "rows": [row["row"] for row in found], "version": version}
        mutations.mutate(store, texts.table, statement, params)


def _named(texts: Texts) -> str:
    version = "max(max(Version)) OVER ()" if texts.rewritten else "0"
    return (
        f"SELECT {texts.identity} AS row, {version} AS version FROM {texts.table}"  # noqa: S608 - names are ours
        f" WHERE {texts.quotes()} GROUP BY row ORDER BY row LIMIT {_ROWS_AT_ONCE}"
    )


def _rewrite(texts: Texts) -> str:
    """The rows as they count, said again without the value."""
    said = [f"{_cleaned(column)} AS {column}" for column in texts.columns]
    said += [f"arrayMap(x -> {_cleaned('x')}, {column}) AS {column}" for column in texts.lists]
    said += ["{version:UInt64} AS Version"]
    # The condition is for the rows as they were, so it is within.
    return (
        f"INSERT INTO {texts.table} SELECT * REPLACE({', '.join(said)})"  # noqa: S608 - names are ours
        f" FROM (SELECT * FROM {texts.table} FINAL WHERE {texts.quotes()})"
    )


def _cleaned(text: str) -> str:
    # Twice: the mark after one occurrence may be the mark before the next.
    once = f"replaceRegexpAll({text}, {{quoted:String}}, '\\\\1{DELETED}\\\\2')"
    return f"replaceRegexpAll({once}, {{quoted:String}}, '\\\\1{DELETED}\\\\2')"


def _params(subject: Subject) -> dict[str, object]:
    return {**subject.key, "owner": subject.tenant, "quoted": subject.quoted()}
