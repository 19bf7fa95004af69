"""Our receiver as a process to measure: what `causeline up` receives with, without correlation and API.

    python -m benchmarks.receiver STORE_URL DATABASE

Prints `port N`, then answers each line on standard input with one line of JSON: `count SIGNAL` with the rows that
can be queried, `stats` with the pipeline's counts, parts and temporary bytes. Stops when standard input closes.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from api.process.listener import Listener, bind
from ingest.pipeline import Pipeline
from ingest.receiver import create_app
from ingest.settings import IngestSettings
from store import Store, StoreSettings, migrate
from store.settings import Home

TABLES = {
    "traces": ("otel_traces",),
    "logs": ("otel_logs",),
    "metrics": ("otel_metrics_gauge", "otel_metrics_sum", "otel_metrics_histogram"),
}


def count_query(signal: str) -> str:
    """SQL for the rows of a signal."""
    return f"SELECT {' + '.join(f'(SELECT count() FROM {table})' for table in TABLES[signal])} AS n"


def parts(store: Store) -> int:
    """Active parts of all tables."""
    text = "SELECT count() AS n FROM system.parts WHERE active AND database = currentDatabase()"
    return int(store.arrow_text(text)["n"][0].as_py())


def temporary_bytes(store: Store) -> int:
    """What lies in the embedded engine's directory for temporary files."""
    if store.home is not Home.EMBEDDED:
        return 0
    return sum(file.stat().st_size for file in (store.settings.path / "tmp").rglob("*") if file.is_file())


def serve(settings: StoreSettings) -> None:
    """Receive until standard input closes."""
    store = Store.open(settings)
    migrate.apply(store)
    pipeline = Pipeline(store, IngestSettings())
    pipeline.start()
    socket = bind("127.0.0.1", 0, "OTLP/HTTP", "")
    listener = Listener(socket, "otlp", lambda: create_app(pipeline))
    listener.start()
    answers: dict[str, Callable[..., Any]] = {
        "count": lambda signal: int(store.arrow_text(count_query(signal))["n"][0].as_py()),
        "stats": lambda: {**pipeline.stats(), "parts": parts(store), "temporary": temporary_bytes(store)},
    }
    print(f"port {socket.getsockname()[1]}", flush=True)
    for line in sys.stdin:
        verb, *arguments = line.split()
        print(json.dumps(answers[verb](*arguments)), flush=True)
    listener.stop()
    pipeline.stop()
    store.close()


def main() -> None:
    """Serve the store named on the command line."""
    settings = StoreSettings(url=sys.argv[1], database=sys.argv[2])
    if settings.home is Home.EMBEDDED:
        # The embedded engine leaves its cache of format schemas where it runs.
        Path(settings.path).mkdir(parents=True, exist_ok=True)
        os.chdir(settings.path)
    serve(settings)


if __name__ == "__main__":
    main()
