"""Durations as Go writes them: 1h30m, 1.5s, 100ms, 250us (https://pkg.go.dev/time#ParseDuration)."""

from __future__ import annotations

import re
from decimal import Decimal

_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_PART = re.compile(r"(\d{1,18}(?:\.\d{0,18})?|\.\d{1,18})(ns|us|µs|μs|ms|s|m|h)", re.ASCII)
_WHOLE = re.compile(rf"([+-]?)((?:{_PART.pattern})+)", re.ASCII)


def nanoseconds(text: str) -> int | None:
    """Whole nanoseconds, rounded towards zero; None for what is no duration."""
    if text in {"0", "+0", "-0"}:
        return 0
    match = _WHOLE.fullmatch(text) if len(text) <= 100 else None
    if match is None:
        return None
    total = sum(Decimal(number) * _UNITS[unit] for number, unit in _PART.findall(match[2]))
    return -int(total) if match[1] == "-" else int(total)
