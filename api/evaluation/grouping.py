"""Whether symptoms of one fault share an incident, and of two faults do not.

B-cubed scores (Bagga and Baldwin 1998, https://aclanthology.org/P98-1012/): for each signal, precision is the share
of its incident's signals that are of its fault, recall the share of its fault's signals that are in its incident;
both are averaged over signals. A signal is of a fault when it is seen while the fault lasts, at an entity that the
label names; signals of no fault or of several are left out.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.evaluation.labels import Fault
from api.evaluation.scoring import SLACK_S, entity_names

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Grouping:
    """B-cubed shares in 0..1 over `signals` signals."""

    precision: float
    recall: float
    f1: float
    signals: int


def bcubed(pairs: Iterable[tuple[int, str]]) -> Grouping | None:
    """B-cubed of (fault, incident) pairs, one per signal; None when there are none."""
    listed = list(pairs)
    if not listed:
        return None
    both, faults, incidents = Counter(listed), Counter(f for f, _ in listed), Counter(i for _, i in listed)
    precision = sum(both[pair] / incidents[pair[1]] for pair in listed) / len(listed)
    recall = sum(both[pair] / faults[pair[0]] for pair in listed) / len(listed)
    return Grouping(precision, recall, 2 * precision * recall / (precision + recall), len(listed))


def attributed(faults: Sequence[Fault], details: Iterable[Json], slack_s: float = SLACK_S) -> list[tuple[int, str]]:
    """(fault's place, incident) of each signal in the incidents' details that is of exactly one fault."""
    pairs = []
    for incident in details:
        for entry in incident["timeline"]:
            if entry["role"] == "context":
                continue
            at, names = datetime.fromisoformat(entry["time"]).timestamp(), entity_names(entry["entity"])
            owners = [
                place
                for place, fault in enumerate(faults)
                if fault.start - slack_s <= at <= fault.end + slack_s and names & fault.touched
            ]
            if len(owners) == 1:
                pairs.append((owners[0], incident["id"]))
    return pairs
