"""`causeline` with a window that kills whoever judges it: `python -m tests.faults.deadly START worker`.

START is the window's, in nanoseconds since the epoch.
"""

from __future__ import annotations

import os
import signal
import sys

from api.cli import main
from correlate import passes
from correlate.settings import CorrelateSettings
from store import Store, Window

judge = passes.judge


def _deadly(start: int) -> None:
    def killed(store: Store, tenant: str, window: Window, settings: CorrelateSettings) -> int:
        if window.start == start:
            # What the kernel does to a process that takes too much memory.
            os.kill(os.getpid(), signal.SIGKILL)
        return judge(store, tenant, window, settings)

    passes.judge = killed


if __name__ == "__main__":
    _deadly(int(sys.argv.pop(1)))
    main()
