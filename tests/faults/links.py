"""Bad connections: between clients and the receiver, and between the receiver and its ClickHouse server.

Clients send all the while. A link is made bad for some seconds and healed; nothing is started again.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
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

    `answers` counts statuses and failures of connections, `meanwhile` the acknowledgements while the link was bad,
    `recovery_s` is the time from the healing to the next ten acknowledgements, `slowest_s` that of an attempt.
    """

    answers: Counter[str]
    meanwhile: int
    recovery_s: float
    slowest_s: float

    def __str__(self) -> str:
        answers = ", ".join(f"{name} {count:,}" for name, count in sorted(self.answers.items()))
        times = f"back after {self.recovery_s:.1f} s, slowest answer {self.slowest_s:.1f} s"
        return f"{self.meanwhile:,} acknowledged meanwhile, {times}; answers: {answers}"


@dataclass(frozen=True)
class Outcome:
    """The account after all faults, answers that no client should get, and a report for each fault."""

    account: account.Account
    errors: list[str]
    reports: dict[str, Report]


def run(names: Sequence[str], directory: Path, seconds: float = _SECONDS) -> Outcome:
    """Make links bad for so many seconds each, one after another, under load.

    Raises TimeoutError when the system does not recover from one.
    """
    home = Home("server", directory, target := Target(), linked=True)
    # Large enough that a cut falls within a request.
    load = Load(target, seed=11, clients=6, most_items=60, timeout_s=15)
    try:
        home.start()
        with Proxy(int(target.url.rpartition(":")[2])) as front:
            target.url = f"http://127.0.0.1:{front.port}"
            load.start()
            load.wait(20)
            assert home.link is not None
            links = {CLIENTS: front, STORE: home.link}
            reports = {}
            for name in names:
                try:
                    reports[name] = _suffer(FAULTS[name], links[FAULTS[name].link], load, seconds)
                except TimeoutError as error:
                    raise TimeoutError(f"after {name!r}: {error}; {reports}; {home.receiver.said()}") from error
            load.finish()
        home.stop()
        return Outcome(account.take(home.store, load.sent), load.errors, reports)
    finally:
        home.close()


def _suffer(fault: Fault, link: Proxy, load: Load, seconds: float) -> Report:
    earlier, first = load.answers(), len(load.sent)
    before = load.acknowledged
    _make_bad(fault, link, seconds)
    meanwhile = load.acknowledged - before
    healed = time.monotonic()
    link.heal()
    load.wait(10)
    recovery_s = time.monotonic() - healed
    slowest_s = max(sent.slowest_s for sent in load.sent[first:])
    return Report(load.answers() - earlier, meanwhile, recovery_s, slowest_s)


def _make_bad(fault: Fault, link: Proxy, seconds: float) -> None:
    ends = time.monotonic() + seconds
    fault.do(link)
    while (left := ends - time.monotonic()) > 0:
        time.sleep(min(fault.every_s or left, left))
        if fault.every_s:
            fault.do(link)


def main() -> int:
    """Print the figures of every fault; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.links", description=__doc__)
    parser.add_argument("--only", choices=FAULTS, help="this fault alone")
    parser.add_argument("--seconds", type=float, default=_SECONDS, help="how long each link is bad")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        outcome = run([options.only] if options.only else list(FAULTS), Path(directory), options.seconds)
    for name, report in outcome.reports.items():
        print(f"{name}: {report}")  # noqa: T201
    for error in outcome.errors[:10]:
        print(f"unexpected answer: {error}")  # noqa: T201
    print(f"bad links: {outcome.account}")  # noqa: T201
    return 0 if outcome.account.clean and not outcome.errors else 1


if __name__ == "__main__":
    sys.exit(main())
