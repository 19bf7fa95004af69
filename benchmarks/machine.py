"""What a benchmark ran on, printed before its figures."""

from __future__ import annotations

import os
import platform
import re
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path


def told(*packages: str, more: str = "") -> None:
    """Print when, how busy the machine is, what it is, and versions of Python and `packages`, then `more`."""
    model = re.search(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    processor = model[1] if model else platform.processor()
    print(f"date      {datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load average {os.getloadavg()[0]:.1f} at the start")
    print(f"machine   {os.cpu_count()} x {processor}, {platform.system()} {platform.release()}")
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    print(f"versions  Python {platform.python_version()}, {versions}{more}")
