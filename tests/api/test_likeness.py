"""Which earlier incidents an incident is like, and that their kinds are read once for each version."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pytest

from api.reads.likeness import Held, Kinds, alike, likeness
from store import Store

NS = 1_000_000_000
HOUR = 3600 * NS
START = 1_800_000_000 * NS
OF_INCIDENTS = {"ecc": ["xid.48", "ecc.double_bit"], "again": ["xid.48", "ecc.double_bit"], "image": ["image.pull"]}


class Counting(Store):
    """A store that counts the incidents whose kinds it was asked for."""

    def __init__(self, store: Store) -> None:
        self._store, self.asked = store, list[int]()

    def arrow(
        self, name: str, params: Mapping[str, Any] | None = None, settings: Mapping[str, Any] | None = None
    ) -> pa.Table:
        """The other's answer."""
        if name == "incident_kinds":
            self.asked.append(len((params or {})["ids"]))
        return self._store.arrow(name, params, settings)


def write(store: Store, tenant: str, incident: str, hour: int, kinds: list[str], version: int = 1) -> None:
    """An incident of that hour with a signal of each kind, the first one its cause."""
    at = pl.lit(START + hour * HOUR).cast(pl.Datetime("ns", "UTC"))
    signals = pl.DataFrame({"Kind": kinds}).with_columns(
        SignalId=pl.concat_str(pl.lit(f"{incident} "), "Kind"), Tenant=pl.lit(tenant), EntityType=pl.lit("gpu"),
        EntityName=pl.lit("GPU-1"), Onset=at, Until=at, Version=pl.lit(version, pl.UInt64),
    )  # fmt: skip
    store.insert_frame("signals", signals)
    role = pl.when(pl.int_range(pl.len()) == 0).then(pl.lit("cause")).otherwise(pl.lit("effect"))
    store.insert_frame(
        "incident_signals",
        signals.select("Tenant", "SignalId", "Version", IncidentId=pl.lit(incident), Role=role),
    )
    row = {"Tenant": tenant, "IncidentId": incident, "Title": incident, "State": "resolved", "Severity": "high"}
    store.insert_frame(
        "incidents",
        pl.DataFrame(row).with_columns(StartedAt=at, UpdatedAt=at, Version=pl.lit(version, pl.UInt64)),
    )


@pytest.fixture
def told(backend_store: Store) -> Store:
    """Three incidents of a tenant, an hour apart, and one of another."""
    for hour, (incident, kinds) in enumerate(OF_INCIDENTS.items()):
        write(backend_store, "default", incident, hour, kinds)
    write(backend_store, "other", "theirs", 0, OF_INCIDENTS["ecc"])
    return backend_store


def found(store: Store, kinds: Kinds, incident: str, hour: int) -> dict[str, float]:
    return {row["id"]: row["similarity"] for row in alike(store, "default", kinds, incident, START + hour * HOUR)}


def test_one_with_the_same_kinds_is_wholly_alike_and_only_earlier_ones_of_the_tenant_count(told: Store) -> None:
    assert found(told, Kinds(), "again", 1) == {"ecc": 1.0}
    assert found(told, Kinds(), "ecc", 0) == {}
    assert found(told, Kinds(), "image", 2) == {}


def test_one_without_signals_is_like_nothing(told: Store) -> None:
    write(told, "default", "bare", 3, [])
    assert found(told, Kinds(), "bare", 3) == {}
    assert found(told, Kinds(), "nowhere", 3) == {}


def test_kinds_are_read_once_for_each_version(told: Store) -> None:
    counting, kinds = Counting(told), Kinds()
    assert found(counting, kinds, "again", 1) == found(counting, kinds, "again", 1) == {"ecc": 1.0}
    assert counting.asked == [2]
    write(told, "default", "ecc", 0, ["xid.48", "node.lost"], version=2)
    assert 0.3 < found(counting, kinds, "again", 1)["ecc"] < 1
    assert counting.asked == [2, 1]
    assert {each: held.version for each, held in kinds._known["default"].items()} == {"ecc": 2, "again": 1}
    assert found(counting, kinds, "image", 2) == {}
    assert counting.asked == [2, 1, 1]


def test_incidents_before_those_compared_are_read_with_them(told: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.reads.likeness.AMONG", 2)
    counting, kinds = Counting(told), Kinds()
    assert found(counting, kinds, "image", 2) == {}
    assert found(counting, kinds, "again", 1) == {"ecc": 1.0}
    assert counting.asked == [3]


def test_what_is_kept_is_bounded(told: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("api.reads.likeness._KEPT", 2)
    monkeypatch.setattr("api.reads.likeness._TENANTS", 1)
    kinds = Kinds()
    found(told, kinds, "image", 2)
    found(told, kinds, "again", 1)
    alike(told, "other", kinds, "theirs", START)
    assert list(kinds._known) == ["other"]
    counting = Counting(told)
    assert found(counting, kinds, "again", 1) == {"ecc": 1.0}
    assert counting.asked == [2]


def test_causes_count_three_times_and_a_common_kind_less() -> None:
    def held(*kinds: tuple[int, int]) -> Held:
        columns = np.array(kinds).reshape(-1, 2)
        return Held(1, columns[:, 0].astype(np.uint64), columns[:, 1].astype(np.uint8))

    rare, common = math.log(1 + 3 / 2), math.log(1 + 3 / 3)
    a, b = (3 * rare, common), (rare, common)
    dot = a[0] * b[0] + a[1] * b[1]
    similar = likeness([held((1, 3), (2, 1)), held((1, 1), (2, 1)), held((2, 1)), held()])
    assert similar.tolist() == [
        1.0,
        round(dot / math.hypot(*a) / math.hypot(*b), 4),
        round(a[1] * common / math.hypot(*a) / common, 4),
        0.0,
    ]
