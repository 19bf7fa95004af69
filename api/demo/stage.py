"""Where the story is played: the exporters, when its zero lies, and the chance that makes numbers uneven."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from api.demo.sdk import Emitter


@dataclass
class Stage:
    """What all players share; `fault_ns` is the time of the story's zero. The same seed plays the same hour."""

    emit: Emitter
    fault_ns: int
    chance: random.Random = field(default_factory=lambda: random.Random(41))  # noqa: S311 - jitter, not secrets

    def ns(self, at: float) -> int:
        """Nanoseconds since the epoch of a time in seconds from the fault."""
        return self.fault_ns + int(at * 1e9)

    def around(self, value: float, spread: float = 0.03) -> float:
        """A value near `value`, by a normal distribution with this relative spread."""
        return round(value * self.chance.gauss(1.0, spread), 4)
