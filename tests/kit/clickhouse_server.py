"""A genuine ClickHouse HTTP and native server in a child process, without Docker.

The npm package @chdb/lib-linux-x64-gnu carries libchdb.so with clickhouse-local's listeners: a
query that never ends keeps them serving. Install it with `npm ci --prefix tests/kit`.
"""

from __future__ import annotations

import ctypes
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import TracebackType

import httpx

_log = logging.getLogger(__name__)
KIT = Path(__file__).parent
LIBRARY = KIT / "node_modules/@chdb/lib-linux-x64-gnu/libchdb.so"
ABSENT = f"no server library at {LIBRARY.relative_to(KIT.parent.parent)}: run `npm ci --prefix tests/kit`"
_FOREVER = (
    "SELECT sum(sleepEachRow(3)) FROM numbers(1000000)"
    " SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0, max_execution_time = 0"
)


def installed() -> bool:
    """Whether the server's library is here."""
    return LIBRARY.is_file()


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class ClickHouseServer:
    """One server keeping its data in `directory`; a context manager.

    `url` is its HTTP address. `config` is an optional XML configuration file. One that is `supervised` is started again
    when it ends by itself, as a service manager does: the library aborts now and then when a connection is cut in the
    middle of an insert.
    """

    def __init__(
        self, directory: Path, config: Path | None = None, start_timeout_s: float = 60.0, *, supervised: bool = False
    ) -> None:
        self.http_port, self.tcp_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.http_port}"
        self._config = config
        self._start_timeout_s = start_timeout_s
        self._directory = directory
        self._process: subprocess.Popen[bytes] | None = None
        self._supervised = supervised
        self._supervisor: threading.Thread | None = None
        self._over = threading.Event()

    @property
    def pid(self) -> int:
        """The running server's process id."""
        assert self._process is not None
        return self._process.pid

    def __enter__(self) -> ClickHouseServer:
        (self._directory / "log").unlink(missing_ok=True)
        self._launch()
        try:
            self._wait()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        if self._supervised:
            self._over.clear()
            self._supervisor = threading.Thread(target=self._keep_up, name="clickhouse-supervisor", daemon=True)
            self._supervisor.start()
        return self

    def _launch(self) -> None:
        command = [sys.executable, str(Path(__file__).resolve()), str(self._directory)]
        command += [str(self.http_port), str(self.tcp_port), str(self._config or "")]
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(command, cwd=self._directory, stdout=log, stderr=log)

    def _keep_up(self) -> None:
        while not self._over.wait(0.2):
            if self._process is not None and self._process.poll() is not None:
                _log.warning(
                    "the ClickHouse server ended by itself (%s) and is started again", self._process.returncode
                )
                # By this thread, which lives as long: the kernel ends the process with the thread that made it.
                self._launch()

    def _wait(self) -> None:
        deadline = time.monotonic() + self._start_timeout_s
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:
                break
            try:
                if httpx.get(f"{self.url}/ping", timeout=1).text == "Ok.\n":
                    return
            except httpx.TransportError:
                time.sleep(0.1)
        tail = (self._directory / "log").read_text(errors="replace")[-2000:]
        raise RuntimeError(f"the ClickHouse server did not start: {tail}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._supervisor is not None:
            self._over.set()
            self._supervisor.join()
            self._supervisor = None
        if self._process is not None:
            # The endless query ignores SIGTERM; nothing in this directory outlives the test anyway.
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(timeout=10)

    def send(self, number: int) -> None:
        """Send a signal to the server, SIGSTOP say."""
        if self._process is not None:
            self._process.send_signal(number)


def _serve(directory: str, http_port: str, tcp_port: str, config: str) -> int:
    """Become the server; does not return while it serves."""
    library = ctypes.CDLL(str(LIBRARY))
    arguments = ["clickhouse", f"--path={directory}/data", "--listen_host=127.0.0.1"]
    arguments += [f"--http_port={http_port}", f"--tcp_port={tcp_port}"]
    if config:
        arguments.append(f"--config-file={config}")
    arguments.append(f"--query=SYSTEM START LISTEN HTTP; SYSTEM START LISTEN TCP; {_FOREVER}")
    library.chdb_query_cmdline.restype = ctypes.c_void_p
    library.chdb_query_cmdline.argtypes = [ctypes.c_int, ctypes.POINTER(ctypes.c_char_p)]
    vector = (ctypes.c_char_p * len(arguments))(*(argument.encode() for argument in arguments))
    library.chdb_query_cmdline(len(arguments), vector)
    return 1


def _die_with_parent() -> None:
    """Have the kernel kill this process when the test run's process ends, however it ends."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG, linux/prctl.h
    if os.getppid() == 1:
        sys.exit(1)


if __name__ == "__main__":
    _die_with_parent()
    sys.exit(_serve(*sys.argv[1:]))
