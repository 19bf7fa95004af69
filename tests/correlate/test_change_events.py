"""Changes that say so themselves: which become signals, and what the topology knows of them."""

from __future__ import annotations

import json
from typing import Any

from correlate import topology
from correlate.rules import change_events
from tests.kit.telemetry import facts, found, frames

REVISION = "7dacc6c8a3c3fe7053afd5d8518ffef1f9843baa"
ROWS: list[dict[str, Any]] = [
    {"time": 60.0, "what": "commit", "service": "repo", "id": REVISION, "revision": REVISION,
     "title": "simplify expiry validation", "detail": "pkg/auth/jwt.go"},
    {"time": 120.0, "what": "deployment", "service": "gateway", "id": "gateway-v2",
     "revision": REVISION, "version": "v2", "title": "Deployed gateway v2"},
    {"time": 180.0, "what": "flag", "service": "gateway", "id": "strict_check", "title": "strict_check is on"},
    {"time": 240.0, "what": "deployment", "service": "", "id": "nowhere", "title": "Deployed nothing known"},
]  # fmt: skip


def test_deployments_and_flags_are_signals_and_bring_the_words_of_their_commit() -> None:
    seen = found(change_events.RULE, frames(changes=ROWS))
    assert facts(seen) == {
        ("change.deploy", "deployment_change", "gateway-v2"),
        ("change.flag", "feature_flag", "strict_check"),
    }
    words = {row["entity"]: json.loads(row["evidence"])["words"] for row in seen.iter_rows(named=True)}
    assert "expiry validation" in words["gateway-v2"]
    assert "jwt.go" in words["gateway-v2"]


def test_no_changes_no_signals() -> None:
    assert found(change_events.RULE, frames()).is_empty()


def test_a_deployment_is_known_by_its_revision_as_people_shorten_it() -> None:
    given = frames(changes=ROWS)
    names = {row["name"]: set(row["aliases"]) for row in topology.entities(given).collect().iter_rows(named=True)}
    assert {REVISION, REVISION[:12], REVISION[:8], REVISION[:7], "v2", "gateway@v2"} <= names["gateway-v2"]
    edges = topology.edges(given).collect().select("kind", "src", "dst").rows()
    assert ("changes", "gateway-v2", "gateway") in edges
