"""How one schema becomes a cluster's: local tables on every node, Distributed tables under the names that queries use.

A table `X` of a MergeTree engine becomes `X_local` on each node and a Distributed table `X` over them; Null tables and
views are on every node as they are and write to the Distributed names. Statements that change tables are rewritten
here, those of migrations and those of the running system alike: docs/adr/0027-one-schema-on-many-nodes.md.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import NamedTuple

LOCAL = "_local"
# What goes to the shard of its trace: a trace is read from one shard, and its rows and times lie together.
_TRACE = "cityHash64(Tenant, TraceId)"
# A record of no trace goes where its time and service say; it is the same place each time the record is sent.
_LOG = "if(TraceId != '', cityHash64(Tenant, TraceId), cityHash64(Tenant, ServiceName, Timestamp))"
# Its own hash spreads a series' points; all of one series lie together, so that rates and levels need one shard.
_SERIES = "SeriesHash"
# All of a tenant's small tables lie on one shard: the newest version of a row is found there (FINAL looks within a
# shard), and a query that names the tenant, as all do, asks no other.
_TENANT = "cityHash64(Tenant)"
# One insert must be one part, all or nothing, or everybody must see the same newest row: the first shard has it. So it
# is with every table that has no tenants.
_ONE = "0"
SHARDING = {
    "otel_traces": _TRACE,
    "otel_traces_trace_id_ts": _TRACE,
    "otel_logs": _LOG,
    "otel_metrics_gauge": _SERIES,
    "otel_metrics_sum": _SERIES,
    "otel_metrics_histogram": _SERIES,
    "otel_metrics_exponential_histogram": _SERIES,
    "otel_metrics_summary": _SERIES,
    "metric_identities": _SERIES,
    "metric_hours": _SERIES,
    "series_known": "Id",
    "ingest_rejected": "Batch",
    "ingest_redacted": "Batch",
    "remote_write_written": "Batch",
    "ingest_ledger": _ONE,
    "redaction_policy": _ONE,
    "retention_policies": _ONE,
}
# Where and how a replica is known to Keeper. Not by {uuid}, which differs when each node is given its own DDL.
_REPLICA = "'/clickhouse/tables/{shard}/{database}/{table}', '{replica}'"

_NAME = r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)"
_CREATE = re.compile(rf"CREATE TABLE (?P<if>IF NOT EXISTS )?{_NAME}(?P<rest>\b(?![.]).*)", re.DOTALL)
_ENGINE = re.compile(r"\bENGINE\s*=\s*(\w*MergeTree)\b\s*(?:\(([^)]*)\))?")
_VIEW = re.compile(rf"CREATE MATERIALIZED VIEW (?P<if>IF NOT EXISTS )?{_NAME}(?P<rest>\b.*)", re.DOTALL)
_ALTER = re.compile(rf"(?P<verb>ALTER TABLE|OPTIMIZE TABLE|DELETE FROM) {_NAME}(?P<rest>\b(?![.]).*)", re.DOTALL)
_REMOVE = re.compile(rf"(?P<verb>DROP TABLE|TRUNCATE TABLE) (?P<if>IF EXISTS )?{_NAME}(?P<rest>\b(?![.]).*)", re.DOTALL)
_DATABASE = re.compile(
    rf"(?P<verb>(?:CREATE|DROP) DATABASE) (?P<if>IF (?:NOT )?EXISTS )?{_NAME}(?P<rest>\b.*)", re.DOTALL
)
_COMMENT = re.compile(r"\A(?:\s*--[^\n]*\n)+")
_KILL = re.compile(r"KILL MUTATION (?P<rest>.*)", re.DOTALL)
_OF_TENANTS = re.compile(r"^\s*Tenant ", re.MULTILINE)
_COLUMNS = re.compile(r"\b(ADD|MODIFY|DROP|RENAME) COLUMN\b")
_KEEPS_ROWS = re.compile(
    r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)\$\{on_cluster\}(?:(?!;\n).)*?ENGINE\s*=\s*\$\{\w*MergeTree", re.DOTALL
)


class Step(NamedTuple):
    """A statement, and whether every node has to run it."""

    text: str
    everywhere: bool


@dataclass(frozen=True, slots=True)
class Layout:
    """What a cluster is like; says which statements bring about there what one statement asks for."""

    cluster: str
    database: str
    replicated: bool
    # Whether the servers pass DDL on to each other, which takes Keeper; otherwise each node is told.
    on_cluster: bool

    def steps(self, statement: str) -> list[Step]:
        """The statements to run instead of `statement`, in order; itself when it changes no table."""
        text = _COMMENT.sub("", statement).strip()
        for pattern, rewrite in (
            (_CREATE, self._create),
            (_VIEW, self._same),
            (_ALTER, self._alter),
            (_REMOVE, self._remove),
            (_DATABASE, self._database),
            (_KILL, self._kill),
        ):
            if match := pattern.fullmatch(text):
                return [Step(part, everywhere=True) for part in rewrite(match)]
        return [Step(statement, everywhere=False)]

    @property
    def clause(self) -> str:
        """What DDL says after a name, with a space before it."""
        return f" ON CLUSTER `{self.cluster}`" if self.on_cluster else ""

    def _create(self, match: re.Match[str]) -> list[str]:
        name, rest = match["name"], match["rest"]
        engine = _ENGINE.search(rest)
        head = f"CREATE TABLE {match['if'] or ''}"
        if engine is None:
            return [f"{head}{name}{self.clause}{rest}"]
        local = f"{rest[: engine.start()]}ENGINE = {self._engine(engine[1], engine[2] or '')}{rest[engine.end() :]}"
        key = SHARDING.get(name) or (_TENANT if _OF_TENANTS.search(rest) else _ONE)
        return [
            f"{head}{name}{LOCAL}{self.clause}{local}",
            f"{head}{name}{self.clause} AS {self.database}.{name}{LOCAL}\n"
            f"ENGINE = Distributed('{self.cluster}', '{self.database}', '{name}{LOCAL}', {key})",
        ]

    def _engine(self, engine: str, arguments: str) -> str:
        if not self.replicated or engine.startswith("Replicated"):
            return f"{engine}({arguments})"
        return f"Replicated{engine}({', '.join(filter(None, (_REPLICA, arguments)))})"

    def _same(self, match: re.Match[str]) -> list[str]:
        return [f"CREATE MATERIALIZED VIEW {match['if'] or ''}{match['name']}{self.clause}{match['rest']}"]

    def _alter(self, match: re.Match[str]) -> list[str]:
        verb, name, rest = match["verb"], match["name"], match["rest"]
        shared = f"{verb} {name}{self.clause}{rest}"
        if name not in divided():
            return [shared]
        local = f"{verb} {name}{LOCAL}{self.clause}{rest}"
        if verb != "ALTER TABLE" or not (found := _COLUMNS.search(rest)):
            return [local]
        # A column is there before it is asked for, and is not asked for once it is gone.
        return [shared, local] if found[1] == "DROP" else [local, shared]

    def _remove(self, match: re.Match[str]) -> list[str]:
        verb, name, rest = f"{match['verb']} {match['if'] or ''}", match["name"], match["rest"]
        shared, local = f"{verb}{name}{self.clause}{rest}", f"{verb}{name}{LOCAL}{self.clause}{rest}"
        if name not in divided():
            return [shared]
        return [local] if verb.startswith("TRUNCATE") else [shared, local]

    def _kill(self, match: re.Match[str]) -> list[str]:
        return [f"KILL MUTATION{self.clause} {match['rest']}"]

    def _database(self, match: re.Match[str]) -> list[str]:
        return [f"{match['verb']} {match['if'] or ''}{match['name']}{self.clause}{match['rest']}"]


def divided() -> frozenset[str]:
    """Tables that keep rows, and so are divided among a cluster's nodes: what migrations make of a MergeTree engine."""
    return frozenset(_definitions()) | {"schema_migrations"}


def of_tenants() -> frozenset[str]:
    """Those of them whose rows say whose they are."""
    return frozenset(name for name, text in _definitions().items() if _OF_TENANTS.search(text))


@cache
def _definitions() -> dict[str, str]:
    texts = [p.read_text(encoding="utf-8") for p in files("store.migrations").iterdir() if p.name.endswith(".sql")]
    return {match[1]: match[0] for text in texts for match in _KEEPS_ROWS.finditer(text)}
