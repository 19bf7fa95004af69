"""A labelled dataset on disk: OTLP JSON lines beside a labels.json."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from api.errors import BadDataset
from api.replay.reader import Line

_PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.jsonl.zst")
_KEYS = (b'"timeUnixNano"', b'"endTimeUnixNano"')


@dataclass(frozen=True, slots=True)
class Dataset:
    """Its name, its telemetry files and its labels."""

    name: str
    files: tuple[Path, ...]
    labels: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Dataset:
        """Raises BadDataset, saying what is missing, when the folder cannot be evaluated."""
        try:
            labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise BadDataset(f"{folder} has no usable labels.json: {error}") from error
        files = tuple(sorted(path for pattern in _PATTERNS for path in folder.glob(pattern)))
        if not files:
            raise BadDataset(f"{folder} has no OTLP JSON lines (*.jsonl, *.jsonl.gz, *.jsonl.zst)")
        if not isinstance(labels, dict) or not labels.get("faults"):
            raise BadDataset(f"{folder / 'labels.json'} labels no faults")
        return cls(folder.name, files, labels)


@dataclass(slots=True)
class TimeRange:
    """The range that replayed lines cover, in nanoseconds, from the first and last time each line names."""

    start: int | None = field(default=None)
    end: int | None = field(default=None)

    def saw(self, line: Line) -> None:
        """Widen the range by a line's times; starts of cumulative series are not times of telemetry."""
        data = line.data
        for position in (find(key) for key in _KEYS for find in (data.find, data.rfind)):
            nanos = _number(data[position : position + 48]) if position >= 0 else 0
            if nanos > 0:
                self.start = nanos if self.start is None else min(self.start, nanos)
                self.end = nanos if self.end is None else max(self.end, nanos)


def _number(text: bytes) -> int:
    digits = text.partition(b":")[2].lstrip(b' "')
    end = next((place for place, byte in enumerate(digits) if not 48 <= byte <= 57), len(digits))
    return int(digits[:end] or b"0")
