"""A check-up of the engine and its tables: what could lose data or stop the system, and what to change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from store import condition, migrate, releases
from store.client import Store
from store.errors import StoreError
from store.finding import Finding, Grade
from store.settings import Home

# Batches are numbered by the receivers' clocks and leases end by them; OTLP clients are given no more than that either.
_SKEW_WARNING_S, _SKEW_PROBLEM_S = 1.0, 5.0
_ROOM_WARNING, _ROOM_PROBLEM = 0.15, 0.05
_CROWDED_WARNING, _CROWDED_PROBLEM = 0.5, 0.8
_LAG_S = 60


def findings(store: Store) -> list[Finding]:
    """Everything looked at, in the order in which it is worth repairing. A check that fails is a finding, too."""
    checks: list[Callable[[Store], Iterator[Finding]]] = [_engine, _tables, _disk, _parts, _settings, _users]
    if store.layout:
        checks.insert(1, _cluster)
    found: list[Finding] = []
    for check in checks:
        try:
            found += check(store)
        except StoreError as error:
            name = check.__name__.strip("_")
            found.append(Finding(name, Grade.PROBLEM, f"cannot be looked at: {error}", "see that the engine answers"))
    return found


def _graded(value: float, warning: float, problem: float) -> Grade:
    return Grade.PROBLEM if value >= problem else Grade.WARNING if value >= warning else Grade.OK


def _engine(store: Store) -> Iterator[Finding]:
    before = time.time()
    row = store.rows("checkup_engine")[0]
    asked = (before + time.time()) / 2
    yield releases.judge(row["Version"], embedded=store.home is Home.EMBEDDED)
    # Half of what the question took is not skew.
    skew = max(0.0, abs(row["Now"] - asked) - (time.time() - before) / 2)
    grade = _graded(skew, _SKEW_WARNING_S, _SKEW_PROBLEM_S)
    advice = "" if grade is Grade.OK else "have both machines keep time by NTP (chrony, systemd-timesyncd)"
    yield Finding("clock", grade, f"the engine's clock is {skew:.1f} s from this machine's", advice)


def _tables(store: Store) -> Iterator[Finding]:
    waiting = migrate.pending(store)
    if waiting:
        said = f"{len(waiting)} migrations are missing, {waiting[0].name} first"
        yield Finding("tables", Grade.PROBLEM, said, "run `causeline migrate`")
        return
    yield Finding("tables", Grade.OK, "all migrations are applied")
    names = [row["TableName"] for row in store.rows("checkup_undurable")]
    if names:
        yield Finding(
            "durability",
            Grade.WARNING,
            f"{', '.join(names)} may lose what was just written in a power cut",
            "ALTER TABLE ... MODIFY SETTING fsync_after_insert = 1, fsync_part_directory = 1",
        )


def _disk(store: Store) -> Iterator[Finding]:
    room = condition.room(store)
    free = room.free / room.total
    grade = Grade.PROBLEM if free < _ROOM_PROBLEM else Grade.WARNING if free < _ROOM_WARNING else Grade.OK
    advice = "" if grade is Grade.OK else "make room, shorten retention, or add a disk: below 5 % nothing is taken in"
    yield Finding("disk", grade, f"{free:.0%} of the fullest disk is free ({room.free / 2**30:.1f} GiB)", advice)


def _parts(store: Store) -> Iterator[Finding]:
    share = condition.crowding(store)
    grade = _graded(share, _CROWDED_WARNING, _CROWDED_PROBLEM)
    advice = "" if grade is Grade.OK else "insert larger batches, or give merges more threads (background_pool_size)"
    yield Finding("parts", grade, f"the fullest partition has {share:.0%} of the parts that stop inserts", advice)
    for table, parts in condition.detached(store).items():
        yield Finding(
            "parts",
            Grade.PROBLEM,
            f"{table} has {parts} broken parts, whose rows are missing",
            "restore them from a backup or a replica, then ALTER TABLE ... DROP DETACHED PART",
        )


def _settings(store: Store) -> Iterator[Finding]:
    if store.home is Home.EMBEDDED:
        return
    wrong = store.rows("checkup_settings")
    for row in wrong:
        yield Finding("settings", Grade.WARNING, f"{row['Name']} is {row['Value']}", row["Advice"])
    if not wrong:
        yield Finding("settings", Grade.OK, "the server's settings suit")


def _users(store: Store) -> Iterator[Finding]:
    if store.home is Home.EMBEDDED:
        return
    user = store.rows("checkup_engine")[0]["Username"]
    if user == "default":
        advice = "create users with `causeline migrate --users` and name causeline_ingest in CAUSELINE_STORE__URL"
        yield Finding("users", Grade.WARNING, "the system is the server's default user, who may do everything", advice)
    else:
        yield Finding("users", Grade.OK, f"the system is the user {user}")
    if not store.settings.query_url:
        advice = "create users with `causeline migrate --users` and set CAUSELINE_STORE__QUERY_URL"
        yield Finding("users", Grade.WARNING, "reads have the rights of the user who writes", advice)
        return
    # The tenant is what makes this a read of the reading user.
    (row,) = store.rows("checkup_reader", {"tenant": "nobody"})
    if row["Readonly"] == "0":
        advice = "let `causeline migrate --users` create the reading user anew"
        yield Finding("users", Grade.PROBLEM, f"the reading user {row['Username']} may write", advice)
    else:
        yield Finding("users", Grade.OK, f"reads are the user {row['Username']}, who may not write")


def _cluster(store: Store) -> Iterator[Finding]:
    named = store.rows("checkup_cluster", {"cluster": store.settings.cluster})
    if not named:
        advice = "add it to remote_servers on every node, or correct CAUSELINE_STORE__CLUSTER"
        yield Finding("cluster", Grade.PROBLEM, f"the server knows no cluster {store.settings.cluster}", advice)
        return
    nodes = store.rows("checkup_nodes", {"cluster": store.settings.cluster, "database": store.settings.database})
    shards = len({row["Shard"] for row in named})
    said = f"{len(nodes)} of {len(named)} nodes answer, {shards} shards"
    if len(nodes) < len(named):
        yield Finding("cluster", Grade.PROBLEM, said, "see that the servers run and reach each other's TCP port")
    else:
        yield Finding("cluster", Grade.OK, said)
    if len({row["Tables"] for row in nodes}) > 1:
        yield Finding("cluster", Grade.PROBLEM, "nodes have different tables", "run `causeline migrate` with all up")
    if store.settings.replicated:
        yield from _replicas(store)


def _replicas(store: Store) -> Iterator[Finding]:
    where = {"cluster": store.settings.cluster, "database": store.settings.database}
    rows = store.rows("checkup_replicas", where)
    for row in rows:
        if row["Readonly"]:
            said = f"{row['TableName']} on {row['Host']} is read-only"
            yield Finding("replication", Grade.PROBLEM, said, "see that Keeper runs and the node reaches it")
        elif row["Lag"] > _LAG_S or row["Active"] < row["Total"]:
            replicas = f"{row['Active']} of {row['Total']} replicas, {row['Lag']} s behind"
            said = f"{row['TableName']} on {row['Host']}: {replicas}"
            yield Finding(
                "replication", Grade.WARNING, said, "start the missing node, or look at system.replication_queue"
            )
    if not rows:
        yield Finding(
            "replication", Grade.PROBLEM, "no table is replicated", "set CAUSELINE_STORE__REPLICATED=false, or Keeper"
        )
