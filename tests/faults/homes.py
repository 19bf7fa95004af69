"""A whole system in processes of its own, to be killed: embedded, or a receiver and a ClickHouse server."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from store import StoreSettings
from tests.faults.load import Target
from tests.faults.proxy import Proxy
from tests.kit.clickhouse_server import ClickHouseServer
from tests.kit.running import ROOT

CAUSELINE = ("-m", "api.cli")
_READY = re.compile(r"^ready otlp_http=(\S+) otlp_grpc=(\S+) api=(\S+)")


class Receiver:
    """`causeline up` on free ports; its errors go to a file, so that no full pipe stops it."""

    def __init__(
        self,
        data: Path,
        log: Path,
        target: Target,
        environment: Mapping[str, str],
        program: Sequence[str] = CAUSELINE,
    ) -> None:
        self.api = ""
        self.target = target
        self.log = log
        self._data = data
        self._program = program
        self._environment = {**os.environ, **environment}
        self.process: subprocess.Popen[str] | None = None

    def start(self) -> None:
        """Start; `wait` returns when it is ready."""
        command = [sys.executable, *self._program, "up", "--data", str(self._data)]
        command += ["--otlp-http-port", "0", "--otlp-grpc-port", "0", "--api-port", "0"]
        if self.process is not None and self.process.stdout is not None:
            self.process.stdout.close()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def wait(self) -> None:
        """Return when it listens, telling the clients where."""
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        match = _READY.match(line)
        if match is None:
            raise RuntimeError(f"no ready line but {line!r}: {self.log.read_text(errors='replace')[-2000:]}")
        self.target.url, self.target.grpc, self.api = match.groups()

    def pause(self) -> None:
        """SIGSTOP: no instruction more."""
        if self.process is not None:
            self.process.send_signal(signal.SIGSTOP)

    def kill(self) -> None:
        """SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """SIGTERM."""
        self._end(signal.SIGTERM)

    def _end(self, number: int) -> None:
        if self.process is None:
            return
        self.process.send_signal(number)
        self.process.wait(30)
        if self.process.stdout is not None:
            self.process.stdout.close()
        self.process = None

    def said(self) -> str:
        """The end of its log."""
        return self.log.read_text(encoding="utf-8", errors="replace")[-2000:]

    @property
    def rss(self) -> int:
        """Resident bytes (https://man7.org/linux/man-pages/man5/proc_pid_statm.5.html)."""
        assert self.process is not None
        pages = Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]
        return int(pages) * os.sysconf("SC_PAGE_SIZE")

    @property
    def threads(self) -> int:
        """Threads it has now."""
        assert self.process is not None
        return len(list(Path(f"/proc/{self.process.pid}/task").iterdir()))


class Home:
    """A receiver under `directory`, with the store embedded or on a ClickHouse server beside it.

    With `linked`, the receiver reaches the server through a proxy, `link`, that can be made bad.
    """

    def __init__(
        self,
        name: str,
        directory: Path,
        target: Target,
        settings: Mapping[str, str] | None = None,
        *,
        linked: bool = False,
        program: Sequence[str] = CAUSELINE,
    ) -> None:
        environment = dict(settings or {})
        self.server: ClickHouseServer | None = None
        self.link: Proxy | None = None
        self.store = StoreSettings.embedded(directory / "data")
        if name == "server":
            (directory / "server").mkdir()
            self.server = ClickHouseServer(directory / "server", start_timeout_s=240, supervised=True)
            self.store = StoreSettings(url=self.server.url)
            # Started again on the same port it would have the same name; here ports are free ones.
            environment.setdefault("CAUSELINE_INGEST__RECEIVER", "the-receiver")
            if linked:
                self.link = Proxy(self.server.http_port)
                self.link.__enter__()
            url = self.server.url if self.link is None else f"http://127.0.0.1:{self.link.port}"
            environment["CAUSELINE_STORE__URL"] = url
        self.receiver = Receiver(directory / "data", directory / "receiver.log", target, environment, program)

    def start(self) -> None:
        """Start everything and wait until it listens."""
        self.launch()
        self.receiver.wait()

    def launch(self) -> None:
        """Start everything."""
        if self.server is not None:
            self.server.__enter__()
        self.receiver.start()

    def pause(self) -> None:
        """SIGSTOP all of it, the receiver first."""
        self.receiver.pause()
        self.pause_server()

    def pause_server(self) -> None:
        """SIGSTOP the ClickHouse server."""
        if self.server is not None:
            self.server.send(signal.SIGSTOP)

    def resume_server(self) -> None:
        """SIGCONT the ClickHouse server."""
        if self.server is not None:
            self.server.send(signal.SIGCONT)

    def kill_server(self) -> None:
        """SIGKILL the ClickHouse server."""
        if self.server is not None:
            self.server.__exit__(None, None, None)

    def stop(self) -> None:
        """Stop the receiver cleanly; the server, if any, stays to be asked."""
        self.receiver.stop()

    def close(self) -> None:
        """End everything at once, whatever state it is in."""
        self.resume_server()
        self.receiver.kill()
        self.kill_server()
        if self.link is not None:
            self.link.__exit__(None, None, None)
            self.link = None
