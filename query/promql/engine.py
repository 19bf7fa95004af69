"""Queries at one time or at many: the entry point of the language."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from query.errors import BadQuery, QueryLimitExceeded
from query.promql.context import Context, Limits, Notes
from query.promql.evaluate import evaluate
from query.promql.parse import parse
from query.promql.source import Source
from query.promql.values import SAME, Key, String, Value, Vector, Windows, key

LOOKBACK_MS = 300_000
DEFAULT_STEP_MS = 60_000
MAX_POINTS = 11_000
_TOO_MANY = (
    "exceeded maximum resolution of 11,000 points per timeseries. Try decreasing the query resolution (?step=XX)"
)


@dataclass(slots=True)
class Answer:
    """A value at `times` (milliseconds), and what there is to say about it."""

    value: Value
    times: np.ndarray
    notes: Notes = field(default_factory=Notes)


@dataclass(frozen=True, slots=True)
class Engine:
    """Evaluates queries over one source. Times and durations are milliseconds."""

    source: Source
    lookback: int = LOOKBACK_MS
    default_step: int = DEFAULT_STEP_MS

    def instant(self, text: str, time: int, limits: Limits | None = None) -> Answer:
        """A query at one time. Raises QueryError."""
        return self._run(text, np.array([time], dtype=np.int64), limits or Limits())

    def range(self, text: str, start: int, end: int, step: int, limits: Limits | None = None) -> Answer:
        """A query at start, start + step, ... up to end: a scalar or vector. Raises QueryError."""
        if step <= 0:
            raise BadQuery("zero or negative query resolution step widths are not accepted. Try a positive integer")
        if end < start:
            raise BadQuery("end timestamp must not be before start time")
        if (end - start) // step + 1 > MAX_POINTS:
            raise BadQuery(_TOO_MANY)
        answer = self._run(text, np.arange(start, end + 1, step, dtype=np.int64), limits or Limits(), step)
        if isinstance(answer.value, Windows | String):
            kind = "range vector" if isinstance(answer.value, Windows) else "string"
            raise BadQuery(f'invalid expression type "{kind}" for range query, must be Scalar or instant Vector')
        return answer

    def _run(self, text: str, times: np.ndarray, limits: Limits, interval: int = 0) -> Answer:
        tree = parse(text)
        context = Context(
            self.source,
            times,
            int(times[0]),
            int(times[-1]),
            self.default_step,
            self.lookback,
            limits,
            Notes(),
            interval,
        )
        try:
            value = evaluate(tree, context)
        except MemoryError as error:
            raise QueryLimitExceeded("query processing would need too much memory") from error
        return Answer(_checked(value), times, context.notes)


def _checked(value: Value) -> Value:
    """Refuse two series of the same labels, of which a graph would show one."""
    if isinstance(value, Vector):
        seen: set[Key] = set()
        for labels in value.labels:
            found = key(labels)
            if found in seen:
                raise BadQuery(SAME)
            seen.add(found)
    return value
