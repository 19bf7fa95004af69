"""Retention in a running system: which policy is in force, and what is removed under it when.

Several processes may have one each: they read the same file, and the store remembers which policy came when.
"""

from __future__ import annotations

import json
import logging
import threading
import time

from store.client import Store
from store.errors import BadRetention
from store.retention.apply import apply
from store.retention.plan import Plan, earliest, plan
from store.retention.policy import Group, RetentionPolicy, read
from store.retention.settings import RetentionSettings
from store.retention.tiers import check_tiers

_log = logging.getLogger(__name__)


class Retention:
    """The policy of a file, read again when it changed. Safe to use from any thread.

    A file that became wrong changes nothing: the last good policy stays, and `complaint` says why.
    """

    def __init__(self, settings: RetentionSettings) -> None:
        """Raises BadRetention when the file cannot be used."""
        self._settings = settings
        self._lock = threading.Lock()
        self._running = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._policy = RetentionPolicy()
        self.complaint = ""
        if settings.policy is not None:
            self._policy = read(settings.policy)

    @property
    def policy(self) -> RetentionPolicy:
        """The policy now."""
        path = self._settings.policy
        if path is None:
            return self._policy
        with self._lock:
            try:
                about = path.stat()
                stamp = about.st_mtime_ns, about.st_size
                if stamp != self._stamp:
                    self._stamp = stamp
                    self._policy = read(path)
                    self.complaint = ""
            except (BadRetention, OSError) as error:
                if str(error) != self.complaint:
                    _log.warning("the retention policy stays as it was: %s", error)
                self.complaint = str(error)
            return self._policy

    def check(self, store: Store) -> None:
        """Raises BadRetention when the store cannot do what the policy says."""
        check_tiers(store, self.policy)

    def earliest(self, tenant: str, group: Group, now_ns: int) -> int:
        """The first moment, in nanoseconds, of which telemetry is still kept; 0 when everything is."""
        return earliest(self.policy, tenant, group, now_ns)

    def plan(self, store: Store, ahead_days: int) -> Plan:
        """What is due by then. Raises StoreError."""
        return plan(store, self.policy, time.time_ns(), ahead_days)

    def remove_due(self, store: Store, *, at_once: bool = False) -> Plan | None:
        """Remove what is due; None when the policy is too new, or this process is at it already.

        `at_once` does not wait for a new policy's time of grace. Raises StoreError.
        """
        policy = self.policy
        if not self._running.acquire(blocking=False):
            return None
        try:
            if self._too_new(store, policy) and not at_once:
                return None
            return apply(store, policy, time.time_ns())
        finally:
            self._running.release()

    def _too_new(self, store: Store, policy: RetentionPolicy) -> bool:
        """Whether a policy is in its time of grace; one that the store has not seen begins it now."""
        now_ms = time.time_ns() // 1_000_000
        last = store.rows("retention_policy_now")
        if not last and not policy.name:
            return False
        if not last or last[0]["name"] != policy.name:
            row = {"Name": policy.name, "Text": policy.model_dump_json(), "At": f"{now_ms // 1000}.{now_ms % 1000:03d}"}
            store.insert_bytes("retention_policies", json.dumps(row).encode(), "JSONEachRow", {"async_insert": 0})
            return self._settings.grace_s > 0
        return now_ms - int(last[0]["at"]) < self._settings.grace_s * 1000
