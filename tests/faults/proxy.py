"""A TCP proxy that makes a connection bad: slow, narrow, frozen, cut in the middle, reset, refused.

It runs in a thread of its own and is told what to do from the test's; what it is told holds for connections that are
open and for those that come, until it is told otherwise.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import threading
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, TypeVar

Result = TypeVar("Result")
_PIECE = 64 * 1024
# An RST in place of a FIN: close without lingering (socket(7)).
_AT_ONCE = struct.pack("ii", 1, 0)


class _Pair:
    """One connection: both its ends, what went from the client to the server, and directions that have not ended."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = (client, server)
        self.forwarded = 0
        self.flowing = len(self.ends)

    def close(self, *, reset: bool) -> None:
        for end in self.ends:
            sock = end.get_extra_info("socket")
            if reset and sock is not None and sock.fileno() >= 0:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
            # What waits to be written is not written: the cable is out.
            end.transport.abort()


class Proxy:
    """Forwards `port` of the loopback interface to `target` between `with` and its end.

    `delay_s` is what each piece (at most 64 KiB) waits in either direction; `bytes_per_s` bounds each direction of each
    connection, 0 not at all; `cut_after` closes a connection after so many bytes from its client, 0 never.
    """

    def __init__(self, target_port: int, target_host: str = "127.0.0.1") -> None:
        self.delay_s = 0.0
        self.bytes_per_s = 0
        self.cut_after = 0
        self.accepted = self.cuts = 0
        self._target = target_host, target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._pairs: set[_Pair] = set()
        self._pumps: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None
        self.port = 0

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._call(self._listen())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    @property
    def connections(self) -> int:
        """Connections open now."""
        return len(self._pairs)

    def freeze(self) -> None:
        """Nothing is forwarded any more, and nobody is told: a router that drops packets."""
        self._soon(self._flowing.clear)

    def thaw(self) -> None:
        """Go on; what was sent meanwhile arrives."""
        self._soon(self._flowing.set)

    def cut(self) -> None:
        """Close every open connection, in the middle of what it says."""
        self._soon(lambda: self._break(reset=False))

    def reset(self) -> None:
        """Reset every open connection (RST)."""
        self._soon(lambda: self._break(reset=True))

    def refuse(self) -> None:
        """Break every open connection and refuse new ones: nobody listens."""
        self._call(self._deaf())

    def accept(self) -> None:
        """Listen again on the same port."""
        self._call(self._listen())

    def heal(self) -> None:
        """Everything as in the beginning; what was frozen goes on, what was cut stays cut."""
        self.delay_s, self.bytes_per_s, self.cut_after = 0.0, 0, 0
        self.thaw()
        self.accept()

    def _call(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    def _soon(self, work: Callable[[], None]) -> None:
        async def run() -> None:
            work()

        self._call(run())

    async def _listen(self) -> None:
        if self._server is None:
            self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port, reuse_address=True)
            self.port = self._server.sockets[0].getsockname()[1]

    async def _deaf(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        self._break(reset=True)

    async def _end(self) -> None:
        await self._deaf()
        pumps = list(self._pumps)
        for pump in pumps:
            pump.cancel()
        await asyncio.gather(*pumps, return_exceptions=True)
        # Transports that were aborted are closed in the loop's next round.
        await asyncio.sleep(0)

    def _break(self, *, reset: bool) -> None:
        for pair in self._pairs:
            pair.close(reset=reset)
        self.cuts += len(self._pairs)
        self._pairs.clear()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted += 1
        try:
            back, forth = await asyncio.open_connection(*self._target)
        except OSError:
            # The server behind refuses: so does the proxy, as far as one that has accepted can.
            writer.transport.abort()
            return
        pair = _Pair(writer, forth)
        self._pairs.add(pair)
        for source, sink, counts in ((reader, forth, True), (back, writer, False)):
            pump = self._loop.create_task(self._pump(pair, source, sink, counts=counts))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(
        self, pair: _Pair, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, counts: bool
    ) -> None:
        try:
            while piece := await source.read(_PIECE):
                await self._hold(len(piece))
                if counts and self._is_cut(pair, piece, sink):
                    return
                sink.write(piece)
                await sink.drain()
            await self._flowing.wait()
            # Half a close is one: an HTTP client may have ended its side and still wait for the answer.
            sink.write_eof()
        except OSError:
            pair.close(reset=False)
        pair.flowing -= 1
        if not pair.flowing:
            self._pairs.discard(pair)
            for end in pair.ends:
                end.close()

    async def _hold(self, size: int) -> None:
        if self.delay_s:
            await asyncio.sleep(self.delay_s)
        if self.bytes_per_s:
            await asyncio.sleep(size / self.bytes_per_s)
        await self._flowing.wait()

    def _is_cut(self, pair: _Pair, piece: bytes, sink: asyncio.StreamWriter) -> bool:
        left = self.cut_after - pair.forwarded if self.cut_after else len(piece) + 1
        pair.forwarded += len(piece)
        if left > len(piece):
            return False
        # What came before the cut arrives, so that the server holds half a request.
        sink.write(piece[: max(0, left)])
        self._loop.call_later(0.02, self._cut_one, pair)
        return True

    def _cut_one(self, pair: _Pair) -> None:
        if pair in self._pairs:
            self._pairs.discard(pair)
            self.cuts += 1
            pair.close(reset=False)
