"""How often one address may be refused: guessing keys is pointless, but must not fill the log or take the processor."""

from __future__ import annotations

from limits import RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

_TOLD = RateLimitItemPerMinute(60)
_ANSWERED = RateLimitItemPerMinute(600)


class Refusals:
    """Counts in this process, by address or key."""

    def __init__(self) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())

    def worth_telling(self, whose: str) -> bool:
        """Whether one more refusal goes into the audit log."""
        return bool(self._limiter.hit(_TOLD, "told", whose))

    def too_many(self, whose: str) -> bool:
        """Count a refusal; whether there were so many within a minute that no more are looked into."""
        return not self._limiter.hit(_ANSWERED, "answered", whose)
