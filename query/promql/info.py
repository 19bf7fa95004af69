"""info(): labels of info metrics (target_info) added to series of the same job and instance.

https://prometheus.io/docs/prometheus/latest/querying/functions/#info
"""

from __future__ import annotations

import numpy as np
import promql_parser as pp

from query.errors import QueryFailed
from query.promql.context import Context
from query.promql.selectors import matchers as read
from query.promql.source import Match, Matcher, matches
from query.promql.values import NAME, Key, Labels, Vector, empty, is_stale, positions, relabelled

IDENTIFYING = ("instance", "job")


def enriched(base: Vector, chosen: pp.Expr | None, context: Context) -> Vector:
    """Series with the labels that their info series have and they have not; `chosen` says which. Raises QueryFailed."""
    wanted = read(chosen) if isinstance(chosen, pp.VectorSelector) else []
    data = [each for each in wanted if each.name != NAME]
    names = [each for each in wanted if each.name == NAME] or [Matcher.of(NAME, Match.EQUAL, "target_info")]
    if not base.labels:
        return empty(context.steps)
    infos, written = _infos(names, data, context)
    is_info = [matches({NAME: labels.get(NAME, "")}, names) for labels in base.labels]
    return _joined(base, is_info, infos, written, data)


def _infos(names: list[Matcher], data: list[Matcher], context: Context) -> tuple[Vector, np.ndarray]:
    times = context.times
    samples = context.source.select([*names, *data], int(times.min()) - context.lookback, int(times.max()))
    context.limits.take(len(samples.times))
    at = positions(samples, times) - 1
    has = at >= samples.offsets[:-1, None]
    at = np.where(has, at, -1)
    values, when = np.append(samples.values, np.nan)[at], np.append(samples.times, 0)[at]
    has &= (when > (times - context.lookback)[None, :]) & ~is_stale(values)
    return Vector(samples.labels, values, has), when


def _joined(base: Vector, is_info: list[bool], infos: Vector, written: np.ndarray, data: list[Matcher]) -> Vector:
    by_target: dict[Key, list[int]] = {}
    for row, labels in enumerate(infos.labels):
        by_target.setdefault(tuple((n, labels.get(n, "")) for n in IDENTIFYING), []).append(row)
    picked = frozenset(each.name for each in data)
    # A condition that an empty text meets does not demand an info series.
    demanded = [each for each in data if not each.matches("")]
    rows: list[int] = []
    labels_out: list[Labels] = []
    present: list[np.ndarray] = []
    for row, labels in enumerate(base.labels):
        if is_info[row]:
            _add(rows, labels_out, present, row, labels, base.present[row])
            continue
        target = tuple((n, labels.get(n, "")) for n in IDENTIFYING)
        for column_labels, where in _by_step(
            labels, base.present[row], by_target.get(target, []), infos, written, picked
        ):
            if demanded and not all(each.matches(column_labels.get(each.name, "")) for each in demanded):
                continue
            _add(rows, labels_out, present, row, column_labels, where)
    if not rows:
        return empty(base.values.shape[1])
    hists = None if base.hists is None else base.hists[rows]
    return relabelled(Vector(labels_out, base.values[rows], np.array(present), hists), dict)


def _add(
    rows: list[int], labels_out: list[Labels], present: list[np.ndarray], row: int, labels: Labels, where: np.ndarray
) -> None:
    rows.append(row)
    labels_out.append(labels)
    present.append(where)


def _by_step(
    labels: Labels,
    present: np.ndarray,
    candidates: list[int],
    infos: Vector,
    written: np.ndarray,
    picked: frozenset[str],
) -> list[tuple[Labels, np.ndarray]]:
    """The labels a series has with its info series, and at which steps; another set for each combination of them."""
    found: dict[Key, tuple[Labels, np.ndarray]] = {}
    for column in np.flatnonzero(present):
        newest: dict[str, int] = {}
        for row in candidates:
            if not infos.present[row, column]:
                continue
            name = infos.labels[row][NAME]
            other = newest.get(name)
            if other is None or written[row, column] > written[other, column]:
                newest[name] = row
            elif written[row, column] == written[other, column]:
                raise QueryFailed(f"found duplicate series for info metric {name}")
        added = dict(labels)
        for row in newest.values():
            for name, value in infos.labels[row].items():
                if name == NAME or name in IDENTIFYING or (picked and name not in picked):
                    continue
                if name in labels:
                    continue
                if name in added and added[name] != value:
                    raise QueryFailed(f"conflicting label: {name}")
                added[name] = value
        key_ = tuple(sorted(added.items()))
        where = found.setdefault(key_, (added, np.zeros(len(present), dtype=np.bool_)))[1]
        where[column] = True
    return list(found.values())
