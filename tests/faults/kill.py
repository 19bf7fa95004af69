"""kill -9 at random moments under load, restart on the same data, and count.

On a server, the victim is the receiver, the ClickHouse server, or both.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

from tests.faults import account
from tests.faults.homes import Home
from tests.faults.load import Load, Target


def run(
    home_name: str, rounds: int, seed: int, directory: Path, longest_s: float = 3.0
) -> tuple[account.Account, list[str]]:
    """The account after so many kills 0.2 to `longest_s` seconds after a start, and answers no client should get."""
    choose = random.Random(seed)
    target = Target()
    home = Home(home_name, directory, target)
    load = Load(target, seed)
    try:
        home.start()
        load.start()
        for _ in range(rounds):
            _round(home, choose, longest_s)
        load.finish()
        home.stop()
        return account.take(home.store, load.sent), load.errors
    finally:
        home.receiver.kill()
        home.kill_server()


def _round(home: Home, choose: random.Random, longest_s: float) -> None:
    time.sleep(choose.uniform(0.2, longest_s))
    victim = "receiver" if home.server is None else choose.choice(("receiver", "receiver", "server", "both"))
    if victim != "server":
        home.receiver.kill()
    if victim != "receiver":
        home.kill_server()
        time.sleep(choose.uniform(0.0, 1.0))
        assert home.server is not None
        home.server.__enter__()
    if victim == "server":
        return
    home.receiver.start()
    if choose.random() < 0.2:
        # Recovery is killed, too.
        time.sleep(choose.uniform(0.1, 3.0))
        home.receiver.kill()
        home.receiver.start()
    home.receiver.wait()


def main() -> int:
    """Print the figures; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.kill", description=__doc__)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--home", choices=("embedded", "server"), default="embedded")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--longest", type=float, default=3.0, help="most seconds between a start and a kill")
    options = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as directory:
        result, errors = run(options.home, options.rounds, options.seed, Path(directory), options.longest)
    seconds = time.monotonic() - started
    print(f"kill -9, {options.home}: rounds {options.rounds}, {result}; {seconds:.0f} s")  # noqa: T201
    for error in errors[:10]:
        print(f"unexpected answer: {error}")  # noqa: T201
    return 0 if result.clean and not errors else 1


if __name__ == "__main__":
    sys.exit(main())
