"""A15 to A19 and A26: questions that are meant to hurt, in every parameter of every read, and answers that could.

What they must not do: break something of ours (500), be taken for more than text, or run in a browser.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from api.access.scopes import Scope
from correlate.engine import Detection
from correlate.incident import assemble
from correlate.persist import save_detection, save_incidents
from correlate.settings import CorrelateSettings
from ingest.envelope import Signal
from store import Store
from tests.attacks.reads import AGO, NOW, READS, SPAN, WINDOW
from tests.kit.causal import edge, edges, entities, nanos, signal, signals
from tests.kit.keyed import Keyed, bearer, keyed
from tests.kit.landing import insert
from tests.kit.otlp import span, traces

HOSTILE = {
    "A15 a limit": "1e12", "A15 less than nothing": "-1", "A15 the end of time": "9223372036854775807",
    "A16 SQL": "x'; DROP TABLE incidents; --", "A16 an identifier": "`x` OR 1=1 --", "A16 an escape": "\\'\\",
    "A16 a line": "a\nb\tc", "A17 a file": "file('/etc/hostname')", "A18 a pattern": "(a+)+$" * 50,
    "A19 a path": "../../../etc/passwd", "A19 twice encoded": "%252e%252e%252f",
    "A26 markup": "<img src=x onerror=alert(1)>",
    "long": "x" * 30_000,
}  # fmt: skip
MARKUP = "<img src=x onerror=alert(1)>"


@pytest.fixture
def here(store: Store) -> Iterator[Keyed]:
    with keyed(store) as running:
        yield running


@pytest.mark.slow
@pytest.mark.parametrize("value", HOSTILE.values(), ids=HOSTILE.keys())
def test_no_parameter_is_more_than_text(here: Keyed, value: str) -> None:
    key = here.key("root", Scope.ADMIN)
    tables = here.store.arrow_text("SELECT count() AS n FROM system.tables")["n"][0].as_py()
    for path, queries in READS.items():
        # All at once as far as the client's own limit on an address goes, and one by one.
        query: dict[str, Any] = dict.fromkeys({name for each in queries for name in each}, value[:1000])
        for asked in (query, *({**queries[0], name: value} for name in query)):
            place = re.sub(r"\{\w+\}", "x", path)
            answer = here.get(place, key, params=asked)
            assert answer.status_code < 500, (place, asked, answer.text)
            assert "root:" not in answer.text
    for path in (path for path in READS if "{" in path):
        named = re.sub(r"[\x00-\x1f]", lambda control: quote(control[0]), value[:300])
        target = httpx.URL(path=named.join(re.split(r"\{\w+\}", path)))
        answer = here.get(str(target), key, params=READS[path][0])
        assert answer.status_code < 500, (path, answer.text)
    assert here.store.arrow_text("SELECT count() AS n FROM system.tables")["n"][0].as_py() == tables


@pytest.mark.parametrize("tenant", ["../b", "b/../a", "%2e%2e", "B", "a'b", "a\x00b", "", "x" * 100])
def test_a19_a_tenant_is_no_path_whoever_names_it(here: Keyed, tenant: str) -> None:
    key = here.key("root", Scope.ADMIN)
    for path in ("/api/v1/keys", "/api/v1/audit"):
        answer = here.get(path, key, params={"tenant": tenant})
        assert (path, answer.status_code) == (path, 200 if tenant == "" else 400)
    # A header that others take for the tenant is no more than a header here.
    answer = here.api.get("/api/v1/incidents", headers={**bearer(key), "X-Scope-OrgID": tenant.replace("\x00", "")})
    assert answer.status_code == 200


def test_a26_what_telemetry_says_runs_in_no_browser(here: Keyed, store: Store) -> None:
    key = here.key("root", Scope.ADMIN)

    named = span(random.Random(1), name=MARKUP, start_time_unix_nano=NOW, end_time_unix_nano=NOW + 10)
    insert(store, Signal.TRACES, traces(named, **{"service.name": MARKUP}))
    rows = signals(
        signal("xid.79", "gpu", f"gpu:{MARKUP}", AGO, score=10.0, severity="critical"),
        signal("pod.restart", "kubernetes", f"pod:=cmd|'/c calc'!A0 {MARKUP}", AGO + 5, lasts=60),
    )
    topology = edges(edge(f"gpu:{MARKUP}", f"pod:=cmd|'/c calc'!A0 {MARKUP}", "runs", start=AGO - 100, end=AGO + 3600))
    save_detection(store, "default", Detection(WINDOW, rows, entities(), topology, ()), 1)
    found = assemble(rows, entities(), topology, nanos(AGO + 300), "default", CorrelateSettings())
    save_incidents(store, "default", found, WINDOW, WINDOW, 1)
    incident = here.get("/api/v1/incidents", key).json()["incidents"][0]["id"]
    seen = 0
    for path in (
        "/api/v1/incidents", f"/api/v1/incidents/{incident}", "/api/v1/entities", "/api/v1/topology",
        f"/api/v1/incidents/{incident}/report?format=markdown", "/jaeger/api/services",
        f"/api/v1/spans?start={SPAN['start']}&end={SPAN['end']}", f"/api/v1/entities/gpu/{MARKUP}",
        f"/api/v1/signals/{MARKUP}", f"/tempo/api/traces/{MARKUP}", f"/prometheus/api/v1/query?query={MARKUP}",
        f"/loki/loki/api/v1/query_range?query={MARKUP}",
    ):  # fmt: skip
        answer = here.get(path, key)
        seen += MARKUP in answer.text
        assert "html" not in answer.headers["content-type"], path
        assert answer.headers["x-content-type-options"] == "nosniff", path
        assert answer.headers["content-security-policy"].startswith("default-src 'none'"), path
    assert seen > 4
    assert MARKUP not in here.get(f"/api/v1/incidents/{incident}/report?format=markdown", key).text
