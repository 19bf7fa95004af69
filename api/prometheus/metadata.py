"""What metrics are, and exemplars of the series a query reads."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

import promql_parser as pp

from query.promql.catalogue import Catalogue
from query.promql.naming import Kind, legacy_name
from query.promql.number import formatted
from query.promql.reading import matching
from query.promql.selectors import matchers as matchers_of
from query.promql.stored import EARLIEST_MS, LATEST_MS, Stored
from query.promql.values import Key, key

# Metadata is of metrics that had points so lately, milliseconds.
_RECENT = 3_600_000
_MOST_EXEMPLARS = 10_000
_SHOWN_EXEMPLARS = 1000
_HISTOGRAMS = frozenset({Kind.HISTOGRAM, Kind.EXPONENTIAL})


def described(catalogue: Catalogue, tenant: str, metric: str, now: int) -> dict[str, list[dict[str, str]]]:
    """Type, help and unit of metrics by the names of their families."""
    params = {"tenant": tenant, "start": now - _RECENT, "end": now}
    found: dict[str, list[dict[str, str]]] = {}
    for row in catalogue.store.rows("promql_metadata", params):
        kind = Kind(row["kind"])
        name = row["name"]
        if not (row["foreign"] or row["prometheus_type"]):
            name = legacy_name(name, row["unit"], kind, monotonic=bool(row["monotonic"]))
        if metric in ("", name):
            one = {
                "type": row["prometheus_type"] or _type(kind, monotonic=bool(row["monotonic"])),
                "help": row["help"],
                "unit": row["unit"],
            }
            entries = found.setdefault(name, [])
            if one not in entries:
                entries.append(one)
    return found


def _type(kind: Kind, *, monotonic: bool) -> str:
    if kind in _HISTOGRAMS:
        return "histogram"
    if kind is Kind.SUMMARY:
        return "summary"
    return "counter" if kind is Kind.SUM and monotonic else "gauge"


def exemplars(catalogue: Catalogue, tenant: str, tree: pp.Expr, start: int, end: int) -> list[dict[str, Any]]:
    """Exemplars in [start, end], milliseconds, by series, the newest thousand."""
    start, end = max(start, EARLIEST_MS), min(end, LATEST_MS)
    selectors: list[pp.VectorSelector] = []
    _collect(tree, selectors)
    if end <= start:
        return []
    found: dict[Key, dict[str, Any]] = {}
    for selector in selectors:
        _read(catalogue, tenant, selector, start, end, found)
    return [
        {**each, "exemplars": sorted(each["exemplars"], key=lambda one: float(one["timestamp"]))[-_SHOWN_EXEMPLARS:]}
        for _, each in sorted(found.items())
    ]


def _collect(node: pp.Expr, into: list[pp.VectorSelector]) -> None:
    if isinstance(node, pp.VectorSelector):
        into.append(node)
        return
    for name in ("expr", "lhs", "rhs", "vector_selector", "param"):
        child = getattr(node, name, None)
        if isinstance(child, pp.Expr):
            _collect(child, into)
    for child in getattr(node, "args", ()):
        _collect(child, into)


def _read(
    catalogue: Catalogue,
    tenant: str,
    selector: pp.VectorSelector,
    start: int,
    end: int,
    into: dict[Key, dict[str, Any]],
) -> None:
    chosen = matchers_of(selector)
    for kind, names in Stored(catalogue, tenant).candidates(chosen, start, end).items():
        if kind in (Kind.EXPONENTIAL, Kind.SUMMARY):
            continue
        params = {"tenant": tenant, "names": names, "start": start, "end": end, "limit": _MOST_EXEMPLARS}
        rows = catalogue.store.rows(f"promql_exemplars_{kind}", params)
        known = catalogue.identities(tenant, kind, names, {row["hash"] for row in rows}, start, end)
        for row in rows:
            identity = known.get(row["hash"])
            for series in matching(identity, chosen) if identity is not None else ():
                labels = series.labels
                if series.suffix == "_bucket":
                    labels = labels | {"le": _bucket(row["value"], row["bounds"])}
                if all(each.matches(labels.get("le", "")) for each in chosen if each.name == "le"):
                    into.setdefault(key(labels), {"seriesLabels": labels, "exemplars": []})["exemplars"].append(
                        _exemplar(row)
                    )


def _bucket(value: float, bounds: list[float]) -> str:
    place = bisect_left(bounds, value)
    return formatted(bounds[place] if place < len(bounds) else math.inf)


def _exemplar(row: dict[str, Any]) -> dict[str, Any]:
    labels = {"trace_id": row["trace_id"], "span_id": row["span_id"]} | dict(row["attributes"])
    return {
        "labels": {name: value for name, value in labels.items() if value},
        "value": formatted(row["value"]),
        "timestamp": row["time"] / 1000,
    }
