"""Series from the store's metric tables: a Source.

A selector's metrics and series are found by their names and labels first, in the catalogue; then one named query for
each table that has some reads their samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from query.promql import points
from query.promql.catalogue import Catalogue
from query.promql.naming import Kind, legacy_name
from query.promql.reading import LATE, Reading, matching
from query.promql.source import Match, Matcher
from query.promql.synthetic import Synthetic
from query.promql.values import NAME, Labels, Samples

# Times that a DateTime64(9) can hold, with room to spare.
EARLIEST_MS, LATEST_MS = 0, 9_000_000_000_000


@dataclass(frozen=True, slots=True)
class Stored:
    """One tenant's series. Times are milliseconds since the epoch."""

    catalogue: Catalogue
    tenant: str
    max_samples: int = 20_000_000

    def select(self, matchers: Sequence[Matcher], start: int, end: int) -> Samples:
        """As query.promql.source.Source says. Raises QueryLimitExceeded, StoreError."""
        start, end = max(start, EARLIEST_MS), min(end, LATEST_MS)
        if end <= start:
            return points.arranged([])
        synthetic = Synthetic(self.catalogue.store, self.tenant)
        found = [points.arranged(synthetic.runs(matchers, start, end))]
        for kind, names in self.candidates(matchers, start, end).items():
            reading = Reading(self.catalogue, self.tenant, kind, names, matchers, self.max_samples)
            if kind in (Kind.GAUGE, Kind.SUM):
                found.append(reading.numbers(start, end))
            else:
                found.append(points.arranged(reading.runs(start, end)))
        return points.joined(found)

    def series(self, matchers: Sequence[Matcher], start: int, end: int, limit: int) -> list[Labels]:
        """Labels of matching series with samples in (start, end]; about `limit` of them, 0 for all."""
        start, end = max(start, EARLIEST_MS), min(end, LATEST_MS)
        labels = Synthetic(self.catalogue.store, self.tenant).labels(matchers, start, end)
        late: dict[Kind, list[str]] = {}
        for kind, names in self.candidates(matchers, start, end).items():
            if limit and len(labels) >= limit:
                break
            hashes = self.catalogue.hashes(self.tenant, kind, names, start, end)
            known = self.catalogue.identities(self.tenant, kind, names, hashes, start, end)
            some = [each for identity in known.values() for each in matching(identity, matchers)]
            if any((each.suffix, kind) in LATE for each in some):
                late.setdefault(kind, []).extend(names)
            else:
                labels += [each.labels for each in some]
        for kind, names in late.items():
            reading = Reading(self.catalogue, self.tenant, kind, names, matchers, self.max_samples)
            labels += [run.labels for run in reading.runs(max(start, end - 3_600_000), end)]
        return labels

    def candidates(self, matchers: Sequence[Matcher], start: int, end: int) -> dict[Kind, list[str]]:
        """Metrics whose series may match, by the tables they are in."""
        exact = [each.value for each in matchers if each.name == NAME and each.op is Match.EQUAL]
        found: dict[Kind, list[str]] = {}
        for fresh in (False, True):
            known = self.catalogue.names(self.tenant, start, end, fresh=fresh)
            for kind, names in known.items():
                some = [name for name in names if all(_may_be(name, wanted) for wanted in exact)]
                if some:
                    found[kind] = some
            if found or not exact:
                break
        return found


def _may_be(metric: str, wanted: str) -> bool:
    """Whether a metric can be called so; unit and `_total` are known only by its series."""
    return wanted.startswith((metric, _stem(metric)))


@lru_cache(maxsize=100_000)
def _stem(metric: str) -> str:
    """The part of a metric's old name that its unit does not change."""
    return legacy_name(metric, "", Kind.SUM, monotonic=True).removesuffix("_total")
