"""What must not matter to a whole pass: the order of rows, windows' edges, the hour, names, and doing it twice.

Telemetry is the demo's hour with a lost GPU and, beside it, a call graph with a slow service, through the real landing.
Each property changes the requests, lands them for a tenant of their own, and asks for the same incidents: ids where
they should be the same; ranks, scores, roles and blast radius always.
"""

from __future__ import annotations

import itertools
import random
from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from correlate.incident import Incidents
from correlate.passes import correlate_range, windows
from store import Store, Window
from tests.kit.judged import SETTINGS, judged, picture
from tests.kit.mesh import Mesh
from tests.kit.recorded import END, Request, land, moved, renamed, requests, shuffled

pytestmark = pytest.mark.timeout(900)
MINUTE = 60 * 10**9
# The half hour that holds the faults; what came before is its history.
JUDGED = Window(END - 30 * MINUTE, END)
HALVES = windows(JUDGED.start, JUDGED.end, 900)
# Passes take seconds: what is not in the first line of defence is for `make test-full`.
slow = pytest.mark.slow
few = settings(max_examples=2, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
_tenants = itertools.count()


@pytest.fixture(scope="module")
def hour() -> list[Request]:
    """The hour as requests; the two faults are ten minutes apart."""
    return [*requests(), *Mesh().requests(END - 58 * MINUTE, END, END - 7 * MINUTE)]


@pytest.fixture(scope="module")
def store(module_store: Store) -> Store:
    """A migrated store for all tests of this module."""
    return module_store


@pytest.fixture(scope="module")
def base(hour: list[Request], store: Store) -> Incidents:
    """The hour's incidents."""
    land(store, hour)
    return judged(store, "default", HALVES)


def of(store: Store, taken: Sequence[Request], steps: Sequence[Window] = HALVES) -> Incidents:
    """The incidents of these requests, landed for a tenant of their own."""
    tenant = f"tenant-{next(_tenants)}"
    land(store, taken, tenant=tenant)
    return judged(store, tenant, steps)


def test_there_is_something_to_compare(base: Incidents) -> None:
    lost, slow_service = picture(base)
    assert lost["causes"][0][1:4:2] == ("gpu", "xid.79")
    assert len(lost["causes"]) > 3
    assert len(lost["signals"]) > 15
    assert {role for _, _, role, *_ in lost["signals"]} >= {"cause", "effect"}
    assert slow_service["causes"][0][1:3] == ("service", "ledger")
    assert {kind.split(".")[0] for kind, *_ in slow_service["signals"]} >= {"trace", "log"}


@few
@given(seed=st.integers(0, 2**32))
def test_the_order_of_rows_does_not_matter(hour: list[Request], store: Store, base: Incidents, seed: int) -> None:
    assert picture(of(store, shuffled(hour, seed))) == picture(base)


@slow
@few
@given(cuts=st.lists(st.integers(1, 59), min_size=1, max_size=4, unique=True).map(sorted))
def test_where_windows_are_cut_does_not_matter(store: Store, base: Incidents, cuts: list[int]) -> None:
    edges = [JUDGED.start, *(JUDGED.start + cut * MINUTE // 2 for cut in cuts), JUDGED.end]
    found = judged(store, "default", [Window(*pair) for pair in itertools.pairwise(edges)])
    assert picture(found) == picture(base)


@slow
@few
@given(quarters=st.integers(-8, 8).filter(bool))
def test_the_hour_does_not_matter(hour: list[Request], store: Store, base: Incidents, quarters: int) -> None:
    by = quarters * 15 * MINUTE
    found = of(store, moved(hour, by), windows(JUDGED.start + by, JUDGED.end + by, 900))
    assert picture(found, ids=False, moved_ns=by) == picture(base, ids=False)


@slow
@few
@given(milliseconds=st.integers(1, 899_999))
def test_nor_do_edges_of_buckets_matter_much(
    hour: list[Request], store: Store, base: Incidents, milliseconds: int
) -> None:
    """Buckets then hold other rows, so scores may differ a little; what happened, and why, may not."""
    by = milliseconds * 10**6
    found = of(store, moved(hour, by), [Window(JUDGED.start + by, JUDGED.end + by)])
    for now, before in zip(picture(found, ids=False, moved_ns=by), picture(base, ids=False), strict=True):
        assert now["causes"][0][:3] == before["causes"][0][:3]
        assert now["causes"][0][4] == pytest.approx(before["causes"][0][4], abs=0.1)
        assert now["severity"] == before["severity"]
        assert now["began"] == pytest.approx(before["began"], abs=MINUTE)
        assert set(now["hurt"]) == set(before["hurt"])


# Names of this hour's nodes, GPUs, workloads and models, without those that say what they are (an exporter's).
GPUS = ("GPU-1b387d4b-61d3-4068-978b-6965d1540dce", "GPU-988a0c48-5979-41d1-b000-368d2534c02d")
NAMES = (
    "ip-10-42-7-21", "ip-10-42-7-34", "ip-10-42-9-12", "ip-10-42-3-5", "chat-gateway", "eval-runner",
    "invoice-export", "mistral-small", "pretrain-moe", "qwen2-5-72b", "qwen2.5-72b", "mistral-small-24b",
    "storefront", "checkout", "ledger", "worker-node-d", "7d9c6b5f48-x2lqp", "6f8d7c9b5c-k4m2t",
    "6f8d7c9b5c-9wzrn", "5c7b9d6f4c-tq8vd", "b7k2n", "h5x9c", "r6d8s",
)  # fmt: skip


def renaming(seed: int) -> dict[str, str]:
    """Names and others of the same shape, the longest first: a part of a name may be another's whole."""
    chance = random.Random(seed)
    other = {gpu: f"GPU-{_like(chance, gpu[4:], 'abcdef', '0123456789')}" for gpu in GPUS}
    # Suffixes of pods are of Kubernetes' own alphabet.
    other |= {name: _like(chance, name, "bcdfghjklmnpqrstvwxz", "2456789") for name in NAMES}
    assert len(set(other.values())) == len(other)
    return dict(sorted(other.items(), key=lambda pair: -len(pair[0])))


def _like(chance: random.Random, name: str, letters: str, digits: str) -> str:
    """A name with letters where letters were and digits where digits were."""
    return "".join(chance.choice(digits) if c.isdigit() else chance.choice(letters) if c.isalpha() else c for c in name)


@slow
@few
@given(seed=st.integers(0, 2**32))
def test_names_do_not_matter(hour: list[Request], store: Store, base: Incidents, seed: int) -> None:
    other = renaming(seed)

    def named(text: str) -> str:
        for name, new in other.items():
            text = text.replace(name, new)
        return text

    found = of(store, renamed(hour, other))
    assert picture(found, ids=False) == picture(base, ids=False, named=named)


@few
@given(seed=st.integers(0, 2**32))
def test_what_is_delivered_again_does_not_matter(hour: list[Request], store: Store, base: Incidents, seed: int) -> None:
    """A third of all requests is sent a second time, later than the receiver remembers what it has stored."""
    again = random.Random(seed).sample(hour, len(hour) // 3)
    for now, before in zip(picture(of(store, [*hour, *again])), picture(base), strict=True):
        # Metric points that come twice count once. Log records and spans have no identity that a receiver could hold
        # on to for ever: what counts them tells more of them, and scores move in their last digits.
        assert [cause[4] for cause in now["causes"]] == pytest.approx([c[4] for c in before["causes"]], abs=0.02)
        assert [fact[3] for fact in now["signals"]] == pytest.approx([f[3] for f in before["signals"]], abs=0.02)
        assert [cause[:4] for cause in now["causes"]] == [cause[:4] for cause in before["causes"]]
        facts, known = ([(*f[:3], f[4], f[6]) for f in shown["signals"]] for shown in (now, before))
        assert facts == known
        for part in ("id", "severity", "title", "began", "hurt"):
            assert now[part] == before[part]


def test_doing_it_again_changes_nothing(store: Store, base: Incidents) -> None:
    stored = []
    for _ in range(2):
        correlate_range(store, "default", JUDGED, SETTINGS)
        params = {"tenant": "default", "start": JUDGED.start, "end": JUDGED.end}
        rows = [store.frame(f"correlate_{what}_full", params).collect() for what in ("incidents", "incident_signals")]
        stored.append([row.drop("Version").sort(pl.all()) for row in rows])
    assert [a.equals(b) for a, b in zip(*stored, strict=True)] == [True, True]
    incidents, members = stored[0]
    assert set(incidents["IncidentId"]) == set(base.incidents["incident_id"])
    assert set(incidents["RootCauses"]) == set(base.incidents["root_causes"])
    assert set(members["SignalId"]) == set(base.members["id"])
