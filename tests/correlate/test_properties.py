"""What must not matter to a whole pass: the order of rows, windows' edges, the hour, names, and doing it twice.

Telemetry is the demo's hour, through the real landing into frames; each property changes it and asks for the same
incidents: ids where they should be the same, ranks, scores, roles and blast radius always.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from correlate.incident import Incidents
from correlate.passes import correlate_range, windows
from store import Store, Window
from tests.conftest import Embedded, migrated
from tests.kit.judged import SETTINGS, judged, picture
from tests.kit.recorded import END, Request, Telemetry, land, requests

MINUTE = 60 * 10**9
# The half hour that holds the fault; what came before is its history.
JUDGED = Window(END - 30 * MINUTE, END)
# Passes take seconds: what is not in the first line of defence is for `make test-full`.
slow = pytest.mark.slow
few = settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))


@pytest.fixture(scope="module")
def hour() -> list[Request]:
    """The hour as requests."""
    return requests()


@pytest.fixture(scope="module")
def store(embedded: Embedded) -> Iterator[Store]:
    """A migrated store for all tests of this module."""
    yield from migrated(embedded.open("migrated"))


@pytest.fixture(scope="module")
def telemetry(hour: list[Request], store: Store) -> Telemetry:
    """The hour as frames."""
    land(store, hour)
    return Telemetry.stored(store)


@pytest.fixture(scope="module")
def base(telemetry: Telemetry) -> Incidents:
    """The hour's incidents."""
    return judged(telemetry, windows(JUDGED.start, JUDGED.end, 900))


def test_there_is_something_to_compare(base: Incidents) -> None:
    (incident,) = picture(base)
    assert incident["causes"][0][1:4:2] == ("gpu", "xid.79")
    assert len(incident["causes"]) > 3
    assert len(incident["signals"]) > 15
    assert {role for _, _, role, *_ in incident["signals"]} >= {"cause", "effect"}


@few
@given(seed=st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(telemetry: Telemetry, base: Incidents, seed: int) -> None:
    shuffled = {name: table.sample(fraction=1, shuffle=True, seed=seed) for name, table in telemetry.tables.items()}
    found = judged(replace(telemetry, tables=shuffled), windows(JUDGED.start, JUDGED.end, 900))
    assert picture(found) == picture(base)


@slow
@few
@given(cuts=st.lists(st.integers(1, 59), min_size=1, max_size=4, unique=True).map(sorted))
def test_where_windows_are_cut_does_not_matter(telemetry: Telemetry, base: Incidents, cuts: list[int]) -> None:
    edges = [JUDGED.start, *(JUDGED.start + cut * MINUTE // 2 for cut in cuts), JUDGED.end]
    found = judged(telemetry, [Window(*pair) for pair in itertools.pairwise(edges)])
    assert picture(found) == picture(base)


def moved(telemetry: Telemetry, by: int) -> Telemetry:
    """The same hour `by` nanoseconds later."""
    later = pl.col("time") + pl.duration(nanoseconds=by)
    tables = {n: t.with_columns(later) if "time" in t.columns else t for n, t in telemetry.tables.items()}
    return Telemetry(tables, telemetry.start + by, telemetry.end + by)


@slow
@few
@given(quarters=st.integers(-20_000, 20_000).filter(bool))
def test_the_hour_does_not_matter(telemetry: Telemetry, base: Incidents, quarters: int) -> None:
    by = quarters * 15 * MINUTE
    found = judged(moved(telemetry, by), windows(JUDGED.start + by, JUDGED.end + by, 900))
    assert picture(found, ids=False, moved_ns=by) == picture(base, ids=False)


@slow
@few
@given(milliseconds=st.integers(1, 899_999))
def test_nor_do_edges_of_buckets_matter_much(telemetry: Telemetry, base: Incidents, milliseconds: int) -> None:
    """Buckets then hold other rows, so scores may differ a little; what happened, and why, may not."""
    by = milliseconds * 10**6
    found = judged(moved(telemetry, by), [Window(JUDGED.start + by, JUDGED.end + by)])
    (now,), (before,) = picture(found, ids=False, moved_ns=by), picture(base, ids=False)
    assert now["causes"][0][:4] == before["causes"][0][:4]
    assert now["causes"][0][4] == pytest.approx(before["causes"][0][4], abs=0.05)
    assert {cause[2] for cause in now["causes"][:3]} == {cause[2] for cause in before["causes"][:3]}
    assert (now["severity"], now["title"]) == (before["severity"], before["title"])
    assert now["began"] == pytest.approx(before["began"], abs=MINUTE)
    assert set(now["hurt"]) == set(before["hurt"])


# Names of this hour's nodes, workloads, models and GPUs, without those that say what they are (an exporter's).
NAMES = (
    "ip-10-42-7-21", "ip-10-42-7-34", "ip-10-42-9-12", "ip-10-42-3-5", "chat-gateway", "eval-runner",
    "invoice-export", "mistral-small", "pretrain-moe", "qwen2-5-72b", "qwen2.5-72b", "mistral-small-24b",
    "7d9c6b5f48-x2lqp", "6f8d7c9b5c-k4m2t", "6f8d7c9b5c-9wzrn", "5c7b9d6f4c-tq8vd", "b7k2n", "h5x9c", "r6d8s",
)  # fmt: skip


def renaming(telemetry: Telemetry, seed: int) -> dict[str, str]:
    """Every entity's name and another of the same shape, the longest first."""
    chance = random.Random(seed)
    gpus = [gpu for gpu in telemetry.tables["metric_series"]["gpu"].unique() if gpu]
    other = {gpu: f"GPU-{_like(chance, gpu[4:], 'abcdef', '0123456789')}" for gpu in sorted(gpus)}
    # Suffixes of pods are of Kubernetes' own alphabet.
    other |= {name: _like(chance, name, "bcdfghjklmnpqrstvwxz", "2456789") for name in NAMES}
    assert len(set(other.values())) == len(other)
    return dict(sorted(other.items(), key=lambda pair: -len(pair[0])))


def _like(chance: random.Random, name: str, letters: str, digits: str) -> str:
    """A name with letters where letters were and digits where digits were."""
    return "".join(chance.choice(digits) if c.isdigit() else chance.choice(letters) if c.isalpha() else c for c in name)


def renamed(telemetry: Telemetry, other: dict[str, str], seed: int) -> Telemetry:
    """The same hour with other names in every text, and series hashed to other numbers as their labels change."""
    tables = {
        name: table.with_columns(pl.col(pl.String).str.replace_many(other, leftmost=True))
        for name, table in telemetry.tables.items()
    }
    series = ("metric_series", "metric_points", "histogram_points")
    return replace(
        telemetry, tables=tables | {name: tables[name].with_columns(pl.col("series").hash(seed)) for name in series}
    )


@slow
@few
@given(seed=st.integers(0, 2**32))
def test_names_do_not_matter(telemetry: Telemetry, base: Incidents, seed: int) -> None:
    other = renaming(telemetry, seed)

    def named(text: str) -> str:
        return str(pl.Series([text]).str.replace_many(other, leftmost=True)[0])

    found = judged(renamed(telemetry, other, seed), windows(JUDGED.start, JUDGED.end, 900))
    assert picture(found, ids=False) == picture(base, ids=False, named=named)


@few
@given(seed=st.integers(0, 2**32))
def test_what_is_delivered_again_does_not_matter(hour: list[Request], store: Store, base: Incidents, seed: int) -> None:
    """A third of all requests is sent a second time, later than the receiver remembers what it has stored."""
    again = random.Random(seed).sample(hour, len(hour) // 3)
    land(store, hour, 1, f"again-{seed}")
    land(store, again, 2, f"again-{seed}")
    found = judged(Telemetry.stored(store, f"again-{seed}"), windows(JUDGED.start, JUDGED.end, 900))
    (now,), (before,) = picture(found), picture(base)
    # A point that is there twice weighs double in the mean of its half minute, so scores move in their last digits.
    assert [cause[4] for cause in now["causes"]] == pytest.approx([cause[4] for cause in before["causes"]], abs=0.02)
    assert [fact[3] for fact in now["signals"]] == pytest.approx([fact[3] for fact in before["signals"]], abs=0.02)
    assert [cause[:4] for cause in now["causes"]] == [cause[:4] for cause in before["causes"]]
    assert [(*fact[:3], fact[4], fact[6]) for fact in now["signals"]] == [
        (*fact[:3], fact[4], fact[6]) for fact in before["signals"]
    ]
    assert [now[name] for name in ("id", "severity", "title", "began", "hurt")] == [
        before[name] for name in ("id", "severity", "title", "began", "hurt")
    ]


def test_doing_it_again_changes_nothing(store: Store, telemetry: Telemetry, base: Incidents) -> None:
    del telemetry  # its landing is what is correlated
    stored = []
    for _ in range(2):
        correlate_range(store, "default", JUDGED, SETTINGS)
        params = {"tenant": "default", "start": JUDGED.start, "end": JUDGED.end}
        rows = [store.frame(f"correlate_{what}_full", params).collect() for what in ("incidents", "incident_signals")]
        stored.append([row.drop("Version").sort(pl.all()) for row in rows])
    assert [a.equals(b) for a, b in zip(*stored, strict=True)] == [True, True]
    incidents, members = stored[0]
    assert incidents["IncidentId"].to_list() == base.incidents["incident_id"].to_list()
    assert incidents["RootCauses"].to_list() == base.incidents["root_causes"].to_list()
    assert set(members["SignalId"]) == set(base.members["id"])
