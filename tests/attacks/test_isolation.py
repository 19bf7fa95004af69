"""A24: with a tenant's key nothing of another tenant is seen, by any read there is, whatever is asked for.

Two tenants hold the same kinds of things, each under a word of its own. Every read is asked with what the other one's
keys would find: its ids, names, traces and cursors. A route that has no line here fails the first test.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute
from opentelemetry.proto.logs.v1.logs_pb2 import SEVERITY_NUMBER_ERROR, LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Exemplar, Gauge, Metric, NumberDataPoint
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from api.access import rules
from api.access.scopes import Scope
from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from correlate.engine import Detection
from correlate.incident import assemble
from correlate.persist import save_detection, save_incidents
from correlate.settings import CorrelateSettings
from ingest.envelope import Signal
from store import Store
from tests.attacks.reads import (
    AGO,
    BY_ID,
    ENDLESS,
    FORMS,
    NOBODYS,
    NOW,
    OURS,
    READS,
    SECOND,
    SPAN,
    THEIRS,
    TRACE,
    WINDOW,
    WORDLESS,
)
from tests.kit.causal import edge, edges, entities, nanos, signal, signals
from tests.kit.keyed import Keyed, bearer, keyed
from tests.kit.landing import insert
from tests.kit.otlp import logs, metrics, put, traces


def paths(app: Any, *methods: str) -> set[str]:
    """Every path the application routes, without converters."""
    routes = [
        inner for each in app.routes for inner in (getattr(each, "original_router", None) or _Single(each)).routes
    ]
    assert len(routes) > 60
    return {
        re.sub(r":path\}", "}", route.path)
        for route in routes
        if route.methods & set(methods) and (isinstance(route, APIRoute) or hasattr(route, "path"))
    }


class _Single:
    def __init__(self, route: Any) -> None:
        self.routes = [route]


def plain(path: str) -> str:
    """A path with nameless parameters."""
    return re.sub(r"\{\w+\}", "{}", path)


def test_every_route_is_covered_here_and_has_a_scope(store: Store) -> None:
    app = create_app(Services(Reader(store, "default"), lambda *_: ""))
    reads = paths(app, "GET")
    known = {plain(path) for path in {*READS, *NOBODYS, *ENDLESS}}
    assert {plain(path) for path in reads} == known, "say in READS how a new route is asked, and what it may show"
    assert [path for path in paths(app, "GET", "POST", "PUT", "PATCH", "DELETE") if not rules.covered(path)] == []


def world(store: Store, tenant: str, mark: str) -> None:
    """Telemetry, findings and an incident, all with the tenant's word in their names."""
    names = {"service.name": f"{mark}-svc", "host.name": f"{mark}-node"}
    trace = bytes.fromhex(TRACE[mark])
    times = {"start_time_unix_nano": NOW, "end_time_unix_nano": NOW + SECOND}
    root = Span(trace_id=trace, span_id=b"r" * 8, name=f"{mark} root", kind=Span.SPAN_KIND_CLIENT, **times)  # type: ignore[arg-type]
    leaf = Span(trace_id=trace, span_id=b"l" * 8, parent_span_id=b"r" * 8, name=f"{mark} leaf", kind=2, **times)  # type: ignore[arg-type]
    insert(
        store,
        Signal.TRACES,
        traces(root, **names),
        traces(leaf, **{**names, "service.name": f"{mark}-db"}),
        tenant=tenant,
    )
    record = LogRecord(time_unix_nano=NOW, severity_number=SEVERITY_NUMBER_ERROR, severity_text="Error", trace_id=trace)
    record.body.string_value = f'{{"{mark}_said": "{mark}"}}'
    fallen = LogRecord(time_unix_nano=NOW, severity_number=SEVERITY_NUMBER_ERROR)
    fallen.body.string_value = f"NVRM: Xid (PCI:0000:9b:00): 79, {mark} has fallen off the bus."
    insert(store, Signal.LOGS, logs(record, fallen, **names), tenant=tenant)
    points = []
    for n in range(20):
        at = NOW - (20 - n) * SECOND
        exemplar = Exemplar(time_unix_nano=at, as_double=n, trace_id=trace, span_id=b"r" * 8)
        put(exemplar.filtered_attributes, {"said": mark})
        points.append(NumberDataPoint(time_unix_nano=at, as_double=n, exemplars=[exemplar]))
    queue = Metric(name=f"{mark}_queue", description=f"what {mark} waits for", gauge=Gauge(data_points=points))
    insert(store, Signal.METRICS, metrics(queue, **names), tenant=tenant)
    _found(store, tenant, mark)


def _found(store: Store, tenant: str, mark: str) -> None:
    quoted = f'{{"line": "{mark} has fallen off the bus.", "node": "{mark}-node"}}'
    rows = signals(
        signal("xid.79", "gpu", f"gpu:{mark}-gpu", AGO, score=10.0, severity="critical", rule="kernel_xid",
               evidence=quoted),
        signal("pod.restart", "kubernetes", f"pod:{mark}-pod", AGO + 5, lasts=500, score=7.0),
        signal("pod.crash_loop", "kubernetes", f"pod:{mark}-else", AGO + 3000, lasts=60, score=8.0),
    )  # fmt: skip
    topology = edges(
        edge(f"node:{mark}-node", f"gpu:{mark}-gpu", start=AGO - 100, end=AGO + 3600),
        edge(f"gpu:{mark}-gpu", f"pod:{mark}-pod", "runs", start=AGO - 100, end=AGO + 3600),
    )
    names = entities(**{f"gpu__{mark}-gpu": [f"{mark}-alias"]})
    save_detection(store, tenant, Detection(WINDOW, rows, names, topology, ()), 1)
    found = assemble(rows, names, topology, nanos(AGO + 300), tenant, CorrelateSettings())
    assert found.incidents.height == 2
    save_incidents(store, tenant, found, WINDOW, WINDOW, 1)


class Tenant:
    """One side: its keys, and what is its own."""

    def __init__(self, here: Keyed, mark: str) -> None:
        self.mark = mark
        self.tenant = f"{mark}-corp"
        world(here.store, self.tenant, mark)
        self.key = here.key(f"{mark}-reader", Scope.QUERY, tenant=self.tenant)
        self.admin = here.key(f"{mark}-admin", Scope.ADMIN, tenant=self.tenant)
        listed = here.get("/api/v1/incidents?limit=1&q=xid", self.key).json()
        (incident,) = here.get(f"/api/v1/incidents?entity={mark}-gpu", self.key).json()["incidents"]
        first = here.get("/api/v1/incidents?limit=1", self.key).json()
        assert listed is not None
        job = here.api.post(
            "/api/v1/correlations", json={"start": SPAN["start"], "end": SPAN["end"]}, headers=bearer(self.admin)
        ).json()
        about = f"/api/v1/incidents/{incident['id']}"
        for verb, body in (
            ("comments", {"text": f"{mark} knows"}),
            ("causes", {"entity": {"type": "gpu", "name": f"{mark}-gpu"}, "verdict": "confirmed", "text": mark}),
        ):
            assert here.api.post(f"{about}/{verb}", json=body, headers=bearer(self.admin)).status_code == 200
        private = {"attribute": f"enduser.id={mark}-person"}
        deletion = here.api.post("/api/v1/deletions", json=private, headers=bearer(self.admin)).json()
        run = here.api.post("/api/v1/retention/runs", headers=bearer(self.admin)).json()
        self.names = {
            "deletion_id": deletion["id"], "run_id": run["id"],
            "mark": mark, "tenant": self.tenant, "incident_id": incident["id"], "cursor": first["next_cursor"],
            "signal_id": incident["root_causes"][0]["signal_ids"][0], "trace_id": TRACE[mark], "job_id": job["id"],
            "entity_type": "gpu", "name": f"{mark}-gpu", "service": f"{mark}-svc", "label": "job",
            "loki_label": "service_name", "field": f"{mark}_said",
        }  # fmt: skip

    def key_for(self, path: str) -> str:
        """The key that may ask for this."""
        return self.admin if rules.needed("GET", path) is Scope.ADMIN else self.key


@pytest.fixture
def here(store: Store) -> Iterator[Keyed]:
    with keyed(store) as running:
        running.key("root", Scope.ADMIN)
        yield running


@pytest.fixture
def sides(here: Keyed) -> tuple[Tenant, Tenant]:
    return Tenant(here, OURS), Tenant(here, THEIRS)


def filled(text: Any, names: dict[str, str]) -> Any:
    """Names in braces replaced."""
    return re.sub(r"\{(\w+)\}", lambda m: names.get(m[1], m[0]), text) if isinstance(text, str) else text


def asked(
    here: Keyed, key: str, path: str, query: dict[str, Any], names: dict[str, str], method: str
) -> httpx.Response:
    """The answer to a read that is made of these names; other tenants' headers change nothing."""
    headers = {**bearer(key), "X-Scope-OrgID": f"{THEIRS}-corp", "X-Tenant": f"{THEIRS}-corp"}
    params = {name: filled(value, names) for name, value in query.items()}
    given: dict[str, Any] = {"params": params} if method == "GET" else {"data": params}
    return here.api.request(method, filled(path, names), headers=headers, follow_redirects=True, **given)


def unasked(answer: httpx.Response, names: dict[str, str], query: dict[str, Any]) -> str:
    """An answer's text, without what its own request said."""
    text = answer.text
    for said in (*(filled(value, names) for value in query.values()), *names.values()):
        if isinstance(said, str) and len(said) > len(names["mark"]):
            text = text.replace(said, "")
    return text


def test_no_read_shows_another_tenants_data(here: Keyed, sides: tuple[Tenant, Tenant]) -> None:
    ours, theirs = sides
    asks = [(path, query, "GET") for path, queries in READS.items() for query in queries]
    asks += [(f"/prometheus/api/v1/{path}", query, "POST") for path, queries in FORMS.items() for query in queries]
    silent: set[str] = set(READS)
    for path, query, method in asks:
        shown = asked(here, theirs.key_for(path), path, query, theirs.names, method)
        assert shown.status_code == 200, (path, query, shown.text)
        if THEIRS.encode() in shown.content:
            silent.discard(path)
        assert OURS.encode() not in shown.content, (path, query)
        answer = asked(here, ours.key_for(path), path, query, theirs.names, method)
        assert answer.status_code < 500, (path, query, answer.text)
        assert THEIRS not in unasked(answer, theirs.names, query), (path, query, answer.text)
        if any(name in path for name in BY_ID):
            nobodys = {name: re.sub("[0-9a-f]", "0", value) for name, value in theirs.names.items()} | {
                "name": "nobody"
            }
            never = asked(here, ours.key_for(path), path, query, nobodys, method)
            assert answer.status_code == never.status_code == 404, (path, answer.text, never.text)
    # Their owner sees them: so there was something to be seen.
    assert silent <= WORDLESS


def test_counts_and_jobs_are_the_tenants_own(here: Keyed, sides: tuple[Tenant, Tenant]) -> None:
    ours, theirs = sides
    counts = [here.get("/api/v1/status", side.key).json() for side in sides]
    assert counts[0]["counts"]["spans"] == counts[1]["counts"]["spans"] == 2
    assert counts[0]["ingest"] == {}
    jobs = here.get("/api/v1/correlations", ours.key).json()["correlations"]
    assert {job["id"] for job in jobs} == {ours.names["job_id"]}
    assert theirs.names["job_id"] not in str(jobs)
    foreign = here.get("/api/v1/incidents", ours.key, params={"limit": 1, "cursor": theirs.names["cursor"]})
    assert (foreign.status_code, foreign.json()["parameter"]) == (400, "cursor")


def test_nobody_decides_about_anothers_incident(here: Keyed, sides: tuple[Tenant, Tenant]) -> None:
    ours, theirs = sides
    incident = theirs.names["incident_id"]
    before = here.get(f"/api/v1/incidents/{incident}", theirs.key).content
    about = {"type": "gpu", "name": f"{THEIRS}-gpu"}
    bodies: dict[str, Any] = {
        "acknowledge": None, "resolve": None, "reopen": None, "assign": {"assignee": "x"}, "comments": {"text": "x"},
        "merge": {"into": ours.names["incident_id"]}, "split": {"entities": [about]},
        "causes": {"entity": about, "verdict": "rejected"},
    }  # fmt: skip
    for verb, body in bodies.items():
        # An idempotency key of theirs gives nobody else their answer.
        headers = {**bearer(ours.admin), "Idempotency-Key": "one"}
        answer = here.api.post(f"/api/v1/incidents/{incident}/{verb}", json=body, headers=headers)
        assert (verb, answer.status_code) == (verb, 404), answer.text
    job = f"/api/v1/correlations/{theirs.names['job_id']}/release"
    assert here.api.post(job, headers=bearer(ours.admin)).status_code == 404
    into = f"/api/v1/incidents/{ours.names['incident_id']}/merge"
    assert here.api.post(into, json={"into": incident}, headers=bearer(ours.admin)).status_code == 404
    assert here.get(f"/api/v1/incidents/{incident}", theirs.key).content == before


def test_a_stream_has_its_own_tenants_changes_and_ends_with_its_key(here: Keyed, sides: tuple[Tenant, Tenant]) -> None:
    ours, theirs = sides
    said = ""
    headers = {**bearer(ours.key), "Last-Event-ID": "0.0"}
    with here.api.stream("GET", "/api/v1/incidents/stream", headers=headers) as answer:
        assert answer.status_code == 200
        for text in answer.iter_text():
            said += text
            if f"{OURS} knows" in said:
                break
        assert THEIRS not in said
        assert theirs.names["incident_id"] not in said
    (stored,) = (key for key in here.access.keys.all if key.name == f"{OURS}-reader")
    started = time.monotonic()
    with here.api.stream("GET", "/api/v1/incidents/stream", headers=bearer(ours.key)) as answer:
        assert answer.status_code == 200
        here.api.delete(f"/api/v1/keys/{stored.id}", headers=bearer(ours.admin))
        for _ in answer.iter_raw():
            assert time.monotonic() - started < 10
    assert time.monotonic() - started < 10
