"""Items a second until they can be queried, and how long an acknowledgement takes below that."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.datasets import Dataset
from benchmarks.systems import Arena, Receiver, System, cpu_seconds, memory_mib

_POLL_S = 0.02
_GIVE_UP_S = 20.0
LOAD = Path(__file__).with_name("load.py")


@dataclass(frozen=True)
class Run:
    """One run: seconds until everything could be queried, the client's report, processor seconds, memory."""

    seconds: float
    lost: int
    rate: float
    report: dict[str, Any]
    system_cpu: float
    server_cpu: float
    peak_mib: float
    batches: int = 0

    @property
    def client_share(self) -> float:
        """Processor time of the load generator as a share of one core while it sent."""
        return float(self.report["cpu"] / (self.report["ended"] - self.report["started"]))

    @property
    def cpu(self) -> float:
        """Processor seconds of the system and its server together."""
        return self.system_cpu + self.server_cpu


def once(arena: Arena, name: str, data: Dataset, rate: float | None = None) -> Run:
    """Send a data set to a fresh system after a warm-up; requests go out at `rate` a second if given."""
    with arena.start(name) as system:
        client(system.port, data.warm, 4)
        _queryable(system, data.signal, data.warm_items)
        server = arena.server_pid if name != "embedded" else None
        before = cpu_seconds(system.pid), cpu_seconds(server) if server else 0.0
        process = start_client(system.port, data.file, data.connections, rate)
        expected = data.warm_items + data.items
        done, found = _queryable(system, data.signal, expected, process)
        report = finish(process)
        after = cpu_seconds(system.pid), cpu_seconds(server) if server else 0.0
        stored = found - data.warm_items
        seconds = done - report["started"]
        return Run(
            seconds,
            expected - found,
            stored / seconds,
            report,
            after[0] - before[0],
            after[1] - before[1],
            memory_mib(system.pid, "VmHWM"),
            system.ask("stats")["batches"] if isinstance(system, Receiver) else 0,
        )


def client(port: int, file: Path, connections: int, rate: float | None = None) -> dict[str, Any]:
    """Run the load generator to its end; its report."""
    return finish(start_client(port, file, connections, rate))


def start_client(port: int, file: Path, connections: int, rate: float | None = None) -> subprocess.Popen[str]:
    """The load generator at work in a process of its own."""
    command = [sys.executable, "-I", "-S", str(LOAD), str(port), str(file), str(connections)]
    command += [str(rate)] if rate else []
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def finish(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Wait for a load generator; its report."""
    output = process.communicate()[0]
    if process.returncode:
        raise SystemExit("the load generator gave up")
    found: dict[str, Any] = json.loads(output)
    return found


def _queryable(
    system: System, signal: str, expected: int, process: subprocess.Popen[str] | None = None
) -> tuple[float, int]:
    """When `expected` rows could be queried, or when their number had last grown if they never came; and the rows."""
    last, grown = -1, time.monotonic()
    while True:
        found = system.count(signal)
        now = time.monotonic()
        if found != last:
            last, grown = found, now
        sending = process is not None and process.poll() is None
        if found >= expected or (not sending and now - grown > _GIVE_UP_S):
            return grown, found
        time.sleep(_POLL_S)


def compare(arena: Arena, systems: list[str], data: Dataset, rounds: int) -> dict[str, list[Run]]:
    """Every system with the same data, one after the other, round by round; prints a line for each."""
    runs: dict[str, list[Run]] = {name: [] for name in systems}
    for number in range(rounds):
        for name in systems if number % 2 == 0 else reversed(systems):
            runs[name].append(once(arena, name, data))
    for name in systems:
        print(f"    {data.name:18} {name:9} {line(data, runs[name])}", flush=True)
    for name in systems:
        if name != "rotel" and "rotel" in systems:
            pairs = list(zip(runs[name], runs["rotel"], strict=True))
            ratio = statistics.median(a.rate / b.rate for a, b in pairs)
            cost = statistics.median(a.cpu / b.cpu for a, b in pairs)
            print(
                f"    {data.name:18} {name:9} = {ratio:.2f} x rotel's rate, {cost:.2f} x its processor time", flush=True
            )
    return runs


def middle(runs: Iterable[Run]) -> float:
    """The median rate."""
    return statistics.median(run.rate for run in runs)


def line(data: Dataset, runs: list[Run]) -> str:
    """The figures of some runs: medians, and the range of rates."""
    rates = [run.rate for run in runs]
    cpu, server = (
        statistics.median(x) / data.items * 1e6 for x in zip(*((r.system_cpu, r.server_cpu) for r in runs), strict=True)
    )
    lost = max(run.lost for run in runs)
    shed = max(run.report["shed"] for run in runs)
    return (
        f"{middle(runs):9,.0f} /s ({min(rates):,.0f}-{max(rates):,.0f}); "
        f"us/item: own {cpu:.1f}, server {server:.1f}; "
        f"ack p50 {_ms(runs, 'p50')} p99 {_ms(runs, 'p99')} ms; peak {max(run.peak_mib for run in runs):,.0f} MiB; "
        f"client {statistics.median(run.client_share for run in runs):.0%} of a core"
        + (
            f"; {data.items / max(1, statistics.median(run.batches for run in runs)):,.0f} a batch"
            * bool(runs[0].batches)
        )
        + (f"; LOST {lost:,}" if lost else "")
        + (f"; shed {shed}" if shed else "")
    )


def _ms(runs: list[Run], what: str) -> str:
    return f"{statistics.median(run.report[what] for run in runs) * 1000:.0f}"


def paced(arena: Arena, name: str, data: Dataset, peak: float, share: float = 0.7) -> float:
    """p99 of the acknowledgement in seconds at a share of a peak in items a second; prints a line."""
    run = once(arena, name, data, rate=share * peak / data.items * data.requests)
    print(
        f"    {data.name:18} {name:9} at {share:.0%} of peak ({share * peak:,.0f} /s): "
        f"p50 {_ms([run], 'p50')}, p99 {_ms([run], 'p99')}, worst {_ms([run], 'worst')} ms; shed {run.report['shed']}; "
        f"client {run.client_share:.0%} of a core",
        flush=True,
    )
    return float(run.report["p99"])
