"""`causeline up`: everything in one process."""

from __future__ import annotations

import logging
import os
import resource
import threading
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from api.commands.options import DataOption
from api.errors import UsageError
from api.settings import Settings
from api.system import System, stop_requested
from store.errors import StoreError
from store.settings import Home

# Requests are answered within three seconds, and orchestrators kill after ten or thirty.
_STOP_S = 9.0
_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OPEN_FILES = 65_536


def up(
    data: DataOption = None,
    host: Annotated[
        str | None,
        typer.Option(
            "--host",
            envvar="CAUSELINE_HOST",
            help="Address to listen on; only loopback without access keys. [127.0.0.1]",
        ),
    ] = None,
    otlp_grpc_port: Annotated[
        int | None,
        typer.Option(
            "--otlp-grpc-port", envvar="CAUSELINE_OTLP_GRPC_PORT", help="OTLP/gRPC port; 0 picks a free one. [4317]"
        ),
    ] = None,
    otlp_http_port: Annotated[
        int | None,
        typer.Option(
            "--otlp-http-port", envvar="CAUSELINE_OTLP_HTTP_PORT", help="OTLP/HTTP port; 0 picks a free one. [4318]"
        ),
    ] = None,
    api_port: Annotated[
        int | None, typer.Option("--api-port", envvar="CAUSELINE_API_PORT", help="API port; 0 picks a free one. [8080]")
    ] = None,
    require_keys: Annotated[
        bool | None,
        typer.Option(
            "--require-keys/--no-require-keys",
            envvar="CAUSELINE_REQUIRE_KEYS",
            help="Refuse requests without an access key even while there is none.",
        ),
    ] = None,
) -> None:
    """Start the receiver, the API and the correlation worker in one process.

    Prints one line that begins with `ready` and names the URLs once everything listens. SIGTERM or
    Ctrl-C stops it cleanly. Further settings are read from CAUSELINE_* variables.
    """

    given: dict[str, Any] = {
        "data": data and data.absolute(),
        "host": host,
        "otlp_grpc_port": otlp_grpc_port,
        "otlp_http_port": otlp_http_port,
        "api_port": api_port,
        "require_keys": require_keys,
    }
    try:
        settings = Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"setting {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    logging.basicConfig(level=settings.log_level.upper(), format=_LOG_FORMAT)
    asked = stop_requested()
    system = System(settings)
    try:
        _settle(settings)
        _open_files()
        system.start()
        typer.echo(system.ready_line())
        asked.wait()
        _give_up_after(_STOP_S)
        system.stop()
    except StoreError as error:
        raise UsageError(str(error)) from error


def _give_up_after(seconds: float) -> None:
    """End the process when stopping takes longer: a store may hang, and nothing acknowledged depends on a clean end."""
    timer = threading.Timer(seconds, os._exit, [1])
    timer.daemon = True
    timer.start()


def _open_files() -> None:
    """Take as many open files as the system gives without asking: connections and parts of tables both need them."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(hard, _OPEN_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _settle(settings: Settings) -> None:
    """Work from the data directory: the embedded engine leaves its cache of format schemas where it runs."""
    if settings.store_settings.home is Home.EMBEDDED:
        path = settings.store_settings.path
        try:
            path.mkdir(parents=True, exist_ok=True, mode=0o700)
            os.chdir(path)
        except OSError as error:
            raise UsageError(f"the data directory {path} cannot be used: {error.strerror}") from error
