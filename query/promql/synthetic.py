"""Series that nobody sent: incidents, alerts, and what spans say of services, computed when asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from query.promql import incidents, spans
from query.promql.points import Run
from query.promql.source import Match, Matcher, matches
from query.promql.values import NAME, Labels
from store import Store

Compute = Callable[[Store, str, int, int], list[Run]]
# Metric -> what computes it and its like.
_MADE: dict[str, Compute] = {
    **dict.fromkeys(incidents.METRICS, incidents.runs),
    **dict.fromkeys(spans.CALL_METRICS, spans.calls),
    **dict.fromkeys(spans.GRAPH_METRICS, spans.graph),
}


@dataclass(frozen=True, slots=True)
class Synthetic:
    """One tenant's computed series. Only a condition on the name finds those of spans: they cost a read of all."""

    store: Store
    tenant: str

    def runs(self, matchers: Sequence[Matcher], start: int, end: int) -> list[Run]:
        """Samples of matching series in (start, end], milliseconds."""
        named = [each for each in matchers if each.name == NAME and each.op in (Match.EQUAL, Match.REGEX)]
        wanted = [name for name in _MADE if all(each.matches(name) for each in matchers if each.name == NAME)]
        if not named:
            wanted = [name for name in wanted if name in incidents.METRICS]
        found: list[Run] = []
        for compute in dict.fromkeys(_MADE[name] for name in wanted):
            found += [run for run in compute(self.store, self.tenant, start, end) if matches(run.labels, matchers)]
        return found

    def labels(self, matchers: Sequence[Matcher], start: int, end: int) -> list[Labels]:
        """Labels of matching series in (start, end]."""
        return [run.labels for run in self.runs(matchers, start, end)]
