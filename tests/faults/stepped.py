"""`causeline` with a clock that a file steps while it runs: `python -m tests.faults.stepped FILE VERB ...`.

The file holds seconds from the right time. Only the wall clock is stepped, as time servers and operators step it:
deadlines are monotonic. An embedded engine's own clock stays right.
"""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import time_machine

from api.cli import main

_LOOK_S = 0.1


def _follow(file: Path) -> None:
    now, travel = 0.0, None
    while True:
        threading.Event().wait(_LOOK_S)
        wanted = float(file.read_text(encoding="ascii"))
        if wanted == now:
            continue
        if travel is not None:
            travel.stop()
        now, travel = wanted, None
        if wanted:
            # The right time: nothing is stepped at this moment.
            travel = time_machine.travel(time.time() + wanted, tick=True)
            travel.start()


if __name__ == "__main__":
    threading.Thread(target=_follow, args=(Path(sys.argv.pop(1)),), daemon=True).start()
    main()
