"""What was known at a moment: the incidents of telemetry stamped before it, as a live pass would have made them."""

from __future__ import annotations

from correlate.engine import detect
from correlate.incident import Incidents, assemble
from correlate.settings import CorrelateSettings
from store import Store, Window


def incidents_at(store: Store, tenant: str, since_ns: int, at_ns: int, settings: CorrelateSettings) -> Incidents:
    """Incidents from signals seen in [since_ns, at_ns) nanoseconds; topology is that of the same telemetry.

    Nothing is written, and nothing stamped at `at_ns` or later is read.
    """
    found = detect(store, tenant, Window(since_ns, at_ns), settings)
    return assemble(found.signals.drop("seen"), found.entities, found.edges, at_ns, tenant, settings)
