"""The parts of a LogQL query, as parsed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Matcher:
    """A label's name, `=`, `!=`, `=~` or `!~`, and a value or a regular expression for all of the label's value."""

    name: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class LineFilter:
    """`|=`, `!=`, `|~` or `!~`, and texts or expressions of which any may be in the line."""

    op: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Parse:
    """Take labels from the line: `json` or `logfmt`."""

    kind: str


@dataclass(frozen=True, slots=True)
class Compare:
    """A label's value as a number, seconds (`duration`) or bytes, compared with one; `op` is as in SQL but for `!=`."""

    name: str
    op: str
    value: float
    kind: str


@dataclass(frozen=True, slots=True)
class AnyOf:
    """True when one of the conditions is."""

    conditions: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class AllOf:
    """True when all of the conditions are."""

    conditions: tuple[Condition, ...]


Condition = Matcher | Compare | AnyOf | AllOf


@dataclass(frozen=True, slots=True)
class LabelFilter:
    """Keep the lines whose labels meet a condition."""

    condition: Condition


@dataclass(frozen=True, slots=True)
class Choose:
    """Labels to `drop`, or all to drop but those to `keep`; with a matcher, only where it is met."""

    keep: bool
    labels: tuple[tuple[str, Matcher | None], ...]


@dataclass(frozen=True, slots=True)
class LineFormat:
    """The line becomes these texts and fields in a row: (True, label) or (False, text)."""

    parts: tuple[tuple[bool, str], ...]


Stage = LineFilter | Parse | LabelFilter | Choose | LineFormat


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Lines of the streams that meet all matchers, through the stages in order."""

    matchers: tuple[Matcher, ...]
    stages: tuple[Stage, ...]


@dataclass(frozen=True, slots=True)
class RangeAggregation:
    """`count_over_time`, `rate`, `bytes_over_time` or `bytes_rate` of lines; times in nanoseconds."""

    op: str
    query: LogQuery
    range: int
    offset: int


@dataclass(frozen=True, slots=True)
class Grouping:
    """Labels to group by, or all but these."""

    names: tuple[str, ...]
    without: bool


@dataclass(frozen=True, slots=True)
class VectorAggregation:
    """`sum`, `min`, `max`, `avg`, `count`, or `topk` and `bottomk` with how many."""

    op: str
    of: Metric
    grouping: Grouping | None
    param: int = 0


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic or comparison; a comparison filters, or gives 0 and 1 with `bool`."""

    op: str
    left: Metric
    right: Metric
    returns_bool: bool


@dataclass(frozen=True, slots=True)
class Number:
    """A scalar."""

    value: float


@dataclass(frozen=True, slots=True)
class Vector:
    """One series without labels."""

    value: float


Metric = RangeAggregation | VectorAggregation | Binary | Number | Vector
Query = LogQuery | Metric
