"""A deletion whose process is killed in the middle is taken up by the next one, and nothing else is touched."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.kit.source import ROOT

DAYS = 3
PROGRAM = f"""
import json, sys
from store import Store, StoreSettings, migrate
from store.deletion import journal, run
from store.deletion.subject import subject
from tests.kit.forgetting import TELEMETRY, contents, telemetry

store = Store.open(StoreSettings.embedded(sys.argv[1]))
migrate.apply(store)

def said(*words):
    print(json.dumps(words), flush=True)

def stopping():
    said("step")
    return False

if sys.argv[2] == "begin":
    telemetry(store, "t", "alice", "a" * 32, days={DAYS})
    telemetry(store, "t", "bob", "b" * 32, days={DAYS})
    said("bob", {{table: contents(store, table, "position(toString(tuple(*)), 'bob') > 0") for table in TELEMETRY}})
    deletion = journal.request(store, subject(store, "t", attribute="user.id=alice"), "me")
    said("asked", deletion.id)
else:
    deletion = journal.load(store, *journal.unfinished(store)[0])
    said("found", deletion.id, deletion.state, len(journal.noted(store, deletion, 1)))
deletion = run.advance(store, "t", deletion.id, stopping)
said("end", deletion.state, deletion.remaining, deletion.error, deletion.removed)
said("bob", {{table: contents(store, table, "position(toString(tuple(*)), 'bob') > 0") for table in TELEMETRY}})
said("left", run.preview(store, subject(store, "t", attribute="user.id=alice")))
store.close()
"""


class Child:
    """The program above, speaking line by line."""

    def __init__(self, data: Path, action: str) -> None:
        command = [sys.executable, "-c", PROGRAM, str(data), action]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)

    def until(self, word: str, times: int = 1) -> list[Any]:
        """The line that begins with a word, when it comes for that time."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            found = json.loads(line)
            if found[0] == word:
                times -= 1
                if not times:
                    return list(found)
        raise AssertionError(f"the child ended without {word!r}")

    def kill(self) -> None:
        """End it at once."""
        self.process.kill()
        self.process.wait()


def test_a_killed_deletion_is_taken_up(tmp_path: Path) -> None:
    first = Child(tmp_path, "begin")
    try:
        bob = first.until("bob")
        (_, identifier) = first.until("asked")
        first.until("step", 2)
    finally:
        first.kill()
    second = Child(tmp_path, "go on")
    try:
        assert second.until("found")[1:3] == [identifier, "running"]
        second.until("step", DAYS)
    finally:
        second.kill()
    third = Child(tmp_path, "go on")
    try:
        _, found, state, noted = third.until("found")
        assert (found, state) == (identifier, "running")
        # The first table is behind it.
        assert noted > DAYS
        assert third.until("end")[1:4] == ["purging", 0, ""]
        assert third.until("bob") == bob
        assert third.until("left")[1] == {}
    finally:
        third.kill()
