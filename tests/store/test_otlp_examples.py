"""Records as collectors really send them, from OTLP JSON to the signals they must give."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from correlate.frames import load
from correlate.rules import RULES
from ingest.envelope import Signal
from ingest.otlp_json import protobuf_of
from store import Store, Window
from tests.kit.landing import insert

POD, NODE = "llama-70b-6c9d7f5b8-x2x4q", "gpu-node-07"
GPU = "GPU-509665ad-b600-ac93-3616-d754b23d636d"
EXPECTED: list[tuple[str, set[tuple[str, str, str]]]] = [
    ("k8s_events BackOff", {("pod.crash_loop", "pod", POD)}),
    ("k8s_events Unhealthy", {("pod.probe_failed", "pod", POD)}),
    ("k8s_events FailedScheduling", {("pod.unschedulable", "pod", POD)}),
    ("k8s_events TaintManagerEviction", {("pod.evicted", "pod", POD)}),
    ("k8s_events NodeNotReady on Node", {("node.not_ready", "node", NODE)}),
    # Its recommended action is none.
    ("k8s_events NVSentinel non-fatal", set()),
    ("k8sobjects watch of events", {("pod.crash_loop", "pod", POD)}),
    (
        "k8sobjects watch of pods",
        {("xid.79", "gpu", GPU), ("pod.restart", "pod", "llm-pretrain-0-7-abcde")},
    ),
    ("kernel Xid line", {("xid.79", "gpu", f"{NODE}/0000:9b:00")}),
    # One score is no drop.
    ("gen_ai.evaluation.result", set()),
    # Priority Notice.
    ("Falco alert", set()),
]
"""Beginning of an example's title -> the facts it must give, and nothing else."""


def examples(shared: Path) -> dict[str, dict[str, Any]]:
    lines = (shared / "domain" / "otlp_log_examples.jsonl").read_text().splitlines()
    return {row["example"]: row["otlp"] for row in map(json.loads, lines)}


@pytest.mark.parametrize(("title", "expected"), EXPECTED)
def test_an_example_gives_its_facts(
    store: Store, shared: Path, title: str, expected: set[tuple[str, str, str]]
) -> None:
    (body,) = [otlp for name, otlp in examples(shared).items() if name.startswith(title)]
    request = protobuf_of(Signal.LOGS, json.dumps(body).encode())
    insert(store, Signal.LOGS, request)
    record = body["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    at = int(record.get("timeUnixNano") or record["observedTimeUnixNano"])
    window = Window(at - 600 * 10**9, at + 600 * 10**9)
    frames = load(store, "default", window, 3600.0)
    seen: set[tuple[str, str, str]] = set()
    told = {name for name in frames.tables if frames[name].head(1).collect().height}
    for rule in [rule for rule in RULES if told.intersection(rule.reads)]:
        found = rule.detect(frames).filter(pl.col("score") >= 3, pl.col("entity") != "").collect()
        seen |= set(found.select("kind", "entity_type", "entity").iter_rows())
    assert seen == expected


def test_every_example_is_here(shared: Path) -> None:
    named = [title for title, _ in EXPECTED]
    assert [name for name in examples(shared) if not any(name.startswith(title) for title in named)] == []
