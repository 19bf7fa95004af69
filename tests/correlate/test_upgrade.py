"""A store of an earlier version is brought to this one: what it holds is read, and judged like what came later."""

from __future__ import annotations

from collections.abc import Iterator

import polars as pl
import pytest

from correlate import passes
from correlate.settings import CorrelateSettings
from ingest.envelope import Signal
from store import Store, Window, migrate
from tests.conftest import Embedded
from tests.kit.landing import count, rows
from tests.kit.recorded import END, Request, land, requests

# The migrations that the first release had.
FIRST = (
    "0001_traces", "0002_logs", "0003_metrics", "0004_landing", "0005_ledger", "0006_check", "0010_signals",
    "0011_entities", "0012_incidents", "0013_correlation_jobs",
)  # fmt: skip
# The last migration of what landed later, step by step.
LATER = (
    "0014_landing", "0016_admission", "0017_remote_write", "0022_windows", "0024_traces_looked_at", "0026_merges",
    "0036_notifications",
)  # fmt: skip
HOUR = Window(END - 3600 * 10**9, END)


@pytest.fixture(scope="module")
def hour() -> list[Request]:
    """The demo's hour without metrics and traces: what the kernel and Kubernetes said is enough for an incident."""
    return [request for request in requests() if request[0] is Signal.LOGS]


@pytest.fixture(scope="module")
def expected(hour: list[Request], embedded: Embedded) -> Iterator[pl.DataFrame]:
    """The incidents that a store which is new today finds in it."""
    store = embedded.open("upgrade_new")
    migrate.apply(store)
    land(store, hour)
    yield judged(store)
    store.command(f"DROP DATABASE {store.settings.database}")


def judged(store: Store) -> pl.DataFrame:
    """Correlate the hour; what matters of its incidents."""
    passes.correlate_range(store, "default", HOUR, CorrelateSettings())
    text = "SELECT IncidentId, Title, Severity, StartedAt, Score, RootCauses FROM incidents FINAL ORDER BY IncidentId"
    return pl.DataFrame(rows(store, text))


@pytest.mark.timeout(1800)
@pytest.mark.parametrize("had", [FIRST, *LATER], ids=lambda had: had if isinstance(had, str) else "first")
def test_data_of_an_earlier_schema_is_read_and_correlated(
    had: str | tuple[str, ...],
    hour: list[Request],
    expected: pl.DataFrame,
    empty_store: Store,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    store, shipped = empty_store, migrate.migrations()
    before = [m for m in shipped if (m.name <= had if isinstance(had, str) else m.name in had)]
    with monkeypatch.context() as patch:
        patch.setattr(migrate, "migrations", lambda: tuple(before))
        assert migrate.apply(store) == [migration.name for migration in before]
        land(store, hour)
        store.insert_bytes("entities", b'{"Tenant": "other", "EntityName": "kept", "Version": 1}', "JSONEachRow")
    written = count(store, "otel_logs")
    assert written > 0
    assert migrate.apply(store) == [migration.name for migration in shipped if migration not in before]
    assert count(store, "otel_logs") == written
    assert rows(store, "SELECT EntityName FROM entities FINAL WHERE Tenant = 'other'") == [{"EntityName": "kept"}]
    assert not expected.is_empty()
    assert judged(store).equals(expected)
