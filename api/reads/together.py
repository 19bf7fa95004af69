"""Questions to the store that do not wait for each other, asked at the same time: most of a small query is latency."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any

_AT_ONCE = 4


def together(*questions: Callable[[], Any]) -> list[Any]:
    """Every question's answer, in order; the first one's error is raised when several fail."""
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="together") as pool:
        # Each with the context, by which the store knows whose queries they are.
        asked = [pool.submit(copy_context().run, question) for question in questions]
        return [each.result() for each in asked]
