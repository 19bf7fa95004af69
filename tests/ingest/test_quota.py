"""A tenant's bytes a second: bursts pass, more waits, and nobody else notices."""

from __future__ import annotations

import pytest

from ingest.errors import Overloaded, QuotaExceeded
from ingest.limits import TenantLimits
from ingest.quota import Quota


class Clock:
    """A clock that is put forward."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_burst_passes_and_then_it_is_the_rate() -> None:
    clock = Clock()
    quota = Quota(100, 503, clock)
    sent = refused = 0
    for _ in range(600):
        try:
            quota.check("a")
        except Overloaded:
            refused += 1
        else:
            quota.charge("a", 50)
            sent += 50
        quota.check("b")
        clock.now += 0.1
    assert refused
    # 60 seconds, and the ten that may come at once.
    assert 100 * 60 <= sent <= 100 * 71
    clock.now += 100
    quota.check("a")


def test_a_request_larger_than_the_allowance_passes_and_is_paid_for() -> None:
    clock = Clock()
    quota = Quota(100, 429, clock)
    quota.check("a")
    quota.charge("a", 5_000)
    with pytest.raises(QuotaExceeded) as caught:
        quota.check("a")
    plain = Quota(100, 503, clock)
    plain.charge("a", 5_000)
    with pytest.raises(Overloaded) as other:
        plain.check("a")
    assert (other.value.status, type(other.value)) == (503, Overloaded)
    assert (caught.value.status, caught.value.code) == (429, 8)
    clock.now += 41
    quota.check("a")


def test_without_a_rate_there_is_no_limit() -> None:
    quota = Quota(0, 503)
    quota.charge("a", 2**60)
    quota.check("a")


def test_tenants_that_paid_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.quota._MOST_TENANTS", 10)
    clock = Clock()
    quota = Quota(100, 503, clock)
    for number in range(100):
        quota.charge(f"tenant-{number}", 100)
        clock.now += 2
    assert len(quota._full_at) <= 10


def test_a_tenant_may_have_a_rate_of_its_own() -> None:
    clock = Clock()
    limits = {
        "large": TenantLimits(bytes_per_s=1000),
        "free": TenantLimits(bytes_per_s=0),
        "as-all": TenantLimits(series=5),
    }
    quota = Quota(100, 503, clock, limits)
    for tenant in ("large", "free", "as-all", "other"):
        quota.charge(tenant, 5000)
    for tenant in ("large", "free"):
        quota.check(tenant)
    for tenant in ("as-all", "other"):
        with pytest.raises(Overloaded, match="more than 100 bytes"):
            quota.check(tenant)
    quota.charge("large", 6000)
    with pytest.raises(Overloaded, match="more than 1000 bytes"):
        quota.check("large")
