"""Following incidents: nothing is missed, nothing comes twice, and there is an end to how many follow."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from functools import partial

import httpx
import pytest

from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from api.reads.stream import Position, Stream
from correlate.jobs import submit
from store import Store
from tests.kit.rows import insert
from tests.kit.serving import serving


def entry(version: int, incident: str, kind: str = "opened", **more: str) -> dict[str, object]:
    return {"IncidentId": incident, "Kind": kind, "Version": version, "At": "2026-03-02 08:00:00"} | more


def read(client: httpx.Client, number: int, last: str | None = None) -> list[tuple[str, str]]:
    """The first events of the stream: id and incident."""
    headers = {"Last-Event-ID": last} if last else {}
    found: list[tuple[str, str]] = []
    with client.stream("GET", "/api/v1/incidents/stream", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        data = ""
        for line in answer.iter_lines():
            if line.startswith("data: "):
                data = json.loads(line[6:])["incident_id"]
            if line.startswith("id: "):
                found.append((line[4:], data))
            if line == "" and len(found) >= number:
                return found
    raise AssertionError("the stream ended")


@pytest.fixture
def client(store: Store) -> Iterator[httpx.Client]:
    services = Services(Reader(store, "default"), partial(submit, store), most_streams=2)
    app = create_app(services)
    app.state.streams.of("default").every_s = 0.05
    with serving(app) as url, httpx.Client(base_url=url, timeout=30) as found:
        yield found


def test_what_happens_from_now_on(client: httpx.Client, store: Store) -> None:
    insert(store, "incident_events", entry(5, "inc-old"))

    def later() -> None:
        time.sleep(0.5)
        insert(store, "incident_events", entry(7, "inc-new", Who="ann", Text="a\nb"), entry(8, "inc-next"))

    thread = threading.Thread(target=later)
    thread.start()
    try:
        assert [incident for _, incident in read(client, 2)] == ["inc-new", "inc-next"]
    finally:
        thread.join()


def test_a_client_that_comes_back_misses_nothing(client: httpx.Client, store: Store) -> None:
    insert(store, "incident_events", *[entry(10 + n // 2, f"inc-{n}") for n in range(6)])
    insert(store, "incident_events", entry(11, "inc-theirs", Tenant="other"))
    whole = [f"inc-{n}" for n in range(6)]
    assert [incident for _, incident in read(client, 6, "0.0")] == whole
    for seen in range(1, 6):
        last = f"{10 + (seen - 1) // 2}.{(seen - 1) % 2 + 1}"
        assert [incident for _, incident in read(client, 6 - seen, last)] == whole[seen:]


def test_pages_of_one_version_are_walked_through(store: Store) -> None:
    insert(store, "incident_events", *[entry(10, f"inc-{n:04}") for n in range(1200)])
    stream, seen, found = Stream(store, "default"), Position(), []
    while rows := stream.after(seen):
        found += [row["incident_id"] for row in rows]
        seen = Position(rows[-1]["version"], rows[-1]["number"])
    assert found == [f"inc-{n:04}" for n in range(1200)]


def test_more_than_the_places_are_turned_away(client: httpx.Client) -> None:
    with client.stream("GET", "/api/v1/incidents/stream"), client.stream("GET", "/api/v1/incidents/stream"):
        refused = client.get("/api/v1/incidents/stream")
        assert (refused.status_code, refused.headers["retry-after"]) == (429, "5")


@pytest.mark.parametrize("last", ["x", "1", "-1.1", "99999999999999999999.1", "9223372036854775808.1"])
def test_a_bad_last_event_id_is_400(client: httpx.Client, last: str) -> None:
    answer = client.get("/api/v1/incidents/stream", headers={"Last-Event-ID": last})
    assert (answer.status_code, answer.json()["parameter"]) == (400, "Last-Event-ID")
