"""Retention and deletions on a cluster of two shards: every node lets go, and the counts are those of all."""

from __future__ import annotations

import time

import pytest

from store import Store
from store.deletion import journal, run
from store.deletion.journal import State
from store.deletion.subject import subject
from store.retention.apply import apply
from store.retention.plan import DAY_NS
from store.retention.policy import RetentionPolicy
from tests.kit.forgetting import contents, findings
from tests.kit.rows import insert

# In full runs: now and then the library that stands in for a node ends by itself, and its cluster waits for it.
pytestmark = pytest.mark.slow

NOW = time.time_ns()
SPANS = 40


def spans(store: Store, tenant: str, user: str, days_ago: int) -> None:
    """Spans of as many traces, so that each shard has some."""
    at = f"{(NOW - days_ago * DAY_NS) // 10**9}.0"
    insert(
        store,
        "otel_traces",
        *(
            {"Tenant": tenant, "Timestamp": at, "TraceId": f"{user}{n}", "SpanAttributes": {"user.id": user}}
            for n in range(SPANS)
        ),
    )


def test_days_go_from_every_node(cluster_store: Store) -> None:
    store = cluster_store
    for tenant in ("a", "b"):
        spans(store, tenant, tenant, 20)
        spans(store, tenant, tenant, 5)
    policy = RetentionPolicy.model_validate({"version": 1, "keep": {"traces": 10}, "tenant": {"b": {"traces": 2}}})
    due = apply(store, policy, NOW)
    assert sum(s.rows for d in due.days if d.table.name == "otel_traces" for s in d.shares) == 3 * SPANS
    assert len(contents(store, "otel_traces", "Tenant = 'a'")) == SPANS
    assert contents(store, "otel_traces", "Tenant = 'b'") == []
    assert apply(store, policy, NOW).days == []


def test_an_attribute_goes_from_every_node_with_what_quotes_it(cluster_store: Store) -> None:
    store = cluster_store
    spans(store, "t", "alice-4711", 1)
    spans(store, "t", "bob-4712", 1)
    findings(store, "t", "alice-4711")
    bob = contents(store, "otel_traces", "SpanAttributes['user.id'] = 'bob-4712'")
    assert len(bob) == SPANS
    wanted = subject(store, "t", attribute="user.id=alice-4711")
    deletion = run.advance(store, "t", journal.request(store, wanted, "me").id)
    assert (deletion.state, deletion.remaining, deletion.error) == (State.PURGING, 0, "")
    found = {count.table: count.found for count in journal.counts(store, deletion)}
    assert found["otel_traces"] == SPANS
    assert run.preview(store, wanted) == {}
    assert contents(store, "otel_traces", "Tenant = 't'") == bob
    said = store.page("SELECT Explanation AS x FROM signals FINAL WHERE Tenant = 't' AND SignalId = 'about'")
    assert [row["x"] for row in said] == ["[deleted], [deleted] failed"]
    assert journal.value(store, deletion) == ""
    whole = run.advance(store, "t", journal.request(store, subject(store, "t"), "me").id)
    assert whole.state is State.PURGING
    assert contents(store, "otel_traces") == contents(store, "signals") == []
