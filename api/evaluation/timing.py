"""How long after its first symptom a fault is an incident: the correlator asked as of earlier and earlier moments."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Callable, Sequence

from api.evaluation.ablation import listed
from api.evaluation.labels import Fault
from api.evaluation.scoring import SLACK_S, Verdict, entity_names
from correlate.asof import incidents_at
from correlate.settings import CorrelateSettings
from store import Store

LATEST_S = 600.0
"""A fault that is no incident this long after its first symptom has no time to incident."""

_GRID_NS = 30 * 10**9


def times_to_incident(
    store: Store,
    tenant: str,
    faults: Sequence[Fault],
    verdicts: Sequence[Verdict],
    settings: CorrelateSettings,
    progress: Callable[[int, int], None],
) -> list[float | None]:
    """Seconds for each fault from its incident's start, its first symptom, to the first pass that has an incident.

    Passes are `live_every_s` apart. A pass knows what is stamped before it; how late telemetry arrives and how long
    the pass takes come on top. None where there is no incident, or none within LATEST_S.
    """
    found = []
    for done, (fault, verdict) in enumerate(zip(faults, verdicts, strict=True), start=1):
        symptom = None if verdict.delay_s is None else fault.start + verdict.delay_s
        found.append(None if symptom is None else _seconds(store, tenant, fault, symptom, settings))
        progress(done, len(faults))
    return found


def _seconds(store: Store, tenant: str, fault: Fault, symptom: float, settings: CorrelateSettings) -> float | None:
    begin = min(symptom, fault.start) - SLACK_S
    since = int(begin * 1e9) // _GRID_NS * _GRID_NS
    every = settings.live_every_s

    def is_open(passes: int) -> bool:
        at = int((symptom + passes * every) * 1e9)
        incidents = listed(incidents_at(store, tenant, since, at, settings).incidents)
        return any(
            incident["started"] >= begin
            and any(entity_names(cause["entity"]) & fault.touched for cause in incident["root_causes"])
            for incident in incidents
        )

    # What opened an incident stays; so the first pass is found by halving, in six steps and not in forty.
    last = math.ceil(LATEST_S / every)
    first = bisect_left(range(1, last + 1), True, key=is_open) + 1
    return first * every if first <= last else None
