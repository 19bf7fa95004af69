"""Everything the correlator raises.

CorrelateError
├── RuleError       a rule raised, or returned something that is not signals
├── CatalogError    a catalogue file is missing, unreadable or contradicts itself
├── PolicyError     a policy file cannot be used; names file, line and key
├── JobError        a correlation job cannot be started or does not exist
├── TurnTaken       another worker does what only one may do at a time
├── NoSuchIncident  there is no incident of that id to decide about
├── NotifyError     the file of notification targets, or a secret it names, cannot be used
├── NotDelivered    a target did not take what it was told
│   └── NotDeliveredYet it may take it when it is told again
└── Undecidable     an incident's state, or what it holds, does not allow what was asked
"""

from __future__ import annotations

from collections.abc import Sequence


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


class PolicyError(CorrelateError):
    """Policy files cannot be used; `complaints` has a sentence for each mistake, with file, line and key."""

    def __init__(self, complaints: Sequence[str]) -> None:
        super().__init__("\n".join(complaints))
        self.complaints = list(complaints)


class JobError(CorrelateError):
    """A correlation job cannot be started or found."""


class TurnTaken(CorrelateError):
    """Another worker does this at the moment, and only one may; the same may be asked again."""


class NoSuchIncident(CorrelateError):
    """There is no incident of that id."""


class Undecidable(CorrelateError):
    """What was asked for cannot be done to the incident as it is."""


class NotifyError(CorrelateError):
    """The notification file cannot be used; secrets and URLs are not told."""


class NotDelivered(CorrelateError):
    """A target was not reached, or refused."""


class NotDeliveredYet(NotDelivered):
    """A target may be reached, or take it, the next time."""
