"""From a fault's first symptom to its incident on the API, with recorded telemetry replayed as if it happened now.

    python benchmarks/bench_live.py [--quick] [--faults 3] [DATASET...]

For each fault a fresh embedded system gets two hours of history at once and then, from 90 s before the first symptom,
the fault at its own pace, and the API is asked every second. The first symptom is the first step of the labelled chain
that comes after the onset: heat shows minutes before a clock drops. Printed for each: seconds from it until an incident
that names an entity of the fault is there, and until the right cause is first in it, negative where that came before;
then the medians (bar: 30 s). One fault takes up to five minutes.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import threading
import time
from contextlib import suppress
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from api.client import ApiClient  # noqa: E402
from api.errors import SystemUnreachable  # noqa: E402
from api.evaluation.dataset import Dataset  # noqa: E402
from api.evaluation.labels import Fault, read_faults  # noqa: E402
from api.evaluation.scoring import rank_of  # noqa: E402
from api.process.subsystem import Subsystem  # noqa: E402
from api.replay.live import Live  # noqa: E402
from api.replay.sender import Replay  # noqa: E402
from api.times import format_time  # noqa: E402
from benchmarks import machine  # noqa: E402

DATASETS = [ROOT.parent / "shared" / "datasets" / name for name in ("gpu-dev-a", "gpu-dev-b")]
_NS = 1_000_000_000
_HISTORY_NS = 7_500 * _NS
# Seconds before the first symptom that are already played at their own pace, and after it until it counts as missed.
_BEFORE_S, _AFTER_S = 90, 180
# Incidents may begin before the onset that a label states.
_SLACK_S = 60


def measure(dataset: Dataset, fault: Fault) -> tuple[float | None, float | None]:
    """Seconds from the first symptom until an incident of the fault stands, and its first cause is right.

    None for what did not come in time.
    """
    symptom = int(fault.symptom * _NS)
    live = Live(symptom - _BEFORE_S * _NS, symptom + _AFTER_S * _NS, symptom - _HISTORY_NS)
    with tempfile.TemporaryDirectory() as data, Subsystem(Path(data)) as system:
        # The first line makes the moment the present, so the symptom comes _BEFORE_S after that.
        present = time.time_ns() + _BEFORE_S * _NS
        replay = Replay(system.otlp_http_url, 64, lambda *_: None, lambda text: print(text, file=sys.stderr))
        thread = threading.Thread(target=_replayed, args=(replay, dataset, live), daemon=True)
        thread.start()
        begin = format_time(present - int((fault.symptom - fault.start + _SLACK_S) * _NS))
        found: float | None = None
        with ApiClient(system.api_url) as client:
            waited = -float(_BEFORE_S)
            while waited < _AFTER_S:
                time.sleep(1)
                causes = [incident["root_causes"] for incident in client.incidents(start=begin, limit=50)]
                waited = (time.time_ns() - present) / _NS
                if found is None and any(rank_of(ranked, fault.touched) for ranked in causes):
                    found = waited
                if any(rank_of(ranked, fault.accept) == 1 for ranked in causes):
                    return found, waited
        return found, None


def _replayed(replay: Replay, dataset: Dataset, live: Live) -> None:
    # What is left is not needed once the incident is there, and its receiver is gone then.
    with suppress(SystemUnreachable):
        replay.run(dataset.files, live)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("datasets", nargs="*", type=Path, default=DATASETS, metavar="DATASET")
    parser.add_argument("--faults", type=int, default=3, help="faults of each data set, spread over it")
    parser.add_argument("--quick", action="store_true", help="one fault of the first data set")
    options = parser.parse_args()
    folders = [folder for folder in options.datasets if folder.is_dir()]
    if not folders:
        print("no data sets: name a folder with labels.json and OTLP JSON lines")
        return 0
    machine.told("causeline", "chdb-core", "polars")
    opened, named = [], []
    for dataset in [Dataset.read(folder) for folder in (folders[:1] if options.quick else folders)]:
        faults = read_faults(dataset.labels)
        wanted = 1 if options.quick else min(options.faults, len(faults))
        for fault in faults[:: max(1, len(faults) // wanted)][:wanted]:
            incident, cause = measure(dataset, fault)
            opened.append(incident)
            named.append(cause)
            print(
                f"  {dataset.name:12} {fault.name:26} incident {_s(incident)}, right cause first {_s(cause)}",
                flush=True,
            )
    print(f"  median of {len(opened)}: incident {_median(opened)}, right cause first {_median(named)} (bar: 30 s)")
    return 0


def _s(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.0f} s"


def _median(found: list[float | None]) -> str:
    """The median, where what never came counts as longer than anything."""
    middle = statistics.median([float("inf") if x is None else x for x in found])
    return _s(None if middle == float("inf") else middle)


if __name__ == "__main__":
    sys.exit(main())
