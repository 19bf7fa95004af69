"""The load generator: prepared HTTP requests over keep-alive connections, in a process of its own.

    python load.py PORT FILE CONNECTIONS [RATE]

FILE holds whole requests, each after its length (four bytes, big endian). Without RATE every connection sends its
next request when the last one was answered; with RATE (requests a second) requests are sent when they are due, and a
late one's latency counts from when it was due. A 503 is sent again after a pause, its latency counted from the first
time. Prints one JSON object. It shares the machine with what it measures, so it does as little as it can: one thread,
epoll, nothing but the standard library.
"""

from __future__ import annotations

import json
import select
import socket
import sys
import time
from collections import deque
from pathlib import Path

_PAUSE_S = 0.1
_SHED = 503


class Connection:
    """One keep-alive connection with at most one request under way; opened again when the server closed it."""

    def __init__(self, port: int, epoll: select.epoll) -> None:
        self._port = port
        self._epoll = epoll
        self.number: int | None = None
        self._request = self._unsent = memoryview(b"")
        self._answer = b""
        self._open()

    def _open(self) -> None:
        self.socket = socket.create_connection(("127.0.0.1", self._port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._epoll.register(self.socket, select.EPOLLIN)

    def begin(self, number: int, request: memoryview) -> None:
        """Send a request."""
        self.number, self._request, self._unsent, self._answer = number, request, request, b""
        self.send()

    def send(self) -> None:
        """Go on sending as far as the socket takes it."""
        try:
            while self._unsent:
                self._unsent = self._unsent[self.socket.send(self._unsent) :]
            self._epoll.modify(self.socket, select.EPOLLIN)
        except BlockingIOError:
            self._epoll.modify(self.socket, select.EPOLLIN | select.EPOLLOUT)
        except ConnectionError:
            self._again()

    def read(self) -> int:
        """The answer's status once it is here completely, otherwise 0."""
        try:
            got = self.socket.recv(65536)
        except ConnectionError:
            got = b""
        if not got:
            self._again()
            return 0
        self._answer += got
        head, end, body = self._answer.partition(b"\r\n\r\n")
        if not end:
            return 0
        length = next((int(f[15:]) for f in head.lower().split(b"\r\n") if f.startswith(b"content-length:")), None)
        if length is None:
            raise SystemExit(f"an answer without a length: {head!r}")
        return int(head[9:12]) if len(body) >= length else 0

    def _again(self) -> None:
        """Servers close connections that were idle, perhaps just as a request was sent: send it on a new one."""
        self._epoll.unregister(self.socket)
        self.socket.close()
        self._open()
        if self.number is not None:
            self.begin(self.number, self._request)


class Load:
    """All requests of a run, each to be answered once with 200."""

    def __init__(self, port: int, requests: list[memoryview], connections: int, rate: float | None) -> None:
        self._requests = requests
        self._epoll = select.epoll()
        self._connections = [Connection(port, self._epoll) for _ in range(connections)]
        self._idle = deque(self._connections)
        self._due = deque(range(len(requests)))
        self._again: deque[tuple[float, int]] = deque()
        self._interval = 1 / rate if rate else 0.0
        self.began = [0.0] * len(requests)
        self.latencies: list[float] = []
        self.shed = 0

    def run(self) -> float:
        """Send everything; when it began, on the monotonic clock."""
        start = time.monotonic()
        while len(self.latencies) < len(self._requests):
            wait = self._start_due(start, time.monotonic())
            ready = dict(self._epoll.poll(wait))
            # Few enough connections to look through them, and a reopened one keeps its place.
            for connection in self._connections if ready else ():
                events = ready.get(connection.socket.fileno(), 0)
                if events & select.EPOLLOUT:
                    connection.send()
                if events & ~select.EPOLLOUT and (status := connection.read()):
                    self._answered(connection, status)
        return start

    def _start_due(self, start: float, now: float) -> float:
        """Start what is due while connections are idle; the seconds until something else may be due."""
        while self._idle:
            if self._again and self._again[0][0] <= now:
                number = self._again.popleft()[1]
            elif self._due and start + self._due[0] * self._interval <= now:
                number = self._due.popleft()
                self.began[number] = start + number * self._interval if self._interval else time.monotonic()
            else:
                break
            self._idle.popleft().begin(number, self._requests[number])
        if not self._idle:
            return 1.0
        due = [start + self._due[0] * self._interval] if self._due else []
        return max(0.0, min([*due, *(at for at, _ in self._again), now + 1.0]) - now)

    def _answered(self, connection: Connection, status: int) -> None:
        now, number = time.monotonic(), connection.number
        assert number is not None
        connection.number = None
        self._idle.append(connection)
        if status == _SHED:
            self.shed += 1
            self._again.append((now + _PAUSE_S, number))
        elif status == 200:
            self.latencies.append(now - self.began[number])
        else:
            raise SystemExit(f"a request was answered {status}")


def read_requests(file: Path) -> list[memoryview]:
    """The requests of a file."""
    data, at = memoryview(file.read_bytes()), 0
    found = []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append(data[at + 4 : at + 4 + size])
        at += 4 + size
    return found


def write_requests(file: Path, path: str, bodies: list[bytes], encoding: str) -> None:
    """Prepare a file: one POST to `path` for each body."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/x-protobuf\r\n"
    head += f"Content-Encoding: {encoding}\r\nContent-Length: "
    with file.open("wb") as out:
        for body in bodies:
            request = f"{head}{len(body)}\r\n\r\n".encode() + body
            out.write(len(request).to_bytes(4, "big") + request)


def main() -> None:
    """Send a file's requests and print what came of it."""
    port, file, connections = int(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3])
    load = Load(port, read_requests(file), connections, float(sys.argv[4]) if len(sys.argv) > 4 else None)
    cpu = time.process_time()
    started = load.run()
    ended = time.monotonic()
    late = sorted(load.latencies)
    print(
        json.dumps(
            {
                "started": started,
                "ended": ended,
                "cpu": time.process_time() - cpu,
                "shed": load.shed,
                "p50": late[len(late) // 2],
                "p99": late[len(late) * 99 // 100],
                "worst": late[-1],
            }
        )
    )


if __name__ == "__main__":
    main()
