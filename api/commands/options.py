"""Options that several verbs share, and how they talk to a terminal."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from api.errors import UsageError

ApiUrl = Annotated[str, typer.Option("--api", envvar="CAUSELINE_API", help="URL of the running system's API.")]
Start = Annotated[str, typer.Option("--start", envvar="CAUSELINE_START", help="RFC 3339 time or unix seconds.")]
End = Annotated[str, typer.Option("--end", envvar="CAUSELINE_END", help="RFC 3339 time or unix seconds.")]
DataOption = Annotated[
    Path | None,
    typer.Option("--data", envvar="CAUSELINE_DATA", help="Data directory; the user's data directory unless given."),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        "--key-file", envvar="CAUSELINE_KEY_FILE", help="File with the access key to use, where keys are needed."
    ),
]
RequireKeys = Annotated[
    bool | None,
    typer.Option(
        "--require-keys/--no-require-keys",
        envvar="CAUSELINE_REQUIRE_KEYS",
        help="Refuse requests without an access key even while there is none.",
    ),
]
Host = Annotated[
    str | None,
    typer.Option(
        "--host", envvar="CAUSELINE_HOST", help="Address to listen on; only loopback without access keys. [127.0.0.1]"
    ),
]
GrpcPort = Annotated[
    int | None,
    typer.Option(
        "--otlp-grpc-port", envvar="CAUSELINE_OTLP_GRPC_PORT", help="OTLP/gRPC port; 0 picks a free one. [4317]"
    ),
]
HttpPort = Annotated[
    int | None,
    typer.Option(
        "--otlp-http-port", envvar="CAUSELINE_OTLP_HTTP_PORT", help="OTLP/HTTP port; 0 picks a free one. [4318]"
    ),
]
ApiPort = Annotated[
    int | None,
    typer.Option("--api-port", envvar="CAUSELINE_API_PORT", help="API port; 0 picks a free one. [8080]"),
]
HealthPort = Annotated[
    int | None,
    typer.Option(
        "--health-port",
        envvar="CAUSELINE_HEALTH_PORT",
        help="Port of /healthz and /readyz; 0 picks a free one. [8081]",
    ),
]
StoreUrl = Annotated[
    str | None,
    typer.Option("--store", envvar="CAUSELINE_STORE__URL", help="ClickHouse server: http(s):// or clickhouse:// URL."),
]
BrokerUrl = Annotated[
    str | None,
    typer.Option("--broker", envvar="CAUSELINE_BROKER_URL", help="Redis server: redis:// or rediss:// URL."),
]
API_DEFAULT = "http://127.0.0.1:8080"
OTLP_DEFAULT = "http://127.0.0.1:4318"
_PIPE_WIDTH = 200


def key_in(path: Path | None) -> str:
    """The access key in a file, '' without one: on a command line everybody on the machine would see it.

    Raises UsageError.
    """
    if path is None:
        return ""
    try:
        key = path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {getattr(error, 'strerror', None) or 'it is no key'}") from error
    if not key or not key.isprintable() or " " in key:
        raise UsageError(f"{path} does not have one key and nothing else")
    return key


class _Pipe(io.StringIO):
    """Standard output without the spaces that fill up table cells: on a terminal they do no harm, in a file they do."""

    def write(self, text: str) -> int:
        sys.stdout.write(re.sub(r" +$", "", text, flags=re.MULTILINE))
        return len(text)

    def flush(self) -> None:
        sys.stdout.flush()


def out() -> Console:
    """Standard output; colour only on a terminal and without NO_COLOR, wide lines in a pipe."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(highlight=False, file=_Pipe(), width=_PIPE_WIDTH)


def err() -> Console:
    """Standard error, for progress and complaints."""
    return Console(stderr=True, highlight=False, width=None if sys.stderr.isatty() else _PIPE_WIDTH)
