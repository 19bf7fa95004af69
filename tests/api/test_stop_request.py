"""A process that is told to end does, whatever it was doing at that moment."""

from __future__ import annotations

import subprocess
import sys

from api.process.stop_request import StopRequest

# A signal arrives at every line that is run between asking to wait and waiting, and while another is handled.
TOLD_AT_EVERY_LINE = """
import signal, sys
from api.process.stop_request import stop_requested
asked = stop_requested()
def told(frame, event, argument):
    signal.raise_signal(signal.SIGTERM)
    return told
sys.settrace(told)
asked.wait()
sys.settrace(None)
print("ended")
"""


# It is asked to end half a second later.
TOLD_WHILE_WAITING = """
import os, signal, threading
from api.process.stop_request import stop_requested
asked = stop_requested()
threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT]).start()
asked.wait()
print("ended")
"""

# It is asked to end twice, the second time with no patience left.
TOLD_TWICE = """
import signal
from api.process.stop_request import stop_requested
asked = stop_requested(impatient=True)
signal.raise_signal(signal.SIGINT)
asked.wait()
try:
    signal.raise_signal(signal.SIGTERM)
except KeyboardInterrupt:
    print("ended")
"""


def run(program: str) -> str:
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return ran.stdout


def test_a_signal_at_any_line_is_heard() -> None:
    assert run(TOLD_AT_EVERY_LINE) == "ended\n"


def test_a_signal_while_waiting_is_heard() -> None:
    assert run(TOLD_WHILE_WAITING) == "ended\n"


def test_a_second_signal_ends_whatever_goes_on() -> None:
    assert run(TOLD_TWICE) == "ended\n"


def test_waiting_again_returns_at_once() -> None:
    asked = StopRequest()
    assert not asked.told
    asked.tell()
    asked.tell()
    assert asked.told
    asked.wait()
    asked.wait()
