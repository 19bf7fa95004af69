"""What the API's own description says of these endpoints: parameters as text, answers in Prometheus' envelope."""

from __future__ import annotations

from typing import Any

from api.prometheus.envelope import JSON

_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_ENVELOPE = {
    "type": "object",
    "required": ["status", "data"],
    "properties": {"status": {"const": "success"}, "data": {}, "warnings": _TEXTS, "infos": _TEXTS},
}
_ERROR = {
    "type": "object",
    "required": ["status", "errorType", "error"],
    "properties": {"status": {"const": "error"}, "errorType": _TEXT, "error": _TEXT},
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "An answer in Prometheus' envelope", "content": {JSON: {"schema": _ENVELOPE}}},
    **{
        status: {"description": "An error in Prometheus' envelope", "content": {JSON: {"schema": _ERROR}}}
        for status in ("4XX", "503")
    },
}
# An example of each parameter; those whose name ends in [] may be repeated.
EXAMPLES = {
    "query": "sum(rate(traces_spanmetrics_calls_total[5m]))", "time": "1772438400", "start": "1772438400",
    "end": "1772442000", "step": "60", "timeout": "10s", "limit": "1000", "lookback_delta": "5m",
    "match[]": '{job="shop/web"}', "metric": "up", "type": "alert", "rule_name[]": "xid.79",
    "rule_group[]": "incidents", "file[]": "causeline", "exclude_alerts": "false",
}  # fmt: skip


def parameters(*names: str) -> dict[str, Any]:
    """An operation's parameters in the query string."""
    return {"parameters": [_parameter(name) for name in names]}


def form(*names: str) -> dict[str, Any]:
    """An operation's parameters in a form."""
    properties = {name: _schema(name) for name in names}
    schema = {"type": "object", "properties": properties}
    return {"requestBody": {"content": {"application/x-www-form-urlencoded": {"schema": schema}}}}


def _parameter(name: str) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": False, "schema": _schema(name), "example": _example(name)}


def _schema(name: str) -> dict[str, Any]:
    return _TEXTS if name.endswith("[]") else _TEXT


def _example(name: str) -> str | list[str]:
    return [EXAMPLES[name]] if name.endswith("[]") else EXAMPLES[name]
