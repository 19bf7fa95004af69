"""`causeline evaluate` from a folder to figures: a small recording with one fault, replayed into a real system."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from api.commands.evaluate import evaluate
from api.errors import BadDataset, UsageError
from tests.kit.running import SECOND, T0, attribute, causeline, lines

pytestmark = pytest.mark.timeout(600)
FAULT_AT = T0 + 120 * SECOND
NODE = "gpu-node-7"


def kernel(*bodies: str, at: int) -> str:
    """A line with kernel log records of NODE."""
    resource = {"attributes": [attribute("k8s.node.name", NODE), attribute("host.name", NODE)]}
    records = [
        {
            "timeUnixNano": str(at + place * 1_000_000),
            "body": {"stringValue": body},
            "attributes": [attribute("syslog.identifier", "kernel")],
        }
        for place, body in enumerate(bodies)
    ]
    return json.dumps({"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]})


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five minutes of five services, and a GPU that is lost in the third."""
    folder = tmp_path_factory.mktemp("sets") / "lost-gpu"
    folder.mkdir()
    lost = kernel("NVRM: Xid (PCI:0000:9b:00): 79, GPU has fallen off the bus.", at=FAULT_AT)
    (folder / "all.jsonl").write_text("\n".join([*lines(300), lost]) + "\n", encoding="utf-8")
    fault = {
        "time_unix_nano": str(FAULT_AT),
        "until_unix_nano": str(FAULT_AT + 60 * SECOND),
        "fault": "gpu_lost",
        "accept": [f"{NODE}/0000:9b:00", NODE],
        "blast_radius": [NODE],
        "decoys": ["svc-1"],
    }
    (folder / "labels.json").write_text(json.dumps({"faults": [fault]}), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def kept(recording: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any], str]:
    """A directory after an evaluation with everything: where its files are, its JSON, and what it printed."""
    here = tmp_path_factory.mktemp("kept")
    files = ("--json", here / "all.json", "--report", here / "all.html")
    done = causeline(
        "evaluate", recording, "--keep-data", here / "data", "--ablate", "--time-to-incident", *files, timeout=500
    )
    assert done.returncode == 0, done.stderr
    return here, json.loads((here / "all.json").read_text(encoding="utf-8")), done.stdout


Kept = tuple[Path, dict[str, Any], str]


def test_the_fault_is_found_and_every_figure_is_there(kept: Kept) -> None:
    (result,) = kept[1]["datasets"]
    card = result["score"]
    assert (card["faults"], card["detected"], card["ac1"], card["retrieval15"], card["rerank1"]) == (1, 1, 1, 1, 1)
    assert abs(card["onset_error_s"]) < 1
    assert card["decoy_rate"] == 0
    assert result["grouping"]["f1"] == 1
    assert [other["name"] for other in result["baselines"]] == ["chance", "n-sigma", "baro"]
    assert result["stored"] == {"spans": 400, "log_records": 301, "metric_points": 200}
    assert result["hours"] == pytest.approx(299 / 3600, abs=0.001)
    assert result["ms_per_case"] > 0
    assert result["time_to_incident_s"] == 15, "the first pass after a fatal line knows it"
    assert (result["incidents"][0]["matched"], result["faults"][0]["name"]) == (True, "gpu_lost")
    (verdict,) = card["verdicts"]
    assert 0 < verdict["confidence"] < 1
    assert 0 < verdict["raw"] < 1


def test_the_evidence_that_found_it_is_what_it_cannot_do_without(kept: Kept) -> None:
    rows = {row["off"]: row for row in kept[1]["datasets"][0]["ablation"]}
    whole = kept[1]["datasets"][0]["score"]
    assert (rows["nothing"]["ac1"], rows["nothing"]["incidents"]) == (whole["ac1"], whole["incidents"])
    assert rows["gpu"]["ac1"] == 0
    assert rows["trace"]["ac1"] == rows["topology"]["ac1"] == rows["calibration"]["ac1"] == 1
    assert {"kubernetes", "log", "metric", "change", "quality"} <= set(rows)


def test_what_is_printed_says_whom_it_compares_with_what(kept: Kept) -> None:
    printed = kept[2]
    assert "told when each fault began" in printed
    assert "lost-gpu: 1 faults, strict names" in printed
    assert "rank 1" in printed
    assert "one part off at a time" in printed
    assert "ECE" in printed


def test_the_page_is_written(kept: Kept) -> None:
    text = (kept[0] / "all.html").read_text(encoding="utf-8")
    assert "lost-gpu" in text
    assert text.rstrip().endswith("</html>")


@pytest.mark.slow
def test_kept_data_scores_the_same_again_and_is_never_replayed_onto(kept: Kept, recording: Path) -> None:
    here, before, _ = kept
    data = ("--keep-data", here / "data")
    again = causeline("evaluate", recording, *data, "--reuse", "--json", here / "again.json", timeout=500)
    assert again.returncode == 0, again.stderr
    after = json.loads((here / "again.json").read_text(encoding="utf-8"))
    for name in ("score", "grouping", "baselines", "stored"):
        assert after["datasets"][0][name] == before["datasets"][0][name]
    with pytest.raises(UsageError, match="is not empty; score it again with --reuse, or remove it"):
        evaluate([recording], keep_data=here / "data")
    with (recording / "all.jsonl").open("a", encoding="utf-8") as file:
        file.write("\n")
    with pytest.raises(UsageError, match="holds other telemetry than lost-gpu has now"):
        evaluate([recording], keep_data=here / "data", reuse=True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"accept": "kind"}, "--accept must be one of strict, service, loose"),
        ({"reuse": True}, "--reuse needs --keep-data"),
        ({"reuse": True, "keep_data": Path("absent")}, "holds no finished replay"),
        ({"json_file": Path("absent/x.json")}, "there is no directory"),
        ({"report_file": Path("absent/x.html")}, "there is no directory"),
    ],
)
def test_mistakes_are_told_before_anything_is_replayed(recording: Path, options: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        evaluate([recording], **options)


def test_all_folders_are_looked_at_before_the_first_is_replayed(recording: Path, tmp_path: Path) -> None:
    with pytest.raises(BadDataset, match=r"has no labels\.json"):
        evaluate([recording, tmp_path])
    with pytest.raises(UsageError, match="two of the datasets have the same name"):
        evaluate([recording, recording])
