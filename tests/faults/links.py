"""Bad connections: between clients and the receiver, and between the receiver and its ClickHouse server.

Clients send all the while. A link is made bad for some seconds and healed; nothing is started again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.faults import account
from tests.faults.homes import Home
from tests.faults.load import Load, Target
from tests.faults.proxy import Proxy

CLIENTS, STORE = "clients", "store"
_SECONDS = 6.0


@dataclass(frozen=True)
class Fault:
    """What is done to a link, again and again every `every_s` seconds, once where that is 0.

    `stops` says that nothing can be acknowledged meanwhile.
    """

    link: str
    do: Callable[[Proxy], None]
    every_s: float = 0.0
    stops: bool = False


def _set(**values: float) -> Callable[[Proxy], None]:
    def do(proxy: Proxy) -> None:
        for name, value in values.items():
            setattr(proxy, name, value)

    return do


FAULTS = {
    "clients slow": Fault(CLIENTS, _set(delay_s=0.2)),
    "clients narrow": Fault(CLIENTS, _set(bytes_per_s=20_000)),
    "clients cut in the middle of a body": Fault(CLIENTS, _set(cut_after=4_000)),
    "clients reset": Fault(CLIENTS, Proxy.reset, every_s=0.3),
    "clients frozen": Fault(CLIENTS, Proxy.freeze, stops=True),
    "store slow": Fault(STORE, _set(delay_s=0.03)),
    "store slower than any patience": Fault(STORE, _set(delay_s=5.0), stops=True),
    "store cut in the middle of an insert": Fault(STORE, _set(cut_after=3_000)),
    "store reset": Fault(STORE, Proxy.reset, every_s=0.3),
    "store frozen": Fault(STORE, Proxy.freeze, stops=True),
    "store refused": Fault(STORE, Proxy.refuse, stops=True),
}


@dataclass(frozen=True)
class Report:
    """What came of one fault.

    `answers` counts statuses and failures of connections over the whole run, `meanwhile` the acknowledgements while
    the link was bad, `recovery_s` is the time from the healing to the next ten acknowledgements.
    """

    account: account.Account
    errors: list[str]
    answers: Counter[str]
    meanwhile: int
    recovery_s: float
    slowest_s: float
    connections: int

    def __str__(self) -> str:
        answers = ", ".join(f"{name} {count:,}" for name, count in sorted(self.answers.items()))
        times = f"back after {self.recovery_s:.1f} s, slowest answer {self.slowest_s:.1f} s"
        return f"{self.account}; {self.meanwhile:,} meanwhile, {times}; answers: {answers}"


def run(name: str, directory: Path, seconds: float = _SECONDS) -> Report:
    """Make the link bad for so many seconds under load. Raises TimeoutError when it does not recover."""
    fault = FAULTS[name]
    home = Home("server", directory, target := Target(), linked=True)
    # Large enough that a cut falls within a request.
    load = Load(target, seed=11, clients=6, most_items=60, timeout_s=15)
    try:
        home.start()
        with Proxy(int(target.url.rpartition(":")[2])) as front:
            target.url = f"http://127.0.0.1:{front.port}"
            load.start()
            wait(load, 20)
            assert home.link is not None
            link = front if fault.link == CLIENTS else home.link
            before = load.acknowledged
            _make_bad(fault, link, seconds)
            meanwhile = load.acknowledged - before
            healed = time.monotonic()
            link.heal()
            wait(load, 10)
            recovery_s = time.monotonic() - healed
            load.finish()
            connections = front.accepted
        home.stop()
        answers = sum((sent.statuses for sent in load.sent), Counter[str]())
        slowest_s = max(sent.slowest_s for sent in load.sent)
        found = account.take(home.store, load.sent)
        return Report(found, load.errors, answers, meanwhile, recovery_s, slowest_s, connections)
    finally:
        home.close()


def _make_bad(fault: Fault, link: Proxy, seconds: float) -> None:
    ends = time.monotonic() + seconds
    fault.do(link)
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(fault.every_s or left, left))
        if fault.every_s:
            fault.do(link)


def wait(load: Load, more: int, seconds: float = 30) -> None:
    """Return when so many more requests are acknowledged. Raises TimeoutError."""
    wanted, deadline = load.acknowledged + more, time.monotonic() + seconds
    while load.acknowledged < wanted:
        if time.monotonic() > deadline:
            raise TimeoutError(f"{load.acknowledged} of {wanted} acknowledged")
        time.sleep(0.05)


def main() -> int:
    """Print the figures of every fault; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.links", description=__doc__)
    parser.add_argument("--only", choices=FAULTS, help="this fault alone")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="how long the link is bad")
    options = parser.parse_args()
    kept = True
    for name in [options.only] if options.only else FAULTS:
        with tempfile.TemporaryDirectory() as directory:
            report = run(name, Path(directory), options.seconds)
        print(f"{name}: {report}")  # noqa: T201
        kept = kept and report.account.clean and not report.errors
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
