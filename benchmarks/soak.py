"""Minutes of steady load on the embedded store: does memory, the number of parts or the temporary directory grow?"""

from __future__ import annotations

import time
from collections.abc import Iterator

from benchmarks import datasets
from benchmarks.load import write_requests
from benchmarks.rates import finish, start_client
from benchmarks.systems import Arena, Receiver, memory_mib

SAMPLE_S = 5.0
SIZE, CONNECTIONS = 500, 16
# Requests a second: 20,000 spans, 10,000 log records, 10,000 points.
RATES = {"traces": 40.0, "logs": 20.0, "metrics": 20.0}
CHUNK_S = 30.0
# Caches and pools fill at first; the slope is told from the rest.
SETTLE = 0.2


def soak(arena: Arena, minutes: float) -> None:
    """Load all three signals at a steady rate; prints a sample every half minute and what grew."""
    with arena.start("embedded") as system:
        assert isinstance(system, Receiver)
        began = time.monotonic() / 60
        memory: list[tuple[float, float]] = []
        first, last = memory_mib(system.pid), {}
        for chunk in range(max(1, round(minutes * 60 / CHUNK_S))):
            memory.extend((time.monotonic() / 60, memory_mib(system.pid)) for _ in _load(arena, system, chunk))
            last = system.ask("stats")
            print(
                f"    {memory[-1][0] - began:5.1f} min  {memory[-1][1]:6,.0f} MiB, {last['parts']} parts,"
                f" {last['temporary']:,} temporary bytes, {last['requests']:,} requests in {last['batches']:,} batches",
                flush=True,
            )
        peak = memory_mib(system.pid, "VmHWM")
        settled = memory[int(len(memory) * SETTLE) :]
        print(
            f"    memory: {first:,.0f} MiB at start, peak {peak:,.0f}, slope {slope(settled):+.1f} MiB a minute;"
            f" {last['parts']} parts, {last['temporary']:,} temporary bytes in the end"
        )


def _load(arena: Arena, system: Receiver, chunk: int) -> Iterator[None]:
    """Send half a minute's requests, the same kinds at later times; yields now and then."""
    clients = []
    for signal, rate in RATES.items():
        kind = datasets.bodies(signal, SIZE, int(rate * CHUNK_S) * SIZE, chunk)
        file = arena.folder / f"soak-{signal}"
        write_requests(file, f"/v1/{signal}", kind, "identity")
        clients.append((file, start_client(system.port, file, CONNECTIONS, rate)))
    while any(client.poll() is None for _, client in clients):
        time.sleep(SAMPLE_S)
        yield
    for file, client in clients:
        finish(client)
        file.unlink()


def slope(points: list[tuple[float, float]]) -> float:
    """The rise of the least-squares line, per unit of the first coordinate."""
    if len(points) < 2:
        return 0.0
    x = sum(p[0] for p in points) / len(points)
    y = sum(p[1] for p in points) / len(points)
    over = sum((p[0] - x) ** 2 for p in points)
    return sum((p[0] - x) * (p[1] - y) for p in points) / over if over else 0.0
