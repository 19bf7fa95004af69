"""Frames of a small call graph with one slow and failing service: storefront -> checkout -> ledger, each with a pod."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator
from typing import Any

import polars as pl

from correlate.frames import FRAMES
from correlate.signals import TIME

Row = dict[str, Any]
_NS = 10**9
SERVICES = ("storefront", "checkout", "ledger")
NODE = "worker-node-d"
_BLANK: dict[type[pl.DataType], Any] = {pl.String: "", pl.Boolean: False, pl.Float64: 0.0, pl.Int32: 0}


def mesh(start: int, end: int, fault: int, lasts_s: float = 300.0, seed: int = 5) -> dict[str, pl.DataFrame]:
    """Spans and logs from `start` to `end`, nanoseconds; the ledger is slow and fails for `lasts_s` from `fault` on."""
    chance = random.Random(seed)
    spans: list[Row] = []
    logs: list[Row] = []
    at, number = start, 0
    while at < end:
        number += 1
        bad = fault <= at < fault + int(lasts_s * _NS)
        own = [chance.lognormvariate(math.log(median), 0.2) for median in (4.0, 6.0, 9.0)]
        failed = bad and chance.random() < 0.4
        if bad:
            own[2] *= 12
        spans += _trace(at, number, own, failed=failed)
        logs += _lines(at, number, own[2], failed=failed)
        at += int(chance.uniform(1.5, 4.5) * _NS)
    return {"spans": _frame("spans", spans), "logs": _frame("logs", logs)}


def _pod(service: str) -> str:
    """Each service has one pod, named as Kubernetes names it."""
    return f"{service}-7c9f8d6b5-{'xkvzt' if service == 'ledger' else 'bqwrt'}"


def _trace(at: int, number: int, own: list[float], *, failed: bool) -> Iterator[Row]:
    """A server span in each service and a client span for each call between them."""
    trace, parent, begin = f"{number:032x}", "", at
    for depth, service in enumerate(SERVICES):
        inside = sum(own[depth:]) + 1.0 * (len(own) - depth - 1)
        common: Row = {"trace_id": trace, "service": service, "pod": _pod(service), "node": NODE, "workload": service}
        common |= {"error": failed, "error_type": "503" if failed else ""}
        server = f"{number * 8 + depth * 2:016x}"
        yield common | {
            "time": begin, "span_id": server, "parent_id": parent, "name": f"/{service}", "kind": "Server",
            "duration_ms": inside,
        }  # fmt: skip
        if depth + 1 < len(SERVICES):
            callee, parent = SERVICES[depth + 1], f"{number * 8 + depth * 2 + 1:016x}"
            begin += int(own[depth] * 0.5e6)
            yield common | {
                "time": begin, "span_id": parent, "parent_id": server, "name": f"call {callee}", "kind": "Client",
                "duration_ms": inside - own[depth], "peer": callee,
            }  # fmt: skip
            begin += 500_000


def _lines(at: int, number: int, took_ms: float, *, failed: bool) -> Iterator[Row]:
    common = {
        "service": "ledger",
        "pod": _pod("ledger"),
        "node": NODE,
        "workload": "ledger",
        "trace_id": f"{number:032x}",
    }
    yield common | {"time": at + 2 * 10**6, "severity": 9, "body": f"posting entry took {took_ms:.1f} ms"}
    if failed:
        said = "could not post entry: too many connections"
        yield common | {"time": at + 9 * 10**6, "severity": 17, "body": said}


def _frame(name: str, rows: list[Row]) -> pl.DataFrame:
    schema = FRAMES[name]
    blank = {column: _BLANK.get(type(kind)) for column, kind in schema.items()}
    plain = {column: pl.Int64() if kind == TIME else kind for column, kind in schema.items()}
    return pl.DataFrame([blank | row for row in rows], schema=plain, orient="row").with_columns(
        pl.col("time").cast(TIME)
    )
