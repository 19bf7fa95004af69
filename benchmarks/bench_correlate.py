"""What correlation costs at scale: telemetry made inside the engine, and one pass over it.

    python benchmarks/bench_correlate.py [--quick] [--only series,spans,live,symptom]

series   100,000 metric series, an hour at 15 s (24 M points): to signals, the first time (when names and labels are
         learned) and again
spans    10 M spans an hour to evidence of edges and services
live     the pass that runs every 15 s, at 10,000 series and two hours of history: in the three minutes of an hour whose
         passes judge slow drift, too, and in the others
symptom  a running system: from the first symptom sent over OTLP to the incident on the API

Each section runs in a process of its own, so that its peak memory is its own. Everything shares the machine: on a busy
one compare processor time with what two cores have, which is twice the bar.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks import machine  # noqa: E402
from benchmarks.symptom import time_to_incident  # noqa: E402
from correlate import passes  # noqa: E402
from correlate.engine import Detection, detect  # noqa: E402
from correlate.settings import CorrelateSettings  # noqa: E402
from store import Store, StoreSettings, Window, migrate  # noqa: E402

SECTIONS = ("series", "spans", "live", "symptom")
NS = 1_000_000_000
START = 1_800_000_000 // 3600 * 3600
SETTINGS = CorrelateSettings()


class Timer:
    """Seconds by the clock and of the processor since it was made, and the process's peak memory."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.monotonic(), time.process_time()

    def told(self, what: str, bar_s: float, more: str) -> None:
        """Print the figures beside the bar."""
        wall, cpu = time.monotonic() - self._wall, time.process_time() - self._cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{what:26} {wall:6.1f} s, bar {bar_s:.0f} s (x {wall / bar_s:.2f}); processor {cpu:5.1f} s "
            f"(x {cpu / bar_s / 2:.2f} of two cores); peak {peak:,.0f} MiB; {more}",
            flush=True,
        )


def opened(folder: Path) -> Store:
    """A migrated embedded store."""
    store = Store.open(StoreSettings.embedded(folder))
    migrate.apply(store)
    return store


def made(store: Store, name: str, **parameters: float) -> None:
    """Run one of the .sql files beside this one."""
    store.command((ROOT / f"benchmarks/{name}.sql").read_text(encoding="utf-8"), parameters)


def make_series(store: Store, count: int, start: int, steps: int) -> None:
    """Three quarters gauges, one quarter counters, in ten inserts each."""
    for name, number in (("correlate_series", count * 3 // 4), ("correlate_counters", count // 4)):
        part = -(-number // 10)
        for first in range(0, number, part):
            made(store, name, start=start, steps=steps, first=first, count=min(part, number - first))


def summary(detection: Detection) -> str:
    """How much was found."""
    failed = f"; failed: {', '.join(f.rule for f in detection.failures)}" if detection.failures else ""
    return f"{detection.signals.height} signals of {detection.entities.height} entities{failed}"


def series(folder: Path, quick: bool) -> None:
    """Metric series to signals."""
    count = 10_000 if quick else 100_000
    store = opened(folder)
    make_series(store, count, START, 240)
    window = Window((START + 2700) * NS, (START + 3600) * NS)
    points = count * 240
    print(f"dataset   series: {count:,} series, {points:,} points")
    for what in ("series, first pass", "series, next pass"):
        timer = Timer()
        detection = detect(store, "default", window, SETTINGS)
        timer.told(what, 10 * count / 100_000, summary(detection))
    store.close()


def spans(folder: Path, quick: bool) -> None:
    """Spans to edge and service evidence."""
    count = 1_000_000 if quick else 10_000_000
    store = opened(folder)
    for first in range(0, count, count // 10):
        every = 3600 * NS / (count / 10)
        made(
            store, "correlate_spans", start=START * NS, every=every, slow=(START + 3120) * NS, first=first,
            count=count // 10,
        )  # fmt: skip
    print(f"dataset   spans: {count:,} spans in an hour, 40 services")
    timer = Timer()
    window = Window((START + 2700) * NS, (START + 3600) * NS)
    detection = detect(store, "default", window, SETTINGS)
    more = f"{summary(detection)}, {detection.edges.height} edges; one trace in {detection.traces_one_in} looked at"
    timer.told("spans", 20, more)
    store.close()


def live(folder: Path, quick: bool) -> None:
    """The incremental pass: first over the end of an hour, when slow drift is judged as well, then at half past."""
    count = 2_000 if quick else 10_000
    store = opened(folder)
    steps = 480 + 120
    make_series(store, count, START - 7200, steps)
    print(f"dataset   live: {count:,} series, {count * steps:,} points")
    for what, after_s in (("over a full hour", 150), ("at half past", 1770)):
        for pass_ in range(3):
            timer = Timer()
            now = (START + after_s + 15 * pass_) * NS
            signals, incidents = passes.live_pass(store, "default", SETTINGS, now)
            timer.told(f"live {what}, {pass_ + 1}", 2, f"{signals} signals, {incidents} incidents")
    store.close()


def symptom(folder: Path, quick: bool) -> None:
    """From a symptom to an incident."""
    del quick
    taken = time_to_incident(folder)
    print(f"{'symptom to incident':26} {taken:6.1f} s, bar 30 s (x {taken / 30:.2f}); live pass every 15 s, embedded")


def main() -> None:
    """Run the sections asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a tenth of the data")
    parser.add_argument("--only", default=",".join(SECTIONS))
    parser.add_argument("--inside", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    sections = {"series": series, "spans": spans, "live": live, "symptom": symptom}
    if arguments.inside:
        with tempfile.TemporaryDirectory(prefix="causeline-bench-") as name:
            sections[arguments.inside](Path(name), arguments.quick)
        return
    chosen = arguments.only.split(",")
    if unknown := set(chosen) - set(SECTIONS):
        raise SystemExit(f"{', '.join(unknown)}: not one of {', '.join(SECTIONS)}")
    machine.told("chdb-core", "clickhouse-connect", "polars", "celery")
    for section in chosen:
        command = [sys.executable, __file__, "--inside", section, *(["--quick"] if arguments.quick else [])]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
