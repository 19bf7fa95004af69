"""What requests need: the reader, the way to start a job, and checked query parameters."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Annotated, Any

from fastapi import Depends, Query, Request

from api.access.access import Access
from api.access.scopes import Principal, local
from api.errors import BadParameter
from api.reads.models import Severity, State
from api.reads.reading import IncidentFilter, Reader
from api.tenant_limits import ApiTenantLimits
from api.times import EARLIEST_NS, LATEST_NS, checked_range, parse_time
from correlate.settings import CorrelateSettings
from ingest.errors import Overloaded
from ingest.outcome import Outcome
from ingest.reason import Reason
from query.promql.settings import PromqlSettings
from store.retention.keeper import Retention
from store.retention.settings import RetentionSettings

# Takes an OTLP logs request (protobuf) of a tenant into the pipeline; returns once it is stored for good.
TakeLogs = Callable[[str, bytes], Awaitable[Outcome]]
MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class Services:
    """What the composition root hands to the API, for all tenants.

    `reader` has the store, and the tenant of requests that need no key; `submit` queues a tenant's correlation of
    [start, end) nanoseconds and returns its job id; `release` gives the windows that a tenant's job gave up new
    attempts; `correlator` are the correlator's settings; `take_logs` stores log records as if they had been received;
    `requests_per_minute` bounds one client (0: not), `requests_at_once` one tenant (0: not), `limits` say where others
    hold, and `most_streams` bounds those that follow one tenant's incidents;
    `ingest_stats` and `reasons` tell how the receiver is doing; `promql` says how far one of its queries may go;
    `retention` what is kept.
    Without `access` everybody may do everything.
    """

    reader: Reader
    submit: Callable[[str, int, int], str]
    release: Callable[[str, str], int] = lambda *_: 0
    correlator: CorrelateSettings = field(default_factory=CorrelateSettings)
    take_logs: TakeLogs | None = None
    requests_per_minute: int = 0
    requests_at_once: int = 0
    limits: Mapping[str, ApiTenantLimits] = field(default_factory=dict)
    most_streams: int = 50
    ingest_stats: Callable[[], dict[str, Any]] = dict
    reasons: Callable[[], list[Reason]] = list
    promql: PromqlSettings = field(default_factory=PromqlSettings)
    retention: Retention = field(default_factory=lambda: Retention(RetentionSettings()))
    access: Access | None = None
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))


@dataclass(frozen=True, slots=True)
class Bound:
    """The services as one request sees them: everything belongs to the tenant of whoever asks."""

    shared: Services
    principal: Principal
    reader: Reader

    @property
    def tenant(self) -> str:
        """Whose request it is."""
        return self.principal.tenant

    @property
    def at_home(self) -> bool:
        """Whether this is the installation's own tenant, which may see how all of it is doing."""
        return self.tenant == self.shared.reader.tenant

    @property
    def correlator(self) -> CorrelateSettings:
        """The correlator's settings."""
        return self.shared.correlator

    def stands(self) -> bool:
        """Whether whoever asked would still be let in; for answers that take long."""
        return self.shared.access is None or self.shared.access.stands(self.principal)

    def submit(self, start: int, end: int) -> str:
        """Queue a correlation of [start, end) nanoseconds; its job id."""
        return self.shared.submit(self.tenant, start, end)

    def release(self, job_id: str) -> int:
        """Give the windows that a job gave up new attempts; how many."""
        return self.shared.release(self.tenant, job_id)

    async def take_logs(self, body: bytes) -> Outcome:
        """Store an OTLP logs request (protobuf) as if it had been received. Raises Overloaded and what ingest does."""
        if self.shared.take_logs is None:
            raise Overloaded("this process takes no telemetry")
        return await self.shared.take_logs(self.tenant, body)


def shared(request: Request) -> Services:
    """What the application was made with: for what belongs to no tenant."""
    found: Services = request.app.state.services
    return found


def principal(request: Request) -> Principal:
    """Who asks, as api.access.guard found out."""
    held = shared(request)
    if held.access is None:
        return local(held.reader.tenant)
    # Without a guard before the application this raises, and nobody gets in.
    found: Principal = request.state.principal
    return found


def services(request: Request) -> Bound:
    """The services of the running application for whoever asks: the only place where a request gets its tenant."""
    held, who = shared(request), principal(request)
    return Bound(held, who, Reader(held.reader.store, who.tenant, held.reader.kinds))


Shared = Annotated[Services, Depends(shared)]
Wired = Annotated[Bound, Depends(services)]
Asking = Annotated[Principal, Depends(principal)]


def author(request: Request) -> str:
    """Who asks: the name of the access key or the person; anonymous while there are no keys."""
    return principal(request).name


Who = Annotated[str, Depends(author)]


def incident_filter(
    start: Annotated[
        str | None, Query(description="Earliest time: RFC 3339 or unix seconds.", examples=["2026-03-02T08:00:00Z"])
    ] = None,
    end: Annotated[
        str | None, Query(description="Latest time: RFC 3339 or unix seconds.", examples=["1772460000"])
    ] = None,
    limit: Annotated[
        str | None, Query(description=f"Incidents per page, 1 to {MAX_LIMIT}; {DEFAULT_LIMIT} unless given.")
    ] = None,
    cursor: Annotated[str | None, Query(description="`next_cursor` of the page before.")] = None,
    state: Annotated[list[str] | None, Query(description="open, acknowledged or resolved; may be repeated.")] = None,
    severity: Annotated[
        list[str] | None, Query(description="critical, high, medium, low or info; may be repeated.")
    ] = None,
    entity: Annotated[
        str, Query(description="Name or alias of an entity that takes part, in any case.", examples=["gpu-node-2"])
    ] = "",
    service: Annotated[
        str, Query(description="A service that takes part, in any case.", examples=["chat-gateway"])
    ] = "",
    model: Annotated[str, Query(description="A model that takes part, in any case.", examples=["phi-4"])] = "",
    q: Annotated[str, Query(description="Text in the title, an entity's name or an explanation.")] = "",
) -> IncidentFilter:
    """The incident list's query. Raises BadParameter naming the first parameter that is wrong."""
    first, last = checked_range(
        EARLIEST_NS if start is None else parse_time(start, "start"),
        LATEST_NS if end is None else parse_time(end, "end"),
    )
    return IncidentFilter(
        start=first,
        end=last,
        limit=_limit(limit),
        cursor=cursor or "",
        states=_choices(state, "state", State),
        severities=_choices(severity, "severity", Severity),
        entity=_text(entity, "entity"),
        text=_text(q, "q"),
        service=_text(service, "service"),
        model=_text(model, "model"),
    )


Filter = Annotated[IncidentFilter, Depends(incident_filter)]


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 9 and 1 <= int(text) <= MAX_LIMIT):
        raise BadParameter("limit", f"{text[:20]!r} is not a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def _choices(values: list[str] | None, parameter: str, known: type[StrEnum]) -> list[str]:
    chosen = [value for value in values or [] if value]
    for value in chosen:
        if value not in set(known):
            raise BadParameter(parameter, f"{value[:40]!r} is not one of {', '.join(known)}")
    return chosen


def _text(value: str, parameter: str) -> str:
    if len(value) > MAX_TEXT or "\x00" in value:
        raise BadParameter(parameter, f"longer than {MAX_TEXT} characters or not text")
    return value.strip()
