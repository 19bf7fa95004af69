"""Five times what the receiver can take, and what becomes of it.

Every request is answered 200 or 503 in time, memory stays within what the settings promise, and what was acknowledged
is stored once. What bounds memory: CAUSELINE_INGEST__MAX_INFLIGHT_BYTES of bodies waiting, and 30 times
CAUSELINE_INGEST__MAX_BATCH_BYTES in the engine for each of CAUSELINE_INGEST__WRITERS.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from store import Store, StoreSettings
from tests.faults.flood import MARKER, Flood, marker
from tests.faults.homes import Home
from tests.faults.load import Target
from tests.kit.running import ROOT

MIB = 1024 * 1024


@dataclass(frozen=True)
class Report:
    """What overload did to a receiver and its clients."""

    capacity: float
    factor: float
    goodput: float
    statuses: Counter[int]
    bad_pauses: int
    p99_s: float
    slowest_s: float
    lost: int
    duplicated: int
    partial: int
    rss_mib: float
    threads: int
    temporary_mib: float
    parts: int

    @property
    def clean(self) -> bool:
        """Whether only 200 and 503 were said, and said truly."""
        return not (set(self.statuses) - {200, 503} or self.bad_pauses or self.lost or self.duplicated or self.partial)

    def __str__(self) -> str:
        answers = ", ".join(f"{count:,} x {status or 'no answer'}" for status, count in sorted(self.statuses.items()))
        return (
            f"capacity {self.capacity:,.0f} requests/s, offered {self.factor:.1f} times that: {answers}, "
            f"acknowledged {self.goodput:,.0f}/s; "
            f"p99 {self.p99_s:.2f} s, slowest {self.slowest_s:.2f} s; lost {self.lost}, duplicated {self.duplicated}, "
            f"partial {self.partial}; at most {self.rss_mib:,.0f} MiB RSS, {self.threads} threads, "
            f"{self.temporary_mib:.0f} MiB temporary files; {self.parts} parts at the end"
        )


class Watch:
    """The most memory, threads and temporary bytes of a receiver between `with` and its end."""

    def __init__(self, home: Home, directory: Path) -> None:
        self.rss = self.threads = self.temporary = 0
        self._receiver = home.receiver
        self._temporary = directory / "data/tmp"
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._done.wait(0.1):
            self.rss = max(self.rss, self._receiver.rss)
            self.threads = max(self.threads, self._receiver.threads)
            self.temporary = max(self.temporary, sum(_size(path) for path in self._temporary.glob("*")))


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def run(
    directory: Path,
    seconds: float,
    factor: float = 5.0,
    spans: int = 100,
    settings: Mapping[str, str] | None = None,
) -> Report:
    """Measure what an embedded system takes, then offer `factor` times that for so many seconds."""
    home = Home("embedded", directory, target := Target(), settings)
    try:
        home.start()
        with Watch(home, directory) as watch:
            calm = _flood(target.url, spans, 0, 0, min(10.0, seconds / 2))
            storm = _flood(target.url, spans, len(calm.statuses), factor * calm.goodput, seconds)
            # What was answered 503 for want of time is still being stored, and is part of the account.
            time.sleep(5)
        home.stop()
    finally:
        home.receiver.kill()
    rows, parts = _stored(home.store)
    statuses = calm.statuses + storm.statuses
    counts = [(status, rows[marker(number)]) for number, status in enumerate(statuses)]
    latencies = sorted(storm.seconds)
    return Report(
        capacity=calm.goodput,
        factor=storm.rate / calm.goodput,
        goodput=storm.goodput,
        statuses=Counter(statuses),
        bad_pauses=calm.bad_pauses + storm.bad_pauses,
        p99_s=latencies[len(latencies) * 99 // 100],
        slowest_s=latencies[-1],
        lost=sum(status == 200 and found < spans for status, found in counts),
        duplicated=sum(found > spans for _, found in counts),
        partial=sum(status != 200 and 0 < found < spans for status, found in counts),
        rss_mib=watch.rss / MIB,
        threads=watch.threads,
        temporary_mib=watch.temporary / MIB,
        parts=parts,
    )


def _flood(url: str, spans: int, first: int, rate: float, seconds: float) -> Flood:
    command = [sys.executable, "-m", "tests.faults.flood", url, *map(str, (spans, first, rate, seconds))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=seconds + 60, check=True)
    return Flood(**json.loads(done.stdout))


def _stored(settings: StoreSettings) -> tuple[Counter[str], int]:
    store = Store.open(settings)
    try:
        found = store.arrow_text(
            f"SELECT ResourceAttributes['{MARKER}'] AS Marker, count() AS Items FROM otel_traces GROUP BY Marker"
        )
        parts = store.arrow_text("SELECT count() AS Parts FROM system.parts WHERE active")["Parts"][0].as_py()
    finally:
        store.close()
    return Counter(dict(zip(found["Marker"].to_pylist(), found["Items"].to_pylist(), strict=True))), int(parts)


def main() -> int:
    """Print the figures; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.overload", description=__doc__)
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--factor", type=float, default=5)
    parser.add_argument("--spans", type=int, default=100, help="spans in each request")
    parser.add_argument("--most-rss", type=float, default=1536, help="MiB that would be too many")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        report = run(Path(directory), options.seconds, options.factor, options.spans)
    print(f"overload, {options.seconds:.0f} s: {report}")  # noqa: T201
    return 0 if report.clean and report.rss_mib < options.most_rss else 1


if __name__ == "__main__":
    sys.exit(main())
