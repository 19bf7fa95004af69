"""A dataset that cannot be evaluated says what is wrong with it, and where."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.errors import BadDataset
from api.evaluation.dataset import Dataset
from api.evaluation.labels import Labels, read_faults

AT = 1_772_438_400 * 10**9
FAULT: dict[str, Any] = {"time_unix_nano": str(AT), "accept": ["node-1"]}


def folder(path: Path, labels: Any, telemetry: bool = True) -> Path:
    """A dataset with these labels, as text or as what JSON makes of it."""
    text = labels if isinstance(labels, str) else json.dumps(labels)
    (path / "labels.json").write_text(text, encoding="utf-8")
    if telemetry:
        (path / "logs.jsonl").write_text("{}\n", encoding="utf-8")
    return path


def complaint(path: Path) -> str:
    with pytest.raises(BadDataset) as caught:
        Dataset.read(path)
    return str(caught.value)


def test_what_is_no_folder_or_has_no_labels(tmp_path: Path) -> None:
    assert "is not a folder" in complaint(tmp_path / "absent")
    assert "has no labels.json" in complaint(tmp_path)


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ("{not json", "cannot be read: Expecting property name"),
        ([], "the document: "),
        ({}, "faults: Field required"),
        ({"faults": []}, "faults: Tuple should have at least 1 item"),
        ({"faults": [{"accept": ["x"]}]}, "faults.0.time_unix_nano: Field required"),
        (
            {"faults": [FAULT, FAULT | {"time_unix_nano": "noon"}]},
            "faults.1.time_unix_nano: Input should be a valid int",
        ),
        (
            {"faults": [FAULT | {"accept": [{"kind": "node"}]}]},
            'faults.0.accept.0: an entity is its name, {"name": ...}',
        ),
        ({"faults": [FAULT], "decoys": [{"name": "x"}]}, "decoys.0.time_unix_nano: Field required"),
        ({"faults": [FAULT], "window_seconds": 0}, "window_seconds: Input should be greater than 0"),
        ({"faults": [FAULT], "decoys": 3, "window_seconds": 0}, "(and 1 more)"),
    ],
)
def test_labels_that_cannot_be_used(tmp_path: Path, labels: Any, said: str) -> None:
    found = complaint(folder(tmp_path, labels))
    assert said in found
    assert str(tmp_path / "labels.json") in found


def test_labels_without_telemetry(tmp_path: Path) -> None:
    assert "has no OTLP JSON lines" in complaint(folder(tmp_path, {"faults": [FAULT]}, telemetry=False))


def test_faults_outside_of_the_telemetry(tmp_path: Path) -> None:
    later = FAULT | {"time_unix_nano": str(AT + 3600 * 10**9), "fault": "late"}
    found = Dataset.read(folder(tmp_path, {"faults": [FAULT, later]}))
    assert found.outside(AT - 1, AT + 3600 * 10**9) == []
    (sentence,) = found.outside(AT - 1, AT + 1)
    assert "fault 2 (late) at 2026-03-02T09:00:00.000Z is outside" in sentence
    with pytest.raises(BadDataset, match="every other labelled fault"):
        found.outside(AT + 1, AT + 2)


def test_entities_may_be_written_in_three_ways() -> None:
    label = FAULT | {
        "accept": ["Node-1", {"name": "GPU-2"}, {"entity": {"type": "pod", "name": "Pod-3"}}],
        "blast_radius": [{"type": "service", "name": "Checkout"}],
        "chain": [{"entity": {"type": "pod", "name": "cart-0"}, "signal": "restarts"}],
        "decoys": ["node-1", "deploy-7"],
    }
    (fault,) = read_faults(Labels.parse({"faults": [label], "window_seconds": 60}, "test"))
    assert fault.accept == {"node-1", "gpu-2", "pod-3"}
    assert fault.decoys == {"deploy-7"}, "a right answer is no decoy"
    assert fault.touched == {"node-1", "gpu-2", "pod-3", "checkout", "cart-0"}
    assert fault.end - fault.start == 60
    assert fault.symptom == fault.start, "the chain has no times"


def test_the_first_symptom_is_the_first_step_after_the_onset() -> None:
    steps = [("gpu-2", 90), ("node-1", 0), ("checkout", 30), ("cart-0", None)]
    chain = [
        {"entity": {"name": name}} | ({"time_unix_nano": AT + s * 10**9} if s is not None else {}) for name, s in steps
    ]
    (fault,) = read_faults(Labels.parse({"faults": [FAULT | {"time_unix_nano": AT, "chain": chain}]}, "test"))
    assert fault.symptom - fault.start == 30
    assert {"gpu-2", "node-1", "checkout", "cart-0"} <= fault.touched


def test_a_pod_and_its_service_are_right_where_nothing_else_is_named() -> None:
    label = {"time_unix_nano": AT, "pod": "Cart-0", "service": "cart", "accept_service": ["shop"]}
    labels = Labels.parse({"faults": [label]}, "test")
    assert read_faults(labels)[0].accept == {"cart-0", "cart"}
    assert read_faults(labels, ("accept", "accept_service"))[0].accept == {"cart-0", "cart", "shop"}
