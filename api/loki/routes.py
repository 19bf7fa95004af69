"""The routes under /loki/loki/api/v1: queries, labels, series, sizes, fields."""

from __future__ import annotations

import time as clock
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.deps import Wired
from api.errors import BadParameter
from api.loki import answers, params
from api.protocol.foreign import answer, route_class
from query.errors import BadQuery
from query.logql import explore
from query.logql import syntax as s
from query.logql.evaluate import Times, evaluate
from query.logql.lines import read
from query.logql.parse import parse, parse_selector
from store import Window

# What field detection looks at unless told, as Loki's `line_limit` and `limit`.
FIELD_LINES, FIELD_LIMIT = 1_000, 1_000
MAX_MATCHERS = 20

router = APIRouter(prefix="/loki/loki/api/v1", route_class=route_class(answers.refused), include_in_schema=False)


@router.get("/query")
def instant(wired: Wired, query: str = "", time: str = "") -> Response:
    """A metric query at one moment; `vector(1)+vector(1)` is Grafana's health check."""
    parsed = parse(query)
    if isinstance(parsed, s.LogQuery):
        raise BadQuery(
            "log queries are not supported as an instant query type, please change your query to a range query type"
        )
    times = Times(params.moment(time, "time", clock.time_ns()), 1, 1)
    return answers.vector(evaluate(wired.reader.store, wired.reader.tenant, parsed, times), times)


@router.get("/query_range")
def over_time(
    request: Request,
    wired: Wired,
    query: str = "",
    start: str = "",
    end: str = "",
    since: str = "",
    step: str = "",
    limit: str = "",
    direction: str = "",
) -> Response:
    """Lines, or a metric at every step."""
    store, tenant = wired.reader.store, wired.reader.tenant
    parsed = parse(query)
    first, last = params.window(start, end, since)
    if isinstance(parsed, s.LogQuery):
        lines = read(
            store, tenant, parsed, Window(first, last), params.limit(limit), newest_first=params.newest_first(direction)
        )
        return answers.streams(lines, by_sort=answers.categorizes(request))
    times = Times.between(first, last, params.step(step, first, last))
    return answers.matrix(evaluate(store, tenant, parsed, times), times)


@router.get("/labels")
def labels(wired: Wired, start: str = "", end: str = "", since: str = "", query: str = "") -> Response:
    """Names of streams' labels."""
    window = params.as_window(start, end, since)
    return answers.success(explore.labels(wired.reader.store, wired.reader.tenant, _selector(query), window))


@router.get("/label/{name}/values")
def label_values(wired: Wired, name: str, start: str = "", end: str = "", since: str = "", query: str = "") -> Response:
    """Values of a label of streams."""
    window = params.as_window(start, end, since)
    found = explore.label_values(wired.reader.store, wired.reader.tenant, name, _selector(query), window)
    return answers.success(found)


@router.get("/series")
def series(
    wired: Wired,
    match: Annotated[list[str] | None, Query(alias="match[]")] = None,
    start: str = "",
    end: str = "",
    since: str = "",
) -> Response:
    """Label sets of streams."""
    if not match:
        raise BadParameter("match[]", "0 matcher groups supplied; give at least one")
    if len(match) > MAX_MATCHERS:
        raise BadParameter("match[]", f"is given more than {MAX_MATCHERS} times")
    window = params.as_window(start, end, since)
    queries = [parse_selector(each) for each in match]
    return answers.success(explore.streams(wired.reader.store, wired.reader.tenant, queries, window))


@router.get("/index/stats")
def stats(wired: Wired, query: str = "", start: str = "", end: str = "", since: str = "") -> Response:
    """How much a selector matches; Grafana shows it beside the query."""
    window = params.as_window(start, end, since)
    return answer(explore.stats(wired.reader.store, wired.reader.tenant, parse_selector(query), window))


@router.get("/index/volume")
def volume(
    wired: Wired,
    query: str = "",
    start: str = "",
    end: str = "",
    since: str = "",
    limit: str = "",
    targets: Annotated[str, Query(alias="targetLabels")] = "",
) -> Response:
    """Bytes of lines by the selector's labels, or by the labels named, the largest first."""
    first, last = params.window(start, end, since)
    selector = parse_selector(query)
    names = tuple(name for name in targets.split(",") if name) or tuple(m.name for m in selector.matchers)
    most = params.limit(limit)
    counted = s.RangeAggregation("bytes_over_time", selector, max(last - first, 1), 0)
    ranked = s.VectorAggregation(
        "topk", s.VectorAggregation("sum", counted, s.Grouping(tuple(dict.fromkeys(names)), without=False)), None, most
    )
    times = Times(last, 1, 1)
    return answers.vector(evaluate(wired.reader.store, wired.reader.tenant, ranked, times), times)


@router.get("/detected_fields")
def detected_fields(
    wired: Wired,
    query: str = "",
    start: str = "",
    end: str = "",
    since: str = "",
    limit: str = "",
    line_limit: str = "",
) -> Response:
    """Fields that the newest lines have, with their types and how many values there are."""
    most = params.limit(limit, default=FIELD_LIMIT)
    found = _fields(wired, query, params.as_window(start, end, since), line_limit)
    shown = sorted(found.items())[:most]
    fields = [
        {"label": name, "type": field.kind, "cardinality": len(field.values), "parsers": sorted(field.parsers)}
        for name, field in shown
    ]
    return answer({"fields": fields, "limit": most})


@router.get("/detected_field/{name}/values")
def detected_field_values(
    wired: Wired,
    name: str,
    query: str = "",
    start: str = "",
    end: str = "",
    since: str = "",
    limit: str = "",
    line_limit: str = "",
) -> Response:
    """Values that a field has in the newest lines."""
    most = params.limit(limit, default=FIELD_LIMIT)
    found = _fields(wired, query, params.as_window(start, end, since), line_limit)
    values = sorted(found[name].values) if name in found else []
    return answer({"values": values[:most], "limit": most})


def _fields(wired: Wired, query: str, window: Window, line_limit: str) -> dict[str, Any]:
    lines = params.limit(line_limit, "line_limit", FIELD_LINES)
    return explore.detected_fields(wired.reader.store, wired.reader.tenant, parse_selector(query), window, lines)


def _selector(query: str) -> s.LogQuery | None:
    # Grafana sends `{}` for "no selector yet".
    return parse_selector(query) if query.strip() not in ("", "{}") else None
