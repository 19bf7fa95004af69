"""Running a system as a process: from settings to a clean end."""

from __future__ import annotations

import logging
import os
import resource
import threading
from typing import Any

import typer
from pydantic import ValidationError

from api.errors import UsageError
from api.process.stop_request import stop_requested
from api.process.system import EVERYTHING, Part, System
from api.settings import Settings
from store.errors import StoreError
from store.settings import Home

_LOG_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_OPEN_FILES = 65_536


def settings_of(given: dict[str, Any], store_url: str | None = None) -> Settings:
    """Settings from the environment, and what was given on the command line before it. Raises UsageError."""
    chosen = {name: value for name, value in given.items() if value is not None}
    if store_url:
        # The other settings of the store stay those of the environment.
        chosen["store"] = {"url": store_url}
    try:
        return Settings(**chosen)
    except ValidationError as error:
        first = error.errors()[0]
        raise UsageError(f"setting {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


def run(settings: Settings, parts: Part = EVERYTHING) -> None:
    """Start, print the ready line, and stop cleanly when told to. Raises UsageError."""
    logging.basicConfig(level=settings.log_level.upper(), format=_LOG_FORMAT)
    asked = stop_requested()
    system = System(settings, parts)
    try:
        _settle(settings)
        _open_files()
        system.start()
        typer.echo(system.ready_line())
        asked.wait()
        _give_up_after(settings.drain_notice_s + settings.stop_within_s)
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
