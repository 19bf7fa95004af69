"""Where Prometheus remote-write requests are inserted."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, NamedTuple

from ingest.envelope import Signal, insert_settings
from store.proto import remote_write_schema


class Version(StrEnum):
    """The versions of remote write, named as the message of each in a content type."""

    V1 = "prometheus.WriteRequest"
    V2 = "io.prometheus.write.v2.Request"


class RemoteWriteLanding(NamedTuple):
    """A table per version, and another for requests in which redaction may find something; a Target."""

    version: Version
    suspect: bool = False

    @property
    def signal(self) -> Signal:
        """Samples are metrics."""
        return Signal.METRICS

    @property
    def table(self) -> str:
        """Name of the landing table."""
        return f"landing_{self._name}_suspect" if self.suspect else f"landing_{self._name}"

    @property
    def check(self) -> str:
        """Name of the table that parses the same bytes and keeps nothing."""
        return f"check_{self._name}"

    @property
    def _name(self) -> str:
        return "remote_write" if self.version is Version.V1 else "remote_write2"

    @property
    def nested(self) -> bool:
        """What is refused is counted, with its reason, and is no dead letter."""
        return False

    @property
    def counted(self) -> bool:
        """The answer says how much was stored."""
        return True

    def careful(self) -> RemoteWriteLanding:
        """Itself: nothing that must be refused fails an insert."""
        return self

    def settings(self) -> dict[str, Any]:
        """Engine settings of an insert into either table."""
        message = "RemoteWriteEnvelope" if self.version is Version.V1 else "RemoteWrite2Envelope"
        return insert_settings(remote_write_schema(), message)
