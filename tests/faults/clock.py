"""A clock that is stepped while a system runs under load: an hour back, a day ahead, right again."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from store import Window
from tests.faults import account, story
from tests.faults.homes import Home
from tests.faults.load import Load, Target
from tests.kit.recorded import END

# Seconds from the right time: an hour back, a day ahead, right again.
STEPS = (-3600.0, 86_400.0, 0.0)
_HOUR = 3600 * 10**9
# Hours before any telemetry.
QUIET = Window(END - 500 * _HOUR, END - 499 * _HOUR)


class Clock:
    """The clock of every process that is started with `program`; right until it is stepped."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "clock"
        self.step(0)

    @property
    def program(self) -> list[str]:
        """What runs instead of `-m api.cli`."""
        return ["-m", "tests.faults.stepped", str(self._file)]

    def step(self, seconds: float) -> None:
        """Set the clock so many seconds from the right time; noticed within moments."""
        fresh = self._file.with_suffix(".new")
        fresh.write_text(f"{seconds:+.0f}\n", encoding="ascii")
        fresh.replace(self._file)


@dataclass(frozen=True)
class Report:
    """The account, answers that no client should get, and what came of each step.

    Seconds until ten more acknowledgements, until a back-fill that was asked for then had ended, and from the stepped
    clock to the time at which the back-fill says it ended.
    """

    account: account.Account
    errors: list[str]
    acknowledged_s: dict[float, float]
    correlated_s: dict[float, float]
    written_s: dict[float, float]

    def __str__(self) -> str:
        steps = ", ".join(
            f"{step:+,.0f} s: acknowledges after {self.acknowledged_s[step]:.1f} s, back-fill after {seconds:.1f} s"
            for step, seconds in self.correlated_s.items()
        )
        return f"{steps}; {self.account}"


def run(home_name: str, directory: Path) -> Report:
    """Step a running system's clock under load. Raises TimeoutError when it does not go on."""
    clock = Clock(directory)
    home = Home(home_name, directory, target := Target(), program=clock.program)
    load = Load(target, seed=31, clients=6, timeout_s=15)
    acknowledged, correlated, written = {}, {}, {}
    try:
        home.start()
        load.start()
        load.wait(10)
        for step in STEPS:
            clock.step(step)
            time.sleep(0.5)
            started = time.monotonic()
            load.wait(10)
            acknowledged[step] = time.monotonic() - started
            # The same back-fill each time: what was written with the clock ahead is superseded with it back.
            started = time.monotonic()
            identifier, _ = story.ask(home.receiver.api, QUIET)
            job = story.ended(home.receiver.api, identifier, 60)
            correlated[step] = time.monotonic() - started
            written[step] = datetime.fromisoformat(job["updated_at"]).timestamp() - time.time() - step
        load.finish()
        home.stop()
        return Report(account.take(home.store, load.sent), load.errors, acknowledged, correlated, written)
    finally:
        home.close()


def main() -> int:
    """Print the figures; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.clock", description=__doc__)
    parser.add_argument("--home", choices=("embedded", "server"), default="embedded")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        report = run(options.home, Path(directory))
    print(f"clock, {options.home}: {report}")  # noqa: T201
    for error in report.errors[:10]:
        print(f"unexpected answer: {error}")  # noqa: T201
    return 0 if report.account.clean and not report.errors else 1


if __name__ == "__main__":
    sys.exit(main())
