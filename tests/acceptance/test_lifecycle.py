"""Starting and stopping: the ready line, SIGTERM, a directory or a port that is taken."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest

from tests.kit.running import READY, Up, causeline


def test_ready_means_it_answers_and_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    with Up(tmp_path / "data") as system:
        match = READY.match(system.ready)
        assert match is not None
        assert match["data"] == str(tmp_path / "data")
        assert httpx.get(f"{system.api}/readyz", timeout=10).json() == {"status": "ready", "reasons": []}
        assert system.post("traces", b"").status_code == 200
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
        assert system.terminate() == 0
        assert system.process.stderr is not None
        assert system.process.stderr.read() == ""


def test_what_is_taken_is_said_in_one_sentence(tmp_path: Path) -> None:
    with Up(tmp_path / "data") as system:
        free = ("--otlp-http-port", "0", "--otlp-grpc-port", "0", "--api-port", "0")
        taken = causeline("up", "--data", tmp_path / "data", *free)
        assert taken.returncode == 1
        assert taken.stderr.count("\n") == 1
        assert f"the data directory {tmp_path / 'data'} is in use by another process" in taken.stderr
        for flag, address in (("--api-port", system.api), ("--otlp-grpc-port", system.grpc)):
            port = address.rpartition(":")[2]
            port_taken = causeline("up", "--data", tmp_path / "other", *free, flag, port)
            assert port_taken.returncode == 1
            assert port_taken.stderr.count("\n") == 1
            assert port in port_taken.stderr
            assert flag in port_taken.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_an_address_beyond_loopback_is_refused_without_keys(tmp_path: Path, host: str) -> None:
    free = ("--otlp-http-port", "0", "--otlp-grpc-port", "0", "--api-port", "0")
    done = causeline("up", "--data", tmp_path / "data", "--host", host, *free)
    assert done.returncode == 1
    assert "refusing to listen" in done.stderr


def test_a_data_directory_that_is_a_file_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    done = causeline("up", "--data", tmp_path / "file")
    assert done.returncode == 1
    assert "cannot be used" in done.stderr
