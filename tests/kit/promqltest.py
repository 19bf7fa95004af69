"""Prometheus' promqltest scripts: read, run over series in memory, and compared.

The language: https://github.com/prometheus/prometheus/blob/main/promql/promqltest/README.md
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import promql_parser as pp

from query.errors import QueryError
from query.promql.engine import Answer, Engine
from query.promql.histogram import CUSTOM, Histogram
from query.promql.source import Matcher, matches
from query.promql.values import NAME, STALE, Key, Labels, Samples, Scalar, String, Vector, Windows, key

Point = float | Histogram | None
EPSILON = 1e-6
_HISTOGRAM = re.compile(r"\{\{(.*?)\}\}")
_POINT = re.compile(
    r"(?P<hist>\{\{.*?\}\})?(?P<float>(?<!\})[-+]?(?:[0-9.]+(?:[eE][-+]?[0-9]+)?|0[xX][0-9a-fA-F]+|[Ii]nf|[Nn]a[Nn]|NAN))?"
    r"(?:(?P<sign>[+-])(?P<by>\{\{.*?\}\}|[0-9.]+(?:[eE][-+]?[0-9]+)?|[Ii]nf|[Nn]a[Nn]))?(?:x(?P<times>\d+))?$"
)


class Memory:
    """Series held in dictionaries: a Source."""

    def __init__(self) -> None:
        self.series: dict[Key, dict[int, Point]] = {}

    def add(self, labels: Labels, at: int, point: Point) -> None:
        """One sample; a later one at the same time wins."""
        self.series.setdefault(key(labels), {})[at] = point

    def select(self, matchers: Sequence[Matcher], start: int, end: int) -> Samples:
        """As query.promql.source.Source says."""
        labels: list[Labels] = []
        offsets, times, values, hists = [0], [], [], []
        for name in sorted(self.series):
            if not matches(dict(name), matchers):
                continue
            found = [(at, point) for at, point in sorted(self.series[name].items()) if start < at <= end]
            if not found:
                continue
            labels.append(dict(name))
            for at, point in found:
                times.append(at)
                values.append(point if isinstance(point, float) else 0.0)
                hists.append(point if isinstance(point, Histogram) else None)
            offsets.append(len(times))
        cells = np.empty(len(hists), dtype=np.object_)
        cells[:] = hists
        return Samples(
            labels, np.array(offsets), np.array(times, dtype=np.int64), np.array(values),
            cells if any(h is not None for h in hists) else None,
        )  # fmt: skip


@dataclass(slots=True)
class Statement:
    """One `eval` and what is expected of it."""

    place: str
    query: str
    start: int
    end: int
    step: int = 0
    fails: bool = False
    ordered: bool = False
    annotations: list[str] = field(default_factory=list)
    text: str | None = None
    rows: list[tuple[str, list[Point]]] = field(default_factory=list)
    range_vector: str | None = None

    @property
    def histograms(self) -> bool:
        """Whether histograms are expected."""
        return any(isinstance(point, Histogram) for _, points in self.rows for point in points)


def run(path: Path) -> Iterator[tuple[Statement, str]]:
    """Each statement of a script with what is wrong with its answer, empty when nothing is."""
    memory = Memory()
    for kind, argument, statement, rows in _commands(path):
        if kind == "clear":
            memory = Memory()
        elif kind.startswith("load"):
            _load(memory, seconds(argument), rows, nhcb=kind == "load_with_nhcb")
        elif statement is not None:
            yield statement, _judged(statement, memory)


def _judged(statement: Statement, memory: Memory) -> str:
    engine = Engine(memory)
    try:
        if statement.step:
            answer = engine.range(statement.query, statement.start, statement.end, statement.step)
        else:
            answer = engine.instant(statement.query, statement.start)
    except QueryError as error:
        return "" if statement.fails else f"failed: {error}"
    if statement.fails:
        return "did not fail"
    try:
        return compared(statement, answer)
    except (ValueError, KeyError, IndexError) as error:
        return f"cannot compare: {error!r}"


def annotated(statement: Statement, answer: Answer) -> bool:
    """Whether warnings and infos are there, or not there, as expected; their words are not compared."""
    for kind, found in (("warn", answer.notes.warnings), ("info", answer.notes.infos)):
        wanted = [each for each in statement.annotations if each.split()[0].rstrip(":") == kind]
        if f"no_{kind}" in statement.annotations and found:
            return False
        if wanted and not found:
            return False
    return True


def compared(statement: Statement, answer: Answer) -> str:
    """What differs between an answer and what is expected."""
    if not annotated(statement, answer):
        return f"annotations: {statement.annotations} got {[*answer.notes.warnings, *answer.notes.infos]}"
    value = answer.value
    if isinstance(value, String):
        return "" if value.text == statement.text else f"text {value.text!r}"
    if isinstance(value, Windows):
        got = [
            (labels, [_cell(value.samples.values[i], None if value.samples.hists is None else value.samples.hists[i])
                      for i in range(int(value.lo[row, 0]), int(value.hi[row, 0]))])
            for row, labels in enumerate(value.samples.labels)
        ]  # fmt: skip
        return _rows([row for row in got if row[1]], statement, [])
    if isinstance(value, Scalar):
        if statement.rows and statement.rows[0][0] == "" and not statement.step:
            same = _equal(statement.rows[0][1][0], float(value.values[0]))
            return "" if same else f"scalar {value.values[0]}"
        value = Vector([{}], value.values[None, :], np.ones((1, len(value.values)), dtype=np.bool_))
    found = [(labels, _points_of(value, row)) for row, labels in enumerate(value.labels) if value.present[row].any()]
    return _rows(found, statement, answer.times)


def _points_of(vector: Vector, row: int) -> list[Point]:
    hists = vector.hists[row] if vector.hists is not None else [None] * vector.values.shape[1]
    cells = zip(vector.values[row], hists, vector.present[row], strict=True)
    return [_cell(number, histogram) if has else None for number, histogram, has in cells]


def _cell(number: float, histogram: Histogram | None) -> Point:
    return histogram if histogram is not None else float(number)


def _rows(found: list[tuple[Labels, list[Point]]], statement: Statement, times: Any) -> str:
    wanted = [(described(text), points) for text, points in statement.rows]
    if statement.ordered and [key(labels) for labels, _ in found] != [key(labels) for labels, _ in wanted]:
        return f"order: {[labels for labels, _ in found]}"
    got = {key(labels): points for labels, points in found}
    for labels, points in wanted:
        mine = got.pop(key(labels), None)
        if mine is None:
            if all(point is None for point in points):
                continue
            return f"no series {labels} among {[labels for labels, _ in found][:6]}"
        points = [*points, *[None] * (len(mine) - len(points))]
        if len(mine) != len(points) or not all(_equal(a, b) for a, b in zip(points, mine, strict=True)):
            return f"{labels}: {mine} instead of {points}"
    return f"surplus {list(got.items())[:3]}" if got else ""


def _equal(wanted: Point, got: Point) -> bool:
    if isinstance(wanted, Histogram) and isinstance(got, Histogram):
        return _alike(wanted, got)
    if isinstance(wanted, Histogram) or isinstance(got, Histogram) or wanted is None or got is None:
        return wanted is None and got is None
    if math.isnan(wanted) or math.isnan(got):
        return math.isnan(wanted) and math.isnan(got)
    if wanted == got:
        return True
    if math.isinf(wanted) or math.isinf(got):
        return False
    scale = abs(wanted) + abs(got)
    return abs(wanted - got) < EPSILON * min(scale, 1.8e308)


def _alike(wanted: Histogram, got: Histogram) -> bool:
    numbers = [(wanted.count, got.count), (wanted.sum, got.sum), (wanted.zero_count, got.zero_count)]
    for one, two in ((wanted.positive, got.positive), (wanted.negative, got.negative)):
        numbers += [(one.get(i, 0.0), two.get(i, 0.0)) for i in {*one, *two}]
    return (
        wanted.schema == got.schema and wanted.bounds == got.bounds
        and (wanted.zero_threshold == got.zero_threshold or not wanted.zero_count)
        and all(_equal(a, b) for a, b in numbers)
    )  # fmt: skip


def _commands(path: Path) -> Iterator[tuple[str, str, Statement | None, list[str]]]:
    lines = path.read_text().splitlines()
    number = 0
    while number < len(lines):
        line = lines[number].strip()
        number += 1
        if not line or line.startswith("#"):
            continue
        first = number
        rows: list[str] = []
        # An empty line ends a command, a comment does not.
        while number < len(lines) and lines[number].strip() and not re.match(r"(?:eval|load|clear)", lines[number]):
            if not lines[number].strip().startswith("#"):
                rows.append(lines[number].strip())
            number += 1
        kind, _, argument = line.partition(" ")
        if kind.startswith("eval"):
            yield kind, argument, _statement(f"{path.name}:{first}", kind, argument, rows), rows
        else:
            yield kind, argument.strip(), None, rows


def _statement(place: str, kind: str, argument: str, rows: list[str]) -> Statement:
    instant = re.match(r"instant\s+at\s+(\S+)\s+(.*)$", argument)
    if instant:
        at = round(seconds(instant[1]) * 1000)
        out = Statement(place, instant[2], at, at)
    else:
        found = re.match(r"range\s+from\s+(\S+)\s+to\s+(\S+)\s+step\s+(\S+)\s+(.*)$", argument)
        assert found, f"{place}: {argument}"
        start, end, step = (round(seconds(text) * 1000) for text in found.groups()[:3])
        out = Statement(place, found[4], start, end, step)
    out.fails, out.ordered = kind == "eval_fail", kind == "eval_ordered"
    if kind in ("eval_warn", "eval_info"):
        out.annotations.append(kind[5:])
    for row in rows:
        if row.startswith("expect "):
            _expect(out, row[7:].strip())
        elif row.startswith("expected_fail"):
            out.fails = True
        else:
            out.rows.append(_series(row))
    return out


def _expect(statement: Statement, text: str) -> None:
    word = text.split()[0]
    if word == "fail":
        statement.fails = True
    elif word == "ordered":
        statement.ordered = True
    elif word == "string":
        quoted = text.split(None, 1)[1]
        statement.text = quoted[1:-1] if quoted[0] == "`" else _tree(quoted).val
    elif word == "range":
        statement.range_vector = text
    else:
        statement.annotations.append(text)


def _series(row: str) -> tuple[str, list[Point]]:
    """A series and its points; the series of a scalar is an empty text."""
    depth, quote, end = 0, "", 0
    if not re.match(r"[A-Za-z_:{]", row) or re.match(r"(?:NaN|[+-]?Inf)\b", row):
        return "", _points(row)
    for end, character in enumerate(row):
        if quote:
            quote = "" if character == quote and row[end - 1] != "\\" else quote
        elif character in "\"'`":
            quote = character
        elif character in "{}":
            depth += 1 if character == "{" else -1
        elif character.isspace() and depth == 0 and not row[end:].lstrip().startswith("{ "):
            rest = row[end:].lstrip()
            if rest.startswith("{") and not rest.startswith("{{"):
                continue
            break
    else:
        end += 1
    return row[:end].strip(), _points(row[end:])


def _tree(text: str) -> Any:
    return pp.parse(text)


def described(text: str) -> Labels:
    """Labels of `name{label="value"}`."""
    text = text.strip()
    if text in ("", "{}"):
        return {}
    try:
        found = _tree(text)
    except ValueError:
        # A series without a name is no selector.
        found = _tree("x" + text)
        return {each.name: each.value for each in found.matchers.matchers if each.value}
    labels = {each.name: each.value for each in found.matchers.matchers}
    if found.name is not None:
        labels[NAME] = found.name
    return {name: value for name, value in labels.items() if value}


def _load(memory: Memory, interval: float, rows: list[str], *, nhcb: bool) -> None:
    classic: dict[Key, dict[str, dict[int, float]]] = {}
    for row in rows:
        if row.startswith(("@", "#")) or re.search(r"\}?\s*@st\b", row):
            continue
        text, points = _series(row)
        labels = described(text)
        for number, point in enumerate(points):
            if point is not None:
                at = round(number * interval * 1000)
                memory.add(labels, at, point)
                name = labels.get(NAME, "")
                if nhcb and isinstance(point, float) and re.search("_(bucket|count|sum)$", name):
                    base, _, part = name.rpartition("_")
                    rest = {n: v for n, v in labels.items() if n != "le"} | {NAME: base}
                    part = labels.get("le", "") if part == "bucket" else part
                    classic.setdefault(key(rest), {}).setdefault(part, {})[at] = point
    for series, parts in classic.items():
        for at in sorted({at for points in parts.values() for at in points}):
            memory.add(dict(series), at, _custom({part: points[at] for part, points in parts.items() if at in points}))


def _custom(parts: dict[str, float]) -> Histogram:
    """A native histogram with custom buckets from classic ones."""
    found = sorted((float(part), count) for part, count in parts.items() if part not in ("sum", "count", ""))
    total = parts.get("count", found[-1][1] if found else 0.0)
    out = Histogram(schema=CUSTOM, count=total, sum=parts.get("sum", 0.0))
    out.bounds = tuple(bound for bound, _ in found if bound != math.inf)
    before = 0.0
    for number, (_, count) in enumerate(found):
        if count != before:
            out.positive[number] = count - before
        before = max(before, count)
    if not found or found[-1][0] != math.inf:
        out.positive[len(out.bounds)] = total - before
    return out


def _points(text: str) -> list[Point]:
    spaced = _HISTOGRAM.sub(lambda found: "{{" + found[1].strip().replace(" ", "\x01") + "}}", text)
    out: list[Point] = []
    for token in spaced.split():
        out += _expanded(token.replace("\x01", " "))
    return out


def _expanded(token: str) -> list[Point]:
    if token[0] == "_":
        return [None] * (int(token[2:]) if token[1:2] == "x" else 1)
    if token.startswith("stale"):
        return [float(STALE)] * (int(token[6:]) + 1 if token[5:6] == "x" else 1)
    found = _POINT.match(token)
    if found is None:
        raise ValueError(f"not a point: {token!r}")
    times = int(found["times"]) if found["times"] else 0
    if found["hist"]:
        first = read_histogram(found["hist"][2:-2])
        if not found["by"]:
            return [first] * (times + 1)
        by = read_histogram(found["by"][2:-2])
        points: list[Point] = [first]
        for _ in range(times):
            first = first.plus(by, 1.0 if found["sign"] == "+" else -1.0)
            first.hint = by.hint if by.hint == "gauge" else "unknown"
            points.append(first)
        return points
    start = _number(found["float"])
    if not found["by"]:
        return [start] * (times + 1)
    by_number = _number(found["by"]) * (1 if found["sign"] == "+" else -1)
    out: list[Point] = []
    for _ in range(times + 1):
        out.append(start)
        start += by_number
    return out


def _number(text: str) -> float:
    return float(int(text, 16)) if text.lower().lstrip("+-").startswith("0x") else float(text)


def read_histogram(text: str) -> Histogram:
    """`schema:1 sum:3 count:22 buckets:[5 10 7]` as a histogram."""
    out = Histogram()
    offset = {"offset": 0, "n_offset": 0}
    buckets: dict[str, list[float]] = {"buckets": [], "n_buckets": []}
    for name, value in re.findall(r"(\w+):\s*(\[[^\]]*\]|\S+)", text):
        numbers = [float(each) for each in value.strip("[]").split()] if value.startswith("[") else []
        match name:
            case "schema":
                out.schema = int(value)
            case "sum":
                out.sum = float(value)
            case "count":
                out.count = float(value)
            case "z_bucket":
                out.zero_count = float(value)
            case "z_bucket_w":
                out.zero_threshold = float(value)
            case "custom_values":
                out.bounds = tuple(numbers)
            case "buckets" | "n_buckets":
                buckets[name] = numbers
            case "offset" | "n_offset":
                offset[name] = int(value)
            case "counter_reset_hint":
                out.hint = value
    out.positive = {offset["offset"] + i: n for i, n in enumerate(buckets["buckets"])}
    out.negative = {offset["n_offset"] + i: n for i, n in enumerate(buckets["n_buckets"])}
    return out


def seconds(text: str) -> float:
    """Seconds of a Prometheus duration or a number."""
    try:
        return float(text)
    except ValueError:
        if re.fullmatch(r"-?0[a-z]+", text):
            return 0.0
        sign = -1 if text.startswith("-") else 1
        return sign * pp.parse_duration(text.lstrip("-")).total_seconds()
