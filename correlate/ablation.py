"""What the parts of the correlator are worth: the same telemetry judged again with one of them off.

Nothing here writes. Signals, entities and edges are read as a pass stored them; a family of evidence is taken away by
taking away its signals, topology by taking away its edges, and only without calibration are the rules asked again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import polars as pl

from correlate.engine import detect
from correlate.episodes import uncalibrated
from correlate.incident import Incidents, assemble
from correlate.passes import windows
from correlate.rules import RULES
from correlate.settings import CorrelateSettings
from store import Store, Window

NOTHING, TOPOLOGY, CALIBRATION = "nothing", "topology", "calibration"
FAMILIES = tuple(dict.fromkeys(rule.family for rule in RULES))
"""Evidence families, each of which can be off."""

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Judged:
    """What a pass over `window` stored: signals, and the topology of the time around it."""

    window: Window
    signals: pl.DataFrame
    entities: pl.DataFrame
    edges: pl.DataFrame

    @classmethod
    def stored(cls, store: Store, tenant: str, window: Window, settings: CorrelateSettings) -> Judged:
        """What passes.rebuild_incidents would read for `window`."""
        margin = int(settings.horizon_s * 1e9)
        params = {"tenant": tenant, "start": window.start - margin, "end": window.end + margin}
        return cls(
            window,
            store.frame("correlate_signals", params).collect(),
            store.frame("correlate_entities", {"tenant": tenant}).collect(),
            store.frame("correlate_edges", params).collect(),
        )

    def incidents(self, tenant: str, settings: CorrelateSettings) -> Incidents:
        """The incidents of these signals, as a back-fill of the whole window makes them."""
        return assemble(self.signals, self.entities, self.edges, self.window.end, tenant, settings)


def variants(
    store: Store, tenant: str, window: Window, settings: CorrelateSettings, progress: Progress | None = None
) -> Iterator[tuple[str, Incidents]]:
    """(what is off, the incidents without it) for nothing, each family, topology and calibration.

    `progress(done, total)` counts the windows that are judged again without calibration, which is what takes time.
    """
    whole = Judged.stored(store, tenant, window, settings)
    yield NOTHING, whole.incidents(tenant, settings)
    for family in FAMILIES:
        kept = whole.signals.filter(pl.col("family") != family)
        yield family, replace(whole, signals=kept).incidents(tenant, settings)
    yield TOPOLOGY, replace(whole, edges=whole.edges.clear()).incidents(tenant, settings)
    raw = _uncalibrated(store, tenant, window, settings, progress).select(whole.signals.columns)
    yield CALIBRATION, replace(whole, signals=raw).incidents(tenant, settings)


def _uncalibrated(
    store: Store, tenant: str, window: Window, settings: CorrelateSettings, progress: Progress | None
) -> pl.DataFrame:
    """Signals of rules that do not calibrate."""
    steps = windows(window.start, window.end, settings.step_s)
    found = []
    for done, step in enumerate(steps, start=1):
        with uncalibrated():
            found.append(detect(store, tenant, step, settings).signals)
        if progress:
            progress(done, len(steps))
    # A run that goes on is reported by each window it reaches, with the same id: the last one knows most.
    return pl.concat(found).unique(subset="id", keep="last", maintain_order=True).sort("onset", "id")
