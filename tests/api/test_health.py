"""Readiness says why: what refuses telemetry, what only wants looking at, and a store that does not answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from ingest.pipeline import Pipeline
from ingest.reason import Reason
from ingest.settings import IngestSettings
from store import Store, StoreSettings
from tests.kit.clickhouse_server import free_port
from tests.kit.serving import serving

DISK = Reason("disk", "the disk is nearly full", blocks=True)
PARTS = Reason("detached_parts", "2 broken parts of otel_traces were set aside", blocks=False)


@contextmanager
def api(store: Store, *reasons: Reason) -> Iterator[httpx.Client]:
    services = Services(Reader(store, "default"), lambda *_: "", reasons=lambda: list(reasons))
    with serving(create_app(services)) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


@pytest.mark.parametrize(
    ("reasons", "code", "status"),
    [
        ((), 200, "ready"),
        ((PARTS,), 200, "degraded"),
        ((DISK,), 503, "unavailable"),
        ((PARTS, DISK), 503, "unavailable"),
    ],
)
def test_a_reason_that_blocks_makes_it_unavailable(
    store: Store, reasons: tuple[Reason, ...], code: int, status: str
) -> None:
    with api(store, *reasons) as http:
        answer = http.get("/readyz")
        assert http.get("/healthz").json() == {"status": "ok"}
    assert answer.status_code == code
    told = [{"code": reason.code, "message": reason.message} for reason in reasons]
    assert answer.json() == {"status": status, "reasons": told}


def test_a_store_that_does_not_answer_comes_first() -> None:
    nobody = Store(StoreSettings(url=f"http://127.0.0.1:{free_port()}"))
    with api(nobody, PARTS) as http:
        answer = http.get("/readyz")
        assert http.get("/healthz").status_code == 200
    assert answer.status_code == 503
    assert [reason["code"] for reason in answer.json()["reasons"]] == ["store_unreachable", "detached_parts"]


def test_a_pipeline_that_does_not_accept_says_so(store: Store) -> None:
    pipeline = Pipeline(store, IngestSettings())
    pipeline.start()
    assert pipeline.reasons() == []
    pipeline.stop()
    assert [(reason.code, reason.blocks) for reason in pipeline.reasons()] == [("stopping", True)]
