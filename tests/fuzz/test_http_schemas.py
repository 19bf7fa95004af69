"""Schemathesis against both HTTP interfaces: whatever the schema allows or forbids, no answer is a defect of ours."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.access import rules
from api.access.scopes import Scope
from api.app import create_app
from api.deps import Services
from api.reads.reading import Reader
from correlate.jobs import submit
from ingest.pipeline import Pipeline
from ingest.receiver import create_app as create_receiver
from ingest.settings import IngestSettings
from store import Store
from tests.kit.keyed import bearer, keyed
from tests.kit.serving import serving

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
# An answer that does not end cannot be compared with a schema; tests/api/test_stream.py is about it.
ENDLESS = {"/api/v1/incidents/stream"}
FEW = settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def api_schema(store: Store) -> Iterator[Any]:
    pipeline = Pipeline(store, IngestSettings(max_body_bytes=2**20, commit_timeout_s=30))
    pipeline.start()
    services = Services(Reader(store, "default"), partial(submit, store), take_logs=pipeline.take_logs)
    app = create_app(services)
    with serving(app) as url:
        schema = schemathesis.openapi.from_dict(app.openapi())
        schema.config.update(base_url=url)
        yield schema
    pipeline.stop()


@pytest.fixture
def otlp_schema(store: Store) -> Iterator[Any]:
    pipeline = Pipeline(store, IngestSettings(max_body_bytes=2**20, commit_timeout_s=30))
    pipeline.start()
    with serving(create_receiver(pipeline)) as url:
        schema = schemathesis.openapi.from_path(Path(__file__).with_name("otlp_http.json"))
        schema.config.update(base_url=url)
        yield schema
    pipeline.stop()


def exercise(schema: Any) -> int:
    """Requests as each operation's schema has them, and as it does not; how many were answered as it says."""
    answered = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        if operation.path in ENDLESS:
            continue
        for mode in GenerationMode:
            try:
                strategy = operation.as_strategy(generation_mode=mode)
            except Unsatisfiable:
                continue

            @FEW
            @given(case=strategy)
            def one(case: Any) -> None:
                nonlocal answered
                case.call_and_validate(checks=CHECKS)
                answered += 1

            # An operation without parameters cannot be asked wrongly.
            with contextlib.suppress(Unsatisfiable):
                one()
    return answered


def test_the_api(api_schema: Any) -> None:
    assert exercise(api_schema) > 100


@pytest.mark.slow
def test_the_api_behind_keys(store: Store) -> None:
    """The same with keys on: whatever is asked with an administrator's, and with none."""
    with keyed(store) as here:
        # The tests here may revoke any key they find, but not this one.
        root = here.key("root", Scope.ADMIN)
        schema: Any = schemathesis.openapi.from_dict(here.app.openapi())
        schema.config.update(base_url=str(here.api.base_url), headers=bearer(root))
        assert exercise(schema) > 100
        refused = 0
        for found in schema.get_all_operations():
            operation = found.ok()
            path = re.sub(r"\{\w+\}", "x", operation.path)
            answer = here.api.request(operation.method.upper(), path)
            assert answer.status_code == (200 if path in rules.OPEN else 401), (operation.method, path)
            refused += answer.status_code == 401
        assert refused > 40


def test_the_receiver(otlp_schema: Any) -> None:
    assert exercise(otlp_schema) > 50
