"""What was stored: which requests, in which batch, and what a killed process left half done.

On a server receivers share the ledger, and a client that one of them keeps waiting may turn to another. So a batch
begins with a claim on its requests, and goes on only with those that no other batch has claimed or stored. Each
writes its claim before it looks: of two that want the same request at the same time at least one sees the other.

A request is remembered in memory while there is room, and in the store's ledger for as long as the
settings say. Whoever sends it again is answered at once, as the first time, and it is not stored again.
"""

from __future__ import annotations

import math
import secrets
import threading
import time
from collections.abc import Mapping, Sequence

from ingest.outcome import STORED, Outcome, outcomes, write_outcomes
from ingest.settings import IngestSettings
from store import Store, batches, remote_write
from store.batches import State
from store.rejections import DeadLetters
from store.settings import Home

_HOUR = 3600.0
# How long a batch begun ahead may wait for its rows: its number tells when they came.
_AHEAD_S = 2.0
# Batches this close together are likely to be followed by another, even while nothing waits: clients that send small
# requests and wait for their answers are all in the batch that is being written.
_CLOSE_S = 0.5
# How long a claim counts: far longer than a batch takes, and no longer, as clients of a receiver that was killed wait
# for it. Whoever has not committed well before it ends does not commit; between the two is room for clocks that differ.
_CLAIM_S = 40
_LAPSES_S = 20.0


class BatchNumbers:
    """Numbers no other batch has, here or in another receiver, growing with time.

    Milliseconds since the epoch in the upper 42 bits, a counter that starts at random in the lower 22.
    """

    def __init__(self) -> None:
        self._last = 0
        self._lock = threading.Lock()

    def next(self) -> int:
        """The next number."""
        with self._lock:
            number = batches.first_at(time.time_ns() // 1_000_000) | secrets.randbits(batches.COUNTER_BITS)
            self._last = max(number, self._last + 1)
            return self._last


class Ledger:
    """The durable record of batches and requests. Safe to use from any thread."""

    def __init__(self, store: Store, settings: IngestSettings) -> None:
        self._store = store
        self._settings = settings
        self._numbers = BatchNumbers()
        self._lock = threading.Lock()
        self._recent: dict[bytes, Outcome] = {}
        # Whether memory holds every request the ledger knows, so that nothing needs looking up. On a server
        # other receivers write to the ledger too.
        self._complete = False
        # Whether other receivers may write to the same ledger.
        self.shared = store.home is not Home.EMBEDDED
        # Begun batches of a shared ledger, and until when they may be committed.
        self._lapses: dict[int, float] = {}
        self._forget_at = 0.0
        # Batches begun with the commit of another, and until when they may be used.
        self._ahead: dict[int, float] = {}
        self._committed_at = -math.inf
        self.dead_letters = DeadLetters(store)

    def recover(self) -> int:
        """Delete what was begun and never finished, load what is remembered; returns the batches deleted.

        To be called before the first request is taken. Raises StoreError.
        """
        unfinished = batches.begun(self._store, self._settings.receiver, _before(self._settings.orphaned_after_s))
        self.discard(unfinished)
        self.forget()
        limit, since = self._settings.remember_in_memory, _before(self._settings.remember_s)
        newest = batches.recent(self._store, since, limit + 1)
        self._complete = len(newest) <= limit and not self.shared
        self._recent = dict.fromkeys(reversed(newest[:limit]), STORED)
        became = outcomes(self.dead_letters.recent(since, limit))
        became |= write_outcomes(remote_write.recent(self._store, since, limit))
        self._recent.update({key: outcome for key, outcome in became.items() if key in self._recent})
        return len(unfinished)

    def begin(self, keys: Sequence[bytes] = ()) -> int:
        """The number of a new batch, written down before anything of it is stored. Raises StoreError.

        `keys` are the requests it is to hold, which it claims where others write, too.
        """
        if self.shared:
            return self._claim(keys)
        now = time.monotonic()
        with self._lock:
            states = {number: State.DISCARDED for number, until in self._ahead.items() if until <= now}
            self._ahead = {number: until for number, until in self._ahead.items() if until > now}
            number = self._ahead.popitem()[0] if self._ahead else None
        if number is None:
            number = self._numbers.next()
            states[number] = State.BEGUN
        if states:
            self._record(states)
        return number

    def _claim(self, keys: Sequence[bytes]) -> int:
        number = self._numbers.next()
        # From before the claim was written, so that it lapses for us before it does for others.
        lapses = time.monotonic() + _LAPSES_S
        batches.record(self._store, {number: State.BEGUN}, self._settings.receiver, keys)
        with self._lock:
            self._lapses[number] = lapses
        return number

    def taken(self, batch: int, keys: Sequence[bytes], *, counted: bool) -> tuple[dict[bytes, Outcome], set[bytes]]:
        """Requests of a batch just begun that others have: what became of those stored, and those being written.

        `counted` as their landing says. Raises StoreError.
        """
        since, claimed = _before(self._settings.remember_s), _before(_CLAIM_S)
        stored, busy = batches.rivals(self._store, batch, keys, since, claimed)
        return self._became(stored, counted=counted), busy

    def withdraw(self, batch: int) -> None:
        """End the claim of a batch of which nothing was stored. Raises StoreError."""
        self._record({batch: State.DISCARDED})
        with self._lock:
            self._lapses.pop(batch, None)

    def lapsed(self, batch: int) -> bool:
        """Whether a batch was begun so long ago that others no longer respect its claim."""
        with self._lock:
            return time.monotonic() > self._lapses.get(batch, math.inf)

    def commit(
        self,
        batch: int,
        keys: Sequence[bytes],
        became: Mapping[bytes, Outcome] | None = None,
        *,
        more: bool = False,
    ) -> None:
        """Write down that `batch` is stored and holds the requests `keys`; `became` has what is known of some.

        With `more` to come, or batches close together, the next batch is begun by the same write, unless it has to
        claim. Raises StoreError.
        """
        states, now = {batch: State.COMMITTED}, time.monotonic()
        with self._lock:
            more = (more or now - self._committed_at < _CLOSE_S) and not (self.shared or self._ahead)
        following = self._numbers.next() if more else None
        if following is not None:
            states[following] = State.BEGUN
        self._record(states, keys)
        with self._lock:
            self._lapses.pop(batch, None)
            self._committed_at = time.monotonic()
            if following is not None:
                self._ahead[following] = self._committed_at + _AHEAD_S
            self._recent.update(dict.fromkeys(keys, STORED))
            self._recent.update(became or {})
            while len(self._recent) > self._settings.remember_in_memory:
                self._recent.pop(next(iter(self._recent)))
                self._complete = False

    def discard(self, numbers: Sequence[int], *, running: bool = True) -> None:
        """Delete the rows of batches that will not be committed. Raises StoreError."""
        if numbers:
            batches.discard(self._store, numbers, running=running)
            self._record(dict.fromkeys(numbers, State.DISCARDED))
            with self._lock:
                for number in numbers:
                    self._lapses.pop(number, None)

    def close(self) -> None:
        """Say of batches begun ahead that there will be none. Raises StoreError."""
        with self._lock:
            ahead, self._ahead = self._ahead, {}
        if ahead:
            self._record(dict.fromkeys(ahead, State.DISCARDED))

    def _record(self, states: Mapping[int, State], keys: Sequence[bytes] = ()) -> None:
        batches.record(self._store, states, self._settings.receiver, keys)

    def outcome(self, key: bytes) -> Outcome | None:
        """What became of the request when it was stored; None when memory does not know it as stored."""
        return self._recent.get(key)

    def stored(self, keys: Sequence[bytes], *, counted: bool = False) -> dict[bytes, Outcome]:
        """What became of those of `keys` that memory has forgotten and the ledger has not; `counted` as their landing
        says. Raises StoreError.
        """
        if self._complete or self.shared:
            # Where others write, too, one look after the claim tells all (`taken`).
            return {}
        return self._became(batches.known(self._store, keys, _before(self._settings.remember_s)), counted=counted)

    def _became(self, stored: set[bytes], *, counted: bool) -> dict[bytes, Outcome]:
        if not stored:
            return {}
        found = list(stored)
        became = self.written(found) if counted else outcomes(self.dead_letters.of_requests(found))
        return dict.fromkeys(stored, STORED) | became

    def written(self, keys: Sequence[bytes]) -> dict[bytes, Outcome]:
        """What was counted of those of `keys` that are remote-write requests and inserted. Raises StoreError."""
        return write_outcomes(remote_write.written(self._store, keys))

    def forget(self) -> None:
        """Drop what is older than the settings say, at most once an hour. Raises StoreError."""
        if time.monotonic() >= self._forget_at:
            self._forget_at = time.monotonic() + _HOUR
            batches.forget(self._store, _before(self._settings.remember_s))


def _before(seconds: int) -> int:
    """The time so many seconds ago, in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000 - seconds * 1000
