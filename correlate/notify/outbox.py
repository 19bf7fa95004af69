"""Telling targets what became of incidents, in a thread of its own that a pass only wakes.

What was told is in the table `notifications`: a state is told once to each target, whoever ran before, and what did
not arrive is tried again later. A target that is down costs nobody else anything.
"""

from __future__ import annotations

import logging
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import polars as pl

from correlate.errors import NotDelivered, NotifyError, TurnTaken
from correlate.notify.config import Kind, Target, Targets
from correlate.notify.messages import message
from correlate.notify.transport import post
from correlate.turns import turn
from store import Store
from store.errors import StoreError

log = logging.getLogger(__name__)

_NS, _MS = 10**9, 1_000_000
_LOOK_S = 30.0
# What was over before this when the file came into force is no news.
_NEWS_S = 3600
# Well before an alert ends by itself (messages.HOLDS_S).
_REFRESH_S = 3600
_AT_ONCE = 8
_LONGEST_ERROR = 200


class Outbox:
    """Sends from `start` to `stop`; `wake` says that there may be news, and returns at once."""

    def __init__(self, store: Store, tenant: str, targets: Targets, wait_s: float = 1.0) -> None:
        self._store = store
        self._tenant = tenant
        self._targets = targets
        self._wait_s = wait_s
        self._news = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="notify", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There may be news."""
        self._news.set()

    def stop(self, timeout_s: float = 3.0) -> None:
        """End after what is being sent; what is not told then is told after the next start."""
        self._stopping.set()
        self._news.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _work(self) -> None:
        while not self._stopping.is_set():
            self._news.wait(_LOOK_S)
            self._news.clear()
            if not self._stopping.is_set():
                self.send()

    def send(self) -> int:
        """Tell every target what is due; returns how much arrived."""
        targets = self._targets.targets
        if not targets:
            return 0
        try:
            # Another worker that tells the same at the same time would tell it twice.
            with (
                turn(self._store, self._tenant, "notify", wait_s=0),
                ThreadPoolExecutor(min(len(targets), _AT_ONCE), thread_name_prefix="notify") as pool,
            ):
                return sum(pool.map(self._tell, targets))
        except TurnTaken:
            return 0
        except StoreError as error:
            log.warning("targets are told later: %s", error)
            return 0

    def _tell(self, target: Target) -> int:
        now = time.time_ns()
        params = {
            "tenant": self._tenant, "target": target.name, "severities": target.severities, "states": target.states,
            "since": now - _NEWS_S * _NS, "now": now // _MS,
            "refresh": (now - _REFRESH_S * _NS) // _MS if target.type is Kind.ALERTMANAGER else 0,
        }  # fmt: skip
        arrived = 0
        try:
            for row in self._store.rows("notifications_due", params):
                if self._stopping.is_set():
                    break
                error = self._post(target, row)
                arrived += not error
                self._keep(target, row["id"], row["state"], 0 if not error else int(row["attempts"] or 0) + 1, error)
                if error:
                    log.warning("%s was not told of %s: %s", target.name, row["id"], error)
                    break
        except StoreError as error:
            log.warning("%s is told later: %s", target.name, error)
        return arrived

    def _post(self, target: Target, row: dict[str, object]) -> str:
        """What went wrong; '' when it arrived. Neither URL nor secret is in it."""
        try:
            body, headers = message(target, row, self._targets.link, time.time_ns())
            post(target.address(), body, headers, allow_private=target.allow_private, wait_s=self._wait_s)
        except (NotDelivered, NotifyError) as error:
            return str(error)[:_LONGEST_ERROR] or type(error).__name__
        return ""

    def _keep(self, target: Target, incident: str, state: str, attempts: int, error: str) -> None:
        now = time.time_ns()
        row = pl.DataFrame(
            {
                "Tenant": [self._tenant],
                "Target": [target.name],
                "IncidentId": [incident],
                "State": [state],
                "Error": [error],
            }
        )
        self._store.insert_frame(
            "notifications",
            row.with_columns(
                Delivered=pl.lit(not error),
                Attempts=pl.lit(attempts, pl.UInt32),
                At=pl.lit(now // _MS).cast(pl.Datetime("ms", "UTC")),
                Version=pl.lit(now, pl.UInt64),
            ),
        )
