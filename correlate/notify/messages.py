"""What is said of an incident: the bytes and headers for each kind of target.

Webhooks are signed with HMAC-SHA256 over "TIMESTAMP.BODY", so that a receiver can tell that it was us and when:
`X-Causeline-Signature: t=TIMESTAMP,v1=HEX`. Slack: https://docs.slack.dev/messaging/formatting-message-text (how &, <
and > are escaped). Alertmanager: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from correlate.notify.config import Kind, Target

_NS = 10**9
# An alert ends by itself after this unless it is told again, in case we are no more.
HOLDS_S = 4 * 3600
_CAUSES, _HURT = 3, 20
_LONGEST = 300
_JSON = {"Content-Type": "application/json", "User-Agent": "causeline"}

Row = Mapping[str, Any]


def message(target: Target, row: Row, link: str, now_ns: int) -> tuple[bytes, dict[str, str]]:
    """Body and headers for a target; `row` has the columns of the query notifications_due. Raises NotifyError."""
    href = f"{link.rstrip('/')}/api/v1/incidents/{row['id']}"
    if target.type is Kind.SLACK:
        return _bytes(_slack(row, href)), dict(_JSON)
    if target.type is Kind.ALERTMANAGER:
        return _bytes(_alerts(row, href, now_ns)), dict(_JSON)
    body = _bytes(_webhook(row, href))
    headers = _JSON | {"X-Causeline-Delivery": delivery(target, row)}
    if target.secret_from is not None:
        headers["X-Causeline-Signature"] = signature(target.secret_from.read(), now_ns // _NS, body)
    return body, headers


def delivery(target: Target, row: Row) -> str:
    """The same for the same news to the same target, for receivers that leave out repeats."""
    text = f"{target.name}\x1f{row['id']}\x1f{row['state']}\x1f{row['started']}\x1f{row['ended']}"
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()


def signature(secret: str, at_s: int, body: bytes) -> str:
    """Value of X-Causeline-Signature."""
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def _webhook(row: Row, href: str) -> dict[str, Any]:
    return {
        "event": f"incident.{row['state']}",
        "incident": {
            **{name: row[name] for name in ("id", "title", "state", "severity", "score", "signal_count")},
            "started_at": _time(row["started"]),
            "ended_at": None if row["ended"] is None else _time(row["ended"]),
            "root_causes": [_cause(cause) for cause in _causes(row)[:_CAUSES]],
            "blast_radius": json.loads(row["blast_radius"] or "[]")[:_HURT],
            "href": href,
        },
    }


def _slack(row: Row, href: str) -> dict[str, Any]:
    head = f"{row['severity'].upper()} {row['state']}: {row['title']}"
    lines = [f"*<{href}|{_slack_text(head)}>*", f"began {_time(row['started'])}"]
    lines += [_slack_cause(cause) for cause in _causes(row)[:_CAUSES]]
    text = "\n".join(lines)
    return {"text": _slack_text(head), "blocks": [{"type": "section", "text": {"type": "mrkdwn", "text": text[:3000]}}]}


def _slack_cause(cause: dict[str, Any]) -> str:
    kind, name = (_slack_text(cause["entity"][part]).replace("`", "") for part in ("type", "name"))
    return f"{cause['rank']}. {kind} `{name}` {cause['score']:.0%}: {_slack_text(cause['explanation'])}"


def _alerts(row: Row, href: str, now_ns: int) -> list[dict[str, Any]]:
    causes = _causes(row)
    first: dict[str, Any] = causes[0] if causes else {"entity": {"type": "", "name": ""}, "kind": "", "explanation": ""}
    over = row["state"] == "resolved"
    ends = (row["ended"] or now_ns) if over else now_ns + HOLDS_S * _NS
    # An alert that ended before Alertmanager hears of it still has to end the one that it knows.
    return [
        {
            "labels": {
                "alertname": "CauselineIncident",
                "causeline_incident": row["id"],
                "severity": row["severity"],
            },
            "annotations": {
                "summary": row["title"],
                "description": first["explanation"],
                "root_cause": f"{first['entity']['type']} {first['entity']['name']} {first['kind']}".strip(),
            },
            "startsAt": _time(row["started"]),
            "endsAt": _time(max(ends, row["started"])),
            "generatorURL": href,
        }
    ]


def _causes(row: Row) -> list[dict[str, Any]]:
    return sorted(json.loads(row["root_causes"] or "[]"), key=lambda cause: int(cause["rank"]))


def _cause(cause: dict[str, Any]) -> dict[str, Any]:
    return {name: cause[name] for name in ("rank", "score", "entity", "kind", "explanation")}


def _slack_text(text: str) -> str:
    line = " ".join(text.split())[:_LONGEST]
    return line.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _time(nanos: int) -> str:
    moment = datetime.fromtimestamp(nanos // _NS, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{nanos % _NS // 1_000_000:03d}Z"


def _bytes(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
