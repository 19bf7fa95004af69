"""What is decided about a request from its bytes: whether it is let in, where it goes, and which limits go with it.

Limits on items travel in the envelope, beside the request: the views that apply them read them as columns, so
limits can differ by tenant and change without touching a view (docs/adr/0013-admission.md).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from ingest import redaction_policy
from ingest.bounds import check_resources
from ingest.depth import is_too_deep
from ingest.envelope import Landing, Signal, Target, request_key, varint
from ingest.errors import MalformedBody
from ingest.nesting import is_nested
from ingest.redaction_key import RedactionKey
from ingest.remote_write_landing import RemoteWriteLanding, Version
from ingest.secret_scan import SecretScan
from ingest.settings import IngestSettings
from store import Store, redaction
from store.retention.policy import Group

_SECOND = 1_000_000_000
# Tags of the envelope's fields: number << 3 | wire type (store/proto/otlp.proto).
_KEY, _EARLIEST, _LATEST = 5 << 3 | 2, 6 << 3 | 1, 7 << 3 | 1
_ATTRIBUTES, _VALUE_SIZE, _BODY_SIZE, _SUSPECT = 8 << 3, 9 << 3, 10 << 3, 11 << 3
_HASH_INNER, _HASH_OUTER = 12 << 3 | 2, 13 << 3 | 2


# The first moment, in nanoseconds, of which a tenant's telemetry of a group is kept at a time; 0 when everything is.
Kept = Callable[[str, Group, int], int]
_GROUPS = {Signal.TRACES: Group.TRACES, Signal.LOGS: Group.LOGS, Signal.METRICS: Group.METRICS}


def everything(_tenant: str, _group: Group, _now_ns: int) -> int:
    """Nothing is too old."""
    return 0


class Admitted(NamedTuple):
    """A request that may be stored."""

    key: bytes
    landing: Target
    # Fields of the envelope that say which limits hold for it, and whether to redact it.
    fields: bytes
    suspect: bool


class Admission:
    """Looks at requests. Safe to use from any thread."""

    def __init__(self, settings: IngestSettings, kept: Kept = everything) -> None:
        self._settings = settings
        self._kept = kept
        self._policy = redaction_policy.load(settings.redaction_policy)
        self._scan = SecretScan(self._policy)
        self._symbol_scan = SecretScan(self._policy, symbols=True)
        self._caps = b"".join(
            bytes((tag,)) + varint(number)
            for tag, number in (
                (_ATTRIBUTES, settings.max_attributes),
                (_VALUE_SIZE, settings.max_value_bytes),
                (_BODY_SIZE, settings.max_log_body_bytes),
            )
        )
        self._secrets = bytes((_SUSPECT, 1))
        if settings.redaction_key_file is not None:
            key = RedactionKey.read(settings.redaction_key_file)
            for tag, pad in ((_HASH_INNER, key.inner), (_HASH_OUTER, key.outer)):
                self._secrets += bytes((tag,)) + varint(len(pad)) + pad

    def publish(self, store: Store) -> None:
        """Hand the redaction policy to the store's views. Raises StoreError."""
        redaction.publish(store, self._policy.compiled())

    def admit(self, tenant: str, kind: Signal | Version, body: bytes, received_ns: int) -> Admitted:
        """The request as it may be stored. Raises BodyTooLarge or MalformedBody for its shape."""
        if isinstance(kind, Version):
            return self._remote_write(tenant, kind, body, received_ns)
        check_resources(body, self._settings.max_resources)
        nested = is_nested(kind, body)
        most = self._settings.max_value_depth
        if nested and is_too_deep(body, most):
            raise MalformedBody(f"values are nested more than {most} arrays and maps deep")
        suspect = self._scan.suspects(body)
        key = request_key(tenant, kind, body)
        earliest = self._earliest(tenant, _GROUPS[kind], received_ns)
        # The landing table for nested values is the one behind which rows can be redacted.
        return Admitted(
            key, Landing(kind, nested or suspect), self._fields(key, earliest, received_ns, suspect), suspect
        )

    def _remote_write(self, tenant: str, version: Version, body: bytes, received_ns: int) -> Admitted:
        # Values do not nest, and empty series are bounded by the memory that a batch may take. A label of 1.0 has the
        # field numbers of an attribute.
        scan = self._scan if version is Version.V1 else self._symbol_scan
        suspect = scan.suspects(body)
        key = request_key(tenant, version, body)
        landing = RemoteWriteLanding(version, suspect)
        earliest = self._earliest(tenant, Group.METRICS, received_ns)
        return Admitted(key, landing, self._fields(key, earliest, received_ns, suspect), suspect)

    def _earliest(self, tenant: str, group: Group, received_ns: int) -> int:
        """What retention would remove at its next run is not let in."""
        age = self._settings.max_age_s
        young = max(0, received_ns - age * _SECOND) if age else 0
        return max(young, self._kept(tenant, group, received_ns))

    def _fields(self, key: bytes, earliest: int, received_ns: int, suspect: bool) -> bytes:
        latest = received_ns + self._settings.max_future_s * _SECOND
        times = bytes((_EARLIEST,)) + earliest.to_bytes(8, "little") + bytes((_LATEST,)) + latest.to_bytes(8, "little")
        return b"".join((bytes((_KEY, len(key))), key, times, self._caps, self._secrets if suspect else b""))
