"""`make up-server`: a system of several processes on a real ClickHouse server and a real Redis, without containers.

Two receivers with API, two workers and a clock, all on loopback and free ports, until Ctrl-C. With `--replay` a data
set is played into the first, correlated, and its incidents printed. Data is kept with `--data`, else thrown away.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from api.client import ApiClient
from api.commands.correlate import back_fill
from api.commands.replay import CONCURRENCY, send
from api.errors import BadDataset
from api.evaluation.dataset import Dataset, TimeRange
from api.process.stop_request import stop_requested
from api.times import format_time
from tests.kit.clickhouse_server import installed
from tests.kit.processes import verb
from tests.kit.redis_server import ABSENT
from tests.kit.redis_server import installed as redis_installed
from tests.kit.server_system import ServerSystem


def replay(folder: Path, otlp_url: str, api_url: str) -> None:
    """Play a data set, and correlate its time. Raises BadDataset and whatever the command line would say."""
    dataset, covered = Dataset.read(folder), TimeRange()
    send(list(dataset.files), otlp_url, CONCURRENCY, covered.saw)
    if covered.start is None or covered.end is None:
        raise BadDataset(f"{folder} has no telemetry with a time")
    with ApiClient(api_url) as client:
        back_fill(client, format_time(covered.start), format_time(covered.end + 10**9))


def main() -> int:
    """Run it; the exit code."""
    parser = argparse.ArgumentParser(prog="make up-server", description=__doc__)
    parser.add_argument("--data", type=Path, help="folder to keep data and logs in")
    parser.add_argument("--replay", type=Path, metavar="DATASET", help="folder of a data set to play")
    parser.add_argument("--once", action="store_true", help="stop after the replay")
    options = parser.parse_args()
    if not installed() or not redis_installed():
        print("no ClickHouse library: npm ci --prefix tests/kit" if not installed() else ABSENT, file=sys.stderr)
        return 1
    asked = stop_requested(impatient=True)
    with ExitStack() as undo:
        folder = options.data or Path(undo.enter_context(tempfile.TemporaryDirectory(prefix="causeline-")))
        began = time.monotonic()
        system = undo.enter_context(ServerSystem(folder.absolute()))
        print(
            f"ready in {time.monotonic() - began:.1f} s; ClickHouse {system.clickhouse.url}, Redis {system.redis.url}"
        )
        for process in system.processes:
            print(process.ready, flush=True)
        if options.replay:
            replay(options.replay.absolute(), system.otlp_http, system.api)
            print(verb("incidents", "--api", system.api), flush=True)
        if not options.once:
            print("Ctrl-C stops it", flush=True)
            asked.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
