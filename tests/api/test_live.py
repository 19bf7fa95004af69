"""A replay as if it happened now: order, pace, and times that move together."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from api.cli import main
from api.replay.live import Live, moved, paced
from api.replay.reader import Line

SECOND = 1_000_000_000
START = 1_772_439_977 * SECOND
NOW = 1_900_000_000 * SECOND


def line(seconds: float, name: str = "f") -> Line:
    nanos = START + int(seconds * SECOND)
    span = {"startTimeUnixNano": str(nanos - SECOND), "endTimeUnixNano": str(nanos), "observedTimeUnixNano": 0}
    return Line(Path(name), 1, json.dumps(span).encode(), 0.0)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []

    def read(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(round(seconds, 3))
        self.now += int(seconds * SECOND)


def replayed(*sources: list[Line], live: Live) -> tuple[list[dict[str, object]], Clock]:
    clock = Clock()
    lines = paced(map(iter, sources), live, clock.read, clock.sleep)
    return [json.loads(found.data) for found in lines], clock


def test_history_goes_at_once_and_the_rest_when_it_is_due() -> None:
    found, clock = replayed([line(-60), line(2)], [line(-30), line(5)], live=Live(START))
    ends = [(int(str(span["endTimeUnixNano"])) - NOW) / SECOND for span in found]
    assert ends == [-60, -30, 2, 5]
    assert clock.slept == [2, 3]
    assert all(span["observedTimeUnixNano"] == 0 for span in found)
    assert all(int(str(s["endTimeUnixNano"])) - int(str(s["startTimeUnixNano"])) == SECOND for s in found)


def test_it_begins_and_stops_where_it_is_told() -> None:
    live = Live(START, START + 3 * SECOND, START - 2 * SECOND)
    found, clock = replayed([line(-3), line(-1), line(1), line(3)], live=live)
    assert (len(found), clock.slept) == (2, [1])


def test_a_late_line_keeps_its_place() -> None:
    found, clock = replayed([line(2), line(-10), line(4)], live=Live(START))
    assert [(int(str(span["endTimeUnixNano"])) - NOW) / SECOND for span in found] == [2, -10, 4]
    assert clock.slept == [2, 2]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (b'{"timeUnixNano":"100"}', b'{"timeUnixNano":"107"}'),
        (b'{"startTimeUnixNano" : 100}', b'{"startTimeUnixNano" : 107}'),
        (b'{"timeUnixNano":"0"}', b'{"timeUnixNano":"0"}'),
        (b'{"body":"time 100"}', b'{"body":"time 100"}'),
    ],
)
def test_times_move_and_nothing_else(text: bytes, expected: bytes) -> None:
    assert moved(text, 7) == expected


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--live-until", "5"], "--live-until needs --live-from"),
        (["--live-from", "5", "--live-until", "5"], "must be after"),
        (["--live-from", "soon"], "neither an RFC 3339 time nor unix seconds"),
    ],
)
def test_times_that_make_no_sense_are_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], arguments: list[str], reason: str
) -> None:
    monkeypatch.setattr("sys.argv", ["causeline", "replay", "recorded.jsonl", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    assert reason in capsys.readouterr().err
