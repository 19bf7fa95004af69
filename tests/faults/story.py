"""The demo's hour told to a running system, its back-fill, and the incidents that come of it in a comparable form."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import httpx
import polars as pl

from store import Store, Window
from tests.kit.mesh import Mesh
from tests.kit.recorded import END, Request, requests

MINUTE = 60 * 10**9
# The half hour that holds the faults; what came before is its history.
JUDGED = Window(END - 30 * MINUTE, END)
_OPEN = {"queued", "running"}
_RETRIED = {429, 502, 503, 504}

Picture = list[dict[str, Any]]


def hour() -> list[Request]:
    """The hour's requests: a lost GPU and, ten minutes later, a slow service."""
    return [*requests(), *Mesh().requests(END - 58 * MINUTE, END, END - 7 * MINUTE)]


def tell(url: str, taken: Sequence[Request], seconds: float = 400) -> None:
    """Send every request until it is acknowledged. Raises TimeoutError, and HTTPStatusError for a refusal."""
    deadline = time.monotonic() + seconds
    with httpx.Client(base_url=url, timeout=10, trust_env=False) as client, ThreadPoolExecutor(12) as senders:
        for told in [senders.submit(_tell, client, request, deadline) for request in taken]:
            told.result()


def _tell(client: httpx.Client, request: Request, deadline: float) -> None:
    kind, body = request
    headers = {"Content-Type": "application/x-protobuf"}
    while time.monotonic() < deadline:
        with suppress(httpx.TransportError):
            answer = client.post(f"/v1/{kind.value}", content=body, headers=headers)
            if answer.status_code not in _RETRIED:
                answer.raise_for_status()
                return
        time.sleep(0.2)
    raise TimeoutError("the story is not told")


def ask(api: str, judged: Window = JUDGED) -> tuple[str, float]:
    """Ask for a back-fill: its id, and the seconds until it was accepted."""
    started = time.monotonic()
    body = {"start": judged.start / 10**9, "end": judged.end / 10**9}
    answer = httpx.post(f"{api}/api/v1/correlations", json=body, timeout=15, trust_env=False).raise_for_status()
    return str(answer.json()["id"]), time.monotonic() - started


def job(api: str, identifier: str) -> dict[str, Any]:
    """The back-fill as it is."""
    found: dict[str, Any] = (
        httpx.get(f"{api}/api/v1/correlations/{identifier}", timeout=15, trust_env=False).raise_for_status().json()
    )
    return found


def begun(api: str, identifier: str, seconds: float = 240) -> None:
    """Return once a window of the back-fill is done. Raises TimeoutError."""
    _when(api, identifier, seconds, lambda found: found["steps_done"] > 0 or found["state"] not in _OPEN)


def ended(api: str, identifier: str, seconds: float = 400) -> dict[str, Any]:
    """The back-fill once it is done or failed. Raises TimeoutError."""
    return _when(api, identifier, seconds, lambda found: found["state"] not in _OPEN)


def _when(api: str, identifier: str, seconds: float, condition: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    deadline = time.monotonic() + seconds
    while not condition(found := job(api, identifier)):
        if time.monotonic() > deadline:
            raise TimeoutError(f"not there after {seconds:.0f} s: {found}")
        time.sleep(0.3)
    return found


def picture(api: str, judged: Window = JUDGED) -> Picture:
    """What the incidents of a range say, by id: causes with scores, signals, severity, what was hurt."""
    span = {"start": judged.start / 10**9, "end": judged.end / 10**9}
    with httpx.Client(base_url=f"{api}/api/v1", timeout=30, trust_env=False) as client:
        listed = client.get("/incidents", params=span).raise_for_status().json()["incidents"]
        details = [client.get(f"/incidents/{incident['id']}").raise_for_status().json() for incident in listed]
    return sorted((_shown(incident) for incident in details), key=lambda shown: str(shown["id"]))


def _shown(incident: dict[str, Any]) -> dict[str, Any]:
    told = ("id", "title", "state", "severity", "score", "started_at", "ended_at", "signal_count", "blast_radius")
    causes = [(cause["rank"], cause["score"], cause["entity"], cause["kind"]) for cause in incident["root_causes"]]
    timeline = [(entry["signal_id"], entry["time"], entry["role"], entry["score"]) for entry in incident["timeline"]]
    return {name: incident[name] for name in told} | {"causes": causes, "timeline": sorted(timeline)}


@dataclass(frozen=True)
class Work:
    """How the windows of a back-fill were worked on.

    `attempts` are the attempts that windows took, by their number.
    """

    states: Counter[str]
    attempts: Counter[int]


def work(store: Store, identifier: str) -> Work:
    """What became of a job's windows."""
    rows = store.arrow_text(
        "SELECT State, toUInt32(Attempts) AS Attempts FROM correlation_windows FINAL WHERE JobId = {job:String}",
        {"job": identifier},
    ).to_pylist()
    return Work(Counter(row["State"] for row in rows), Counter(row["Attempts"] for row in rows))


def content(store: Store) -> dict[str, pl.DataFrame]:
    """Everything that passes have said, without when they said it: what two runs must have in common."""
    return {table: _rows(store, table) for table in ("signals", "incidents", "incident_signals")}


def _rows(store: Store, table: str) -> pl.DataFrame:
    found = pl.from_arrow(store.arrow_text(f"SELECT * FROM {table} FINAL"))
    assert isinstance(found, pl.DataFrame)
    plain = found.drop("Version", "IsDeleted")
    return plain.sort("IncidentId", "SignalId") if table == "incident_signals" else plain.sort(plain.columns[1])


def differences(one: dict[str, pl.DataFrame], other: dict[str, pl.DataFrame]) -> list[str]:
    """Tables and columns in which two contents differ."""
    found = []
    for table, rows in one.items():
        if rows.height != other[table].height:
            found.append(f"{table}: {rows.height} and {other[table].height} rows")
            continue
        found += [f"{table}.{name}" for name in rows.columns if not rows[name].equals(other[table][name])]
    return found
