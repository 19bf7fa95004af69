"""A connection to the engine, with the settings that every one of ours has."""

from __future__ import annotations

import math
from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.httpclient import HttpClient

from store.settings import Home, StoreSettings

# Plain strings in Arrow output: polars joins on dictionaries of different tables are slow and warn. Set for the whole
# connection: around a query that is given settings, the embedded engine's driver looks them up, sets and resets them,
# and that takes longer than a small query.
_ARROW = {"output_format_arrow_low_cardinality_as_dictionary": 0, "output_format_arrow_string_as_string": 1}
_CONNECT_S = 2
_SLACK_S = 5
# Callers write batches already; a server that gathers them again only adds its waiting time.
_SERVER = {"async_insert": 0}
# An insert has arrived when every shard has it; a subquery that several shards need is asked once and sent along; a
# query that names what it is sharded by asks one shard; what is inserted from a query is computed over all first.
_CLUSTER = {
    "distributed_foreground_insert": 1,
    "distributed_product_mode": "global",
    "prefer_global_in_and_join": 1,
    "optimize_skip_unused_shards": 1,
    "parallel_distributed_insert_select": 0,
}
# All read the replica that all write to, so that what was written is seen; another takes over when it dies.
_REPLICAS = {"load_balancing": "first_or_random", "prefer_localhost_replica": 0, "insert_quorum_timeout": 10_000}


def connect(given: StoreSettings, url: str, *, reading: bool = False, apart: bool = False) -> Client:
    """A connection to `url`, or the embedded engine; as the user who reads, or the one who does everything.

    Those to servers share what is open, unless this one is to be `apart`. Raises the driver's errors.
    """
    settings: dict[str, Any] = {"max_execution_time": given.query_timeout_s, **_ARROW}
    if given.home is Home.EMBEDDED:
        return clickhouse_connect.get_client(interface="chdb", path=str(given.path / "db"), settings=settings)
    settings |= _SERVER
    if given.home is Home.CLUSTER:
        settings |= _CLUSTER
        if given.replicated:
            settings |= _REPLICAS | {"insert_quorum": given.insert_quorum}
    password = given.query_password if reading else given.password
    own: dict[str, Any] = {"password": password} if password else {}
    return clickhouse_connect.get_client(
        dsn=url.replace("clickhouse://", "http://", 1),
        autogenerate_session_id=False,
        connect_timeout=_CONNECT_S,
        # A little longer than the engine gives itself; without it a connection that was cut is waited for.
        send_receive_timeout=math.ceil(given.query_timeout_s) + _SLACK_S,
        settings=settings,
        dedicated_pool=apart,
        **own,
    )


def connect_to_ping(given: StoreSettings, url: str) -> Client:
    """A connection to a server for pings, each sent once: the driver's way is to ask again, which takes twice as long.

    Raises the driver's errors.
    """
    client = connect(given, url, apart=True)
    assert isinstance(client, HttpClient)
    client.http.connection_pool_kw["retries"] = 0
    return client
