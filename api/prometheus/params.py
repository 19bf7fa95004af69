"""Parameters of Prometheus' API, of a query string and a form together, and what is wrong with them in its words."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl

from fastapi import Request

from query.errors import BadQuery

# Longer forms are no queries.
MAX_BODY = 1 << 20
# Times beyond are no times of samples; Grafana's exemplar probe sends milliseconds where seconds are meant.
MAX_SECONDS = 9_000_000_000.0
_DURATION = re.compile(r"(?:(\d+)y)?(?:(\d+)w)?(?:(\d+)d)?(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?(?:(\d+)ms)?")
_UNITS_MS = (365 * 86_400_000, 7 * 86_400_000, 86_400_000, 3_600_000, 60_000, 1000, 1)
_OFFSET = re.compile(r"(\.\d{6})\d+")


@dataclass(frozen=True, slots=True)
class Params:
    """The parameters of one request, by name, each with all its values."""

    values: dict[str, list[str]]

    @classmethod
    async def of(cls, request: Request) -> Params:
        """Parameters of a request, form and query string. Raises BadQuery."""
        pairs = list(request.query_params.multi_items())
        if request.method == "POST":
            body = b""
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise BadQuery("http: request body too large")
            try:
                pairs += parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=10_000)
            except ValueError as error:
                raise BadQuery(f"error parsing form values: {error}") from error
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            values.setdefault(name, []).append(value)
        return cls(values)

    def text(self, name: str, default: str | None = None) -> str:
        """A parameter's first value. Raises BadQuery when there is none and no default."""
        found = self.values.get(name, [""])[0]
        if not found and default is None:
            raise BadQuery(
                f'invalid parameter "{name}": empty'
                if name != "query"
                else 'invalid parameter "query": unknown position: parse error: no expression found in input'
            )
        return found or default or ""

    def all(self, name: str) -> Sequence[str]:
        """All values of a parameter."""
        return self.values.get(name, [])

    def time(self, name: str, default_ms: int | None = None) -> int:
        """A time in milliseconds: unix seconds or RFC 3339, brought within what can be stored. Raises BadQuery."""
        text = self.text(name, "" if default_ms is not None else None)
        if not text:
            assert default_ms is not None
            return default_ms
        seconds = _number(text)
        if seconds is None:
            seconds = _rfc3339(text)
        if seconds is None or math.isnan(seconds):
            raise BadQuery(f'invalid parameter "{name}": cannot parse "{text[:100]}" to a valid timestamp')
        return round(min(max(seconds, -MAX_SECONDS), MAX_SECONDS) * 1000)

    def duration(self, name: str, default_ms: int | None = None) -> int:
        """A duration in milliseconds: seconds, or Prometheus' form. Raises BadQuery."""
        text = self.text(name, "" if default_ms is not None else None)
        if not text:
            assert default_ms is not None
            return default_ms
        seconds = _number(text)
        if seconds is not None and math.isfinite(seconds) and abs(seconds) < 1e12:
            return round(seconds * 1000)
        if seconds is not None:
            raise BadQuery(
                f'invalid parameter "{name}": cannot parse "{text[:100]}" to a valid duration. It overflows int64'
            )
        found = _DURATION.fullmatch(text)
        if found is None or not any(found.groups()) or len(text) > 60:
            raise BadQuery(f'invalid parameter "{name}": cannot parse "{text[:100]}" to a valid duration')
        return sum(int(part or 0) * unit for part, unit in zip(found.groups(), _UNITS_MS, strict=True))

    def limit(self) -> int:
        """How many series or values are wanted; 0 is all. Raises BadQuery."""
        text = self.text("limit", "0")
        if not re.fullmatch(r"\d{1,18}", text):
            raise BadQuery(
                'invalid parameter "limit": limit must be non-negative'
                if re.fullmatch(r"-\d+", text)
                else f'invalid parameter "limit": cannot parse "{text[:40]}" to an integer'
            )
        return int(text)


def _number(text: str) -> float | None:
    try:
        return float(text) if "_" not in text else None
    except ValueError:
        return None


def _rfc3339(text: str) -> float | None:
    try:
        found = datetime.fromisoformat(_OFFSET.sub(r"\1", text))
    except ValueError:
        return None
    return found.timestamp() if found.tzinfo is not None else None
