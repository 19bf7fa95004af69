"""A real cluster of two shards: two genuine ClickHouse servers that know each other, without Keeper.

The library that the servers come from (tests/kit/clickhouse_server.py) speaks to ZooKeeper, but gives replicas no
address to fetch parts from, and runs no DDL queue. So shards here have one replica, and each node is given its DDL.
"""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from store import StoreSettings
from tests.kit.clickhouse_server import ClickHouseServer

NAME = "two"
_SHARD = """<shard><internal_replication>true</internal_replication>
<replica><host>127.0.0.1</host><port>{port}</port></replica></shard>"""
_CONFIG = """<clickhouse>
<remote_servers><two>{shards}</two></remote_servers>
</clickhouse>"""


class ClickHouseCluster:
    """Nodes that keep their data below `directory`; a context manager."""

    def __init__(self, directory: Path, shards: int = 2) -> None:
        self._stack = ExitStack()
        self.nodes: list[ClickHouseServer] = []
        for number in range(1, shards + 1):
            home = directory / f"node{number}"
            home.mkdir()
            self.nodes.append(ClickHouseServer(home, config=home / "config.xml", supervised=True))
        listed = "".join(_SHARD.format(port=node.tcp_port) for node in self.nodes)
        for number in range(1, shards + 1):
            (directory / f"node{number}/config.xml").write_text(_CONFIG.format(shards=listed))

    def settings(self, database: str, node: int = 0) -> StoreSettings:
        """Settings of a store that speaks to one of the nodes."""
        urls = tuple(node.url for node in self.nodes)
        return StoreSettings(url=urls[node], database=database, cluster=NAME, nodes=urls, replicated=False)

    def __enter__(self) -> ClickHouseCluster:
        for node in self.nodes:
            self._stack.enter_context(node)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()
