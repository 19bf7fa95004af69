"""Which rows of which table a subject means: conditions over fixed columns, with the subject as parameters.

Points of metrics are many requests' and spans may link to anyone's trace: there the reference is taken out of the row,
and the row stays.
"""

from __future__ import annotations

from dataclasses import dataclass

from store.deletion.subject import Kind
from store.retention.tables import DAY_TABLES
from store.series import METRIC_KINDS

# Attributes of rows, and attributes of what is within a row.
_MAPS = {
    "otel_traces": (("ResourceAttributes", "ScopeAttributes", "SpanAttributes"), ("Events.Attributes",)),
    "otel_logs": (("ResourceAttributes", "ScopeAttributes", "LogAttributes"), ()),
    **{
        f"otel_metrics_{kind}": (("ResourceAttributes", "ScopeAttributes", "Attributes", "MetricMetadata"), ())
        for kind in METRIC_KINDS
    },
    "metric_identities": (("ResourceAttributes", "Attributes"), ()),
}
_TRACE_TABLES = ("otel_traces", "otel_traces_trace_id_ts", "otel_logs")
_WITH_EXEMPLARS = tuple(f"otel_metrics_{kind}" for kind in METRIC_KINDS if kind != "summary")
_EXEMPLAR = ("FilteredAttributes", "TimeUnix", "Value", "SpanId", "TraceId")
_LINK = ("TraceId", "SpanId", "TraceState", "Attributes", "DroppedAttrCount", "Flags")
# Records of what was deleted and removed, of who asked, and the keys they asked with: proof outlives what it is about.
KEPT = frozenset(
    {"deletions", "deletion_counts", "deletion_work", "retention_log", "retention_runs", "audit_log", "access_keys"}
)
# Not {tenant}: that has a query asked as the user who reads, who may neither see every table nor take so long.
_OWN = "Tenant = {owner:String}"
# Telemetry that arrived after the deletion was asked for is not meant by it. A batch's number tells its time.
_BEFORE = "Batch < {cutoff:UInt64}"
_WITH_BATCH = frozenset({table.name for table in DAY_TABLES} | {"ingest_rejected", "ingest_redacted"})


@dataclass(frozen=True, slots=True)
class Target:
    """Rows of a table that go, or, with `change`, lose a part; `where` holds until that is done."""

    table: str
    where: str
    change: str = ""
    part: str = ""

    @property
    def label(self) -> str:
        """How counts name it."""
        return f"{self.table} ({self.part})" if self.part else self.table

    @property
    def statement(self) -> str:
        """The mutation of one partition."""
        what = f"UPDATE {self.change}" if self.change else "DELETE"
        return (
            f"ALTER TABLE {{table:Identifier}}${{on_cluster}} {what} IN PARTITION ID {{part:String}} WHERE {self.where}"
        )


def targets(kind: Kind, tenant_tables: list[str]) -> list[Target]:
    """What to delete, table by table; `tenant_tables` are all tables that say whose their rows are."""
    if kind is Kind.TENANT:
        return [Target(table, _meant(table, "")) for table in tenant_tables if table not in KEPT]
    if kind is Kind.TRACE:
        mine = "TraceId = {trace:String}"
        return [
            *(Target(table, _meant(table, mine)) for table in _TRACE_TABLES),
            _without("otel_traces", "Links", _LINK, "Links.TraceId", "x = {trace:String}"),
            *(
                _without(table, "Exemplars", _EXEMPLAR, "Exemplars.TraceId", "x = {trace:String}")
                for table in _WITH_EXEMPLARS
            ),
        ]
    has = _has("x")
    return [
        *(Target(table, _meant(table, _attribute(*maps))) for table, maps in _MAPS.items()),
        _without("otel_traces", "Links", _LINK, "Links.Attributes", has),
        *(_without(table, "Exemplars", _EXEMPLAR, "Exemplars.FilteredAttributes", has) for table in _WITH_EXEMPLARS),
    ]


def hashed(expression: str) -> str:
    """The hash of an expression's text under the subject's key."""
    return f"hex(sipHash128Keyed((toUInt64({{k0:UInt64}}), toUInt64({{k1:UInt64}})), {expression}))"


def _meant(table: str, condition: str) -> str:
    parts = [_OWN, _BEFORE if table in _WITH_BATCH else "", f"({condition})" if condition else ""]
    return " AND ".join(part for part in parts if part)


def _has(map_name: str) -> str:
    # The key first: hashing is for the few rows that have it.
    value = hashed(f"toString({map_name}[{{name:String}}])")
    return f"(mapContains({map_name}, {{name:String}}) AND {value} = {{hash:String}})"


def _attribute(maps: tuple[str, ...], nested: tuple[str, ...]) -> str:
    return " OR ".join([*(_has(m) for m in maps), *(f"arrayExists(x -> {_has('x')}, `{column}`)" for column in nested)])


def _without(table: str, group: str, members: tuple[str, ...], tested: str, condition: str) -> Target:
    """Elements of a nested column taken out of all its members alike."""
    keep = f"(value, x) -> NOT {condition}"
    changes = [f"`{group}.{member}` = arrayFilter({keep}, `{group}.{member}`, `{tested}`)" for member in members]
    return Target(table, _meant(table, f"arrayExists(x -> {condition}, `{tested}`)"), ", ".join(changes), group)
