"""Keys from the command line: the first one before the start, others from the running system, and what they open."""

from __future__ import annotations

import stat
from pathlib import Path

import httpx
import pytest

from tests.kit.running import Up, causeline, recording

# An address of this machine that is not among those that need no key.
ELSEWHERE = "127.0.0.2"


def test_from_the_first_key_to_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, root, ingest = tmp_path / "data", tmp_path / "root.key", tmp_path / "ingest.key"
    made = causeline("keys", "create", "--first", "--data", data, "--output", root, timeout=300)
    assert (made.returncode, made.stdout) == (0, f"the key is in {root}\n"), made.stderr
    assert stat.S_IMODE(root.stat().st_mode) == 0o600
    again = causeline("keys", "create", "--first", "--data", data)
    assert (again.returncode, again.stdout) == (1, "")
    assert "there are keys already" in again.stderr
    monkeypatch.setenv("CAUSELINE_HOST", ELSEWHERE)
    with Up(data) as system:
        assert ELSEWHERE in system.api
        assert httpx.get(f"{system.api}/api/v1/incidents", timeout=30).status_code == 401
        assert httpx.get(f"{system.api}/healthz", timeout=30).status_code == 200
        refused = causeline("incidents", "--api", system.api)
        assert (refused.returncode, "an access key is needed" in refused.stderr) == (1, True)
        with_root = ("--api", system.api, "--key-file", root)
        for arguments in (("collector", "--scope", "ingest", "--output", ingest), ("board", "--scope", "query")):
            done = causeline("keys", "create", *arguments, *with_root)
            assert done.returncode == 0, done.stderr
        board = tmp_path / "board.key"
        board.write_text(done.stdout)
        lines = recording(tmp_path / "lines.jsonl", 6)
        assert causeline("replay", lines, "--endpoint", system.otlp).returncode == 1
        sent = causeline("replay", lines, "--endpoint", system.otlp, "--key-file", ingest)
        assert sent.returncode == 0, sent.stderr
        shown = causeline("incidents", "--api", system.api, "--key-file", board)
        assert (shown.returncode, shown.stdout) == (0, "no incidents\n")
        assert causeline("incidents", "--api", system.api, "--key-file", ingest).returncode == 1
        listed = causeline("keys", "list", *with_root).stdout
        assert board.read_text().strip() not in listed
        (line,) = (line for line in listed.splitlines() if " board " in line)
        assert causeline("keys", "revoke", line.split()[0], *with_root).returncode == 0
        assert causeline("incidents", "--api", system.api, "--key-file", board).returncode == 1
        assert system.terminate() == 0
    with Up(data) as system:
        key = root.read_text().strip()
        entries = httpx.get(f"{system.api}/api/v1/audit", headers={"Authorization": f"Bearer {key}"}, timeout=30).json()
        assert {(entry["who"], entry["action"]) for entry in entries["entries"]} >= {
            ("admin", "POST /api/v1/keys"), ("admin", "DELETE /api/v1/keys/{key_id}"), ("", "export http"),
        }  # fmt: skip


def test_an_address_that_is_not_loopback_needs_a_key(tmp_path: Path) -> None:
    free = ("--otlp-http-port", "0", "--otlp-grpc-port", "0", "--api-port", "0")
    done = causeline("up", "--data", tmp_path / "data", "--host", ELSEWHERE, *free)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "refusing to listen" in done.stderr
