"""Open-loop load: requests leave when their time has come, whatever became of the ones before.

Runs in a process of its own, so that it does not share an interpreter with whoever watches the receiver.
"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass, field

from tests.kit.otlp import busy_request, serialized, with_attributes

MARKER = "flood.marker"
_BLANK = "00000000"
_MOST_CONNECTIONS = 800
_PATIENCE_S = 15.0


@dataclass(slots=True)
class Flood:
    """What was sent and what came back, by request number; a status of 0 is no answer."""

    spans: int
    statuses: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    unsent: int = 0
    duration_s: float = 0.0
    bad_pauses: int = 0

    @property
    def rate(self) -> float:
        """Requests sent a second."""
        return len(self.statuses) / self.duration_s

    @property
    def goodput(self) -> float:
        """Requests acknowledged a second."""
        return self.statuses.count(200) / self.duration_s


class Bodies:
    """Requests of `spans` spans, alike but for a number in the resource."""

    def __init__(self, spans: int) -> None:
        request = busy_request(random.Random(1), spans)
        with_attributes(request.resource_spans[0].resource, **{MARKER: _BLANK})
        self._head, self._tail = serialized(request).split(_BLANK.encode())

    def __getitem__(self, number: int) -> bytes:
        return b"".join((self._head, marker(number).encode(), self._tail))


def marker(number: int) -> str:
    """How request `number` is marked."""
    return f"{number:0{len(_BLANK)}d}"


class Sender:
    """Sends to one receiver over as many connections as needed."""

    def __init__(self, url: str, spans: int, first: int) -> None:
        host, _, port = url.removeprefix("http://").partition(":")
        self._address = host, int(port)
        self._bodies = Bodies(spans)
        self._first = first
        self._idle: deque[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = deque()
        self._open = 0
        self._tasks: set[asyncio.Task[None]] = set()
        self.flood = Flood(spans)

    async def closed_loop(self, clients: int, seconds: float) -> None:
        """`clients` that each send again as soon as they are answered."""
        started = time.monotonic()

        async def client() -> None:
            while time.monotonic() < started + seconds:
                await self._send(self._next())

        await asyncio.gather(*(client() for _ in range(clients)))
        self.flood.duration_s = time.monotonic() - started

    async def open_loop(self, rate: float, seconds: float) -> None:
        """`rate` requests a second for so long."""
        started = time.monotonic()
        due = 0
        while (now := time.monotonic() - started) < seconds:
            while due < now * rate:
                due += 1
                if not self._idle and self._open >= _MOST_CONNECTIONS:
                    self.flood.unsent += 1
                    continue
                task = asyncio.create_task(self._send(self._next()))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            await asyncio.sleep(0.002)
        self.flood.duration_s = time.monotonic() - started
        if self._tasks:
            await asyncio.wait(self._tasks)

    def _next(self) -> int:
        self.flood.statuses.append(0)
        self.flood.seconds.append(0.0)
        return len(self.flood.statuses) - 1

    async def _send(self, number: int) -> None:
        started = time.monotonic()
        try:
            async with asyncio.timeout(_PATIENCE_S):
                self.flood.statuses[number] = await self._exchange(self._bodies[self._first + number])
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            self._open -= 1
        self.flood.seconds[number] = time.monotonic() - started

    async def _exchange(self, body: bytes) -> int:
        if self._idle:
            reader, writer = self._idle.popleft()
        else:
            self._open += 1
            reader, writer = await asyncio.open_connection(*self._address)
        fields = ("Host: x", "Content-Type: application/x-protobuf", f"Content-Length: {len(body)}")
        writer.write("\r\n".join(("POST /v1/traces HTTP/1.1", *fields, "", "")).encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        headers = dict(line.lower().split(b": ", 1) for line in answer.split(b"\r\n")[1:-2])
        await reader.readexactly(int(headers.get(b"content-length", b"0")))
        status = int(answer[9:12])
        if status == 503 and headers.get(b"retry-after") not in {b"1", b"2", b"3"}:
            self.flood.bad_pauses += 1
        if headers.get(b"connection") == b"close":
            self._open -= 1
            writer.close()
        else:
            self._idle.append((reader, writer))
        return status


def main() -> None:
    """URL, spans, first number, rate (0: closed loop), seconds; prints the Flood as JSON."""
    url, spans, first, rate, seconds = sys.argv[1:]
    sender = Sender(url, int(spans), int(first))
    run = sender.open_loop(float(rate), float(seconds)) if float(rate) else sender.closed_loop(32, float(seconds))
    asyncio.run(run)
    json.dump(asdict(sender.flood), sys.stdout)


if __name__ == "__main__":
    main()
