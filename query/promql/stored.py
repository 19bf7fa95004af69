"""Series from the store's metric tables: a Source.

A selector's metrics and series are found by their names and labels first, in the catalogue; then one named query for
each table that has some reads their samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from query.errors import QueryLimitExceeded
from query.promql import points
from query.promql.catalogue import MOST_HASHES, Catalogue
from query.promql.naming import Identity, Kind, is_legacy, legacy_name
from query.promql.order import by_series
from query.promql.source import Match, Matcher
from query.promql.synthetic import Synthetic
from query.promql.values import NAME, Labels, Samples

_SUFFIXES = {
    Kind.GAUGE: ("",), Kind.SUM: ("",), Kind.EXPONENTIAL: ("",),
    Kind.HISTOGRAM: ("_bucket", "_count", "_sum"), Kind.SUMMARY: ("", "_count", "_sum"),
}  # fmt: skip
# Times that a DateTime64(9) can hold, with room to spare.
EARLIEST_MS, LATEST_MS = 0, 9_000_000_000_000
# Labels that come with points, not with series.
_LATE = {("_bucket", Kind.HISTOGRAM): "le", ("", Kind.SUMMARY): "quantile"}


@dataclass(frozen=True, slots=True)
class Series:
    """A series, or those of a histogram's buckets, as labels; `suffix` says which part of a histogram it is."""

    suffix: str
    identity: Identity
    labels: Labels


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
        found: list[points.Run] = synthetic.runs(matchers, start, end)
        for kind, names in self.candidates(matchers, start, end).items():
            found += self._runs(kind, names, matchers, start, end)
        return points.arranged(found)

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
            if any((each.suffix, kind) in _LATE for each in some):
                late.setdefault(kind, []).extend(names)
            else:
                labels += [each.labels for each in some]
        for kind, names in late.items():
            runs = self._runs(kind, names, matchers, max(start, end - 3_600_000), end)
            labels += [run.labels for run in runs]
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

    def _runs(
        self, kind: Kind, names: Sequence[str], matchers: Sequence[Matcher], start: int, end: int
    ) -> list[points.Run]:
        """Samples of the matching series of one table."""
        chosen: list[int] = []
        if any(each.name != NAME or each.op is not Match.EQUAL for each in matchers):
            hashes = self.catalogue.hashes(self.tenant, kind, names, start, end)
            known = self.catalogue.identities(self.tenant, kind, names, hashes, start, end)
            chosen = [each for each, identity in known.items() if matching(identity, matchers)]
            if not chosen:
                return []
            if len(chosen) == len(hashes) or len(chosen) > MOST_HASHES:
                chosen = []
        params: dict[str, Any] = {
            "tenant": self.tenant, "names": list(names), "start": start, "end": end, "hashes": chosen,
            "limit": self.max_samples + 1,
        }  # fmt: skip
        table = self.catalogue.store.arrow(f"promql_points_{kind}", params)
        if table.num_rows > self.max_samples:
            raise QueryLimitExceeded("query processing would load too many samples into memory in query execution")
        if not table.num_rows:
            return []
        if kind in (Kind.GAUGE, Kind.SUM):
            table = by_series(table)
        hashes, starts = points.runs_of(table)
        known = self.catalogue.identities(self.tenant, kind, names, hashes[starts[:-1]], start, end)
        reader = points.READERS[kind](table)
        found: list[points.Run] = []
        for number, each in enumerate(hashes[starts[:-1]]):
            identity = known.get(int(each))
            if identity is None:
                continue
            for series in matching(identity, matchers):
                found += reader(series.suffix, series.labels, identity, int(starts[number]), int(starts[number + 1]))
        late = [each for each in matchers if each.name in ("le", "quantile")]
        return [run for run in found if all(each.matches(run.labels.get(each.name, "")) for each in late)]


def matching(identity: Identity, matchers: Sequence[Matcher]) -> list[Series]:
    """The parts of a stored series that meet the conditions, by its old or its own name."""
    suffixes = ("",) if identity.kind is Kind.HISTOGRAM and identity.foreign else _SUFFIXES[identity.kind]
    found = []
    for suffix in suffixes:
        late = (
            _LATE.get((suffix, identity.kind)) if not (identity.foreign and identity.kind is Kind.HISTOGRAM) else None
        )
        for name in dict.fromkeys((identity.name + suffix, identity.metric + suffix)):
            if all(_meets(each, name, identity) for each in matchers if each.name != late):
                found.append(Series(suffix, identity, {NAME: name} | identity.labels))
                break
    return found


def _meets(matcher: Matcher, name: str, identity: Identity) -> bool:
    if matcher.name == NAME:
        return matcher.matches(name)
    value = identity.labels.get(matcher.name)
    if value is None and not is_legacy(matcher.name):
        # An attribute by the name it was sent with: every one can be asked for, promoted or not.
        value = identity.resource.get(matcher.name)
    return matcher.matches(value or "")


def _may_be(metric: str, wanted: str) -> bool:
    """Whether a metric can be called so; unit and `_total` are known only by its series."""
    return wanted.startswith((metric, _stem(metric)))


@lru_cache(maxsize=100_000)
def _stem(metric: str) -> str:
    """The part of a metric's old name that its unit does not change."""
    return legacy_name(metric, "", Kind.SUM, monotonic=True).removesuffix("_total")
