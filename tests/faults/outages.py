"""Parts of a running fleet that die, stop, forget or misbehave while telemetry comes in and a back-fill is under way.

Every fault meets the same back-fill of the demo's hour, and clients that send to all receivers. Afterwards what passes
have said is what they said undisturbed, row for row, and what was acknowledged is stored once.
"""

from __future__ import annotations

import argparse
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from http import HTTPStatus

import httpx

from store import Window
from tests.faults import account, poison, story
from tests.faults.fleet import LEASE_S, QUICK, Fleet, fleet
from tests.faults.load import Load, build
from tests.faults.process import Process
from tests.kit.recorded import END

_DAY = 86_400 * 10**9
# Days from the story, so that what clients send meanwhile is no part of it.
_ELSEWHERE_NS = 20 * _DAY
_DOWN_S = 2.0
# A window of workers that were killed is free when its lease ends, and takes its time on a busy machine.
_ENDED_S = LEASE_S + 400
# How long a part is stopped; the programs do it for the half minute that the issue asks for.
STOPPED_S = 30.0
# Hours before any telemetry.
QUIET = Window(END - 508 * 3600 * 10**9, END - 500 * 3600 * 10**9)


@dataclass
class Scene:
    """A fleet under load with the story told, and what was seen while a part was away."""

    fleet: Fleet
    load: Load
    judged: Window
    stopped_s: float = STOPPED_S
    seen: dict[str, float] = field(default_factory=dict)

    def acknowledged_while(self, seconds: float) -> int:
        """Requests acknowledged in so many seconds from now."""
        before = self.load.acknowledged
        time.sleep(seconds)
        return self.load.acknowledged - before


def kill_a_receiver(scene: Scene) -> None:
    """kill -9 of one of two receivers."""
    _restart(scene.fleet.serves[0])


def kill_every_worker(scene: Scene) -> None:
    """kill -9 of both workers, in the middle of what they do."""
    for worker in scene.fleet.workers:
        worker.kill()
    time.sleep(_DOWN_S)
    for worker in scene.fleet.workers:
        worker.start()


def kill_the_clock(scene: Scene) -> None:
    """kill -9 of beat."""
    _restart(scene.fleet.beats[0])


def kill_redis(scene: Scene) -> None:
    """kill -9 of Redis, which starts again on its append-only file."""
    scene.fleet.redis.kill()
    scene.seen["acknowledged without Redis"] = scene.acknowledged_while(5)
    scene.fleet.redis.start()


def empty_redis(scene: Scene) -> None:
    """FLUSHALL: every message and every binding is gone."""
    client = scene.fleet.broker()
    client.flushall()
    client.close()


def stop_redis(scene: Scene) -> None:
    """SIGSTOP of Redis: connections are taken and nothing is answered."""
    scene.fleet.redis.send(signal.SIGSTOP)
    try:
        # The job exists already, and is asked for again: a row is written and a hint is lost.
        _, seconds = story.ask(scene.fleet.api, scene.judged)
        scene.seen["job accepted after s"] = seconds
        scene.seen["acknowledged without Redis"] = scene.acknowledged_while(scene.stopped_s - seconds)
    finally:
        scene.fleet.redis.send(signal.SIGCONT)


def kill_clickhouse(scene: Scene) -> None:
    """kill -9 of ClickHouse."""
    scene.fleet.clickhouse.__exit__(None, None, None)
    _refusals(scene, 4)
    scene.fleet.clickhouse.__enter__()


def stop_clickhouse(scene: Scene) -> None:
    """SIGSTOP of ClickHouse: connections are taken and nothing is answered."""
    scene.fleet.clickhouse.send(signal.SIGSTOP)
    try:
        _refusals(scene, scene.stopped_s)
    finally:
        scene.fleet.clickhouse.send(signal.SIGCONT)


def _refusals(scene: Scene, seconds: float) -> None:
    """Ask receiver and API while the store is away: what they answer, and how long the slowest answer took."""
    ends = time.monotonic() + seconds
    slowest = {"ingest": 0.0, "api": 0.0}
    statuses: Counter[str] = Counter()
    choose = random.Random(3)
    while time.monotonic() < ends:
        for name in slowest:
            started = time.monotonic()
            statuses[f"{name} {_status(scene, name, choose)}"] += 1
            slowest[name] = max(slowest[name], time.monotonic() - started)
        time.sleep(0.5)
    scene.seen |= {f"slowest {name} s": value for name, value in slowest.items()}
    scene.seen |= {f"answers {name}": float(count) for name, count in statuses.items()}


def _status(scene: Scene, name: str, choose: random.Random) -> int:
    if name == "api":
        return httpx.get(f"{scene.fleet.api}/api/v1/incidents", timeout=15, trust_env=False).status_code
    sent, body = build(choose, f"probe-{choose.random()}", 3, _ELSEWHERE_NS)
    scene.load.sent.append(sent)
    headers = {"Content-Type": "application/x-protobuf"}
    url = f"{scene.fleet.otlp}/v1/{sent.signal}"
    status = httpx.post(url, content=body, headers=headers, timeout=15, trust_env=False).status_code
    sent.acknowledged = status == HTTPStatus.OK
    return status


def slow_redis(scene: Scene) -> None:
    """Every piece to and from Redis takes a third of a second."""
    scene.fleet.link.delay_s = 0.3
    time.sleep(10)
    scene.fleet.link.heal()


def reset_redis(scene: Scene) -> None:
    """Connections to Redis are reset, again and again."""
    for _ in range(20):
        scene.fleet.link.reset()
        time.sleep(0.5)


def unplug_redis(scene: Scene) -> None:
    """Nothing arrives at Redis and nobody is told, then every connection is cut."""
    scene.fleet.link.freeze()
    scene.seen["acknowledged without Redis"] = scene.acknowledged_while(10)
    scene.fleet.link.cut()
    scene.fleet.link.heal()


def two_clocks(scene: Scene) -> None:
    """A second beat beside the first."""
    second = scene.fleet.make("beat", "beat-second")
    scene.fleet.adopt(second)
    second.start()
    second.wait()
    time.sleep(3 * float(QUICK["CAUSELINE_CORRELATE__LIVE_EVERY_S"]))
    second.stop()


def poisoned_queue(scene: Scene) -> None:
    """A pickle, malformed JSON, an unknown task and wrong arguments in the queue; every worker lives."""
    client = scene.fleet.broker()
    poison.push(client)
    time.sleep(5)
    scene.seen["poison left"] = poison.waiting(client)
    scene.seen["pickles executed"] = float(poison.executed())
    scene.seen["workers alive"] = float(sum(worker.alive for worker in scene.fleet.workers))
    client.close()


def the_same_again_and_again(scene: Scene) -> None:
    """The hint about one job many times over: both workers are on its windows at once."""
    client = scene.fleet.broker()
    poison.repeat_hint(client, scene.judged, 40)
    client.close()


FAULTS: dict[str, Callable[[Scene], None]] = {
    fault.__name__.replace("_", " "): fault
    for fault in (
        kill_a_receiver, kill_every_worker, kill_the_clock, kill_redis, empty_redis, stop_redis, kill_clickhouse,
        stop_clickhouse, slow_redis, reset_redis, unplug_redis, two_clocks, poisoned_queue, the_same_again_and_again,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Report:
    """What came of one fault: how the back-fill ended, what differs from the undisturbed one, and when it was done.

    `unready` are processes that cannot do their part any more, and what they say for themselves.
    """

    state: str
    work: story.Work
    unready: dict[str, str]
    differences: list[str]
    same_incidents: bool
    seconds: float
    seen: dict[str, float]

    @property
    def clean(self) -> bool:
        """Whether the back-fill says what it says undisturbed, and every process goes on."""
        return self.state == "done" and not self.differences and self.same_incidents and not self.unready

    def __str__(self) -> str:
        seen = ", ".join(f"{name} {value:g}" for name, value in self.seen.items())
        attempts = ", ".join(f"{count} in {number}" for number, count in sorted(self.work.attempts.items()))
        same = "as undisturbed" if self.clean else f"DIFFERENT: {self.differences or self.unready or self.state}"
        return f"{same} after {self.seconds:.1f} s, windows by attempts: {attempts}" + (f"; {seen}" if seen else "")


class Trial:
    """A fleet under load that has been told the story and has judged it once, undisturbed.

    `judged` may be a stretch without telemetry: there is nothing to compare then, and windows take no time.
    """

    def __init__(self, running: Fleet, stopped_s: float = STOPPED_S, judged: Window = story.JUDGED) -> None:
        self.fleet = running
        self.load = Load(running.target, seed=21, clients=4, timeout_s=15, after_ns=_ELSEWHERE_NS)
        self._stopped_s = stopped_s
        self._judged = judged
        if judged == story.JUDGED:
            story.tell(running.otlp, story.hour())
        began = time.monotonic()
        story.ended(running.api, story.ask(running.api, judged)[0], _ENDED_S)
        self.undisturbed_s = time.monotonic() - began
        with running.store() as store:
            self._content = story.content(store)
        self.picture = story.picture(running.api, judged)
        self.load.start()

    def suffer(self, name: str) -> Report:
        """One fault, and what came of the back-fill. Raises TimeoutError when the fleet does not recover."""
        self.fleet.forget()
        scene = Scene(self.fleet, self.load, self._judged, self._stopped_s)
        began = time.monotonic()
        identifier, _ = story.ask(self.fleet.api, self._judged)
        story.begun(self.fleet.api, identifier)
        FAULTS[name](scene)
        for process in self.fleet.processes:
            process.wait()
        state = story.ended(self.fleet.api, identifier, _ENDED_S)["state"]
        seconds = time.monotonic() - began
        # Receivers go on taking telemetry by themselves.
        self.load.wait(5)
        with self.fleet.store() as store:
            work, found = story.work(store, identifier), story.content(store)
        same = story.picture(self.fleet.api, self._judged) == self.picture
        unready = self.fleet.unready()
        return Report(state, work, unready, story.differences(self._content, found), same, seconds, scene.seen)

    def settle(self) -> account.Account:
        """The account once everybody is answered and every process has ended."""
        self.load.finish()
        for process in self.fleet.processes:
            process.stop()
        return account.take(self.fleet.store_settings, self.load.sent, alone=False)


def _restart(process: Process) -> None:
    process.kill()
    time.sleep(_DOWN_S)
    process.start()


def main() -> int:
    """Print the figures of every fault; 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.outages", description=__doc__)
    parser.add_argument("--only", choices=FAULTS, help="this fault alone")
    parser.add_argument("--quiet", action="store_true", help="a back-fill of hours without telemetry: it takes no time")
    parser.add_argument("--stopped", type=float, default=STOPPED_S, help="seconds that a part is stopped")
    options = parser.parse_args()
    clean = True
    with fleet() as running:
        trial = Trial(running, options.stopped, QUIET if options.quiet else story.JUDGED)
        _say(f"undisturbed: {len(trial.picture)} incidents after {trial.undisturbed_s:.1f} s")
        for name in [options.only] if options.only else FAULTS:
            report = trial.suffer(name)
            _say(f"{name}: {report}")
            clean = clean and report.clean
        found = trial.settle()
        for error in trial.load.errors[:10]:
            _say(f"unexpected answer: {error}")
        _say(f"outages: {found}")
        return 0 if clean and found.clean and not trial.load.errors else 1


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
