"""Five times too much for some seconds. `python -m tests.faults.overload` does it for two minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.faults import overload

# Small, so that they are reached in seconds: four batches of 4 MiB in flight, 120 MiB in the engine for each of two.
SETTINGS = {
    "CAUSELINE_INGEST__MAX_INFLIGHT_BYTES": f"{16 * 2**20}",
    "CAUSELINE_INGEST__MAX_BATCH_BYTES": f"{4 * 2**20}",
}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.usefixtures("no_engine")
def test_overload(tmp_path: Path) -> None:
    report = overload.run(tmp_path, 15, settings=SETTINGS)
    assert report.clean, report
    assert report.statuses[200], report
    assert report.statuses[503], report
    assert report.rss_mib < 900, report
