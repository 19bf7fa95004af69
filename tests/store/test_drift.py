"""The live tables are the ones this version means: on both homes, for every column."""

from __future__ import annotations

import re

from store import Store, sql
from store.scan import REPLACING, TIME_COLUMN
from tests.kit.schema import as_json, live_schema
from tests.kit.snapshot import assert_snapshot
from tests.kit.source import ROOT

# Names, types and order of the collector's clickhouseexporter 0.151: outside tools read these columns.
EXPORTER = {
    "otel_traces": [
        "Timestamp",
        "TraceId",
        "SpanId",
        "ParentSpanId",
        "TraceState",
        "SpanName",
        "SpanKind",
        "ServiceName",
    ],
    "otel_logs": [
        "Timestamp",
        "TraceId",
        "SpanId",
        "TraceFlags",
        "SeverityText",
        "SeverityNumber",
        "ServiceName",
        "Body",
    ],
    "otel_metrics_gauge": ["ResourceAttributes", "MetricName", "MetricUnit", "Attributes", "TimeUnix", "Value"],
    "otel_metrics_sum": ["MetricName", "Value", "AggregationTemporality", "IsMonotonic"],
    "otel_metrics_histogram": ["Count", "Sum", "BucketCounts", "ExplicitBounds", "Min", "Max"],
    "otel_metrics_exponential_histogram": ["Scale", "ZeroCount", "PositiveOffset", "PositiveBucketCounts"],
    "otel_metrics_summary": ["Count", "Sum", "ValueAtQuantiles.Quantile", "ValueAtQuantiles.Value"],
    "otel_traces_trace_id_ts": ["TraceId", "Start", "End"],
}
# The worker serves every tenant's jobs; a receiver's crash recovery goes by batch number, and its ledger, dead letters
# and counts by batch or by the request's hash, which the tenant is part of; at its start it reads everyone's. The
# redaction policy is the receiver's. Whose an access key is, only the key tells. Retention goes through
# all tenants; a worker takes up everyone's deletions.
ACROSS_TENANTS = {
    "correlate_unfinished_jobs", "correlate_claimable", "batch_parts", "ledger_begun", "ledger_known", "ledger_recent",
    "ledger_rivals", "rejected_of_batch", "rejected_of_requests", "rejected_recent", "redacted_of_batch",
    "redaction_policy_version",
    "remote_write_written", "remote_write_recent", "series_capped", "tenants_since",
    "access_keys", "deletion_unfinished", "deletion_value", "retention_pins", "retention_policy_now", "retention_rows",
    "retention_runs_asked", "retention_tenants",
}  # fmt: skip


def test_the_schema_is_the_committed_one_on_every_home(backend_store: Store) -> None:
    assert_snapshot("schema.json", as_json(live_schema(backend_store)))


def test_the_exporters_columns_are_there(store: Store) -> None:
    schema = live_schema(store)
    for table, columns in EXPORTER.items():
        present = schema[table]["columns"]
        assert isinstance(present, dict)
        assert [column for column in columns if column not in present] == [], table


def test_scans_know_every_table_of_ours(store: Store) -> None:
    schema = live_schema(store)
    assert set(TIME_COLUMN) <= set(schema)
    replacing = {name for name, table in schema.items() if table["engine"] == "ReplacingMergeTree"}
    assert set(TIME_COLUMN) & replacing == set(TIME_COLUMN) & REPLACING
    assert replacing >= REPLACING


def test_every_query_reads_its_tenant_only() -> None:
    """A query that forgets the tenant would show one customer's telemetry to another."""
    forgetful = [
        name
        for name in sql.names()
        if re.search(r"\bFROM\s+(?!system\.|clusterAllReplicas\(\{cluster:String\}, system\.)[a-z]", sql.load(name))
        and not re.search(r"Tenant\s*=\s*\{tenant:String\}", sql.load(name))
    ]
    assert set(forgetful) - ACROSS_TENANTS == set()


def test_replacing_tables_are_read_with_final() -> None:
    forgotten = [
        f"{name}: {table}"
        for name in sql.names()
        for table in REPLACING
        if re.search(rf"\b(FROM|JOIN)\s+{table}\b(?!\s+(AS\s+)?(\w+\s+)?FINAL\b)", sql.load(name))
    ]
    assert forgotten == []


def test_migration_numbers_are_not_reused() -> None:
    numbers = [path.name[:4] for path in (ROOT / "store/migrations").glob("*.sql")]
    assert len(numbers) == len(set(numbers))
