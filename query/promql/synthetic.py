"""Series that nobody sent: incidents, alerts, and what spans say of services, computed when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from query.promql.points import Run
from query.promql.source import Matcher
from query.promql.values import Labels
from store import Store


@dataclass(frozen=True, slots=True)
class Synthetic:
    """One tenant's computed series."""

    store: Store
    tenant: str

    def runs(self, matchers: Sequence[Matcher], start: int, end: int, limit: int) -> list[Run]:
        """Samples of matching series in (start, end], milliseconds."""
        return []

    def labels(self, matchers: Sequence[Matcher], start: int, end: int) -> list[Labels]:
        """Labels of matching series in (start, end]."""
        return [run.labels for run in self.runs(matchers, start, end, 1000)]
