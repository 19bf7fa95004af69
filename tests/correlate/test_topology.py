"""Entities and edges read off telemetry, and the names they go by."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from correlate import names, topology
from correlate.frames import Frames
from correlate.relations import EDGE
from tests.kit.telemetry import Metrics

UUID = "GPU-509665ad-b600-ac93-3616-d754b23d636d"
POD = "chat-predictor-7wg67xpzf-mkmkk"


@pytest.fixture
def given() -> Frames:
    data = Metrics()
    gpu: dict[str, Any] = {"gpu": UUID, "gpu_bdf": "0000:9b:00", "gpu_index": "4", "node": "n1.example.internal"}
    data.add("DCGM_FI_DEV_GPU_TEMP", lambda _: 50.0, end=300.0, pod=POD, namespace="serve", **gpu)
    data.add("DCGM_FI_DEV_GPU_TEMP", lambda _: 50.0, start=330.0, **gpu)
    data.add(
        "vllm:num_requests_waiting",
        lambda _: 1.0,
        pod=POD,
        service="chat-predictor",
        model="org/Chat-7B-Instruct",
        node=gpu["node"],
    )
    data.add("k8s.node.cpu.usage", lambda _: 1.0, node=gpu["node"], zone="z1")
    data.add("requests_total", lambda t: t, pod="edge-0", labels='{"ingress":"public","service":"gateway"}')
    data.add("drift_psi", lambda _: 0.1, model="chat", labels='{"feature":"query_embedding"}', service="judge")
    span = {"trace_id": "t", "time": 10.0}
    spans = [
        span | {"span_id": "a", "service": "gateway", "kind": "Server"},
        span
        | {
            "span_id": "b",
            "parent_id": "a",
            "service": "gateway",
            "kind": "Client",
            "peer": "chat-predictor.serve",
            "model": "chat",
        },
        span
        | {
            "span_id": "c",
            "parent_id": "b",
            "service": "chat-predictor",
            "kind": "Server",
            "pod": POD,
            "model": "chat",
        },
        span
        | {"span_id": "d", "parent_id": "a", "service": "gateway", "kind": "Client", "peer": "db.example.com:5432"},
    ]
    kernel = [
        {"time": 5.0, "node": "n2", "body": "NVRM: GPU at PCI:0000:1b:00: GPU-11111111-2222-3333-4444-555555555555"}
    ]
    events = [
        {
            "time": 20.0,
            "reason": "Scheduled",
            "object_kind": "Pod",
            "object": "sft-worker-1-5qc57",
            "namespace": "train",
            "object_uid": "u-1",
            "message": "Successfully assigned train/sft-worker-1-5qc57 to n3",
        },
    ]
    return data.frames(spans=spans, kernel_logs=kernel, k8s_events=events)


def aliases(given: Frames) -> dict[tuple[str, str], set[str]]:
    rows = topology.entities(given).collect()
    assert dict(rows.schema) == topology.ENTITY
    return {(kind, name): set(other) for kind, name, other in rows.rows()}


def test_a_gpu_is_found_by_every_name_it_has(given: Frames) -> None:
    known = aliases(given)[("gpu", UUID)]
    for node in ("n1", "n1.example.internal"):
        assert {f"{node}/0000:9b:00", f"{node}/gpu4", f"{node}:gpu4", f"{node}/nvidia4"} <= known
    assert "n2/0000:1b:00" in aliases(given)[("gpu", "GPU-11111111-2222-3333-4444-555555555555")]


def test_other_names(given: Frames) -> None:
    known = aliases(given)
    assert known[("node", "n1.example.internal")] == {"n1"}
    assert {"serve/chat-predictor", "chat-predictor.serve", "chat-predictor-7wg67xpzf"} <= known[
        ("workload", "chat-predictor")
    ]
    assert known[("pod", "sft-worker-1-5qc57")] == {"train/sft-worker-1-5qc57", "u-1"}
    assert known[("model", "chat")] == {"org/Chat-7B-Instruct"}
    assert "chat/query_embedding" in known[("feature", "query_embedding")]
    assert ("dependency", "db.example.com") in known


def test_edges_lead_from_cause_to_effect(given: Frames) -> None:
    rows = topology.edges(given).collect()
    assert dict(rows.schema) == EDGE
    have = {(f"{a}:{b}", f"{c}:{d}") for a, b, c, d in rows.select("src_type", "src", "dst_type", "dst").rows()}
    node = "node:n1.example.internal"
    assert {
        ("zone:z1", node),
        (node, f"gpu:{UUID}"),
        (node, f"pod:{POD}"),
        (f"gpu:{UUID}", f"pod:{POD}"),
        (f"pod:{POD}", "workload:chat-predictor"),
        ("workload:chat-predictor", f"pod:{POD}"),
        ("workload:chat-predictor", "service:chat-predictor"),
        ("service:chat-predictor", "service:gateway"),
        ("service:chat-predictor", "model:chat"),
        ("service:gateway", "model:chat"),
        ("dependency:db.example.com", "service:gateway"),
        ("pod:sft-worker-1-5qc57", "job:sft"),
        ("job:sft", "pod:sft-worker-1-5qc57"),
        ("node:n3", "pod:sft-worker-1-5qc57"),
        ("feature:query_embedding", "model:chat"),
        ("ingress:public", "service:gateway"),
    } <= have


def test_who_held_a_gpu_is_remembered_with_its_time(given: Frames) -> None:
    held = topology.edges(given).filter(pl.col("kind") == "used_by").collect()
    assert held.select(pl.col("valid_to") - pl.col("valid_from")).item().total_seconds() == 7200 + 300 - 30


@pytest.mark.parametrize(
    ("pod", "owner", "kind"),
    [
        ("chat-predictor-7wg67xpzf-mkmkk", "chat-predictor", "workload"),
        ("weaviate-0", "weaviate", "workload"),
        ("node-exporter-4ztqw", "node-exporter", "workload"),
        ("sft-instruct-worker-1-5qc57", "sft-instruct", "job"),
        ("llm-pretrain-workers-0-7-xk2lm", "llm-pretrain", "job"),
        ("token-refresh-29540716-l7kgv", "token-refresh-29540716", "job"),
        ("ts-order-admin", "ts-order-admin", "workload"),
    ],
)
def test_a_pods_name_tells_its_owner(pod: str, owner: str, kind: str) -> None:
    row = pl.select(names.owner(pl.lit(pod)).alias("owner"), names.owner_type(pl.lit(pod)).alias("kind")).row(0)
    assert row == (owner, kind)
