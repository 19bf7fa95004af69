"""What is replayed is stored, once, whatever the file looks like and however often."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import httpx
import pyarrow as pa
import pytest

from tests.kit.running import Up, causeline, expected, lines, recording


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with Up(tmp_path_factory.mktemp("replay")) as running:
        yield running


def test_everything_is_stored_and_a_second_replay_changes_nothing(system: Up, tmp_path: Path) -> None:
    file = recording(tmp_path / "a.jsonl", 90)
    for _ in range(2):
        done = causeline("replay", file, "--endpoint", system.otlp)
        assert done.returncode == 0, done.stderr
        assert system.counts() == expected(90)
    assert "120 spans" in done.stdout + done.stderr


def test_compressed_files_are_the_same_telemetry(system: Up, tmp_path: Path) -> None:
    text = "".join(f"{line}\n" for line in lines(90)).encode()
    (tmp_path / "a.jsonl.gz").write_bytes(gzip.compress(text))
    (tmp_path / "a.jsonl.zst").write_bytes(pa.Codec("zstd").compress(text, asbytes=True))
    before = system.counts()
    done = causeline("replay", tmp_path / "a.jsonl.gz", tmp_path / "a.jsonl.zst", "--endpoint", system.otlp)
    assert done.returncode == 0, done.stderr
    assert system.counts() == (before if any(before.values()) else expected(90))


def test_a_broken_line_is_named_and_the_rest_goes_on(system: Up, tmp_path: Path) -> None:
    good = list(lines(6, start=1_772_500_000_000_000_000))
    file = tmp_path / "broken.jsonl"
    file.write_text("\n".join([*good[:2], '{"resourceSpans": [', *good[2:], '{"what": 1}']) + "\n", encoding="utf-8")
    before = system.counts()
    done = causeline("replay", file, "--endpoint", system.otlp)
    assert done.returncode == 1
    assert f"{file}:3: " in done.stderr
    assert f"{file}:8: " in done.stderr
    after = system.counts()
    assert {name: after[name] - before[name] for name in after} == expected(6)


def test_a_correlation_run_twice_gives_the_same_incidents(system: Up) -> None:
    found = []
    for _ in range(2):
        done = causeline(
            "correlate", "--start", "2026-03-02T08:00:00Z", "--end", "2026-03-02T08:05:00Z", "--api", system.api
        )
        assert done.returncode == 0, done.stderr
        found.append(httpx.get(f"{system.api}/api/v1/incidents", timeout=30).json()["incidents"])
    assert found[0] == found[1]


def test_a_receiver_that_is_not_there_is_said_so(tmp_path: Path) -> None:
    done = causeline("replay", recording(tmp_path / "a.jsonl", 3), "--endpoint", "http://127.0.0.1:9")
    assert done.returncode == 1
    assert "127.0.0.1:9" in done.stderr
    assert "Traceback" not in done.stderr
