"""A disk whose power can be cut: what was not flushed is gone, what was flushed is there.

An ext4 file system on a loop device whose backing file lies on XFS. Copying that file with a reflink takes one
moment, atomically, of what the device has received: the guest's page cache, which a power cut loses, is not in
it. The device keeps what it received in order, as a disk with a protected cache does; reordering inside a disk's own
volatile cache is not simulated. Needs root, mkfs.xfs (Debian: xfsprogs), mkfs.ext4 and loop devices.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

_PROGRAMS = ("mkfs.xfs", "mkfs.ext4", "mount", "umount", "cp")
_SIZE = 4 * 1024**3


def absent() -> str:
    """What is missing to simulate a disk here; empty when nothing is."""
    if os.geteuid() != 0:
        return "power cuts need root"
    gone = [name for name in _PROGRAMS if shutil.which(name) is None]
    if gone:
        return f"power cuts need {', '.join(gone)}"
    return "" if Path("/dev/loop-control").exists() else "power cuts need loop devices"


class Disk:
    """Mounted at `path` between `with` and its end; its images are sparse files in `directory`."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "disk"
        self._directory = directory
        self._host = directory / "host"
        self._undo = ExitStack()
        self._cuts = 0

    @property
    def _image(self) -> Path:
        return self._host / f"{self._cuts}.img"

    def __enter__(self) -> Disk:
        self.path.mkdir()
        self._host.mkdir()
        outer = self._directory / "host.img"
        _sparse(outer, 3 * _SIZE)
        with ExitStack() as undo:
            _run("mkfs.xfs", "-q", "-m", "reflink=1", outer)
            _run("mount", "-o", "loop", outer, self._host)
            undo.callback(_run, "umount", "--lazy", self._host)
            _sparse(self._image, _SIZE)
            # Unwritten inode tables would be written by the kernel in the background, and take its time.
            _run("mkfs.ext4", "-q", "-F", "-E", "lazy_itable_init=0,lazy_journal_init=0", self._image)
            self._mount()
            undo.callback(_run, "umount", "--lazy", self.path)
            self._undo = undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._undo.close()

    def cut(self) -> None:
        """The power goes: remember what the device holds at this moment. `restore` comes next."""
        _run("cp", "--reflink=always", self._image, self._host / f"{self._cuts + 1}.img")

    def restore(self) -> None:
        """Mount what was left at the cut in place of what was written since; nobody may have files open."""
        old = self._image
        _run("umount", self.path)
        old.unlink()
        self._cuts += 1
        self._mount()

    def _mount(self) -> None:
        _run("mount", "-o", "loop", self._image, self.path)


def _sparse(path: Path, size: int) -> None:
    with path.open("wb") as image:
        image.truncate(size)


def _run(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr.strip()}")
