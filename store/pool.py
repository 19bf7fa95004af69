"""Engine handles, lent to one caller at a time."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError

from store.errors import StoreError, StoreUnavailable, from_engine


class Pool:
    """Handles that `connect` makes, at most `most` at once. Safe to use from many threads.

    A handle that saw no answer is thrown away, because chDB may answer the next query with the failed one's rest.
    """

    def __init__(
        self, connect: Callable[[], Client], most: int, refuse: Callable[[str], None] = lambda what: None
    ) -> None:
        self._connect = connect
        # Raises while there is no use in trying.
        self._refuse = refuse
        self._idle: queue.LifoQueue[Client] = queue.LifoQueue()
        self._slots = threading.BoundedSemaphore(most)
        self._closed = False

    @contextmanager
    def handle(self, what: str, *, once: bool = False) -> Iterator[Client]:
        """A handle of one's own for a while; after any error not used again when it is good for `once`.

        What the engine says no with is raised as a StoreError.
        """
        if self._closed:
            raise StoreUnavailable(f"{what}: the store is closed")
        self._refuse(what)
        with self._slots:
            client: Client | None = None
            try:
                try:
                    client = self._idle.get_nowait()
                except queue.Empty:
                    client = self._connect()
                yield client
            except ClickHouseError as error:
                # An engine that answered, if only with an error, can be asked again on the same connection.
                self._give_back(client, broken=once or getattr(error, "code", None) is None)
                raise translate(error, what) from error
            except OSError as error:
                self._give_back(client, broken=True)
                raise StoreUnavailable(f"{what}: {error.strerror or type(error).__name__}") from error
            else:
                self._give_back(client, broken=False)

    def _give_back(self, client: Client | None, *, broken: bool) -> None:
        if client is None:
            return
        if broken or self._closed:
            client.close()
        else:
            self._idle.put(client)

    def close(self) -> None:
        """Close every idle handle; those that are lent are closed when they come back. Safe to call twice."""
        self._closed = True
        while True:
            try:
                self._idle.get_nowait().close()
            except queue.Empty:
                return


def translate(error: ClickHouseError, what: str) -> StoreError:
    """The store's own error for one of the driver's; `what` says what was being done."""
    code = getattr(error, "code", None)
    if code is None and isinstance(error, OperationalError):
        return StoreUnavailable(f"{what}: no answer from the engine")
    return from_engine(int(code) if code is not None else None, what, str(error))
