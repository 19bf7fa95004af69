"""What became of a request that was stored: how many of its items were refused, and why."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """The content of OTLP's partial_success; nothing refused and nothing to say is full success.

    A message without refused items is a warning (https://opentelemetry.io/docs/specs/otlp/#partial-success-1).
    """

    rejected: int = 0
    message: str = ""

    @property
    def full(self) -> bool:
        """Whether partial_success stays unset."""
        return not self.rejected and not self.message


STORED = Outcome()
