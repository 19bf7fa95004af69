"""Functions from seconds since the epoch to what the UTC calendar says of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from query.promql.values import Floats

Read = Callable[[np.ndarray], np.ndarray]
# Beyond these seconds numpy's calendar and Go's part ways; no sample is a date there.
_LIMIT = 2.0**55


def _calendar(read: Read, values: Floats) -> Floats:
    known = np.isfinite(values) & (np.abs(values) < _LIMIT)
    seconds = np.where(known, values, 0.0).astype(np.int64).astype("datetime64[s]")
    return np.where(known, read(seconds).astype(np.float64), np.nan)


def _month_start(seconds: np.ndarray) -> np.ndarray:
    return seconds.astype("datetime64[M]")


def _days_in_month(seconds: np.ndarray) -> np.ndarray:
    month = _month_start(seconds)
    return np.asarray((month + 1).astype("datetime64[D]") - month.astype("datetime64[D]")).astype(np.int64)


_READ: dict[str, Read] = {
    "year": lambda t: t.astype("datetime64[Y]").astype(np.int64) + 1970,
    "month": lambda t: _month_start(t).astype(np.int64) % 12 + 1,
    "day_of_month": lambda t: (t.astype("datetime64[D]") - _month_start(t)).astype(np.int64) + 1,
    "day_of_year": lambda t: (t.astype("datetime64[D]") - t.astype("datetime64[Y]")).astype(np.int64) + 1,
    "day_of_week": lambda t: (t.astype("datetime64[D]").astype(np.int64) + 4) % 7,
    "days_in_month": _days_in_month,
    "hour": lambda t: (t - t.astype("datetime64[D]")).astype(np.int64) // 3600,
    "minute": lambda t: (t - t.astype("datetime64[h]")).astype(np.int64) // 60,
}
DATES: dict[str, Callable[[Floats], Floats]] = {name: partial(_calendar, read) for name, read in _READ.items()}
