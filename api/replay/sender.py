"""Posting encoded requests to an OTLP/HTTP receiver, several in flight, with the retries OTLP asks for."""

from __future__ import annotations

import gzip
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from google.protobuf.message import DecodeError
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from api.errors import NotOtlp, SystemUnreachable, UnreadableFile
from api.replay.encode import Encoded, encode_line
from api.replay.live import Live, paced
from api.replay.reader import Line, read_lines

RETRYABLE = frozenset({429, 502, 503, 504})
HEADERS = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
GIVE_UP_REFUSED_S = 120.0
GIVE_UP_UNREACHABLE_S = 30.0
GIVE_UP_NEVER_SEEN_S = 3.0
LONGEST_PAUSE_S = 5.0


@dataclass(slots=True)
class Tally:
    """What became of a replay: accepted records per signal, requests sent, bytes, and `FILE:LINE: reason` lines."""

    accepted: Counter[str] = field(default_factory=Counter)
    requests: int = 0
    sent_bytes: int = 0
    failures: list[str] = field(default_factory=list)

    @property
    def records(self) -> int:
        """Records accepted over all signals."""
        return self.accepted.total()


Progress = Callable[[Line, Tally], None]
Report = Callable[[str], None]


class Replay:
    """One replay into one endpoint. At most `concurrency` lines are away from the file's order."""

    def __init__(self, endpoint: str, concurrency: int, progress: Progress, report: Report, key: str = "") -> None:
        self._headers = HEADERS | ({"Authorization": f"Bearer {key}"} if key else {})
        self._endpoint = endpoint.rstrip("/")
        self._concurrency = concurrency
        self._progress = progress
        self._report = report
        self._lock = threading.Lock()
        self._fatal: BaseException | None = None
        self.tally = Tally()

    def run(self, files: Iterable[Path], live: Live | None = None) -> Tally:
        """Send every line of every file, one file after the other, or as `live` says.

        A line that cannot be sent is reported and counted; the rest goes on. Raises
        SystemUnreachable when nothing answers for GIVE_UP_UNREACHABLE_S, or for
        GIVE_UP_NEVER_SEEN_S from the start.
        """
        slots = threading.BoundedSemaphore(self._concurrency)
        limits = httpx.Limits(max_connections=self._concurrency, max_keepalive_connections=self._concurrency)
        with (
            httpx.Client(timeout=60.0, limits=limits, headers=self._headers, trust_env=False) as http,
            ThreadPoolExecutor(self._concurrency, thread_name_prefix="replay") as pool,
        ):
            lines = map(self._readable, files)
            for source in lines if live is None else [paced(lines, live)]:
                self._send(source, http, pool, slots)
        if self._fatal is not None:
            raise self._fatal
        return self.tally

    def _readable(self, path: Path) -> Iterator[Line]:
        """Lines of a file, as far as it can be read."""
        try:
            yield from read_lines(path)
        except UnreadableFile as error:
            self._failed(str(error))

    def _send(
        self, lines: Iterable[Line], http: httpx.Client, pool: ThreadPoolExecutor, slots: threading.Semaphore
    ) -> None:
        for line in lines:
            slots.acquire()
            if self._fatal is not None:
                return

            def done(future: Future[None]) -> None:
                self._fatal = self._fatal or future.exception()
                slots.release()

            pool.submit(self._line, line, http).add_done_callback(done)

    def _line(self, line: Line, http: httpx.Client) -> None:
        where = f"{line.path}:{line.number}"
        try:
            encoded = encode_line(line.data)
            body = gzip.compress(encoded.body, compresslevel=1, mtime=0)
            rejected, message = self._post(http, encoded.signal, body)
        except NotOtlp as error:
            self._failed(f"{where}: {error}")
        else:
            self._sent(line, encoded, len(body), rejected)
            if message is not None:
                self._failed(f"{where}: {message}")

    def _sent(self, line: Line, encoded: Encoded, size: int, rejected: int) -> None:
        with self._lock:
            self.tally.accepted[encoded.signal] += max(encoded.records - rejected, 0) if rejected >= 0 else 0
            self.tally.requests += 1
            self.tally.sent_bytes += size
            self._progress(line, self.tally)

    def _failed(self, message: str) -> None:
        with self._lock:
            self.tally.failures.append(message)
            self._report(message)

    def _post(self, http: httpx.Client, signal: str, body: bytes) -> tuple[int, str | None]:
        """Records rejected (-1: all of them) and why, or (0, None)."""
        started = time.monotonic()
        attempt = 0
        while True:
            attempt += 1
            waited = time.monotonic() - started
            try:
                response = http.post(f"{self._endpoint}/v1/{signal}", content=body)
            except httpx.TransportError as error:
                patience = GIVE_UP_UNREACHABLE_S if self.tally.requests else GIVE_UP_NEVER_SEEN_S
                if waited > patience or self._fatal is not None:
                    raise SystemUnreachable(f"no OTLP receiver answers at {self._endpoint}: {error}") from error
                # Slept and not waited for the end of the files: what was read by then is still to be sent.
                time.sleep(min(0.2 * 2 ** min(attempt, 6), LONGEST_PAUSE_S))
                continue
            if response.status_code == httpx.codes.OK:
                return _partial_success(signal, response.content)
            if response.status_code not in RETRYABLE or waited > GIVE_UP_REFUSED_S:
                return -1, f"the receiver answered {response.status_code}: {_status_message(response)}"
            time.sleep(_pause(response, attempt))


def _pause(response: httpx.Response, attempt: int) -> float:
    asked = response.headers.get("Retry-After", "")
    return min(float(asked) if asked.isdigit() else 0.2 * 2 ** min(attempt, 6), LONGEST_PAUSE_S)


def _partial_success(signal: str, body: bytes) -> tuple[int, str | None]:
    if not body:
        return 0, None
    try:
        if signal == "traces":
            traces = ExportTraceServiceResponse.FromString(body).partial_success
            rejected, message = traces.rejected_spans, traces.error_message
        elif signal == "logs":
            logs = ExportLogsServiceResponse.FromString(body).partial_success
            rejected, message = logs.rejected_log_records, logs.error_message
        else:
            metrics = ExportMetricsServiceResponse.FromString(body).partial_success
            rejected, message = metrics.rejected_data_points, metrics.error_message
    except DecodeError:
        return 0, "the receiver's answer is not an OTLP response"
    return rejected, f"{rejected} records rejected: {message}" if rejected else None


def _status_message(response: httpx.Response) -> str:
    if response.headers.get("Content-Type", "").startswith("application/x-protobuf"):
        try:
            return str(Status.FromString(response.content).message)
        except DecodeError:
            pass
    return response.text[:200]
