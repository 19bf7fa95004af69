"""Alerts of other systems into telemetry: Alertmanager's webhook and its API v2, kept as OTLP log records.

Each alert that is taken becomes a record of the event `alertmanager.alert` with its labels and annotations as
attributes; the rule `alertmanager_alerts` makes signals of those that fire. The record's time is when it came, because
senders repeat an alert for as long as it fires; when it began is an attribute. Alerts that we sent are left out.
https://prometheus.io/docs/alerting/latest/configuration/#webhook_config and
https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable
from typing import Annotated

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from pydantic import BaseModel, ConfigDict, Field

from api.errors import BadParameter
from api.times import parse_time

EVENT = "alertmanager.alert"
OURS = "causeline_incident"
"""The label that our own alerts have."""
_MOST, _MOST_LABELS = 10_000, 50
_NEVER = "0001-01-01T00:00:00Z"
_ERROR, _WARN = SeverityNumber.SEVERITY_NUMBER_ERROR, SeverityNumber.SEVERITY_NUMBER_WARN
_INFO = SeverityNumber.SEVERITY_NUMBER_INFO
_LEVELS = dict.fromkeys(("critical", "page", "error"), _ERROR)

Labels = Annotated[dict[str, Annotated[str, Field(max_length=4096)]], Field(max_length=_MOST_LABELS)]


class PostedAlert(BaseModel):
    """An alert as Prometheus posts it; fields that are not used here are ignored."""

    model_config = ConfigDict(
        extra="ignore",
        json_schema_extra={
            "examples": [
                {
                    "labels": {"alertname": "QueueFull", "severity": "critical", "pod": "llm-0"},
                    "annotations": {"summary": "more than 100 requests wait"},
                    "startsAt": "2026-03-02T08:26:00Z",
                }
            ]
        },
    )

    labels: Labels
    annotations: Labels = Field(default_factory=dict)
    startsAt: str | None = None  # noqa: N815 - Alertmanager's name
    endsAt: str | None = None  # noqa: N815
    generatorURL: str | None = None  # noqa: N815
    status: str | None = None
    fingerprint: str | None = Field(default=None, max_length=200)


class Webhook(BaseModel):
    """What Alertmanager posts to a webhook receiver."""

    model_config = ConfigDict(extra="ignore")

    version: str = "4"
    status: str = "firing"
    receiver: str = ""
    alerts: Annotated[list[PostedAlert], Field(max_length=_MOST)]


def logs_of(alerts: Iterable[PostedAlert], now_ns: int | None = None) -> bytes:
    """An OTLP logs request with the alerts, empty when there is none to take. Raises BadParameter for a bad time."""
    now = time.time_ns() if now_ns is None else now_ns
    records = [_record(alert, now) for alert in alerts if OURS not in alert.labels]
    if not records:
        return b""
    scope = ScopeLogs(scope=InstrumentationScope(name="causeline.alertmanager"), log_records=records)
    request = ExportLogsServiceRequest(resource_logs=[ResourceLogs(resource=Resource(), scope_logs=[scope])])
    return bytes(request.SerializeToString(deterministic=True))


def _record(alert: PostedAlert, now: int) -> LogRecord:
    name = alert.labels.get("alertname", "")
    started = _moment(alert.startsAt, "startsAt") or now
    ended = _moment(alert.endsAt, "endsAt")
    # Prometheus says until when an alert holds unless it is sent again, which is in the future while it fires.
    over = alert.status == "resolved" if alert.status else ended is not None and ended <= now
    severity = alert.labels.get("severity", "").lower()
    attributes = {
        "alert.name": name,
        "alert.status": "resolved" if over else "firing",
        "alert.started_ns": str(started),
        "alert.fingerprint": alert.fingerprint or _fingerprint(alert.labels),
        **{f"alert.label.{key}": value for key, value in sorted(alert.labels.items())},
        **{f"alert.annotation.{key}": value for key, value in sorted(alert.annotations.items())},
    }
    return LogRecord(
        time_unix_nano=now,
        observed_time_unix_nano=now,
        severity_number=_INFO if over else _LEVELS.get(severity, _WARN),
        event_name=EVENT,
        body=AnyValue(string_value=_said(alert) or name),
        attributes=[KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in attributes.items()],
    )


def _said(alert: PostedAlert) -> str:
    for key in ("summary", "description", "message"):
        if alert.annotations.get(key):
            return alert.annotations[key]
    return ""


def _fingerprint(labels: dict[str, str]) -> str:
    text = "\x1f".join(f"{key}\x1e{value}" for key, value in sorted(labels.items()))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()


def _moment(text: str | None, parameter: str) -> int | None:
    if not text or text == _NEVER:
        return None
    found = parse_time(text, parameter)
    if found < 0:
        raise BadParameter(parameter, "before 1970")
    return found
