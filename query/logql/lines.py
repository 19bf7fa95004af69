"""From a log query to lines: the steps of a pipeline told to the store, and the answer read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import re2

from query import bounds
from query.logql import syntax as s
from store import Store, Window
from store.log_lines import INCIDENT_LABELS, INCIDENTS, STREAM_LABELS, LogLines, Sql

MAX_LINES = 5_000

Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Line:
    """One line: nanoseconds since the epoch, its text, and its three sorts of labels."""

    at: int
    text: str
    stream: Labels
    metadata: Labels
    parsed: Labels


def prepared(query: s.LogQuery, tenant: str, window: Window) -> list[LogLines]:
    """The query over lines of [start, end), ready to be ended as lines or as counts: of logs, of incidents, or both."""
    return [_prepared(query, LogLines(window, tenant, incidents)) for incidents in sources(query.matchers)]


def _prepared(query: s.LogQuery, lines: LogLines) -> LogLines:
    for matcher in query.matchers:
        lines.only(lines.text(lines.stream_label(matcher.name), matcher.op, matcher.value))
    for stage in query.stages:
        _apply(lines, stage)
    return lines


def sources(matchers: Sequence[s.Matcher]) -> list[bool]:
    """False where the streams of logs can meet the matchers, True where that of incidents can."""
    about = [matcher for matcher in matchers if matcher.name == "service_name"]
    # A label that streams of one sort do not have is empty there.
    incidents = all(matches(matcher, INCIDENTS) for matcher in about) and all(
        matches(matcher, "") for matcher in matchers if matcher.name not in {"service_name", *INCIDENT_LABELS}
    )
    logs = not any(matcher.op == "=" and matcher.value == INCIDENTS for matcher in about) and all(
        matches(matcher, "") for matcher in matchers if matcher.name not in STREAM_LABELS
    )
    return [False] * logs + [True] * incidents


def matches(matcher: s.Matcher, value: str) -> bool:
    """Whether a label of that value meets the matcher."""
    if "~" in matcher.op:
        return (re2.fullmatch(matcher.value, value) is not None) == (matcher.op == "=~")
    return (matcher.value == value) == (matcher.op == "=")


def _apply(lines: LogLines, stage: s.Stage) -> None:
    match stage:
        case s.LineFilter(op, values):
            lines.only(lines.in_line(op, values))
        case s.Parse(kind):
            lines.parse(kind)
        case s.LabelFilter(condition):
            lines.only(_condition(lines, condition))
        case s.Choose(keep, labels):
            wanted = [
                (name, matcher.op if matcher else "", matcher.value if matcher else "") for name, matcher in labels
            ]
            lines.choose(wanted, keep=keep)
        case s.LineFormat(parts):
            lines.rewrite(parts)


def _condition(lines: LogLines, condition: s.Condition) -> Sql:
    match condition:
        case s.Matcher(name, op, value):
            return lines.text(lines.label(name), op, value)
        case s.Compare(name, op, value, kind):
            return lines.number(lines.label(name), kind, op, value)
        case s.AnyOf(conditions):
            return lines.any_of([_condition(lines, each) for each in conditions])
        case s.AllOf(conditions):
            return lines.all_of([_condition(lines, each) for each in conditions])


def read(store: Store, tenant: str, query: s.LogQuery, window: Window, limit: int, *, newest_first: bool) -> list[Line]:
    """Up to `limit` lines of [start, end), in order of time. Raises QueryError, StoreError."""
    found: list[Line] = []
    for lines in prepared(query, tenant, window):
        text = lines.lines(min(limit, MAX_LINES), newest_first=newest_first)
        found += [_line(row) for row in bounds.page(store, text, lines.params)]
    return sorted(found, key=lambda line: line.at, reverse=newest_first)[:limit]


def _line(row: dict[str, Any]) -> Line:
    maps = [
        {pair["1"]: pair["2"] for pair in row[f"{which}_labels"] if pair["2"] != ""}
        for which in ("stream", "meta", "parsed")
    ]
    return Line(row["ns"], row["line"], *maps)
