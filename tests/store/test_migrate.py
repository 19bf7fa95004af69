"""Migrations: the plan is what apply runs, edits are refused, every statement may run again."""

from __future__ import annotations

import random
import re

import pytest

from ingest.envelope import Signal
from store import Store, migrate
from store.errors import MigrationError
from store.migrate import Migration
from tests.kit.landing import insert, rows
from tests.kit.otlp import span, traces
from tests.kit.schema import as_json, live_schema
from tests.kit.source import ROOT


def tables(store: Store) -> set[str]:
    """Names of the tables and views in the store's database."""
    found = store.arrow_text("SELECT name FROM system.tables WHERE database = currentDatabase()")
    return set(found["name"].to_pylist())


def use(monkeypatch: pytest.MonkeyPatch, *files: Migration) -> None:
    """Let these be the migrations that ship."""
    monkeypatch.setattr(migrate, "migrations", lambda: files)


def test_apply_runs_what_was_planned_and_then_nothing(bare_backend_store: Store) -> None:
    store = bare_backend_store
    assert len(migrate.plan(store)) >= len(migrate.migrations())
    assert migrate.apply(store) == [migration.name for migration in migrate.migrations()]
    assert {"signals", "incidents", "entities", "entity_edges", "otel_traces", "otel_logs"} <= tables(store)
    assert (migrate.plan(store), migrate.apply(store)) == ([], [])


def test_every_statement_may_run_again(bare_backend_store: Store) -> None:
    """A crash may come between a statement and its ledger row."""
    store = bare_backend_store
    migrate.apply(store)
    before = tables(store)
    store.command("TRUNCATE TABLE schema_migrations")
    assert len(migrate.apply(store)) == len(migrate.migrations())
    assert tables(store) == before


def test_planning_creates_nothing(empty_store: Store) -> None:
    migrate.plan(empty_store)
    assert tables(empty_store) == set()


def test_an_edited_migration_is_refused(empty_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    text = "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = ${MergeTree} ORDER BY x;\n"
    use(monkeypatch, Migration("0001_a", text))
    assert migrate.apply(empty_store) == ["0001_a"]
    use(monkeypatch, Migration("0001_a", text.replace("UInt8", "UInt16")))
    with pytest.raises(MigrationError, match="0001_a was edited after it was applied"):
        migrate.apply(empty_store)


def test_a_failing_migration_is_named_and_the_ones_before_it_stay(
    empty_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    good = Migration("0001_a", "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = ${MergeTree} ORDER BY x;\n")
    bad = Migration("0002_b", "CREATE TABLE b (x NoSuchType) ENGINE = ${MergeTree} ORDER BY x;\n")
    use(monkeypatch, good, bad)
    with pytest.raises(MigrationError, match=r"0002_b failed at 'CREATE TABLE b"):
        migrate.apply(empty_store)
    assert migrate.applied(empty_store) == {"0001_a": good.checksum}


def test_comments_do_not_split_statements_and_count_for_the_checksum(empty_store: Store) -> None:
    migration = Migration("0001_a", "-- first; not a statement;\nSELECT 1;\n\n-- second\nSELECT ';' AS x;\n")
    assert migration.statements() == ["SELECT 1", "SELECT ';' AS x"]
    assert migration.checksum != Migration("0001_a", migration.text.replace("second", "2nd")).checksum


OLD = Migration("0001_old", "CREATE TABLE IF NOT EXISTS a (x UInt8) ENGINE = Null;\n")
NEW = Migration(
    "0002_new",
    "-- supersedes: 0001_old\nDROP TABLE IF EXISTS a SYNC;\nCREATE TABLE IF NOT EXISTS a (x UInt16) ENGINE = Null;\n",
)


def type_of_x(store: Store) -> list[str]:
    """Type of the column that OLD and NEW make."""
    found = store.arrow_text("SELECT type FROM system.columns WHERE database = currentDatabase() AND table = 'a'")
    return [str(name) for name in found["type"].to_pylist()]


def test_a_superseded_migration_is_not_run_where_it_never_was(
    empty_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = Migration("0001_old", "SELECT no_such_function();\n")
    use(monkeypatch, broken, NEW)
    assert migrate.plan(empty_store) == NEW.statements()
    assert migrate.apply(empty_store) == ["0001_old", "0002_new"]
    assert type_of_x(empty_store) == ["UInt16"]
    assert (migrate.plan(empty_store), migrate.apply(empty_store)) == ([], [])


def test_what_supersedes_runs_after_what_was_applied(empty_store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    use(monkeypatch, OLD)
    migrate.apply(empty_store)
    assert type_of_x(empty_store) == ["UInt8"]
    use(monkeypatch, OLD, NEW)
    assert migrate.apply(empty_store) == ["0002_new"]
    assert type_of_x(empty_store) == ["UInt16"]


def test_a_store_of_the_first_release_gets_the_new_landing_tables(
    empty_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    shipped = migrate.migrations()
    first = [migration for migration in shipped if migration.name < "0014"]
    use(monkeypatch, *first)
    migrate.apply(empty_store)
    insert(empty_store, Signal.TRACES, traces(span(random.Random(1), name="before")))
    use(monkeypatch, *shipped)
    assert migrate.apply(empty_store) == [m.name for m in shipped if m.name >= "0014"]
    insert(empty_store, Signal.TRACES, traces(span(random.Random(2), name="after")))
    names = rows(empty_store, "SELECT SpanName FROM otel_traces ORDER BY Timestamp, SpanName")
    assert [row["SpanName"] for row in names] == ["after", "before"]
    upgraded = as_json(live_schema(empty_store))
    assert upgraded == (ROOT / "tests/snapshots/schema.json").read_text(encoding="utf-8")


def test_an_unknown_placeholder_is_refused() -> None:
    with pytest.raises(MigrationError, match="unknown placeholder"):
        migrate.render("CREATE TABLE a (x ${NoSuchThing}) ENGINE = Memory")


# A request's hash covers its tenant already, and batches are the receiver's own bookkeeping.
WITHOUT_TENANT = {"ingest_ledger", "redaction_policy", "retention_policies"}


def test_tables_are_durable_and_say_their_tenant() -> None:
    """Every table that keeps data names the fsync settings and carries the tenant."""
    for migration in migrate.migrations():
        for statement in migrate.strip_comments(migration.text).split(";\n"):
            created = re.search(r"CREATE TABLE IF NOT EXISTS (\w+)", statement)
            if created and "MergeTree" in statement:
                assert "${durable}" in statement, created[1]
                assert "Tenant" in statement or created[1] in WITHOUT_TENANT, created[1]
