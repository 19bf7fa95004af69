"""Everything the correlator raises.

CorrelateError
├── RuleError       a rule raised, or returned something that is not signals
├── CatalogError    a catalogue file is missing, unreadable or contradicts itself
└── JobError        a correlation job cannot be started or does not exist
"""

from __future__ import annotations


class CorrelateError(Exception):
    """Base of all correlator errors."""


class RuleError(CorrelateError):
    """A rule failed on a window; other rules are not affected."""

    def __init__(self, rule: str, reason: str) -> None:
        super().__init__(f"rule {rule} failed: {reason}")
        self.rule = rule
        self.reason = reason


class CatalogError(CorrelateError):
    """A catalogue file cannot be used."""


class JobError(CorrelateError):
    """A correlation job cannot be started or found."""
