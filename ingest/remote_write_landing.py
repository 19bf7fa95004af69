"""Where Prometheus remote-write requests are inserted, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from ingest.envelope import insert_settings
from ingest.outcome import Outcome
from store import Store, remote_write
from store.proto import remote_write_schema
from store.remote_write import Written


@dataclass(frozen=True, slots=True)
class WriteOutcome(Outcome):
    """An outcome with the counts that remote write 2.0 answers with."""

    written: Written = field(default_factory=Written)


class Version(StrEnum):
    """The versions of remote write, named as the message of each in a content type; a Target of the pipeline."""

    V1 = "prometheus.WriteRequest"
    V2 = "io.prometheus.write.v2.Request"

    @property
    def table(self) -> str:
        """Name of the landing table."""
        return "landing_remote_write" if self is Version.V1 else "landing_remote_write2"

    @property
    def check(self) -> str:
        """Name of the table that parses the same bytes and keeps nothing."""
        return self.table.replace("landing_", "check_", 1)

    @property
    def keyed(self) -> bool:
        """Envelopes carry the request's key, by which its samples are counted."""
        return True

    def settings(self) -> dict[str, Any]:
        """Engine settings of an insert into either table."""
        message = "RemoteWriteEnvelope" if self is Version.V1 else "RemoteWrite2Envelope"
        return insert_settings(remote_write_schema(), message)

    def outcomes(self, store: Store, keys: Sequence[bytes]) -> dict[bytes, Outcome]:
        """What became of stored requests. Raises StoreError."""
        return {
            key: WriteOutcome(found.rejected, found.reason, found)
            for key, found in remote_write.written(store, keys).items()
        }
