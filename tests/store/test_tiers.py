"""Colder disks, on a server that has two: parts move, tables tell no more when the policy does, and errors are said."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from store import Store, StoreSettings, migrate
from store.errors import BadRetention
from store.retention.apply import apply
from store.retention.plan import DAY_NS
from store.retention.policy import RetentionPolicy
from store.retention.tiers import apply_tiers, check_tiers
from tests.conftest import missing
from tests.kit import clickhouse_server
from tests.kit.clickhouse_server import ClickHouseServer
from tests.kit.rows import insert

NOW = time.time_ns()
CONFIG = """<clickhouse><storage_configuration>
<disks><cold><path>{cold}/</path></cold></disks>
<policies>
<hot_cold><volumes>
<default><disk>default</disk></default><cold><disk>cold</disk></cold>
</volumes><move_factor>0</move_factor></hot_cold>
<only_cold><volumes><cold><disk>cold</disk></cold></volumes></only_cold>
</policies></storage_configuration></clickhouse>
"""


@pytest.fixture(scope="module")
def tiered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A migrated store on a server with a hot and a cold disk."""
    if not clickhouse_server.installed():
        missing(clickhouse_server.ABSENT)
    folder = tmp_path_factory.mktemp("tiered")
    (folder / "cold").mkdir()
    config = folder / "config.xml"
    config.write_text(CONFIG.format(cold=folder / "cold"), encoding="utf-8")
    with ClickHouseServer(folder, config) as server:
        store = Store.open(StoreSettings(url=server.url, database="tiers"))
        migrate.apply(store)
        yield store
        store.close()


def policy(**tiers: Any) -> RetentionPolicy:
    """A policy with tiers and nothing else."""
    said = {"storage_policy": "hot_cold", "volume": "cold", "after_days": {"logs": 3}} | tiers
    return RetentionPolicy.model_validate({"version": 1, "tiers": said})


def disks(store: Store) -> dict[str, str]:
    """Where each day of the logs is."""
    text = "SELECT partition_id AS day, disk_name AS disk FROM system.parts"
    text += " WHERE database = 'tiers' AND active AND table = 'otel_logs'"
    return {row["day"]: row["disk"] for row in store.page(text)}


def test_old_days_move_to_the_cold_disk_and_are_read_from_there(tiered: Store) -> None:
    times = {days: NOW - days * DAY_NS for days in (1, 10)}
    for days, at in times.items():
        insert(tiered, "otel_logs", {"Timestamp": f"{at // 10**9}.0", "Body": f"{days} days"})
    assert set(disks(tiered).values()) == {"default"}
    apply(tiered, policy(), NOW)
    assert apply_tiers(tiered, policy()) == []
    names = {days: time.strftime("%Y%m%d", time.gmtime(at // 10**9)) for days, at in times.items()}
    deadline = time.monotonic() + 120
    while disks(tiered)[names[10]] != "cold" and time.monotonic() < deadline:
        time.sleep(0.5)
    assert disks(tiered) == {names[1]: "default", names[10]: "cold"}
    rows = tiered.page("SELECT Body AS body FROM otel_logs ORDER BY Timestamp")
    assert [row["body"] for row in rows] == ["10 days", "1 days"]
    # Other days, and none.
    assert apply_tiers(tiered, policy(after_days={"logs": 5, "traces": 1})) == [
        "otel_traces", "otel_traces_trace_id_ts", "otel_logs",
    ]  # fmt: skip
    assert apply_tiers(tiered, RetentionPolicy()) == []
    without = RetentionPolicy.model_validate({"version": 1, "keep": {"logs": 999}})
    assert set(apply_tiers(tiered, without)) == {"otel_traces", "otel_traces_trace_id_ts", "otel_logs"}
    assert apply_tiers(tiered, without) == []
    assert disks(tiered)[names[10]] == "cold"


@pytest.mark.parametrize(
    ("tiers", "said"),
    [
        ({"storage_policy": "none"}, "no storage policy 'none'"),
        ({"volume": "frozen"}, "has no volume 'frozen'; it has cold, default"),
        ({"storage_policy": "only_cold"}, "needs a volume named 'default'"),
    ],
)
def test_tiers_that_the_server_has_not_are_refused(tiered: Store, tiers: dict[str, Any], said: str) -> None:
    with pytest.raises(BadRetention, match=said):
        check_tiers(tiered, policy(**tiers))


def test_an_embedded_store_has_no_tiers(tmp_path: Path) -> None:
    store = Store(StoreSettings.embedded(tmp_path))
    with pytest.raises(BadRetention, match="an embedded store has one disk"):
        check_tiers(store, policy())
    check_tiers(store, RetentionPolicy())
