"""Power cuts at random moments under load, restart from what the disk had received, and count.

Needs root (see disk.py). `--control` takes the tables' fsync settings away first and must lose something: it shows
that the simulation can tell.
"""

from __future__ import annotations

import argparse
import multiprocessing
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from store import Store, StoreSettings, migrate
from tests.faults import account, disk
from tests.faults.disk import Disk
from tests.faults.homes import Home
from tests.faults.load import Load, Target

Result = TypeVar("Result")

# Two file systems on top of each other flush slowly on a real disk; what a cut keeps is the same in memory.
MEMORY = Path("/dev/shm") if Path("/dev/shm").is_dir() else None

_WEAK = (
    "fsync_after_insert = 0, fsync_part_directory = 0, "
    "min_rows_to_fsync_after_merge = 0, min_compressed_bytes_to_fsync_after_merge = 0"
)


@dataclass(frozen=True)
class Outcome:
    """The account after all cuts, answers no client should get, and the longest time from power to ready."""

    account: account.Account
    errors: list[str]
    slowest_start_s: float


def run(home_name: str, cuts: int, seed: int, directory: Path, *, control: bool = False) -> Outcome:
    """What `cuts` power cuts did. Raises RuntimeError when the system does not start again."""
    choose = random.Random(seed)
    target = Target()
    with Disk(directory) as machine:
        home = Home(home_name, machine.path, target)
        load = Load(target, seed, timeout_s=5)
        slowest = 0.0
        try:
            if control:
                _weaken(home)
            home.start()
            load.start()
            for _ in range(cuts):
                time.sleep(choose.uniform(0.2, 6.0))
                _cut(home, machine)
                if choose.random() < 0.2:
                    # Starting and recovery are cut, too.
                    home.launch()
                    time.sleep(choose.uniform(0.0, 3.0))
                    _cut(home, machine)
                started = time.monotonic()
                home.start()
                slowest = max(slowest, time.monotonic() - started)
            load.finish()
            home.stop()
            result = _in_child(account.take, home.store, load.sent)
        finally:
            home.receiver.kill()
            home.kill_server()
        return Outcome(result, load.errors, slowest)


def _cut(home: Home, machine: Disk) -> None:
    # The receiver first: what it acknowledged by then the server has answered.
    home.pause()
    machine.cut()
    home.receiver.kill()
    home.kill_server()
    machine.restore()


def _in_child(function: Callable[..., Result], *arguments: object) -> Result:
    """Call in a process of its own: an engine that ran here would keep its files open and the disk busy."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(function, arguments)


def _weaken(home: Home) -> None:
    if home.server is not None:
        home.server.__enter__()
    _in_child(_without_fsync, home.store)


def _without_fsync(settings: StoreSettings) -> None:
    store = Store.open(settings)
    migrate.apply(store)
    durable = "SELECT name FROM system.tables WHERE database = currentDatabase() AND engine LIKE '%MergeTree'"
    for table in store.arrow_text(durable)["name"].to_pylist():
        store.command(f"ALTER TABLE {table} MODIFY SETTING {_WEAK}")
    store.close()


def main() -> int:
    """Print the figures; 1 when a promise was broken, or when the control kept it."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.power", description=__doc__)
    parser.add_argument("--cuts", type=int, default=20)
    parser.add_argument("--home", choices=("embedded", "server"), default="embedded")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--control", action="store_true", help="without fsync")
    options = parser.parse_args()
    if reason := disk.absent():
        print(f"power cuts: NOT RUN: {reason}")  # noqa: T201
        return 0
    name = f"power cuts, {options.home}{', control without fsync' if options.control else ''}: cuts {options.cuts}"
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=MEMORY) as directory:
        try:
            outcome = run(options.home, options.cuts, options.seed, Path(directory), control=options.control)
        except RuntimeError as failure:
            print(f"{name}: the database did not open again: {str(failure)[-300:]}")  # noqa: T201
            return 0 if options.control else 1
    print(  # noqa: T201
        f"{name}, {outcome.account}, slowest start {outcome.slowest_start_s:.1f} s; {time.monotonic() - started:.0f} s"
    )
    for error in outcome.errors[:10]:
        print(f"unexpected answer: {error}")  # noqa: T201
    kept = outcome.account.clean and not outcome.errors
    return 0 if kept != options.control else 1


if __name__ == "__main__":
    sys.exit(main())
