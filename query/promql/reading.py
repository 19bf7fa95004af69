"""Samples of one table of metrics: which of its series meet a selector's conditions, and what they hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from query.errors import QueryLimitExceeded
from query.promql import order, points
from query.promql.catalogue import MOST_HASHES, Catalogue
from query.promql.naming import Identity, Kind, is_legacy
from query.promql.source import Match, Matcher
from query.promql.values import NAME, Floats, Ints, Labels, Samples, key
from store.client import Params
from store.settings import Home

_SUFFIXES = {
    Kind.GAUGE: ("",), Kind.SUM: ("",), Kind.EXPONENTIAL: ("",),
    Kind.HISTOGRAM: ("_bucket", "_count", "_sum"), Kind.SUMMARY: ("", "_count", "_sum"),
}  # fmt: skip
# Labels that come with points, not with series.
LATE = {("_bucket", Kind.HISTOGRAM): "le", ("", Kind.SUMMARY): "quantile"}
# The longest time, in milliseconds, that 32 bits tell: 49 days.
_NARROW = 2**32 - 1
# Numbers come in millions: large blocks, which cost less for each, and no compression on the way through memory.
_LARGE = {"max_block_size": 262_144, "preferred_block_size_bytes": 16_000_000}
_IN_MEMORY = {"output_format_arrow_compression_method": "none"}
_TOO_MANY = "query processing would load too many samples into memory in query execution"


@dataclass(frozen=True, slots=True)
class Series:
    """A series, or those of a histogram's buckets, as labels; `suffix` says which part of a histogram it is."""

    suffix: str
    identity: Identity
    labels: Labels


@dataclass(frozen=True, slots=True)
class Reading:
    """What one table has for one selector. Times are milliseconds since the epoch."""

    catalogue: Catalogue
    tenant: str
    kind: Kind
    names: Sequence[str]
    matchers: Sequence[Matcher]
    max_samples: int

    def runs(self, start: int, end: int) -> list[points.Run]:
        """Histograms and summaries in (start, end]. Raises QueryLimitExceeded, StoreError."""
        chosen = self._chosen(start, end)
        table = self._points(start, end, chosen, {}) if chosen is not None else None
        if table is None or not table.num_rows:
            return []
        hashes, starts = points.runs_of(table)
        known = self._identities(hashes[starts[:-1]], start, end)
        reader = points.READERS[self.kind](table)
        found: list[points.Run] = []
        for number, each in enumerate(hashes[starts[:-1]]):
            identity = known.get(int(each))
            if identity is None:
                continue
            for series in matching(identity, self.matchers):
                found += reader(series.suffix, series.labels, identity, int(starts[number]), int(starts[number + 1]))
        late = [each for each in self.matchers if each.name in ("le", "quantile")]
        return [run for run in found if all(each.matches(run.labels.get(each.name, "")) for each in late)]

    def numbers(self, start: int, end: int) -> Samples:
        """Gauges or sums in (start, end]. Raises QueryLimitExceeded, StoreError."""
        chosen = self._chosen(start, end)
        if chosen is None:
            return points.arranged([])
        hashes, times, values = self._columns(start, end, chosen)
        pieces = order.pieces(hashes, times)
        known = self._identities(pieces.ids, start, end)
        labels = self._labels({number: known[each] for number, each in enumerate(pieces.ids.tolist()) if each in known})
        keys = {number: key(named) for number, named in labels.items()}
        ordered = sorted(labels, key=keys.__getitem__)
        rank = np.full(len(pieces.ids), -1)
        rank[ordered] = np.arange(len(ordered))
        offsets, times, values = order.gathered(pieces, rank, times, values)
        for place, number in enumerate(ordered):
            identity = known[int(pieces.ids[number])]
            if identity.delta:
                mine = slice(offsets[place], offsets[place + 1])
                values[mine] = points.accumulated(values[mine], identity)
        found = points.once(Samples([labels[number] for number in ordered], offsets, times, values))
        # What series are called leaves some of what tells them apart away.
        return found if len(set(keys.values())) == len(keys) else points.arranged(points.split(found))

    def _labels(self, identities: dict[int, Identity]) -> dict[int, Labels]:
        """Labels of the gauges or sums that meet the conditions; a name is looked at once, whatever series have it."""
        others = [each for each in self.matchers if each.name != NAME]
        called: dict[tuple[str, str], str | None] = {}
        found = {}
        for number, identity in identities.items():
            both = (identity.name, identity.metric)
            if both not in called:
                named = (
                    name for name in both if all(each.matches(name) for each in self.matchers if each.name == NAME)
                )
                called[both] = next(named, None)
            name = called[both]
            if name is not None and all(_meets(each, name, identity) for each in others):
                found[number] = {NAME: name} | identity.labels
        return found

    def _columns(self, start: int, end: int, chosen: list[int]) -> tuple[order.Hashes, Ints, Floats]:
        """Hashes, times and values."""
        settings = _LARGE | (_IN_MEMORY if self.catalogue.store.home is Home.EMBEDDED else {})
        time_type = "UInt32" if end - start <= _NARROW else "Int64"
        table = self._points(start, end, chosen, settings, time_type=time_type)
        times = np.add(points.column(table, "time"), start, dtype=np.int64)
        return points.column(table, "hash"), times, points.column(table, "value")

    def _points(self, start: int, end: int, chosen: list[int], settings: Params, **more: str) -> pa.Table:
        params: dict[str, Any] = {
            "tenant": self.tenant, "names": list(self.names), "start": start, "end": end, "hashes": chosen,
            "limit": self.max_samples + 1, **more,
        }  # fmt: skip
        table = self.catalogue.store.arrow(f"promql_points_{self.kind}", params, settings)
        if table.num_rows > self.max_samples:
            raise QueryLimitExceeded(_TOO_MANY)
        return table

    def _chosen(self, start: int, end: int) -> list[int] | None:
        """Hashes of series whose labels meet the conditions; empty for all, or too many to name; None for none."""
        if all(each.name == NAME and each.op is Match.EQUAL for each in self.matchers):
            return []
        hashes = self.catalogue.hashes(self.tenant, self.kind, self.names, start, end)
        known = self._identities(hashes, start, end)
        chosen = [each for each, identity in known.items() if matching(identity, self.matchers)]
        if not chosen:
            return None
        return [] if len(chosen) == len(hashes) or len(chosen) > MOST_HASHES else chosen

    def _identities(self, hashes: Ints | order.Hashes, start: int, end: int) -> dict[int, Identity]:
        return self.catalogue.identities(self.tenant, self.kind, self.names, hashes.tolist(), start, end)


def matching(identity: Identity, matchers: Sequence[Matcher]) -> list[Series]:
    """The parts of a stored series that meet the conditions, by its old or its own name."""
    suffixes = ("",) if identity.kind is Kind.HISTOGRAM and identity.foreign else _SUFFIXES[identity.kind]
    found = []
    for suffix in suffixes:
        late = LATE.get((suffix, identity.kind)) if not (identity.foreign and identity.kind is Kind.HISTOGRAM) else None
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
