"""Everything the outer layer raises; each message is a sentence for the person who caused it.

ApiError
├── BadParameter      a query or body parameter cannot be used; names the parameter
├── NotFound          there is no such incident, signal or job
├── Conflict          what is asked for contradicts what there is
├── KeyInUse          an idempotency key came with another request, or twice at once
├── TooMany           a client asks too often, or holds too many streams
├── UsageError        a command cannot do what was asked
│   ├── UnsafeHost    listening beyond loopback without keys
│   ├── BadAccess     keys, roles or limits of a file, or a secret, that cannot be used
│   ├── PortInUse     another process listens on the port
│   ├── BadCertificate a certificate, key or CA file cannot be used
│   ├── SelfIngest    our own telemetry would be sent to ourselves, unasked
│   └── BadDataset    a dataset folder has no usable labels or telemetry
├── NotOtlp           a line of a replay file is not an OTLP JSON export request
├── UnreadableFile    a replay file is missing, damaged or cut off
└── SystemUnreachable no Causeline answers at the URL, or it answered with an error
"""

from __future__ import annotations


class ApiError(Exception):
    """Base of all errors of this package."""


class BadParameter(ApiError):
    """A parameter cannot be used as given."""

    def __init__(self, parameter: str, reason: str) -> None:
        super().__init__(f"{parameter}: {reason}")
        self.parameter = parameter
        self.reason = reason


class NotFound(ApiError):
    """The thing named in the path does not exist."""


class Conflict(ApiError):
    """What is asked for contradicts what there is."""


class KeyInUse(ApiError):
    """An Idempotency-Key was used for another request, or the same one is being worked on."""


class TooMany(ApiError):
    """A client has to wait before it asks again."""


class UsageError(ApiError):
    """A command cannot do what was asked."""


class UnsafeHost(UsageError):
    """Listening beyond loopback would expose telemetry to anyone."""


class BadAccess(UsageError):
    """A file of keys, roles or limits, or a secret in it, that cannot be used."""


class PortInUse(UsageError):
    """Another process listens on a port this one needs."""


class BadCertificate(UsageError):
    """A certificate, key or CA file of a port cannot be used."""


class SelfIngest(UsageError):
    """Our own telemetry would be exported to a port of our own, and nobody asked for that."""


class BadDataset(UsageError):
    """A dataset folder cannot be evaluated."""


class NotOtlp(ApiError):
    """A line of a replay file is not an OTLP JSON export request."""


class UnreadableFile(ApiError):
    """A replay file is missing, damaged or cut off."""


class SystemUnreachable(ApiError):
    """No Causeline answers at the URL, or it answered with an error."""
