"""What one query carries along: its times, its limits, and what it has to say beside the answer."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from query.errors import QueryLimitExceeded, QueryTimeout
from query.promql.source import Source
from query.promql.values import Floats, Ints

DAY_MS = 86_400_000


@dataclass(slots=True)
class Notes:
    """Warnings and infos of a query, each once, in the order they came."""

    warnings: dict[str, None] = field(default_factory=dict)
    infos: dict[str, None] = field(default_factory=dict)

    def warn(self, text: str) -> None:
        """Something in the answer is probably not what was meant."""
        self.warnings[f"PromQL warning: {text}"] = None

    def info(self, text: str) -> None:
        """Something in the answer may not be what was meant."""
        self.infos[f"PromQL info: {text}"] = None


@dataclass(slots=True)
class Limits:
    """How much one query may take. `deadline` is of time.monotonic(); `taken` counts samples and cells so far."""

    max_samples: int = 20_000_000
    deadline: float = float("inf")
    taken: int = 0

    def check(self) -> None:
        """Raise QueryTimeout when the time is over."""
        if time.monotonic() > self.deadline:
            raise QueryTimeout("query timed out in expression evaluation")

    def take(self, samples: int) -> None:
        """Count samples. Raises QueryLimitExceeded."""
        self.taken += samples
        if self.taken > self.max_samples:
            raise QueryLimitExceeded("query processing would load too many samples into memory in query execution")


@dataclass(frozen=True, slots=True)
class Context:
    """One query: where series come from, the times it is evaluated at, and the query's own start and end.

    `step` is that of subqueries that name none, `interval` the query's own, 0 at one time.
    """

    source: Source
    times: Ints
    start: int
    end: int
    step: int
    lookback: int
    limits: Limits
    notes: Notes
    interval: int = 0

    @property
    def steps(self) -> int:
        """How many times there are."""
        return len(self.times)

    def seconds(self) -> Floats:
        """The times in seconds."""
        return self.times / 1000.0
