"""Which tables belong to which group of a policy, and which columns tell a row's time."""

from __future__ import annotations

from dataclasses import dataclass

from store.retention.policy import Group


@dataclass(frozen=True, slots=True)
class DayTable:
    """A table of telemetry with a partition for each day; a row is about the time from `first` to `last`."""

    name: str
    group: Group
    first: str
    last: str


@dataclass(frozen=True, slots=True)
class AgeTable:
    """A small table whose rows go by their age; `time` is an expression for a row's last moment."""

    name: str
    group: Group
    time: str


DAY_TABLES = (
    DayTable("otel_traces", Group.TRACES, "Timestamp", "Timestamp"),
    DayTable("otel_traces_trace_id_ts", Group.TRACES, "Start", "End"),
    DayTable("otel_logs", Group.LOGS, "Timestamp", "Timestamp"),
    DayTable("otel_metrics_gauge", Group.METRICS, "TimeUnix", "TimeUnix"),
    DayTable("otel_metrics_sum", Group.METRICS, "TimeUnix", "TimeUnix"),
    DayTable("otel_metrics_histogram", Group.METRICS, "TimeUnix", "TimeUnix"),
    DayTable("otel_metrics_exponential_histogram", Group.METRICS, "TimeUnix", "TimeUnix"),
    DayTable("otel_metrics_summary", Group.METRICS, "TimeUnix", "TimeUnix"),
)
AGE_TABLES = (
    AgeTable("entities", Group.TOPOLOGY, "LastSeen"),
    AgeTable("entity_edges", Group.TOPOLOGY, "ValidTo"),
    AgeTable("correlation_jobs", Group.OPERATIONS, "UpdatedAt"),
    AgeTable("rule_failures", Group.OPERATIONS, "At"),
)
# Tables that go with an incident, by its id; the incidents themselves come last, so that a run that is broken off
# finds them again. Signals have a step of their own.
OF_INCIDENTS = (
    "incident_signals", "incident_events", "incident_decisions", "incident_pins", "incident_feedback", "incidents",
)  # fmt: skip
