"""Every row of the list, over each transport it is about."""

from __future__ import annotations

import pytest

from store import Store
from tests.conformance import grpc_checks, http_checks
from tests.conformance.requirements import GRPC, HTTP, REQUIREMENTS, Check
from tests.conformance.target import serving

CHECKS = {
    f"{transport} {'+'.join(sorted(n for n, checks in table.items() if check in checks))} {check.__name__}": check
    for transport, table in (("http", HTTP), ("grpc", GRPC))
    for checks in table.values()
    for check in checks
}


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS.keys())
def test_requirement(store: Store, check: Check) -> None:
    with serving(store) as target:
        check(target)


def test_every_row_is_shown_where_it_applies() -> None:
    numbers = [row.number for row in REQUIREMENTS]
    assert numbers == [f"C{number:02}" for number in range(1, 29)]
    only_http = {"C02", "C03", "C09", "C15", *(f"C{number}" for number in range(20, 26))}
    only_grpc = {"C16", "C17", "C18", "C19"}
    assert set(HTTP) == set(numbers) - only_grpc
    assert set(GRPC) == set(numbers) - only_http
    assert {check.__module__ for check in CHECKS.values()} == {http_checks.__name__, grpc_checks.__name__}
