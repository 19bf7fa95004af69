"""Our scores are those of the scorer that data sets come with."""

from __future__ import annotations

import http.server
import json
import random
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from api.evaluation.labels import Labels
from api.evaluation.scoring import score

START = 1_772_438_400


def moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def case(seed: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Random faults and incidents over ten names."""
    rnd = random.Random(seed)
    names = [f"thing-{n}" for n in range(10)]
    faults = [
        {
            "time_unix_nano": str((START + n * 900) * 10**9),
            "until_unix_nano": str((START + n * 900 + rnd.randrange(60, 900)) * 10**9),
            "fault": "f",
            "accept": rnd.sample(names, 2),
            "decoys": rnd.sample(names, 1),
            "blast_radius": [{"type": "pod", "name": name} for name in rnd.sample(names, 3)],
        }
        for n in range(12)
    ]
    incidents = []
    for n in range(14):
        start = START + rnd.randrange(-600, 12 * 900)
        ended = rnd.choice([None, moment(start + rnd.randrange(10, 1500))])
        causes = [
            {"rank": k, "entity": {"type": "pod", "name": f"ns/{name}", "aliases": [name.upper()]}}
            for k, name in enumerate(rnd.sample(names, 4), start=1)
        ]
        incidents.append(
            {
                "id": f"i{n}", "severity": rnd.choice(["high", "low"]), "started_at": moment(start), "ended_at": ended,
                "updated_at": moment(start + 60), "root_causes": causes,
                "blast_radius": [{"type": "pod", "name": name} for name in rnd.sample(names, 2)],
            }
        )  # fmt: skip
    return {"faults": faults, "window_seconds": 300}, incidents


@pytest.mark.parametrize("seed", range(4))
def test_both_scorers_agree(shared: Path, tmp_path: Path, seed: int) -> None:
    labels, incidents = case(seed)
    body = json.dumps({"incidents": incidents, "next_cursor": None}).encode()

    class Api(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Say nothing."""

    (tmp_path / "labels.json").write_text(json.dumps(labels), encoding="utf-8")
    with http.server.HTTPServer(("127.0.0.1", 0), Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        command = [sys.executable, str(shared / "tools" / "score_incidents.py"), str(tmp_path / "labels.json")]
        command += ["--json", "--api", f"http://127.0.0.1:{server.server_port}"]
        theirs = json.loads(subprocess.run(command, capture_output=True, check=True, timeout=60).stdout)
        server.shutdown()
    ours = score(Labels.parse(labels, "test"), incidents, ("accept",)).as_json()
    total = theirs["total"]
    assert [verdict["rank"] for verdict in ours["verdicts"]] == [fault["rank"] for fault in theirs["faults"]]
    for name in ("faults", "detected", "mrr", "decoy_first", "decoy_loud", "incidents", "unmatched_incidents"):
        assert ours[name] == pytest.approx(total[name]), name
    for ours_name, theirs_name in (("ac1", "ac@1"), ("ac3", "ac@3"), ("ac5", "ac@5"), ("blast_jaccard",) * 2):
        assert ours[ours_name] == pytest.approx(total[theirs_name])
