"""What README and docs/api.md tell people to type works as it stands there; `.ci/run` types the first two commands."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import missing
from tests.kit.running import READY, ROOT, Up

BLOCKS, API_BLOCKS = (
    re.findall(r"```sh\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL)
    for page in ("README.md", "docs/api.md")
)
SENDER = """
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter()))
provider.get_tracer("readme").start_span("hello").end()
provider.shutdown()
"""


def shell(script: str) -> str:
    """Standard output of a bash script that must not fail."""
    done = subprocess.run(["bash", "-euc", script], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def here(block: str, system: Up) -> str:
    """The block's commands, for a system on ports of its own and for this environment."""
    program = f"{sys.executable} -m api.cli"
    assert all(port in "".join(BLOCKS) for port in ("127.0.0.1:4318", "127.0.0.1:8080"))
    return (
        block.replace("http://127.0.0.1:4318", system.otlp)
        .replace("http://127.0.0.1:8080", system.api)
        .replace(".venv/bin/causeline", program)
    )


def test_exporters_find_it_and_the_questions_are_answered(tmp_path: Path) -> None:
    if shutil.which("curl") is None:
        missing("no curl on the path")
    first, exports, questions = BLOCKS
    assert first.count("make ") == 2
    with Up(tmp_path / "data") as system:
        program = tmp_path / "send.py"
        program.write_text(SENDER, encoding="utf-8")
        shell(f"{here(exports, system)}\n{sys.executable} {program}")
        assert system.counts()["spans"] == 1
        for command in here("".join([questions, *API_BLOCKS]).replace("\\\n", ""), system).strip().splitlines():
            if "$KEY" in command:
                continue
            answer = shell(f"export CAUSELINE_API={system.api}\n{command}")
            assert answer.strip()
            if command.startswith("curl"):
                assert "status" not in json.loads(answer), "a problem, and no answer"


def test_the_lines_about_access_keys(tmp_path: Path) -> None:
    lines = [line for block in API_BLOCKS for line in block.splitlines() if "$KEY" in line]
    assert len(lines) == 4
    with Up(tmp_path / "data") as system:
        wanted = {"name": "first", "scopes": ["admin"]}
        key = httpx.post(f"{system.api}/api/v1/keys", json=wanted, timeout=60).raise_for_status().json()["key"]
        assert httpx.get(f"{system.api}/api/v1/incidents", timeout=60).status_code == 401
        known, identifier = f"export API={system.api} KEY={key}", ""
        for line in lines:
            answer = json.loads(shell(f"{known} KEYID={identifier}\n{line}"))
            assert "status" not in answer, "a problem, and no answer"
            identifier = answer.get("id", identifier)
        assert {"entries"} <= set(answer), answer


def test_make_up_is_causeline_up(tmp_path: Path) -> None:
    if Path(sys.prefix) != ROOT / ".venv":
        pytest.skip("make would build an environment of its own: run this by make test")
    arguments = f"ARGS=--data {tmp_path / 'data'} --otlp-http-port 0 --otlp-grpc-port 0 --api-port 0"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    command = ["make", "--no-print-directory", "up", arguments]
    made = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    with made:
        assert made.stdout is not None
        line = next((line for line in made.stdout if line.startswith("ready ")), "")
        os.killpg(made.pid, signal.SIGTERM)
    assert READY.match(line.strip())
