"""Lines of recorded OTLP JSON as requests to send."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from api.errors import NotOtlp
from ingest.envelope import Signal
from ingest.errors import MalformedBody
from ingest.otlp_json import recorded

SIGNAL_OF = {"resourceSpans": Signal.TRACES, "resourceLogs": Signal.LOGS, "resourceMetrics": Signal.METRICS}


class Encoded(NamedTuple):
    """One request: its signal, its protobuf bytes, and how many records it holds."""

    signal: Signal
    body: bytes
    records: int


def encode_line(line: bytes) -> Encoded:
    """Protobuf bytes of one line of OTLP JSON; the first key tells the signal.

    Raises NotOtlp with the reason when the line is not JSON or not an export request.
    """
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise NotOtlp(f"not JSON: {error}") from error
    if not isinstance(document, dict) or not document:
        raise NotOtlp("not an OTLP export request: expected a JSON object")
    first = next(iter(document))
    if first not in SIGNAL_OF:
        raise NotOtlp(f"not an OTLP export request: first key is {first!r}, expected {', '.join(SIGNAL_OF)}")
    signal = SIGNAL_OF[first]
    try:
        return Encoded(signal, recorded(signal, document), _records(signal, document[first]))
    except MalformedBody as error:
        raise NotOtlp(f"not an OTLP {signal} request: {error}") from error


def _records(signal: Signal, resources: list[dict[str, Any]] | None) -> int:
    """Records of a document that could be encoded; null stands for nothing at every level."""
    items = resources or ()
    if signal is Signal.TRACES:
        return sum(len(s.get("spans") or ()) for r in items for s in r.get("scopeSpans") or ())
    if signal is Signal.LOGS:
        return sum(len(s.get("logRecords") or ()) for r in items for s in r.get("scopeLogs") or ())
    metrics = (m for r in items for s in r.get("scopeMetrics") or () for m in s.get("metrics") or ())
    return sum(len(v.get("dataPoints") or ()) for m in metrics for v in m.values() if isinstance(v, dict))
