"""The page of an evaluation: whole, well-formed, and with nothing in it that was not put there."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from html.parser import HTMLParser
from typing import Any

import pytest

from api.evaluation import plots
from api.evaluation.report import page

NASTY = '<script>alert("1")</script>'
VOID = {"meta", "br"}


def result(name: str) -> dict[str, Any]:
    """One dataset's figures."""
    ranks = {"ac1": 0.5, "ac3": 0.75, "ac5": 1.0, "avg5": 0.8, "mrr": 0.66}
    verdict = {
        "fault": NASTY, "start": 1_772_438_400.26, "incident": "inc-1", "rank": 2, "delay_s": -3.5,
        "decoy_first": False, "blast_jaccard": None, "first": f"node {NASTY}", "confidence": 0.8, "raw": 0.9,
    }  # fmt: skip
    missed = verdict | {"incident": None, "rank": None, "delay_s": None, "first": None, "confidence": None, "raw": None}
    card = ranks | {
        "faults": 2, "detected": 0.5, "retrieval15": 1.0, "rerank1": 0.5, "median_delay_s": -3.5, "onset_error_s": 3.5,
        "decoy_first": 0, "decoy_rate": 0.0, "decoy_loud": 0, "blast_jaccard": None, "incidents": 2,
        "unmatched_incidents": 1, "verdicts": [verdict, missed],
    }  # fmt: skip
    span = {"start": 1_772_438_400.0, "end": 1_772_438_700.0}
    ablation = [
        {"off": off, "ac1": ac1, "ac3": 0.75, "blast_jaccard": None, "detected": 0.5, "incidents": 2}
        for off, ac1 in (("nothing", 0.5), ("gpu", 0.0), ("topology", 0.75))
    ]
    return {
        "dataset": name, "accept": "strict", "score": card, "grouping": None,
        "baselines": [
            {"name": name, "retrieval15": None, **ranks, "mrr": None} for name in ("chance", "n-sigma", "baro")
        ],
        "lift": {"ac1": None, "ac3": 2.0, "ac5": 2.0}, "hours": 6.0, "false_incidents_per_hour": 1 / 6,
        "ms_per_case": 1234.5, "faults": [{"name": NASTY, **span}],
        "incidents": [
            {"id": "inc-1", "title": NASTY, "severity": "high", "matched": True, **span},
            {"id": "inc-2", "title": "later", "severity": "low", "matched": False, **span},
        ],
        "stored": {"spans": 1, "log_records": 2, "metric_points": 3}, "failed_lines": 0, "ablation": ablation,
        "times_to_incident_s": [15.0, None], "time_to_incident_s": 15.0,
        "seconds": {"replay": 1.0, "correlate": 2.0},
    }  # fmt: skip


def whole(*results: dict[str, Any]) -> dict[str, Any]:
    """An evaluation of several datasets."""
    bins = [{"low": 0.8, "high": 0.9, "answers": 4, "confidence": 0.85, "frequency": 0.75}]
    curve = {"name": "shown", "answers": 4, "right": 3, "ece": 0.1, "brier": 0.2, "bins": bins}
    silent = {"name": "silent", "answers": 0, "right": 0, "ece": None, "brier": None, "bins": []}
    return {"causeline": "0.1.0", "datasets": list(results), "reliability": {"curves": [curve, silent], "fit": {}}}


class Elements(HTMLParser):
    """Every element with its attributes, and whether they are closed as they were opened."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def html() -> str:
    return page(whole(result("alpha"), result(NASTY)))


def test_the_page_stands_alone(html: str) -> None:
    parsed = Elements()
    parsed.feed(html)
    assert parsed.open == []
    assert not {tag for tag, _ in parsed.found} & {"script", "link", "img", "iframe", "object", "use"}
    assert not [attributes for _, attributes in parsed.found if {"src", "href"} & set(attributes)]
    assert "url(" not in html
    assert "$" not in html, "a placeholder was left"


def test_plots_are_well_formed_and_say_what_they_show(html: str) -> None:
    drawn = [ET.fromstring(text) for text in re.findall(r"<svg.*?</svg>", html, re.DOTALL)]
    # The reliability curve, and for each dataset ranks, the strip of time and the ablation.
    assert len(drawn) == 1 + 2 * 3
    titles = [title.text or "" for plot in drawn for title in plot.iter("title")]
    assert "shown: 4 answers, confidence 0.85, right 0.75" in titles
    assert "AC@1, causeline: 0.500" in titles
    assert "MRR, chance: not known" in titles
    assert "without gpu: -0.500" in titles
    assert f"high: {NASTY}" in titles


def test_names_are_text(html: str) -> None:
    assert "<script" not in html
    assert "&lt;script&gt;" in html


def test_incidents_at_the_same_time_are_beneath_each_other() -> None:
    spans = [(0, 10), (5, 7), (11, 12), (6, 20)]
    items = [{"start": a, "end": b, "matched": True, "severity": "low", "title": f"{a}"} for a, b in spans]
    drawn = ET.fromstring(plots.strip([{"name": "f", "start": 0, "end": 5}], items))
    tops = [float(rect.attrib["y"]) for rect in drawn.iter("rect")][1:]
    assert tops[0] == tops[2] < tops[1] < tops[3]


def test_an_evaluation_without_answers_has_a_page() -> None:
    empty = whole(result("alpha") | {"ablation": [], "incidents": []})
    empty["reliability"]["curves"] = empty["reliability"]["curves"][1:]
    assert "not detected" in page(empty)
