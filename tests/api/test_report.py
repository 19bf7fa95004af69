"""A draft that people can paste anywhere: what telemetry says cannot become markup in it."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.reads.report import escaped
from correlate.engine import Detection
from correlate.passes import rebuild_incidents
from correlate.persist import save_detection
from correlate.settings import CorrelateSettings
from store import Store, Window
from tests.kit.causal import GPU_STORY, SERVING, edges, entities, nanos, signals

WINDOW = Window(nanos(-60), nanos(1800))
EVIL = "<img src=x onerror=alert(1)> | [click](https://evil.example) `x` **b**\n# head\n- [ ] www.evil.example a@b.c"


@pytest.fixture
def incident(store: Store) -> str:
    rows = signals(*[row | {"explanation": EVIL} for row in GPU_STORY])
    save_detection(store, "default", Detection(WINDOW, rows, entities(), edges(*SERVING), ()), 1)
    rebuild_incidents(store, "default", WINDOW, CorrelateSettings(), nanos(1e5))
    return str(store.rows("correlate_members", {"tenant": "default", "start": 0, "end": nanos(1e5)})[0]["incident_id"])


def test_a_draft_in_both_forms(api: httpx.Client, incident: str) -> None:
    path = f"/api/v1/incidents/{incident}/report"
    data = api.get(path).json()
    assert (data["id"], data["state"], data["causes"][0]["rank"]) == (incident, "resolved", 1)
    assert data["duration_s"] > 0
    answer = api.get(path, params={"format": "markdown"})
    assert answer.headers["content-type"].startswith("text/markdown")
    text = answer.text
    for title in ("Summary", "Root cause", "Impact", "Timeline", "Actions", "Lessons"):
        assert f"\n## {title}\n" in text
    assert "/api/v1/signals/" in text
    assert "GPU-1" in text
    for markup in ("<img", "](https", "\n# head", "`x`", "**b**", "www.evil", "https://"):
        assert markup not in text
    heads = [line for line in text.splitlines() if line.startswith("#")]
    assert len(heads) == text.count("\n## ") + 1
    rows = [line for line in text.split("\n## Timeline")[1].split("\n## ")[0].splitlines() if line.startswith("| ")]
    assert {len([c for i, c in enumerate(row) if c == "|" and row[i - 1] != "\\"]) for row in rows} == {6}
    assert api.get("/api/v1/incidents/none/report").status_code == 404
    assert api.get(path, params={"format": "pdf"}).status_code == 400


@given(st.text(max_size=200))
def test_any_text_stays_on_its_line_without_markup(text: str) -> None:
    found = escaped(text)
    assert not set(found) & set("<>\n\r")
    bare = found.replace("\\\\", "")
    assert (
        all(bare[i - 1] == "\\" for i, c in enumerate(bare) if c in "`*_[]()|#!~@" and i) or found[:1] in "`*_[]()|#!~@"
    )
