"""The embedded engine's data directory: whose it is, and where temporary files go."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import IO

from store.errors import DataDirectoryInUse


class DataDirectory:
    """Held by this process from its making until `release`. Raises DataDirectoryInUse."""

    def __init__(self, path: Path) -> None:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock: IO[str] | None = _lock(path)
        # chDB writes each insert to a temporary file; a killed process leaves telemetry behind in it.
        private = path / "tmp"
        shutil.rmtree(private, ignore_errors=True)
        private.mkdir(mode=0o700)
        self._outer_tempdir = tempfile.tempdir
        tempfile.tempdir = str(private)

    def release(self) -> None:
        """Let others have it."""
        if self._lock is not None:
            tempfile.tempdir = self._outer_tempdir
            self._lock.close()
            self._lock = None


def _lock(path: Path) -> IO[str]:
    # Opened for appending: the owner's pid must survive a failed attempt to take the lock.
    handle = (path / "causeline.lock").open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.seek(0)
        owner = handle.read().strip() or "unknown"
        handle.close()
        raise DataDirectoryInUse(
            f"the data directory {path} is in use by another process (pid {owner}); "
            "stop that process or choose another directory with --data"
        ) from error
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle
