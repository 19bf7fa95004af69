"""A budget with no room left."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ingest.errors import Overloaded
from ingest.pipeline import Pipeline

_STEP = 100


@contextmanager
def filled(pipeline: Pipeline) -> Iterator[None]:
    """Within, no more than a hundred bytes of bodies can be held."""
    taken = pipeline.budget.hold()
    for size in range(pipeline.settings.max_inflight_bytes, 0, -_STEP):
        try:
            taken.resize(size)
        except Overloaded:
            continue
        break
    try:
        yield
    finally:
        taken.release()
