"""Only one process has a turn, a dead one's turn ends by itself, and one that is over is free at once."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from correlate import turns
from correlate.errors import TurnTaken
from correlate.turns import Turns, turn
from store import Store, StoreSettings, migrate
from tests.conftest import ROOT
from tests.kit.clickhouse_server import ClickHouseServer

# Adds one to a number in a file, slowly, so often; nobody may come between the reading and the writing.
COUNTING = """
import sys, time
from pathlib import Path
from correlate.turns import turn
from store import Store, StoreSettings
store = Store.open(StoreSettings(url=sys.argv[1], database="turns"))
number = Path(sys.argv[2])
print("there", flush=True)
sys.stdin.readline()
for _ in range(5):
    with turn(store, "acme", "count", wait_s=120):
        read = int(number.read_text())
        time.sleep(0.02)
        number.write_text(str(read + 1))
store.close()
"""


@pytest.fixture
def shared_store(server: ClickHouseServer) -> Store:
    """A migrated store on a server, which other processes may use too."""
    store = Store.open(StoreSettings(url=server.url, database="turns"))
    migrate.apply(store)
    store.command("TRUNCATE TABLE correlation_turns")
    return store


@pytest.fixture
def ours() -> Turns:
    """The turns of one process."""
    return Turns()


@pytest.fixture
def theirs() -> Turns:
    """Those of another."""
    return Turns()


def test_a_turn_that_another_has_is_not_given(shared_store: Store, ours: Turns, theirs: Turns) -> None:
    with ours.take(shared_store, "acme", "save"):
        assert theirs.ask(shared_store, "acme", "save") is None
        with pytest.raises(TurnTaken, match="another process"), theirs.take(shared_store, "acme", "save", wait_s=0):
            pass
        # Other tenants and other turns have nothing to do with it.
        for tenant, name in (("other", "save"), ("acme", "live")):
            with theirs.take(shared_store, tenant, name, wait_s=0):
                pass


def test_a_turn_given_back_is_free_at_once(shared_store: Store, ours: Turns, theirs: Turns) -> None:
    with ours.take(shared_store, "acme", "save"), ours.take(shared_store, "acme", "save"):
        pass
    with theirs.take(shared_store, "acme", "save", wait_s=0):
        pass


def test_who_comes_second_does_not_stand_in_line(shared_store: Store, ours: Turns, theirs: Turns) -> None:
    first, third = ours.ask(shared_store, "acme", "save"), Turns()
    assert first is not None
    assert theirs.ask(shared_store, "acme", "save") is None
    assert third.ask(shared_store, "acme", "save") is None
    ours.give_back(shared_store, "acme", "save", first)
    assert third.ask(shared_store, "acme", "save") is not None


def test_a_dead_processs_turn_ends(shared_store: Store, ours: Turns, theirs: Turns) -> None:
    assert ours.ask(shared_store, "acme", "save", lease_s=2.0) is not None
    assert theirs.ask(shared_store, "acme", "save") is None
    with theirs.take(shared_store, "acme", "save", wait_s=60):
        assert ours.ask(shared_store, "acme", "save") is None


def test_a_turn_that_takes_long_is_renewed(
    shared_store: Store, ours: Turns, theirs: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LEASE_S", 4.0)
    monkeypatch.setattr(turns, "_RENEW_S", 0.2)
    with ours.take(shared_store, "acme", "save"):
        time.sleep(6)
        assert theirs.ask(shared_store, "acme", "save") is None


def test_nobody_else_does_it_again_within_its_rest(shared_store: Store, ours: Turns, theirs: Turns) -> None:
    with ours.take(shared_store, "acme", "live", wait_s=0, rest_s=600):
        pass
    assert theirs.ask(shared_store, "acme", "live") is None


def test_a_clock_that_is_set_back_keeps_no_turn(
    shared_store: Store, ours: Turns, theirs: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    claimed = ours.ask(shared_store, "acme", "save")
    assert claimed is not None
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now - 3_600 * 10**9)
    ours.give_back(shared_store, "acme", "save", claimed)
    monkeypatch.undo()
    assert theirs.ask(shared_store, "acme", "save") is not None


def test_in_one_process_a_turn_is_a_lock(empty_store: Store) -> None:
    # Without tables: nothing but a lock in memory is asked.
    began, entered = threading.Event(), []

    def second() -> None:
        began.set()
        with turn(empty_store, "acme", "save"):
            entered.append(True)

    with turn(empty_store, "acme", "save"), turn(empty_store, "acme", "save"):
        thread = threading.Thread(target=second)
        thread.start()
        began.wait(10)
        time.sleep(0.1)
        assert entered == []
    thread.join(10)
    assert entered == [True]


def test_three_processes_count_to_fifteen(shared_store: Store, server: ClickHouseServer, tmp_path: Path) -> None:
    number = tmp_path / "number"
    number.write_text("0")
    command = [sys.executable, "-c", COUNTING, server.url, str(number)]
    counting = [
        subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(3)
    ]
    for process in counting:
        assert process.stdout is not None
        assert process.stdout.readline() == "there\n"
    for process in counting:
        process.communicate("go\n", timeout=200)
        assert process.returncode == 0
    assert number.read_text() == "15"
