"""A labelled dataset on disk: OTLP JSON lines beside a labels.json."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from api.errors import BadDataset
from api.evaluation.labels import Labels
from api.replay.reader import Line
from api.times import format_time

_PATTERNS = ("*.jsonl", "*.jsonl.gz", "*.jsonl.zst")
_KEYS = (b'"timeUnixNano"', b'"endTimeUnixNano"')


@dataclass(frozen=True, slots=True)
class Dataset:
    """Its name, its telemetry files and its labels."""

    name: str
    files: tuple[Path, ...]
    labels: Labels

    @classmethod
    def read(cls, folder: Path) -> Dataset:
        """Raises BadDataset, saying what is missing, when the folder cannot be evaluated."""
        if not folder.is_dir():
            raise BadDataset(f"{folder} is not a folder; a dataset is one with labels.json and OTLP JSON lines")
        path = folder / "labels.json"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise BadDataset(f"{folder} has no labels.json; docs/evaluation.md describes it") from error
        except (OSError, ValueError) as error:
            raise BadDataset(f"{path} cannot be read: {error}") from error
        labels = Labels.parse(document, str(path))
        files = tuple(sorted(path for pattern in _PATTERNS for path in folder.glob(pattern)))
        if not files:
            raise BadDataset(f"{folder} has no OTLP JSON lines (*.jsonl, *.jsonl.gz, *.jsonl.zst)")
        return cls(folder.resolve().name, files, labels)

    def sizes(self) -> dict[str, int]:
        """Bytes of each telemetry file, by name: enough to tell a set from its successor."""
        return {path.name: path.stat().st_size for path in self.files}

    def outside(self, start_ns: int, end_ns: int) -> list[str]:
        """Sentences about faults of which [start_ns, end_ns], the time of the telemetry, holds nothing.

        Raises BadDataset when that is so for all of them.
        """
        covers = f"the telemetry covers {format_time(start_ns)} to {format_time(end_ns)}"
        missed = [
            f"{self.name}: fault {number} ({label.fault or label.archetype}) at {format_time(label.time_unix_nano)} "
            f"is outside; {covers}"
            for number, label in enumerate(self.labels.faults, 1)
            if label.time_unix_nano > end_ns or (label.until_unix_nano or label.time_unix_nano) < start_ns
        ]
        if len(missed) == len(self.labels.faults):
            raise BadDataset(f"{missed[0]}, and so is every other labelled fault")
        return missed


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
