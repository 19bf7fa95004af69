"""Where series come from: the one thing the evaluator asks for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol

import re2

from query.errors import BadQuery
from query.promql.values import Labels, Samples

# A pattern larger than this costs more to compile than any label is worth.
MAX_PATTERN = 4096
_OPTIONS = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = 4 << 20
_OPTIONS.dot_nl = True


class Match(StrEnum):
    """How a matcher compares."""

    EQUAL = "="
    NOT_EQUAL = "!="
    REGEX = "=~"
    NOT_REGEX = "!~"


@dataclass(frozen=True, slots=True)
class Matcher:
    """One condition on a label; a label that is absent is an empty text. Patterns are RE2 and match the whole value."""

    name: str
    op: Match
    value: str
    pattern: Any = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, name: str, op: Match, value: str) -> Matcher:
        """A checked matcher. Raises BadQuery for a pattern that RE2 does not take."""
        pattern = None
        if op in (Match.REGEX, Match.NOT_REGEX):
            if len(value) > MAX_PATTERN:
                raise BadQuery(f"regular expression of {len(value)} characters, more than {MAX_PATTERN}")
            try:
                pattern = re2.compile(value, _OPTIONS)
            except (re2.error, UnicodeEncodeError) as error:
                text = error.args[0] if error.args else ""
                raise BadQuery(
                    f"error parsing regexp: {text.decode() if isinstance(text, bytes) else text}: `{value[:100]}`"
                ) from error
        return cls(name, op, value, pattern)

    def matches(self, value: str) -> bool:
        """Whether a label's value meets the condition."""
        match self.op:
            case Match.EQUAL:
                return value == self.value
            case Match.NOT_EQUAL:
                return value != self.value
            case Match.REGEX:
                return self.pattern.fullmatch(value) is not None
        return self.pattern.fullmatch(value) is None

    def __str__(self) -> str:
        return f'{self.name}{self.op}"{self.value}"'


def matches(labels: Labels, matchers: Sequence[Matcher]) -> bool:
    """Whether labels meet every condition."""
    return all(matcher.matches(labels.get(matcher.name, "")) for matcher in matchers)


class Source(Protocol):
    """Series by their labels and times."""

    def select(self, matchers: Sequence[Matcher], start: int, end: int) -> Samples:
        """Samples of matching series in (start, end], milliseconds; by labels, each by time; stale markers included."""
        ...
