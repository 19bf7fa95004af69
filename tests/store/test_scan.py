"""Scans: only the named columns, only the window, only the tenant; SQL text is reviewed as a snapshot."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from store import Attr, Store, Window, mutations, scan, sql
from store.errors import QueryFailed
from store.scan import TIME_COLUMN, to_nanos
from tests.kit.snapshot import assert_snapshot

EXAMPLE: dict[str, Any] = {
    "String": "x",
    "Identifier": "otel_metrics_gauge",
    "Float64": 1.0,
    "DateTime64": "2026-01-02 03:04:05",
}
SECOND = 1_000_000_000
START = to_nanos(datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture
def logs(backend_store: Store) -> Store:
    """Log records at 0, 1 and 2 seconds for two tenants."""
    for tenant in ("default", "other"):
        times = [START + second * SECOND + 1 for second in range(3)]
        frame = pl.DataFrame(
            {
                "Tenant": tenant,
                "Timestamp": pl.Series(times).cast(pl.Datetime("ns", "UTC")),
                "Body": [f"{tenant} {second}" for second in range(3)],
                "SeverityNumber": pl.Series([9, 17, 21], dtype=pl.UInt8),
            }
        )
        backend_store.insert_frame("otel_logs", frame)
    row = b'{"Tenant": "default", "Timestamp": "2026-01-02 01:00:00", "LogAttributes": {"it\'s {a:Key}": "found"}}'
    backend_store.insert_bytes("otel_logs", row, "JSONEachRow")
    return backend_store


def test_the_window_is_half_open_and_exact_to_the_nanosecond(logs: Store) -> None:
    window = Window(START + 1, START + 2 * SECOND + 1)
    found = scan(logs, "otel_logs", window, ["Timestamp", "Body"]).sort("Timestamp").collect()
    assert found["Body"].to_list() == ["default 0", "default 1"]
    assert found.schema == {"Timestamp": pl.Datetime("ns", "UTC"), "Body": pl.String()}


def test_a_tenant_sees_only_its_own(logs: Store) -> None:
    window = Window(START, START + 3600 * 2 * SECOND)
    found = scan(logs, "otel_logs", window, ["Body"], tenant="other").collect()
    assert sorted(found["Body"]) == ["other 0", "other 1", "other 2"]
    assert scan(logs, "otel_logs", window, ["Body"], tenant="' OR 1 = 1 --").collect().is_empty()


def test_any_attribute_key_is_safe(logs: Store) -> None:
    window = Window(START + 3600 * SECOND, START + 3601 * SECOND)
    attribute = Attr("LogAttributes", "it's {a:Key}", "value")
    assert scan(logs, "otel_logs", window, [attribute]).collect()["value"].to_list() == ["found"]


@pytest.mark.parametrize(
    "column", ["Body, Tenant", "Body`", "", "1a", Attr("LogAttributes", "k", "a b"), Attr("x'y", "k", "a")]
)
def test_what_is_not_a_column_name_is_refused(store: Store, column: str | Attr) -> None:
    with pytest.raises(QueryFailed, match="not a column name"):
        scan(store, "otel_logs", Window(0, 1), [column])


def test_a_table_without_time_is_refused(store: Store) -> None:
    with pytest.raises(QueryFailed, match="cannot be scanned"):
        scan(store, "schema_migrations", Window(0, 1), ["Name"])


@pytest.mark.parametrize("table", sorted(TIME_COLUMN))
def test_every_scannable_table_scans_empty(store: Store, table: str) -> None:
    found = scan(store, table, Window(0, SECOND), ["Tenant", TIME_COLUMN[table]]).collect()
    assert found.is_empty()
    assert found.schema[TIME_COLUMN[table]] == pl.Datetime("ns", "UTC")


def test_windows_of_datetimes_are_exact() -> None:
    time = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=timezone(timedelta(hours=5, minutes=45)))
    window = Window.between(time, time + timedelta(microseconds=1))
    assert window == Window(1_767_302_345_678_901_000, 1_767_302_345_678_902_000)
    with pytest.raises(ValueError, match=r"ends .* before it starts"):
        Window(1, 0)


class Recorder(Store):
    """A store that keeps the text it is asked to run."""

    def __init__(self, store: Store) -> None:
        super().__init__(store.settings)
        self.asked: list[str] = []

    def arrow_text(self, text: str, *_: Any, **__: Any) -> pa.Table:
        """Keep the text, answer nothing."""
        self.asked.append(text)
        return pa.table({"none": pa.array([], pa.int8())})


def test_the_text_of_scans(store: Store) -> None:
    recorder = Recorder(store)
    for table in sorted(TIME_COLUMN):
        scan(recorder, table, Window(0, 1), ["Tenant", TIME_COLUMN[table]])
    scan(recorder, "otel_logs", Window(0, 1), ["Body", Attr("LogAttributes", "k8s.event.reason", "reason")])
    assert_snapshot("scan.sql", ";\n\n".join(recorder.asked) + ";\n")


def example(kind: str) -> Any:
    """Some value of a ClickHouse type."""
    if kind.startswith("Array("):
        return [example(kind[6:-1])]
    return EXAMPLE.get(kind.split("(")[0], 1)


# Asked of a cluster only; tests/cluster asks them.
ELSEWHERE = {"checkup_nodes", "checkup_replicas"}
# Parameters that are names, of columns and of a type.
NAMES = {"time": "TimeUnix", "first": "TimeUnix", "last": "TimeUnix", "time_type": "Int32"}
FILLED = {"${days}": "1", "${volume}": "'cold'"}


@pytest.mark.parametrize("name", sorted(set(sql.names()) - ELSEWHERE))
def test_every_named_query_runs_on_every_home(backend_store: Store, name: str) -> None:
    """EXPLAIN analyses the query against the live tables: names, types and parameters are right. Inserts are run, and
    so is what ends queries and mutations; of changes to tables the syntax is looked at."""
    text = sql.load(name)
    for placeholder, value in FILLED.items():
        text = text.replace(placeholder, value)
    text = mutations.filled(backend_store, text, "otel_metrics_gauge")
    parameters = {
        parameter: NAMES.get(parameter) or example(kind) for parameter, kind in re.findall(r"\{(\w+):([^}]+)\}", text)
    }
    if re.search(r"^(INSERT|KILL) ", text, re.MULTILINE):
        backend_store.command(text, parameters)
        return
    if re.search(r"^ALTER ", text, re.MULTILINE):
        assert "Alter" in str(backend_store.command(f"EXPLAIN AST {text}", parameters))
        return
    assert backend_store.arrow_text(f"EXPLAIN QUERY TREE {text}", parameters).num_rows > 0
