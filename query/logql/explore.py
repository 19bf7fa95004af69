"""What a query builder asks before there is a query: labels, their values, streams, sizes, and fields of lines."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import msgspec

from query import bounds
from query.logql import syntax as s
from query.logql.lines import Labels, Line, prepared, read
from store import Store, Window
from store.log_lines import INCIDENT_LABELS, STREAM_LABELS, LogLines

MAX_VALUES = 10_000
MAX_STREAMS = 5_000
_EVERYTHING = s.LogQuery((s.Matcher("service_name", "=~", ".+"),), ())
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_DURATION = re.compile(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+", re.ASCII)
_BYTES = re.compile(r"\d+(\.\d+)? ?([kmgtp]i?)?b", re.ASCII | re.IGNORECASE)


def labels(store: Store, tenant: str, query: s.LogQuery | None, window: Window) -> list[str]:
    """Names of the labels that streams have, sorted."""
    names: set[str] = set()
    for lines in _of(query, tenant, window):
        names |= {str(row["name"]) for row in bounds.page(store, lines.label_names(), lines.params)}
    return sorted(names)


def label_values(store: Store, tenant: str, name: str, query: s.LogQuery | None, window: Window) -> list[str]:
    """Values of a stream's label, sorted; none for a name that streams do not have."""
    if name not in STREAM_LABELS and name not in INCIDENT_LABELS:
        return []
    values: set[str] = set()
    for lines in _of(query, tenant, window):
        text = lines.label_values(name, MAX_VALUES)
        values |= {str(row["value"]) for row in bounds.page(store, text, lines.params)}
    return sorted(values - {""})


def streams(store: Store, tenant: str, queries: Iterable[s.LogQuery], window: Window) -> list[Labels]:
    """The label sets of streams that any of the queries matches, at most MAX_STREAMS."""
    found: dict[tuple[tuple[str, str], ...], None] = {}
    for query in queries:
        for lines in prepared(query, tenant, window):
            text = lines.streams(MAX_STREAMS)
            for row in bounds.page(store, text, lines.params):
                found[tuple((pair["1"], pair["2"]) for pair in row["pairs"])] = None
    return [dict(pairs) for pairs in list(found)[:MAX_STREAMS]]


def stats(store: Store, tenant: str, query: s.LogQuery, window: Window) -> dict[str, int]:
    """How many streams and lines (`entries`) a selector matches, and their bytes; a stream's day is a chunk."""
    total = {"streams": 0, "chunks": 0, "entries": 0, "bytes": 0}
    for lines in prepared(query, tenant, window):
        (row,) = bounds.page(store, lines.sizes(), lines.params)
        total = {name: count + int(row[name]) for name, count in total.items()}
    return total


def _of(query: s.LogQuery | None, tenant: str, window: Window) -> list[LogLines]:
    return prepared(query or _EVERYTHING, tenant, window)


_KINDS: dict[str, Callable[[str], bool]] = {
    "int": lambda text: re.fullmatch(r"[+-]?\d+", text, re.ASCII) is not None,
    "float": lambda text: _NUMBER.fullmatch(text) is not None,
    "boolean": lambda text: text in ("true", "false"),
    "duration": lambda text: _DURATION.fullmatch(text) is not None,
    "bytes": lambda text: _BYTES.fullmatch(text) is not None,
}


@dataclass(slots=True)
class Field:
    """A field of lines: its values, and the parsers that find it (none for metadata)."""

    values: set[str] = field(default_factory=set)
    parsers: set[str] = field(default_factory=set)

    @property
    def kind(self) -> str:
        """What all its values can be read as: int, float, boolean, duration, bytes or string."""
        return next((kind for kind, test in _KINDS.items() if all(test(value) for value in self.values)), "string")


def detected_fields(store: Store, tenant: str, query: s.LogQuery, window: Window, lines: int) -> dict[str, Field]:
    """Fields of the newest lines that match, by name: metadata, and what json or logfmt would take from the line."""
    if any(isinstance(stage, s.Parse) for stage in query.stages):
        samples = [(read(store, tenant, query, window, lines, newest_first=True), "")]
    else:
        parsed = {kind: s.LogQuery(query.matchers, (*query.stages, s.Parse(kind))) for kind in ("json", "logfmt")}
        samples = [(read(store, tenant, each, window, lines, newest_first=True), kind) for kind, each in parsed.items()]
    fields: dict[str, Field] = {}
    for found, kind in samples:
        for line in found:
            _note(fields, line, kind)
    return fields


def _note(fields: dict[str, Field], line: Line, kind: str) -> None:
    for name, value in line.metadata.items():
        fields.setdefault(name, Field()).values.add(value)
    # logfmt finds something in nearly any line; what is JSON is read as JSON only.
    if "__error__" in line.parsed or (kind == "logfmt" and _is_json(line.text)):
        return
    for name, value in line.parsed.items():
        noted = fields.setdefault(name, Field())
        noted.values.add(value)
        noted.parsers |= {kind} - {""}


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError:
        return False
    return True
