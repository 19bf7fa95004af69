"""Log records of the narrower of two queries, or else of the wider one, found in one look."""

from __future__ import annotations

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from api.protocol.parameters import Range
from api.reads.raw import LogQuery, Raw
from store import Store
from tests.conftest import on_both_homes
from tests.kit.causal import nanos
from tests.kit.rows import insert, log

WITHIN = Range(nanos(-60), nanos(3600))
OWN, PLACES = ["phi-0", "uid-0"], ["n1"]


@pytest.fixture
def raw(store: Store) -> Raw:
    """Records that name an object in each of the ways in which one is named, its node, or neither; some twice over."""
    event: dict[str, str] = {"k8s.event.reason": "BackOff"}
    named: tuple[dict[str, Any], ...] = (
        {"ServiceName": "phi-0"},
        {"ResourceAttributes": {"k8s.pod.uid": "uid-0"}},
        {"LogAttributes": {"k8s.pod.name": "phi-0"}},
        {"ResourceAttributes": {"host.name": "n1"}},
        {"LogAttributes": event | {"k8s.node.name": "n1"}},
        {"LogAttributes": event},
        {},
    )
    bodies = ("pulled image for phi-0", "NVRM: Xid 79 on n1", "handled request", "back-off of phi-9")
    rows = [
        log(body, (number * 7) % 40, **attributes)
        for number, (body, attributes) in enumerate(product(bodies, named * 2))
    ]
    insert(store, "otel_logs", *rows)
    insert(store, "otel_logs", log("pulled image for phi-0", 0, Tenant="other", ServiceName="phi-0"))
    return Raw(store, "default")


@on_both_homes
def test_one_look_finds_what_two_find(raw: Raw) -> None:
    widths = set()
    sources: tuple[list[str], ...] = ([], ["logs"], ["kernel_logs", "k8s_events"])
    quotes: tuple[list[str], ...] = ([], ["Xid 79", "image"], ["not there"])
    names: tuple[tuple[list[str], list[str]], ...] = (
        (OWN, [*OWN, *PLACES]),
        (["nobody"], ["nobody", *PLACES]),
        (OWN, []),
        (["nobody"], ["nobody"]),
    )
    for among, quoted, (narrow, wide), limit in product(sources, quotes, names, (3, 100)):
        wanted = LogQuery(WITHIN, sources=among, quotes=quoted, names=narrow, newest=limit == 100)
        wider = replace(wanted, names=wide)
        first, after = raw.log_rows(wanted, limit, None)
        second = raw.log_rows(wider, limit, None)
        expected = (first, after, True) if first else (*second, False)
        assert raw.narrowest_logs(wanted, wider, limit) == expected
        widths.add((bool(first), bool(second[0])))
    assert widths == {(True, True), (False, True), (False, False)}
