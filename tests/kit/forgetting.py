"""Telemetry and findings of several tenants and people, for tests that delete some of it."""

from __future__ import annotations

import time
from typing import Any

from store import Store
from tests.kit.rows import at, insert

TELEMETRY = (
    "otel_traces", "otel_traces_trace_id_ts", "otel_logs", "otel_metrics_gauge", "otel_metrics_sum",
    "otel_metrics_histogram", "otel_metrics_exponential_histogram", "otel_metrics_summary", "metric_identities",
)  # fmt: skip
DAY_S = 86_400.0


def exemplars(trace: str, user: str) -> dict[str, Any]:
    """The columns of two exemplars, the second of which names nobody."""
    return {
        "Exemplars.FilteredAttributes": [{"user.id": user}, {}], "Exemplars.TimeUnix": [at(0), at(1)],
        "Exemplars.Value": [1.0, 2.0], "Exemplars.SpanId": ["a", "b"], "Exemplars.TraceId": [trace, "f" * 32],
    }  # fmt: skip


def telemetry(store: Store, tenant: str, user: str, trace: str, days: int = 2) -> None:
    """A person's telemetry on each of some days, in every table and every place that has attributes."""
    for day in range(days):
        when = {"Tenant": tenant, "Timestamp": at(day * DAY_S)}
        insert(
            store,
            "otel_traces",
            when | {"TraceId": trace, "SpanId": "1", "SpanAttributes": {"user.id": user}},
            when | {"TraceId": trace, "SpanId": "2", "Events.Timestamp": [at(0)], "Events.Name": ["e"],
                    "Events.Attributes": [{"user.id": user}], "Events.DroppedAttrCount": [0]},
            when | {"TraceId": "e" * 32, "SpanId": "3", "Links.TraceId": [trace, "d" * 32], "Links.SpanId": ["x", "y"],
                    "Links.TraceState": ["", ""], "Links.Attributes": [{"user.id": user}, {"other": user}],
                    "Links.DroppedAttrCount": [0, 0], "Links.Flags": [0, 0]},
        )  # fmt: skip
        insert(
            store,
            "otel_logs",
            when | {"Body": "one", "TraceId": trace},
            when | {"Body": "two", "LogAttributes": {"user.id": user}},
            when | {"Body": "three", "ResourceAttributes": {"user.id": user, "host": "h"}},
            when | {"Body": "four", "LogAttributes": {"user.name": user, "user.id": "somebody-else"}},
        )
        point = {"Tenant": tenant, "TimeUnix": at(day * DAY_S), "MetricName": "m"}
        for table in TELEMETRY[3:7]:
            insert(store, table, point | exemplars(trace, user), point | {"Attributes": {"user.id": user}})
        insert(store, "otel_metrics_summary", point, point | {"ResourceAttributes": {"user.id": user}})
    insert(store, "metric_identities", {"Tenant": tenant, "SeriesHash": 1, "Attributes": {"user.id": user}})


def findings(store: Store, tenant: str, user: str) -> None:
    """What the correlator and people say of a person, and of another whose name contains theirs."""
    mine = {"Tenant": tenant, "Version": 7}
    for name, who in (("about", user), ("other", f"x{user}y")):
        insert(
            store, "signals",
            mine | {"SignalId": name, "Onset": at(0), "Until": at(0), "Explanation": f"{who}, {who} failed",
                    "Evidence": f'{{"user.id": "{who}"}}', "Score": 5},
        )  # fmt: skip
        insert(
            store, "incidents",
            mine | {"IncidentId": name, "Title": f"{who} is slow", "StartedAt": at(0), "UpdatedAt": at(0),
                    "Entities": ["pod", who], "RootCauses": f'[{{"name": "{who}"}}]'},
        )  # fmt: skip
        insert(store, "entities", mine | {"EntityType": "user", "EntityName": who})
        insert(store, "incident_events", mine | {"IncidentId": name, "At": at(0), "Text": f"called {who}"})
        insert(store, "idempotent_answers", {"Tenant": tenant, "Key": name, "Answer": who, "At": f"{time.time():.3f}"})


def contents(store: Store, table: str, where: str = "1") -> list[str]:
    """Rows of a table as text, byte for byte, in order."""
    text = f"SELECT toString(tuple(*)) AS row FROM {table} WHERE {where} ORDER BY row"
    return [str(row["row"]) for row in store.page(text)]
