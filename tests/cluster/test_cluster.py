"""A real cluster of two shards: the same telemetry gives the same answers as on one server."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

import pytest

from ingest.envelope import Signal
from store import Store, batches, checkup, condition, migrate, mutations, sql
from store.batches import State
from store.cluster import divided
from store.errors import QueryFailed, StoreError
from store.finding import Grade
from tests.kit.clickhouse_cluster import ClickHouseCluster
from tests.kit.landing import count, insert, rows
from tests.kit.otlp import span, traces

# In full runs: now and then the library that stands in for a node ends by itself, and its cluster waits for it.
pytestmark = pytest.mark.slow

SPANS = 400


@pytest.fixture
def other(cluster: ClickHouseCluster, cluster_store: Store) -> Iterator[Store]:
    """The same cluster, reached through its other node."""
    store = Store.open(cluster.settings(cluster_store.settings.database, node=1))
    yield store
    store.close()


def spans(store: Store, batch: int, tenant: str = "default") -> None:
    """One batch of spans, each of a trace of its own."""
    random_ = random.Random(batch)
    insert(store, Signal.TRACES, *(traces(span(random_)) for _ in range(SPANS)), batch=batch, tenant=tenant)


def test_both_nodes_have_all_tables(cluster_store: Store, other: Store) -> None:
    text = "SELECT name, engine FROM system.tables WHERE database = currentDatabase() ORDER BY name"
    tables = rows(cluster_store, text)
    assert tables == rows(other, text)
    assert {row["name"] for row in tables if row["engine"] == "Distributed"} == divided()
    assert migrate.pending(other) == []


def test_spans_are_divided_by_trace_and_read_through_either_node(cluster_store: Store, other: Store) -> None:
    spans(cluster_store, 1)
    spans(other, 2)
    assert count(cluster_store, "otel_traces") == count(other, "otel_traces") == 2 * SPANS
    shares = [count(store, "otel_traces_local") for store in (cluster_store, other)]
    assert sum(shares) == 2 * SPANS
    assert min(shares) > SPANS / 2
    split = "SELECT count() AS n FROM (SELECT TraceId FROM otel_traces GROUP BY TraceId HAVING uniq(_shard_num) > 1)"
    assert rows(cluster_store, split) == [{"n": 0}]
    # Where a trace's spans are, its times are too.
    apart = """SELECT count() AS n FROM otel_traces_trace_id_ts_local
        WHERE TraceId NOT IN (SELECT TraceId FROM otel_traces_local)"""
    assert rows(cluster_store, apart) == rows(other, apart) == [{"n": 0}]


def test_an_unfinished_batch_is_taken_back_on_every_shard(cluster_store: Store, other: Store) -> None:
    first = batches.first_at(1_772_438_400_000)
    kept, lost = first + 1, first + 2
    spans(cluster_store, kept)
    spans(cluster_store, lost)
    batches.record(cluster_store, {kept: State.BEGUN, lost: State.BEGUN}, "a")
    batches.record(cluster_store, {kept: State.COMMITTED}, "a", [b"k" * 16])
    assert batches.begun(other, "a", 0) == [lost]
    batches.discard(other, [lost])
    batches.record(other, {lost: State.DISCARDED}, "a")
    assert (batches.begun(cluster_store, "a", 0), batches.known(other, [b"k" * 16, b"x" * 16], 0)) == ([], {b"k" * 16})
    for table in ("otel_traces", "otel_traces_trace_id_ts"):
        assert rows(cluster_store, f"SELECT DISTINCT Batch AS b FROM {table}") == [{"b": kept}]
    # One insert into the ledger is one part: nothing of it may lie on another shard.
    assert min(count(store, "ingest_ledger_local") for store in (cluster_store, other)) == 0
    batches.forget(cluster_store, 4_000_000_000_000)
    assert count(other, "ingest_ledger") == 0


def test_the_newest_version_counts_whichever_node_wrote_it(cluster_store: Store, other: Store) -> None:
    for version, store in enumerate((cluster_store, other, cluster_store, other)):
        for tenant in ("a", "b", "c"):
            line = f'{{"Tenant": "{tenant}", "IncidentId": "i", "State": "v{version}", "Version": {version}}}'
            store.insert_bytes("incidents", line.encode(), "JSONEachRow")
    found = rows(cluster_store, "SELECT Tenant, State FROM incidents FINAL ORDER BY Tenant")
    assert found == [{"Tenant": tenant, "State": "v3"} for tenant in "abc"]


def test_a_query_that_names_its_tenant_asks_one_shard(cluster_store: Store) -> None:
    """The engine is told to refuse what it would have to ask every shard."""
    sure = {"force_optimize_skip_unused_shards": 2}
    text = "SELECT count() AS n FROM incidents FINAL WHERE Tenant = 'a'"
    assert cluster_store.page(text, settings=sure) == [{"n": 0}]
    with pytest.raises(QueryFailed):
        cluster_store.page("SELECT count() AS n FROM incidents FINAL", settings=sure)


def test_a_check_up_sees_both_nodes(cluster_store: Store) -> None:
    found = {finding.check: finding for finding in checkup.findings(cluster_store)}
    assert (found["cluster"].grade, found["cluster"].said) == (Grade.OK, "2 of 2 nodes answer, 2 shards")
    assert found["tables"].grade is Grade.OK
    assert "durability" not in found or "correlation_turns" in found["durability"].said


def test_conditions_are_those_of_all_nodes(cluster_store: Store) -> None:
    spans(cluster_store, 1)
    stored = {row["signal"]: row["items"] for row in cluster_store.rows("stored_items")}
    assert stored["traces"] == SPANS
    assert 0 < condition.crowding(cluster_store) < 1
    assert condition.room(cluster_store).free > 0
    assert condition.detached(cluster_store) == {}


# Asked of an embedded engine only; storage policies that this server has none of.
NOT_HERE = {"data_path", "tier_move", "tier_policy", "tier_stay"}
# What a query needs; the values match nothing.
_GIVEN: dict[str, object] = {
    "tenant": "nobody", "start": 1_772_438_400_000_000_000, "end": 1_772_438_460_000_000_000, "table": "otel_logs",
    "time": "Timestamp", "first": "Timestamp", "last": "Timestamp", "day": "19700101",
}  # fmt: skip
_OWN: dict[str, dict[str, object]] = {
    "promql_span_calls": {"start": 1_772_438_400_000, "end": 1_772_438_460_000},
    "promql_span_edges": {"start": 1_772_438_400_000, "end": 1_772_438_460_000},
    "promql_hashes": {"start": 1_772_438_400_000, "end": 1_772_438_460_000, "table": "otel_metrics_gauge"},
    "retention_delete_incidents": {"table": "incident_signals"},
}
_PARAMETER = r"\{(\w+):([^}]+)\}"
_VALUES: dict[str, object] = {
    "String": "x", "UInt8": 1, "UInt16": 1, "UInt32": 1, "UInt64": 1, "Int8": 1, "Int32": 1,
    "Int64": 1_772_438_400_000_000_000, "Float64": 1.0, "Array(String)": ["x"], "Array(UInt64)": [1],
    "Array(Int64)": [1], "Array(Float64)": [1.0],
}  # fmt: skip


def refusals(store: Store) -> dict[str, str]:
    """Named statements that the cluster refuses, and why."""
    where = {"cluster": store.settings.cluster, "database": store.settings.database}
    refused: dict[str, str] = {}
    for name in sorted(set(sql.names()) - NOT_HERE):
        asked = _GIVEN | where | _OWN.get(name, {})
        if "{table:Identifier}" in sql.load(name):
            text = mutations.named(store, name, str(asked["table"]))
        else:
            text = mutations.filled(store, sql.load(name, clustered=True))
        params = {found: asked.get(found, _VALUES.get(kind)) for found, kind in re.findall(_PARAMETER, text)}
        changes = re.search(r"^(INSERT|KILL|ALTER|DELETE)", text, re.MULTILINE)
        try:
            (store.command if changes else store.page)(text, params)
        except StoreError as error:
            refused[name] = str(error.__cause__)[:300]
    return refused


def test_every_query_runs_on_two_shards(cluster_store: Store) -> None:
    """Subqueries and joins over divided tables are refused, or wrong, when nobody says how they are to be done."""
    spans(cluster_store, 1)
    assert refusals(cluster_store) == {}
