"""Fuzz Prometheus remote write, both versions, through the whole receiver and ClickHouse's decoder."""

from __future__ import annotations

from typing import Any

import atheris

from ingest.remote_write import PATH
from tests.fuzz.harness import fuzz
from tests.fuzz.mutate import mutated
from tests.fuzz.target import Target
from tests.kit.otlp import T0
from tests.kit.prompb import Series1, Series2, snappy

_T = T0 // 1_000_000
_TYPE = "application/x-protobuf"
_HEADERS = (
    {"content-type": _TYPE, "content-encoding": "snappy", "x-prometheus-remote-write-version": "0.1.0"},
    {"content-type": f"{_TYPE};proto=io.prometheus.write.v2.Request", "content-encoding": "snappy"},
)


def main() -> None:
    """The first byte chooses the version, and whether what follows is compressed for it."""
    target = Target()

    def check(data: bytes) -> None:
        if data:
            body = data[1:] if data[0] & 2 else snappy(data[1:])
            target.ask(PATH, _HEADERS[data[0] & 1], body)

    first, second = Series1(), Series2()
    both: tuple[Any, ...] = (first, second)
    for made in both:
        made.add({"__name__": "up", "job": "j"}, samples=[(_T, 1), (_T + 1, float("nan"))])
        made.add({"__name__": "http_requests_total", "path": "/é"}, samples=[(_T, 3)])
    plain = [bytes((n,)) + bytes(made.message.SerializeToString()) for n, made in enumerate(both)]
    seeds = [*plain, *(bytes((body[0] | 2,)) + snappy(body[1:]) for body in plain)]

    def mutator(data: bytes, longest: int, seed: int) -> bytes:
        # The engine's coverage is not seen, so the valid bodies stay what most mutations begin with.
        if seed % 8 == 0:
            return bytes(atheris.Mutate(data, longest))
        base = data if seed % 8 == 1 else seeds[seed // 8 % len(seeds)]
        return (base[:1] + mutated(base[1:], seed))[:longest]

    fuzz("remote_write", check, seeds, mutator=mutator, finish=target.close)


if __name__ == "__main__":
    main()
