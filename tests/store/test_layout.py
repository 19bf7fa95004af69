"""What a cluster makes of one schema, as text: with Keeper (replicated, ON CLUSTER), and told node by node."""

from __future__ import annotations

import re

import pytest
from pydantic import ValidationError

from store import StoreSettings, migrate, sql
from store.cluster import SHARDING, Layout, divided, of_tenants
from tests.kit.snapshot import assert_snapshot

REPLICATED = Layout("main", "telemetry", replicated=True, on_cluster=True)
PLAIN = Layout("main", "telemetry", replicated=False, on_cluster=False)
# One of each kind of statement there is: tables of every sharding, Null tables, views, columns, settings, drops.
SHOWN = ("0001_traces", "0005_ledger", "0009_series_cap", "0012_incidents", "0015_storage", "0024_traces_looked_at")


def texts(layout: Layout, statement: str) -> list[str]:
    """What `layout` makes of the statement."""
    return [step.text for step in layout.steps(statement)]


def test_what_a_replicated_cluster_runs() -> None:
    chosen = [migration for migration in migrate.migrations() if migration.name in SHOWN]
    assert len(chosen) == len(SHOWN)
    found = [
        text for migration in chosen for statement in migration.statements() for text in texts(REPLICATED, statement)
    ]
    assert_snapshot("cluster.sql", ";\n\n".join(found) + ";\n")


def test_every_statement_of_every_migration_reaches_every_node() -> None:
    left = [
        statement
        for migration in migrate.migrations()
        for statement in migration.statements()
        if not all(step.everywhere and " ON CLUSTER `main`" in step.text for step in REPLICATED.steps(statement))
    ]
    assert left == []


def test_no_replicated_engine_and_no_clause_without_keeper() -> None:
    everything = "".join(
        text for m in migrate.migrations() for statement in m.statements() for text in texts(PLAIN, statement)
    )
    assert "Replicated" not in everything
    assert "ON CLUSTER" not in everything


def test_every_table_that_keeps_rows_is_divided_and_no_other() -> None:
    made = {
        match[1]
        for m in migrate.migrations()
        for statement in m.statements()
        if (match := re.match(r"CREATE TABLE IF NOT EXISTS (\w+)", statement)) and "MergeTree(" in statement
    }
    assert divided() == made | {"schema_migrations"}
    assert set(SHARDING) <= divided()


def test_columns_of_the_sharding_key_are_the_tables_own() -> None:
    for name in divided() - {"schema_migrations"}:
        (text,) = [
            statement
            for m in migrate.migrations()
            for statement in m.statements()
            if re.match(rf"CREATE TABLE IF NOT EXISTS {name}\b", statement)
        ]
        key = SHARDING.get(name) or ("cityHash64(Tenant)" if name in of_tenants() else "0")
        columns = re.findall(r"\b[A-Z]\w+\b", re.sub(r"'.*?'", "", key))
        assert [column for column in columns if not re.search(rf"^\s*{column} ", text, re.MULTILINE)] == [], name


@pytest.mark.parametrize(
    ("given", "becomes"),
    [
        ("ALTER TABLE incidents MODIFY TTL EndedAt", ["ALTER TABLE incidents_local MODIFY TTL EndedAt"]),
        (
            "ALTER TABLE incidents ADD COLUMN x UInt8",
            ["ALTER TABLE incidents_local ADD COLUMN x UInt8", "ALTER TABLE incidents ADD COLUMN x UInt8"],
        ),
        (
            "ALTER TABLE incidents DROP COLUMN x",
            ["ALTER TABLE incidents DROP COLUMN x", "ALTER TABLE incidents_local DROP COLUMN x"],
        ),
        ("TRUNCATE TABLE IF EXISTS signals", ["TRUNCATE TABLE IF EXISTS signals_local"]),
        ("DROP TABLE signals SYNC", ["DROP TABLE signals SYNC", "DROP TABLE signals_local SYNC"]),
        ("OPTIMIZE TABLE signals FINAL", ["OPTIMIZE TABLE signals_local FINAL"]),
        ("DELETE FROM signals WHERE Tenant = {t:String}", ["DELETE FROM signals_local WHERE Tenant = {t:String}"]),
        ("ALTER TABLE landing_traces ADD COLUMN x UInt8", ["ALTER TABLE landing_traces ADD COLUMN x UInt8"]),
        ("INSERT INTO signals SELECT 1", ["INSERT INTO signals SELECT 1"]),
        ("KILL MUTATION WHERE 1", ["KILL MUTATION WHERE 1"]),
        ("SYSTEM FLUSH LOGS", ["SYSTEM FLUSH LOGS"]),
        ("CREATE TABLE other.x (a UInt8) ENGINE = MergeTree ORDER BY a", None),
    ],
)
def test_statements_of_the_running_system(given: str, becomes: list[str] | None) -> None:
    assert texts(PLAIN, given) == ([given] if becomes is None else becomes)


def test_named_statements_that_change_tables_reach_the_rows_of_every_node() -> None:
    changing = [name for name in sql.names() if re.search(r"^(ALTER|OPTIMIZE|DELETE|TRUNCATE)", sql.load(name), re.M)]
    assert len(changing) > 3
    for name in changing:
        # Tables, days and volumes that are filled in when it runs.
        text = re.sub(r"\{\w+:Identifier\}", "otel_logs", sql.load(name))
        text = migrate.render(re.sub(r"\$\{(days|volume)\}", "1", text))
        steps = REPLICATED.steps(text)
        assert all(step.everywhere and "_local ON CLUSTER `main`" in step.text for step in steps), name


def test_a_clause_stands_after_the_name() -> None:
    assert texts(REPLICATED, "ALTER TABLE signals DELETE WHERE 1") == [
        "ALTER TABLE signals_local ON CLUSTER `main` DELETE WHERE 1"
    ]


def test_nodes_need_a_cluster() -> None:
    with pytest.raises(ValidationError, match="nodes are those of a cluster"):
        StoreSettings(url="http://127.0.0.1:1", nodes=("http://127.0.0.1:1",))
