"""Blamed systems: who is named in error lines, and what is no blame."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from correlate.peers import tells_of_another
from correlate.rules import peer_errors
from tests.kit.telemetry import facts, found, frames


def line(at: float, service: str, body: str, severity: int = 17) -> dict[str, Any]:
    return {"time": at, "service": service, "body": body, "severity": severity}


def told(*rows: dict[str, Any]) -> set[tuple[str, str, str]]:
    return facts(found(peer_errors.RULE, frames(logs=list(rows))))


def test_a_host_that_answers_with_server_errors_is_named() -> None:
    text = "POST https://api.pay.example.com/v1/charges returned 503"
    seen = told(line(60, "payment", text), line(70, "payment", text))
    assert seen == {("dependency.failing", "dependency", "api.pay.example.com")}


def test_one_line_is_no_blame_and_neither_is_an_own_fault() -> None:
    own = "pgx pool: context deadline exceeded acquiring connection (pool exhausted)"
    assert told(line(60, "payment", "POST https://api.pay.example.com/v1 returned 503")) == set()
    assert told(line(60, "stock", own), line(70, "stock", own)) == set()


def test_below_warning_nothing_is_blamed() -> None:
    text = "GET https://api.pay.example.com/v1 returned 503, will retry"
    assert told(line(60, "payment", text, 9), line(70, "payment", text, 9)) == set()


def test_a_service_of_ours_is_named_by_its_name_or_that_of_its_family() -> None:
    text = "upstream stock timeout after 5000ms"
    rows = [line(10, "stock", "hello", 9), line(60, "cart", text), line(70, "cart", text)]
    assert told(*rows) == {("dependency.failing", "service", "stock")}
    text = "query failed: olapdb commit timeout"
    rows = [line(10, "olapdb-tso", "hello", 9), line(60, "flink", text), line(70, "flink", text)]
    assert told(*rows) == {("dependency.failing", "service", "olapdb-tso")}


def test_many_names_that_do_not_resolve_are_the_name_servers_fault() -> None:
    rows = [
        line(60, "payment", "dial tcp: lookup api.pay.example.com on 10.0.0.10:53: no such host"),
        line(61, "mail", "getaddrinfo ENOTFOUND smtp.example.net"),
    ]
    assert told(*rows) == {("dependency.names", "dependency", "cluster-dns")}
    assert told(*rows, line(10, "coredns", "started", 9)) == {("dependency.names", "service", "coredns")}


def test_a_name_server_that_is_only_scraped_or_seen_as_a_pod_is_named() -> None:
    rows = [
        line(60, "payment", "[Errno -3] Temporary failure in name resolution"),
        line(61, "mail", "getaddrinfo EAI_AGAIN"),
    ]
    scraped = {"metric": "coredns_dns_responses_total", "service": "coredns", "pod": "coredns-7d4f9c6b5d-x2x4q"}
    seen = found(peer_errors.RULE, frames(logs=rows, metric_series=[scraped]))
    assert facts(seen) == {("dependency.names", "service", "coredns")}
    pod = {"time": 10, "service": "", "pod": "coredns-7d4f9c6b5d-x2x4q", "body": "[INFO] plugin/reload", "severity": 9}
    assert told(*rows, pod) == {("dependency.names", "workload", "coredns")}


def test_one_unknown_name_may_be_a_wrong_name() -> None:
    text = "getaddrinfo ENOTFOUND smtp.example.net"
    assert told(line(60, "mail", text), line(70, "mail", text)) == set()


def test_an_expired_certificate_is_its_holders() -> None:
    text = 'Post "https://payment.svc:8443/charge": tls: x509: certificate has expired or is not yet valid'
    rows = [line(10, "payment", "hello", 9), line(60, "orders", text), line(61, "orders", text)]
    assert told(*rows) == {("dependency.certificate", "service", "payment")}


@pytest.mark.parametrize(
    ("text", "another"),
    [
        ("upstream stock returned 503", True),
        ("dial tcp 10.0.0.1:80: connection refused by peer", True),
        ("fatal error: concurrent map writes", False),
        ("jwt validation failed: token is expired", False),
        ("statement timeout: query exceeded 3000ms under load", False),
    ],
)
def test_which_lines_tell_of_another(text: str, another: bool) -> None:
    assert pl.DataFrame({"t": [text]}).select(tells_of_another(pl.col("t"))).item() is another


BLAMED = "POST http://payments.example.com/v1 returned 503 Service Unavailable"


def test_a_service_that_sends_spans_speaks_for_itself() -> None:
    lines = [line(at, caller, "call to inventory failed: status 503") for at in (60, 61) for caller in ("cart", "web")]
    own = line(10, "inventory", "started", severity=9)
    assert {entity for _, _, entity in told(*lines, own)} == {"inventory"}
    spans = [{"time": at, "service": "inventory", "trace_id": "1", "span_id": str(at)} for at in range(20, 50)]
    assert facts(found(peer_errors.RULE, frames(logs=[*lines, own], spans=spans))) == set()
    # The few that were kept of those that failed do not.
    assert facts(found(peer_errors.RULE, frames(logs=[*lines, own], spans=spans[:5])))


def test_what_is_said_all_the_time_says_nothing() -> None:
    now = [line(at, "cart", BLAMED) for at in (60, 61)]
    once = [line(at, "cart", BLAMED) for at in (-3600, -3599)]
    always = [line(at + n, "cart", BLAMED) for at in range(-7000, -1000, 600) for n in (0, 1)]
    assert told(*now, *once)
    assert told(*now, *always) == set()
