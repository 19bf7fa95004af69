"""The keys that count at this moment, in memory, and never older than a few seconds.

A thread reads all of them again and again: a request never waits for the store, and a key that was revoked, by
whatever process, opens nothing a few seconds later. While the store does not answer, the keys that were known last
stay: telemetry is answered 503 then, which exporters try again, and not 401, upon which they throw it away.
"""

from __future__ import annotations

import hmac
import logging
import threading
import time
from pathlib import Path

from api.access import keys_file, secret
from api.access.scopes import Principal, granted
from api.errors import BadAccess
from ingest.errors import Unauthenticated
from store import Store, keys
from store.errors import StoreError
from store.keys import StoredKey

_log = logging.getLogger(__name__)
EVERY_S = 3.0


class KeyRing:
    """All keys, of the store and of a file. `start` it and `stop` it; safe to use from any thread."""

    def __init__(self, store: Store, file: Path | None = None, every_s: float = EVERY_S) -> None:
        self._store = store
        self._file = file
        self._every_s = every_s
        self._by_hash: dict[str, tuple[StoredKey, Principal]] = {}
        self._by_id: dict[str, Principal] = {}
        self._all: tuple[StoredKey, ...] = ()
        self._loading = threading.Lock()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._keep_up, name="access-keys", daemon=True)

    def start(self) -> None:
        """Read the keys, and go on reading them. Raises StoreError, or BadAccess for the file."""
        self.refresh()
        self._thread.start()

    def stop(self) -> None:
        """End the thread. Safe to call twice."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()

    def refresh(self) -> None:
        """Read the keys now: for the process in which one was made or revoked. Raises StoreError or BadAccess."""
        with self._loading:
            filed = keys_file.read(self._file) if self._file is not None else []
            known = (*keys.all_keys(self._store), *filed)
            self._by_hash = {key.hash: (key, _principal(key)) for key in known if key.revoked is None}
            self._by_id = {key.id: principal for key, principal in self._by_hash.values()}
            self._all = known

    @property
    def all(self) -> tuple[StoredKey, ...]:
        """Every key, revoked ones too, oldest first."""
        return self._all

    def holder(self, presented: str) -> Principal:
        """Whose key this is. Raises Unauthenticated."""
        digest = secret.hashed(presented)
        found = self._by_hash.get(digest)
        # The look-up goes by a hash that nobody can steer, and what decides takes the same time for every key.
        if found is None or not hmac.compare_digest(found[0].hash, digest):
            raise Unauthenticated("the access key is not known, or was revoked")
        return self._unexpired(found[1])

    def holds(self, identifier: str) -> bool:
        """Whether the key of that id was not revoked."""
        return identifier in self._by_id

    def _unexpired(self, principal: Principal) -> Principal:
        if principal.expires is not None and principal.expires <= time.time():
            raise Unauthenticated("the access key has expired")
        return principal

    def _keep_up(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.refresh()
            except StoreError as error:
                _log.debug("the keys that were known last stay: %s", error)
            except BadAccess as error:
                _log.warning("the keys that were known last stay: %s", error)


def _principal(key: StoredKey) -> Principal:
    expires = None if key.expires is None else key.expires / 1000
    return Principal(key.name, key.tenant, granted(key.scopes), key.id, expires)
