"""Which telemetry a signal rests on: sources by its rule, rows by its entity, its time and what its evidence quotes.

A signal keeps numbers and a few quotes, not rows. What it was made of is found again from what every signal says: the
rule (which frames it reads, of which metrics), the entity and its aliases, the time, and in the evidence the text of a
line or message, ids of traces, names of metrics, and the places (node, pod, object) where it was seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from correlate.rules import RULES

_NS = 10**9
LOGS = ("logs", "kernel_logs", "k8s_events", "k8s_objects", "evaluations", "changes", "alerts")
"""Frames made of log records."""
_SPANS = ("spans", "gen_ai_calls")
_POINTS = ("metric_points", "histogram_points", "metric_levels", "metric_tails", "metric_trends", "hourly_metrics")
# What the signals of an operator's own rules rest on, whose frames are known to the policy file only.
_BY_FAMILY = {
    "metric": ("metric_points",),
    "trace": ("spans",),
    "log": ("logs",),
    "kubernetes": ("k8s_events", "k8s_objects", "metric_points"),
    "gpu": ("kernel_logs", "logs", "metric_points"),
    "quality": ("evaluations", "metric_points"),
    "change": ("changes", "k8s_events", "metric_points"),
}
_RULES = {rule.name: rule for rule in RULES}
# Names of places in evidence, and texts that are quoted from a record.
_PLACES = (
    "node",
    "pod",
    "object",
    "job",
    "service",
    "caller",
    "callers",
    "device",
    "peer",
    "model",
    "successor",
    "key",
    "evaluator",
)
_QUOTES = ("line", "message", "text", "samples", "next", "reason")
_EXACT = ("line", "message")
_METRICS = ("metric", "metrics")
_TRACES = ("trace", "traces")
_FAILED = ("trace.errors", "dependency.")
_BEFORE_NS, _AFTER_NS = 60 * _NS, 60 * _NS
# A series is shown with what was usual before.
_USUAL_NS = 1800 * _NS
_QUOTE_SHORTEST, _QUOTE_LONGEST = 4, 160
_MOST = 20


@dataclass(frozen=True, slots=True)
class Selection:
    """What to read for one signal. `names` are the entity's own, `places` the others that its evidence tells.

    Times are nanoseconds; `series_start` is earlier than `start`, so that a series shows what was usual.
    """

    start: int
    end: int
    series_start: int
    names: list[str]
    places: list[str] = field(default_factory=list)
    sources: list[str] = field(default_factory=list)
    quotes: list[str] = field(default_factory=list)
    traces: list[str] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)
    pattern: str = ""
    failed: bool = False

    @property
    def logs(self) -> list[str]:
        """Sources among log records."""
        return [name for name in self.sources if name in LOGS]

    @property
    def spans(self) -> bool:
        """Whether spans belong to it."""
        return any(name in _SPANS for name in self.sources) and (bool(self.traces) or self.only_spans)

    @property
    def only_spans(self) -> bool:
        """Whether the rule reads nothing but spans, or spans and what was logged in them."""
        return not self.series and not set(self.logs) - {"logs"}

    @property
    def series(self) -> bool:
        """Whether series belong to it."""
        described = self.sources == ["metric_series"] or bool(self.metrics)
        return described or any(name in _POINTS for name in self.sources)


def selection(
    rule: str, family: str, kind: str, entity: str, aliases: Iterable[str], onset: int, until: int, evidence: Any
) -> Selection:
    """What a signal of that rule rests on; `onset` and `until` in nanoseconds, `evidence` its parsed JSON."""
    known = _RULES.get(rule)
    told: Mapping[str, Any] = evidence if isinstance(evidence, Mapping) else {}
    metrics = _texts(told, _METRICS)
    own = [entity, *aliases]
    return Selection(
        start=onset - _BEFORE_NS,
        end=until + _AFTER_NS,
        series_start=onset - _USUAL_NS,
        names=_first(own),
        places=_first(name for name in _texts(told, _PLACES) if name not in own),
        sources=list(known.reads if known else _BY_FAMILY.get(family, ("logs",))),
        quotes=_quotes(told),
        traces=_first(_texts(told, _TRACES)),
        metrics=_first(metrics),
        pattern="" if metrics or known is None else known.metrics,
        failed=kind.startswith(_FAILED),
    )


def _texts(told: Mapping[str, Any], keys: Iterable[str]) -> list[str]:
    """Non-empty texts under these keys, in order; a value may be a text, or a list of them or JSON of one."""
    found: list[str] = []
    for key in keys:
        value = told.get(key)
        if isinstance(value, str) and value.startswith("["):
            try:
                value = json.loads(value)
            except ValueError:
                value = [value]
        texts = value if isinstance(value, list) else [value]
        found += [text for text in texts if isinstance(text, str) and text]
    return found


def _quotes(told: Mapping[str, Any]) -> list[str]:
    """Pieces of text that a record's body holds, also as JSON writes them."""
    texts = _texts(told, _EXACT) or _texts(told, _QUOTES)
    # A quote may have been cut, and its last word with it.
    pieces = [text[:_QUOTE_LONGEST].rstrip("…") for text in texts if len(text.strip()) >= _QUOTE_SHORTEST]
    return _first(form for piece in pieces for form in (piece, json.dumps(piece, ensure_ascii=False)[1:-1]))


def _first(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(text for text in texts if text))[:_MOST]
