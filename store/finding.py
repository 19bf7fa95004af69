"""What a check-up says of one thing."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class Grade(StrEnum):
    """How bad it is: a warning can wait, a problem loses data or stops the system."""

    OK = "ok"
    WARNING = "warning"
    PROBLEM = "problem"


class Finding(NamedTuple):
    """One thing that was looked at; `advice` says what to change, and is empty when nothing is."""

    check: str
    grade: Grade
    said: str
    advice: str = ""
