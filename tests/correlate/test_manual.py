"""What people decided stays, however often the passes run again."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from correlate.decided import PINS, arranged
from correlate.engine import Detection
from correlate.errors import NoSuchIncident, Undecidable
from correlate.journal import Author
from correlate.manual import Desk, Verdict
from correlate.passes import rebuild_incidents
from correlate.persist import save_detection
from correlate.settings import CorrelateSettings
from store import Store, Window
from tests.kit.causal import GPU_STORY, SERVING, edges, entities, nanos, signal, signals

WINDOW = Window(nanos(-60), nanos(1800))
SETTINGS = CorrelateSettings()
ELSEWHERE = signal("pod.crash_loop", "kubernetes", "pod:weaviate-0", 300, lasts=60, score=8.0)
ME = Author("ann", "because")


class Platform:
    """A store with signals, whose passes can be run again."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.desk = Desk(store, "default", SETTINGS)

    def passes(self, *rows: dict[str, Any], now: float = 1e6, window: Window = WINDOW) -> None:
        found = signals(*rows)
        save_detection(self.store, "default", Detection(window, found, entities(), edges(*SERVING), ()), 1)
        rebuild_incidents(self.store, "default", window, SETTINGS, nanos(now))

    def states(self) -> dict[str, str]:
        rows = self.store.rows(
            "correlate_incidents_full", {"tenant": "default", "start": nanos(-1e5), "end": nanos(1e5)}
        )
        return {row["IncidentId"]: row["State"] for row in rows}

    def holds(self, incident: str) -> set[str]:
        rows = self.store.frame("incident_held", {"tenant": "default", "ids": [incident]}).collect()
        return set(rows["entity"].to_list())

    def id_of(self, entity: str) -> str:
        return next(incident for incident in self.states() if entity in self.holds(incident))

    def history(self, incident: str) -> list[tuple[str, str, str]]:
        rows = self.store.rows("incident_history", {"tenant": "default", "id": incident})
        return [(row["kind"], row["who"], row["text"]) for row in rows]


@pytest.fixture
def platform(store: Store) -> Platform:
    found = Platform(store)
    found.passes(*GPU_STORY, ELSEWHERE, now=320)
    assert len(found.states()) == 2
    return found


def test_acknowledged_stays_so_until_it_ends_and_is_so_again(platform: Platform) -> None:
    gpu = platform.id_of("GPU-1")
    platform.desk.acknowledge(gpu, ME)
    for _ in range(2):
        assert platform.states()[gpu] == "acknowledged"
        platform.passes(*GPU_STORY, ELSEWHERE, now=330)
    platform.passes(*GPU_STORY, ELSEWHERE)
    assert platform.states()[gpu] == "resolved"
    again = signal("xid.79", "gpu", "gpu:GPU-1", 700, score=10.0, severity="critical")
    platform.passes(*GPU_STORY, ELSEWHERE, again, now=710)
    assert platform.states()[gpu] == "acknowledged"
    assert [entry for entry in platform.history(gpu) if entry[1]] == [("acknowledged", "ann", "because")]
    assert [kind for kind, *_ in platform.history(gpu)] == ["opened", "acknowledged", "resolved", "reopened"]


def test_resolved_by_hand_opens_only_for_new_evidence(platform: Platform) -> None:
    gpu = platform.id_of("GPU-1")
    platform.desk.resolve(gpu, ME)
    longer = [row | {"until": row["until"] + 10**11} for row in GPU_STORY]
    for rows in (GPU_STORY, longer):
        platform.passes(*rows, ELSEWHERE, now=320)
        assert platform.states()[gpu] == "resolved"
    # Something that had begun before, and is only found now, is not new either.
    platform.passes(*GPU_STORY, ELSEWHERE, signal("pod.killed", "kubernetes", "pod:phi-0", 20, score=7.0), now=320)
    assert platform.states()[gpu] == "resolved"
    platform.passes(*GPU_STORY, ELSEWHERE, signal("xid.79", "gpu", "gpu:GPU-1", 700, score=10.0), now=710)
    assert platform.states()[gpu] == "open"
    assert [kind for kind, *_ in platform.history(gpu)] == ["opened", "resolved", "reopened"]
    platform.desk.resolve(gpu, ME)
    platform.passes(*GPU_STORY, ELSEWHERE, signal("xid.79", "gpu", "gpu:GPU-1", 700, score=10.0), now=710)
    assert platform.states()[gpu] == "resolved"


def test_reopened_by_hand_does_not_end_by_itself(platform: Platform) -> None:
    platform.passes(*GPU_STORY, ELSEWHERE)
    gpu = platform.id_of("GPU-1")
    with pytest.raises(Undecidable):
        platform.desk.acknowledge(gpu, ME)
    platform.desk.reopen(gpu, ME)
    with pytest.raises(Undecidable):
        platform.desk.reopen(gpu, ME)
    platform.passes(*GPU_STORY, ELSEWHERE)
    assert platform.states()[gpu] == "open"
    platform.desk.acknowledge(gpu, ME)
    platform.passes(*GPU_STORY, ELSEWHERE)
    assert platform.states()[gpu] == "acknowledged"
    platform.desk.resolve(gpu, ME)
    assert platform.states()[gpu] == "resolved"


def test_merged_stays_merged_with_what_comes_later(platform: Platform) -> None:
    gpu, other = platform.id_of("GPU-1"), platform.id_of("weaviate-0")
    platform.desk.merge(other, gpu, ME)
    later = signal("pod.oom", "kubernetes", "pod:weaviate-0", 350, score=8.0)
    for rows in ((), (later,), (later,)):
        platform.passes(*GPU_STORY, ELSEWHERE, *rows)
        assert list(platform.states()) == [gpu]
        assert platform.holds(gpu) >= {"GPU-1", "phi-0", "weaviate-0"}
    assert ("merged", "ann", "because") in platform.history(other)
    assert [entry for entry in platform.history(gpu) if entry[0] == "absorbed"] == [("absorbed", "ann", "because")]
    with pytest.raises(NoSuchIncident):
        platform.desk.merge(other, gpu, ME)
    with pytest.raises(Undecidable):
        platform.desk.merge(gpu, gpu, ME)


def test_split_stays_split_and_can_be_merged_back(platform: Platform) -> None:
    gpu = platform.id_of("GPU-1")
    new = platform.desk.split(gpu, [], [("model", "phi-4"), ("service", "gateway")], ME)
    later = signal("log.burst", "log", "service:gateway", 100, lasts=60, score=6.0)
    for rows in ((), (later,)):
        platform.passes(*GPU_STORY, ELSEWHERE, *rows)
        assert len(platform.states()) == 3
        assert platform.holds(new) == {"phi-4", "gateway"}
        assert not platform.holds(gpu) & {"phi-4", "gateway"}
    assert ("split", "ann", "because") in platform.history(new)
    platform.desk.merge(new, gpu, ME)
    platform.passes(*GPU_STORY, ELSEWHERE, later)
    assert len(platform.states()) == 2
    assert platform.holds(gpu) >= {"phi-4", "gateway", "GPU-1"}


def test_a_split_that_leaves_nothing_changes_nothing(platform: Platform) -> None:
    gpu = platform.id_of("GPU-1")
    before = platform.holds(gpu)
    for chosen in ([], [("pod", "nobody")], [("node", "n1")]):
        with pytest.raises(Undecidable):
            platform.desk.split(gpu, [], chosen, ME)
    everything = [(row["entity_type"], row["entity"]) for row in GPU_STORY]
    with pytest.raises(Undecidable):
        platform.desk.split(gpu, [], everything, ME)
    assert platform.holds(gpu) == before


def test_words_assignments_and_verdicts_are_told(platform: Platform) -> None:
    gpu = platform.id_of("GPU-1")
    platform.desk.comment(gpu, Author("bob", "rebooted"))
    platform.desk.assign(gpu, "carol", ME)
    platform.desk.acknowledge(gpu, ME)
    platform.desk.judge(gpu, Verdict("gpu", "GPU-1", True, "xid.79", 1, 0.8, "{}"), ME)
    platform.desk.judge(gpu, Verdict("gpu", "GPU-1", False, "xid.79", 1, 0.8, "{}"), ME)
    assert [kind for kind, *_ in platform.history(gpu)][1:] == [
        "commented", "assigned", "acknowledged", "cause_confirmed", "cause_rejected",
    ]  # fmt: skip
    decision = platform.store.rows("decisions", {"tenant": "default", "ids": [gpu]})[0]
    assert (decision["assignee"], decision["decided"]) == ("carol", "acknowledged")
    feedback = platform.store.rows(
        "feedback_list", {"tenant": "default", "id": "", "before": 0, "before_key": "", "limit": 10}
    )
    assert [(row["entity_name"], row["verdict"], row["rank"]) for row in feedback] == [("GPU-1", "rejected", 1)]
    with pytest.raises(NoSuchIncident):
        platform.desk.comment("inc-0", ME)


def test_decisions_of_one_tenant_are_not_anothers(platform: Platform) -> None:
    gpu = platform.id_of("GPU-1")
    stranger = Desk(platform.store, "other", SETTINGS)
    for act in (stranger.acknowledge, stranger.resolve, stranger.reopen, stranger.comment):
        with pytest.raises(NoSuchIncident):
            act(gpu, ME)


IDS = st.lists(st.sampled_from("abcdefgh"), unique=True, min_size=1)


@given(IDS, st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(["x", "y"])), st.randoms())
def test_every_signal_stays_once_and_pinned_ones_are_where_they_were_put(
    ids: list[str], pinned: dict[str, str], chance: Any
) -> None:
    rows = [
        {"id": i, "component": chance.choice("12"), "entity_type": "pod", "entity": chance.choice("pq")} for i in ids
    ]
    members = pl.DataFrame(rows)
    pins = pl.DataFrame({"id": list(pinned), "target": list(pinned.values())}, schema=PINS)
    found = arranged(members, pins)
    assert sorted(found["id"].to_list()) == sorted(ids)
    component = dict(zip(found["id"].to_list(), found["component"].to_list(), strict=True))
    assert all(component[i] == f"pin\x1f{target}" for i, target in pinned.items() if i in component)
    assert arranged(members.sample(fraction=1, shuffle=True, seed=1), pins).sort("id").equals(found.sort("id"))
