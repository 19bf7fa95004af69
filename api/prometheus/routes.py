"""The endpoints: each reads its parameters, asks in a thread, and answers in Prometheus' envelope."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import promql_parser as pp
from fastapi import APIRouter, Depends, Request, Response
from starlette.concurrency import run_in_threadpool

from api.deps import Services, services, shared
from api.prometheus import described, encode, metadata, rules
from api.prometheus.envelope import PrometheusRoute, as_json, success
from api.prometheus.params import Params
from api.version import version
from query.errors import BadQuery, QueryTimeout
from query.promql.catalogue import Catalogue
from query.promql.context import Limits
from query.promql.engine import Engine
from query.promql.naming import unescaped
from query.promql.parse import parse
from query.promql.selectors import matchers as matchers_of
from query.promql.source import Matcher
from query.promql.stored import Stored
from query.promql.values import Labels, key

router = APIRouter(
    prefix="/prometheus/api/v1", route_class=PrometheusRoute, tags=["prometheus"], responses=described.RESPONSES
)
_TRUNCATED = "results truncated due to limit"
# What label and series requests look at when they name no time.
_HOUR_MS = 3_600_000
_WHEN = ("start", "end", "limit")
_RANGE = ("start", "end", "step")
_BOUNDS = ("timeout", "limit", "lookback_delta")
Endpoint = TypeVar("Endpoint", bound=Callable[..., Any])


def _get(path: str, summary: str, *names: str) -> Callable[[Endpoint], Endpoint]:
    """An endpoint that is asked by GET, with its parameters."""
    return router.get(path, summary=summary, openapi_extra=described.parameters(*names), response_class=Response)


def _both(path: str, summary: str, *names: str) -> Callable[[Endpoint], Endpoint]:
    """An endpoint that is asked by GET or by a form."""
    post = router.post(
        path, summary=f"{summary}, asked by a form", openapi_extra=described.form(*names), response_class=Response,
        operation_id=f"prometheus{path.replace('/', '_')}_form",
    )  # fmt: skip

    def register(endpoint: Endpoint) -> Endpoint:
        return _get(path, summary, *names)(post(endpoint))

    return register


class Prometheus:
    """What the endpoints share: the catalogue of series, and how many queries are evaluated at once."""

    def __init__(self, held: Services) -> None:
        self.settings = held.promql
        self.catalogue = Catalogue(held.reader.store, self.settings)
        self._turns = threading.BoundedSemaphore(self.settings.at_once)
        # Where there are several tenants, none has every turn.
        several = held.access is not None and held.access.on
        self._most = max(1, self.settings.at_once - 1) if several else self.settings.at_once
        self._own: dict[str, threading.BoundedSemaphore] = {}

    def stored(self, tenant: str) -> Stored:
        """A tenant's series."""
        return Stored(self.catalogue, tenant, self.settings.max_samples)

    def engine(self, tenant: str, lookback: int) -> Engine:
        """A tenant's engine."""
        return Engine(self.stored(tenant), lookback or round(self.settings.lookback_s * 1000))

    def limits(self, timeout_ms: int) -> Limits:
        """What one query may take; nobody waits longer than the settings say."""
        seconds = self.settings.timeout_s if timeout_ms <= 0 else min(timeout_ms / 1000, self.settings.timeout_s)
        return Limits(self.settings.max_samples, time.monotonic() + seconds)

    def in_turn(self, tenant: str, work: Callable[[], Response]) -> Response:
        """Do something when it is the tenant's turn. Raises QueryTimeout."""
        own = self._own.setdefault(tenant, threading.BoundedSemaphore(self._most))
        with self._turn(own), self._turn(self._turns):
            return work()

    @contextmanager
    def _turn(self, turns: threading.BoundedSemaphore) -> Iterator[None]:
        if not turns.acquire(timeout=self.settings.timeout_s):
            raise QueryTimeout("query timed out in query queue")
        try:
            yield
        finally:
            turns.release()


def prometheus(request: Request) -> Prometheus:
    """The application's own."""
    state = request.app.state
    found: Prometheus | None = getattr(state, "prometheus", None)
    if found is None:
        found = state.prometheus = Prometheus(shared(request))
    return found


def tenant_of(request: Request) -> str:
    """Whose series are asked for."""
    return services(request).tenant


Shared = Annotated[Prometheus, Depends(prometheus)]
Tenant = Annotated[str, Depends(tenant_of)]
Read = Annotated[Params, Depends(Params.of)]


@_both("/query", "Evaluate PromQL at one time", "query", "time", *_BOUNDS)
async def query(params: Read, shared: Shared, tenant: Tenant) -> Response:
    """Parameters: query, time, timeout, limit, lookback_delta."""
    at, limit = params.time("time", _now()), params.limit()
    limits, lookback = shared.limits(params.duration("timeout", 0)), params.duration("lookback_delta", 0)
    text = params.text("query")

    def work() -> Response:
        with _named("query"):
            answer = shared.engine(tenant, lookback).instant(text, at, limits)
        data, cut = encode.instant(answer.value, at, limit)
        return success(data, answer.notes, _TRUNCATED if cut else "")

    return await run_in_threadpool(shared.in_turn, tenant, work)


@_both("/query_range", "Evaluate PromQL over a range of times", "query", *_RANGE, *_BOUNDS)
async def query_range(params: Read, shared: Shared, tenant: Tenant) -> Response:
    """Parameters: query, start, end, step, timeout, limit, lookback_delta."""
    start, end, step = params.time("start"), params.time("end"), params.duration("step")
    if end < start:
        raise BadQuery('invalid parameter "end": end timestamp must not be before start time')
    if step <= 0:
        raise BadQuery(
            'invalid parameter "step": zero or negative query resolution step widths are not accepted. '
            "Try a positive integer"
        )
    limit, text = params.limit(), params.text("query")
    limits, lookback = shared.limits(params.duration("timeout", 0)), params.duration("lookback_delta", 0)

    def work() -> Response:
        with _named("query"):
            answer = shared.engine(tenant, lookback).range(text, start, end, step, limits)
        data, cut = encode.matrix(answer.value, answer.times, limit)
        return success(data, answer.notes, _TRUNCATED if cut else "")

    return await run_in_threadpool(shared.in_turn, tenant, work)


@_both("/series", "Labels of series that match", "match[]", *_WHEN)
async def series(params: Read, shared: Shared, tenant: Tenant) -> Response:
    """Parameters: match[], start, end, limit."""
    if not params.all("match[]"):
        raise BadQuery("no match[] parameter provided")
    found = await run_in_threadpool(_series, params, shared, tenant)
    limit = params.limit()
    cut = 0 < limit < len(found)
    return success(as_json(found[:limit] if cut else found), truncated=_TRUNCATED if cut else "")


@_both("/labels", "Names of labels", "match[]", *_WHEN)
async def labels(params: Read, shared: Shared, tenant: Tenant) -> Response:
    """Parameters: match[], start, end, limit."""
    found = await run_in_threadpool(_series, params, shared, tenant)
    return _values(sorted({name for each in found for name in each}), params.limit())


@_get("/label/{name}/values", "Values of a label", "match[]", *_WHEN)
async def label_values(name: str, params: Read, shared: Shared, tenant: Tenant) -> Response:
    """Parameters: match[], start, end, limit. The name may be escaped: `U__a_2e_b` is `a.b`."""
    wanted = unescaped(name)
    if not wanted or "\x00" in wanted:
        raise BadQuery(f'invalid label name: "{name[:100]}"')
    found = await run_in_threadpool(_series, params, shared, tenant)
    return _values(sorted({each[wanted] for each in found if wanted in each}), params.limit())


@_get("/metadata", "Types, help texts and units of metrics", "metric", "limit")
async def metrics_metadata(params: Read, shared: Shared, tenant: Tenant) -> Response:
    """Parameters: metric, limit."""
    found = await run_in_threadpool(metadata.described, shared.catalogue, tenant, params.text("metric", ""), _now())
    limit = params.limit()
    return success(as_json(dict(list(found.items())[:limit] if limit else found)))


@_both("/query_exemplars", "Exemplars of the series that a query reads", "query", "start", "end")
async def query_exemplars(params: Read, shared: Shared, tenant: Tenant) -> Response:
    """Parameters: query, start, end."""
    start, end = params.time("start"), params.time("end")
    if end < start:
        raise BadQuery('invalid parameter "end": end timestamp must not be before start time')
    with _named("query"):
        tree = parse(params.text("query"))
    found = await run_in_threadpool(metadata.exemplars, shared.catalogue, tenant, tree, start, end)
    return success(as_json(found))


@_get(
    "/rules",
    "Incidents as alerting rules",
    "type",
    "rule_name[]",
    "rule_group[]",
    "file[]",
    "match[]",
    "exclude_alerts",
)
async def alerting_rules(params: Read, shared: Shared, tenant: Tenant) -> Response:
    """Parameters: type, rule_name[], rule_group[], file[], match[], exclude_alerts."""
    kind = params.text("type", "")
    if kind not in ("", "alert", "record"):
        raise BadQuery(f'invalid parameter "type": not supported value "{kind[:40]}"')
    chosen = [_matchers(text) for text in params.all("match[]")]
    found = await run_in_threadpool(rules.groups, shared.catalogue.store, tenant, _now(), params, chosen)
    return success(as_json({"groups": found}))


@_get("/alerts", "Open incidents as alerts")
async def alerts(shared: Shared, tenant: Tenant) -> Response:
    """No parameters."""
    found = await run_in_threadpool(rules.alerts, shared.catalogue.store, tenant, _now())
    return success(as_json({"alerts": found}))


@_get("/status/buildinfo", "Which Prometheus this behaves as")
async def buildinfo() -> Response:
    """The version is Prometheus' whose API this is; the revision is ours."""
    names = ("branch", "buildUser", "buildDate", "goVersion")
    return success(as_json({"version": "3.5.0", "revision": f"causeline-{version()}", **dict.fromkeys(names, "")}))


@_both("/format_query", "A query, tidied", "query")
async def format_query(params: Read) -> Response:
    """Parameter: query."""
    with _named("query"):
        return success(as_json(parse(params.text("query")).prettify()))


class _named:  # noqa: N801  # used as a statement
    """Names the parameter in errors of what happens within, as Prometheus does."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, BadQuery) and "parse error" in str(error):
            raise BadQuery(f'invalid parameter "{self._name}": {error}') from error


def _series(params: Params, shared: Prometheus, tenant: str) -> list[Labels]:
    """Labels of all series that one of the selectors matches, sorted; without selectors of all."""
    now = _now()
    start, end = params.time("start", now - _HOUR_MS), params.time("end", now)
    if end < start:
        raise BadQuery('invalid parameter "end": end timestamp must not be before start time')
    stored, found = shared.stored(tenant), {}
    for chosen in [_matchers(text) for text in params.all("match[]")] or [[]]:
        for each in stored.series(chosen, start, end, 0):
            found[key(each)] = each
    return [dict(sorted(found[name].items())) for name in sorted(found)]


def _matchers(text: str) -> list[Matcher]:
    with _named("match[]"):
        tree = parse(text)
    if not isinstance(tree, pp.VectorSelector):
        raise BadQuery(f'invalid parameter "match[]": 1:1: parse error: not a series selector: {text[:100]}')
    return matchers_of(tree)


def _values(found: list[str], limit: int) -> Response:
    cut = 0 < limit < len(found)
    return success(as_json(found[:limit] if cut else found), truncated=_TRUNCATED if cut else "")


def _now() -> int:
    return time.time_ns() // 1_000_000
