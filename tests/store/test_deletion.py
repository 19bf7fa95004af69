"""Deletions on both homes: what is meant goes wherever it is, everything else stays byte for byte, and it is proved."""

from __future__ import annotations

import time

import pytest

from store import Store
from store.deletion import journal, run
from store.deletion.conditions import KEPT, targets
from store.deletion.journal import State
from store.deletion.subject import Kind, hash_of, subject
from store.errors import DeletionFailed
from tests.kit.forgetting import TELEMETRY, contents, findings, telemetry
from tests.kit.rows import at, insert

ALICE, BOB = "alice-4711", "bob-4712"
TRACE, OTHER = "a" * 32, "b" * 32
# Hashes of requests, which keep what was deleted from being stored again, and policies, which say nothing of anybody.
WITHOUT_TENANT = {"ingest_ledger", "redaction_policy", "retention_policies"}


def people(store: Store) -> None:
    """Two people of one tenant and one of another."""
    telemetry(store, "t", ALICE, TRACE, days=1)
    telemetry(store, "t", BOB, OTHER, days=1)
    telemetry(store, "u", ALICE, TRACE, days=1)
    findings(store, "t", ALICE)
    findings(store, "u", ALICE)


def test_an_attribute_goes_from_everywhere_and_nothing_else_does(backend_store: Store) -> None:
    store = backend_store
    people(store)
    theirs = {table: contents(store, table, "Tenant = 'u'") for table in (*TELEMETRY, "signals", "incidents")}
    bobs = contents(store, "otel_logs", f"Tenant = 't' AND LogAttributes['user.id'] = '{BOB}'")
    points = {table: len(contents(store, table, "Tenant = 't'")) for table in TELEMETRY[3:7]}
    wanted = subject(store, "t", attribute=f"user.id={ALICE}")
    expected = run.preview(store, wanted)
    assert expected["otel_traces"] == 2
    assert expected["otel_traces (Links)"] == 1
    assert expected["otel_logs"] == 2
    deletion = run.advance(store, "t", journal.request(store, wanted, "somebody").id)
    assert (deletion.state, deletion.remaining, deletion.error) == (State.PURGING, 0, "")
    counts = journal.counts(store, deletion)
    assert {count.table: count.found for count in counts if count.found} == expected
    assert {count.remaining for count in counts} == {0}
    assert run.preview(store, wanted) == {}
    for table, rows in theirs.items():
        assert contents(store, table, "Tenant = 'u'") == rows, table
    assert contents(store, "otel_logs", f"Tenant = 't' AND LogAttributes['user.id'] = '{BOB}'") == bobs
    # Points of metrics are everybody's: half of them had the attribute, and the others lost their exemplar.
    for table, before in points.items():
        assert len(contents(store, table, "Tenant = 't'")) == before - 1, table
        assert ALICE not in "".join(contents(store, table, "Tenant = 't'"))
    assert (
        len(contents(store, "otel_traces", "Tenant = 't' AND Links.TraceId = ['dddddddddddddddddddddddddddddddd']"))
        == 1
    )
    # The name under another key is another attribute.
    assert len(contents(store, "otel_logs", f"Tenant = 't' AND LogAttributes['user.name'] = '{ALICE}'")) == 1


def test_what_quotes_an_attribute_is_said_again_without_it(backend_store: Store) -> None:
    store = backend_store
    people(store)
    wanted = subject(store, "t", attribute=f"user.id={ALICE}")
    run.advance(store, "t", journal.request(store, wanted, "somebody").id)
    said = "SignalId AS id, Explanation AS said, Evidence AS evidence"
    text = f"SELECT {said} FROM signals FINAL WHERE Tenant = 't' ORDER BY id"
    about, other = store.page(text)
    assert about == {
        "id": "about", "said": "[deleted], [deleted] failed", "evidence": '{"user.id": "[deleted]"}',
    }  # fmt: skip
    assert other["said"] == f"x{ALICE}y, x{ALICE}y failed"
    (row,) = store.page(
        "SELECT Title AS t, Entities AS e, RootCauses AS r FROM incidents FINAL"
        " WHERE Tenant = 't' AND IncidentId = 'about'"
    )
    assert (row["t"], list(row["e"]), row["r"]) == (
        "[deleted] is slow",
        ["pod", "[deleted]"],
        '[{"name": "[deleted]"}]',
    )
    for table, column in (("entities", "EntityName"), ("incident_events", "Text"), ("idempotent_answers", "Answer")):
        found = [row["x"] for row in store.page(f"SELECT {column} AS x FROM {table} WHERE Tenant = 't'")]
        assert len(found) == 1, table
        assert f"x{ALICE}y" in found[0], table


def test_the_value_is_kept_nowhere(backend_store: Store) -> None:
    """Not in the record, not in the statements that the engine keeps, not where it was while it was needed."""
    store = backend_store
    people(store)
    deletion = journal.request(store, subject(store, "t", attribute=f"user.id={ALICE}"), "somebody")
    assert journal.value(store, deletion) == ALICE
    deletion = run.advance(store, "t", deletion.id)
    assert journal.value(store, deletion) == ""
    database = "database = currentDatabase()"
    said = store.page(f"SELECT command AS x FROM system.mutations WHERE {database}")
    assert [row for row in said if ALICE in row["x"]] == []
    for table in sorted(KEPT):
        assert ALICE not in "".join(contents(store, table)), table
    assert hash_of(store, deletion.salt, ALICE) == deletion.hash != hash_of(store, deletion.salt, BOB)
    assert (deletion.who, deletion.name, deletion.kind) == ("somebody", "user.id", Kind.ATTRIBUTE)


def test_it_is_done_once_the_files_of_before_are_gone(backend_store: Store) -> None:
    store = backend_store
    telemetry(store, "t", ALICE, TRACE, days=1)
    deletion = run.advance(store, "t", journal.request(store, subject(store, "t", trace=TRACE), "me").id)
    assert deletion.state is State.PURGING
    tables = [count.table for count in journal.counts(store, deletion) if count.found and "(" not in count.table]
    assert set(tables) == {"otel_traces", "otel_traces_trace_id_ts", "otel_logs"}
    touched = {count.table.split(" ")[0] for count in journal.counts(store, deletion) if count.found}
    purging = deletion.updated
    for table in touched:
        store.command(f"ALTER TABLE {table} MODIFY SETTING old_parts_lifetime = 0")
    try:
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline:
            deletion = run.advance(store, "t", deletion.id)
            if deletion.state is not State.PURGING:
                break
            # An engine looks after its files when it likes, and at once where a partition is dropped.
            for table in touched:
                store.command(f"ALTER TABLE {table} DROP PARTITION ID '19700101'")
            time.sleep(1)
        assert (deletion.state, deletion.error) == (State.DONE, "")
        # Parts that were active when it was deleted, not those of what came since.
        left = "SELECT count() AS n FROM system.parts WHERE database = currentDatabase() AND NOT active"
        left += " AND table IN {t:Array(String)} AND remove_time <= fromUnixTimestamp64Nano({at:Int64}, 'UTC')"
        assert store.page(left, {"t": sorted(touched), "at": purging})[0]["n"] == 0
    finally:
        for table in touched:
            store.command(f"ALTER TABLE {table} RESET SETTING old_parts_lifetime")
    assert run.advance(store, "t", deletion.id) == deletion
    assert [found.id for found in journal.listed(store, "t")] == [deletion.id]
    assert journal.unfinished(store) == []


def test_a_trace_goes_with_what_refers_to_it(backend_store: Store) -> None:
    store = backend_store
    people(store)
    theirs = {table: contents(store, table, "Tenant = 'u'") for table in TELEMETRY}
    bobs = contents(store, "otel_traces", f"Tenant = 't' AND TraceId = '{OTHER}'")
    wanted = subject(store, "t", trace=TRACE.upper())
    deletion = run.advance(store, "t", journal.request(store, wanted, "me").id)
    assert deletion.state is State.PURGING
    for table in TELEMETRY:
        assert TRACE not in "".join(contents(store, table, "Tenant = 't'")), table
        assert contents(store, table, "Tenant = 'u'") == theirs[table], table
    assert contents(store, "otel_traces", f"Tenant = 't' AND TraceId = '{OTHER}'") == bobs
    assert len(contents(store, "otel_traces", "Tenant = 't' AND SpanId = '3'")) == 2


def test_a_tenant_goes_from_every_table(backend_store: Store) -> None:
    store = backend_store
    people(store)
    insert(
        store, "ingest_rejected", {"Tenant": "t", "Request": "0" * 16, "At": at(0), "Reason": "trace_id", "Items": 1}
    )
    every = [
        target.table
        for target in targets(Kind.TENANT, [row["table_name"] for row in store.rows("deletion_tenant_tables")])
    ]
    assert {*TELEMETRY, "signals", "incidents", "ingest_rejected", "series_known"} <= set(every)
    theirs = {table: contents(store, table, "Tenant = 'u'") for table in every}
    deletion = run.advance(store, "t", journal.request(store, subject(store, "t"), "me").id)
    assert (deletion.state, deletion.error) == (State.PURGING, "")
    assert {table for table in every if contents(store, table, "Tenant = 't'")} == set()
    assert {table: contents(store, table, "Tenant = 'u'") for table in every} == theirs
    assert deletion.removed == sum(count.found for count in journal.counts(store, deletion)) > 20
    # The proof outlives its tenant.
    assert journal.load(store, "t", deletion.id) == deletion


def test_what_arrives_later_is_not_meant(store: Store) -> None:
    insert(store, "otel_logs", {"Timestamp": at(0), "LogAttributes": {"user.id": ALICE}, "Batch": 1})
    deletion = journal.request(store, subject(store, "default", attribute=f"user.id={ALICE}"), "me")
    insert(store, "otel_logs", {"Timestamp": at(1), "LogAttributes": {"user.id": ALICE}, "Batch": deletion.cutoff})
    assert run.advance(store, "default", deletion.id).state is State.PURGING
    assert [row["b"] for row in store.page("SELECT Batch AS b FROM otel_logs")] == [deletion.cutoff]


def test_short_values_are_looked_for_with_their_key(store: Store) -> None:
    signal = {"Onset": at(0), "Until": at(0), "Version": 1}
    insert(
        store, "signals",
        signal | {"SignalId": "a", "Explanation": "score 42 of user.id=42"},
        signal | {"SignalId": "b", "Explanation": "score 42", "Evidence": '{"user.id": "42"}'},
        signal | {"SignalId": "c", "Explanation": "score 42"},
    )  # fmt: skip
    run.advance(store, "default", journal.request(store, subject(store, "default", attribute="user.id=42"), "me").id)
    rows = store.page("SELECT Explanation AS x, Evidence AS e FROM signals FINAL ORDER BY SignalId")
    assert [(row["x"], row["e"]) for row in rows] == [
        ("score 42 of user.id=[deleted]", ""),
        ("score 42", '{"user.id": "[deleted]"}'),
        ("score 42", ""),
    ]


@pytest.mark.parametrize("value", ["a.b+c", 'o\'neill \\ "q" {x:String}', "名前-太郎", "50%_", "line\nbreak"])
def test_any_value_is_taken_as_it_is(store: Store, value: str) -> None:
    insert(
        store, "otel_logs",
        {"Timestamp": at(0), "LogAttributes": {"k'\"": value}},
        {"Timestamp": at(1), "LogAttributes": {"k'\"": "axb+c"}},
    )  # fmt: skip
    insert(
        store, "signals", {"SignalId": "s", "Onset": at(0), "Until": at(0), "Explanation": f"<{value}>", "Version": 1}
    )
    deletion = journal.request(store, subject(store, "default", attribute=f"k'\"={value}"), "me")
    assert run.advance(store, "default", deletion.id).state is State.PURGING
    assert [row["x"] for row in store.page("SELECT LogAttributes['k\\'\"'] AS x FROM otel_logs")] == ["axb+c"]
    assert [row["x"] for row in store.page("SELECT Explanation AS x FROM signals FINAL")] == ["<[deleted]>"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"trace": "12"}, "32 hexadecimal"),
        ({"attribute": "user.id"}, "KEY=VALUE"),
        ({"attribute": "=x"}, "KEY=VALUE"),
        ({"attribute": "x="}, "KEY=VALUE"),
        ({"attribute": f"k={'v' * 5000}"}, "at most"),
        ({"attribute": "a=b", "trace": TRACE}, "not both"),
    ],
)
def test_what_cannot_be_meant_is_refused(store: Store, given: dict[str, str], said: str) -> None:
    with pytest.raises(DeletionFailed, match=said):
        subject(store, "t", **given)


def test_every_table_with_a_tenant_is_deleted_from_or_kept_on_purpose(store: Store) -> None:
    """A table that comes later is deleted from, too."""
    every = {row["table_name"] for row in store.rows("deletion_tenant_tables")}
    meant = {target.table for target in targets(Kind.TENANT, sorted(every))}
    assert every - meant <= KEPT
    keeping = store.page(
        "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    )
    assert {row["name"] for row in keeping} - every - {"schema_migrations"} == WITHOUT_TENANT
