"""A real `causeline up` in a child process, and telemetry files to play into it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

ROOT = Path(__file__).resolve().parent.parent.parent
READY = re.compile(r"^ready otlp_http=(?P<http>\S+) otlp_grpc=(?P<grpc>\S+) api=(?P<api>\S+) data=(?P<data>.*)$")
SECOND = 1_000_000_000
T0 = 1_772_438_400 * SECOND


def causeline(*arguments: str | Path, timeout: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a verb to its end."""
    command = [sys.executable, "-m", "api.cli", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False)


class Up:
    """`causeline up --data DIR` on free ports; `with` waits for its ready line and ends with SIGTERM."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.otlp = self.grpc = self.api = self.ready = ""

    def __enter__(self) -> Up:
        command = [sys.executable, "-m", "api.cli", "up", "--data", str(self.data)]
        command += ["--otlp-http-port", "0", "--otlp-grpc-port", "0", "--api-port", "0"]
        self.process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.ready = self.process.stdout.readline().rstrip("\n")
        match = READY.match(self.ready)
        assert match, f"no ready line: {self.ready!r} {self.process.stderr and self.process.stderr.read()}"
        self.otlp, self.grpc, self.api = match["http"], match["grpc"], match["api"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.terminate()
        for stream in (self.process.stdout, self.process.stderr):
            if stream is not None:
                stream.close()

    def terminate(self) -> int:
        """SIGTERM; the exit code."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(20)

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nothing is closed."""
        self.process.kill()
        self.process.wait(20)

    def counts(self) -> dict[str, int]:
        """Rows stored: spans, log_records, metric_points."""
        body = httpx.get(f"{self.api}/api/v1/status", timeout=30).raise_for_status().json()["counts"]
        return {name: body[name] for name in ("spans", "log_records", "metric_points")}

    def post(self, signal_name: str, body: bytes, **headers: str) -> httpx.Response:
        """POST a body to /v1/{signal_name}."""
        wanted = {"Content-Type": "application/x-protobuf"} | {k.replace("_", "-"): v for k, v in headers.items()}
        return httpx.post(f"{self.otlp}/v1/{signal_name}", content=body, headers=wanted, timeout=30)

    def wait_for_requests(self, number: int, seconds: float = 30) -> None:
        """Return once the receiver has stored `number` requests."""
        deadline = time.monotonic() + seconds
        while httpx.get(f"{self.api}/api/v1/status", timeout=30).json()["ingest"]["requests"] < number:
            assert time.monotonic() < deadline, "waited too long"
            time.sleep(0.02)


def attribute(key: str, value: str) -> dict[str, Any]:
    """A KeyValue with a string."""
    return {"key": key, "value": {"stringValue": value}}


def lines(number: int, *, start: int = T0) -> Iterable[str]:
    """`number` OTLP JSON lines, a third of each signal: 4 spans, 3 log records or 2 points each."""
    for n in range(number):
        at = start + n * SECOND
        resource = {
            "attributes": [attribute("service.name", f"svc-{n % 5}"), attribute("k8s.pod.name", f"pod-{n % 5}")]
        }
        if n % 3 == 0:
            spans = [
                {
                    "traceId": f"{n + 1:032x}", "spanId": f"{n * 8 + k + 1:016x}", "name": f"GET /{k}", "kind": 2,
                    "startTimeUnixNano": str(at + k), "endTimeUnixNano": str(at + 1_000_000),
                }
                for k in range(4)
            ]  # fmt: skip
            yield json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": [{"spans": spans}]}]})
        elif n % 3 == 1:
            records = [{"timeUnixNano": str(at + k), "body": {"stringValue": f"line {k}"}} for k in range(3)]
            yield json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]})
        else:
            points = [{"timeUnixNano": str(at + k), "asDouble": float(k)} for k in range(2)]
            metric = {"name": "queue.length", "gauge": {"dataPoints": points}}
            yield json.dumps({"resourceMetrics": [{"resource": resource, "scopeMetrics": [{"metrics": [metric]}]}]})


def expected(number: int) -> dict[str, int]:
    """What `lines(number)` amounts to."""
    each = [len(range(k, number, 3)) for k in range(3)]
    return {"spans": 4 * each[0], "log_records": 3 * each[1], "metric_points": 2 * each[2]}


def recording(path: Path, number: int) -> Path:
    """`lines(number)` in a file."""
    path.write_text("".join(f"{line}\n" for line in lines(number)), encoding="utf-8")
    return path
