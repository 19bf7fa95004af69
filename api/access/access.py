"""Whose a request is, for the API and for the OTLP ports: the one place where keys are looked at."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from pathlib import Path

from api.access import secret
from api.access.audit import AuditLog
from api.access.keyring import KeyRing
from api.access.oidc import People
from api.access.refusals import Refusals
from api.access.scopes import Principal, Scope, local
from ingest.access import Lookup, Sender
from ingest.errors import Forbidden, IngestError, Unauthenticated
from store import Store
from store.audit import Entry

_DOTS_OF_A_TOKEN = 2
_log = logging.getLogger(__name__)


class Access:
    """Keys, and what was done with them. `start` it before listening and `stop` it afterwards.

    While there is no key, and none is required, everybody who reaches a port may do everything, as `home`, the
    tenant of whoever has no key; so only this machine may reach it (api.process.system).
    """

    def __init__(
        self,
        store: Store,
        home: str,
        *,
        required: bool = False,
        keys_file: Path | None = None,
        people: People | None = None,
    ) -> None:
        self.store = store
        self.home = home
        self.keys = KeyRing(store, keys_file)
        self.audit = AuditLog(store)
        self.refusals = Refusals()
        self.people = people
        self._required = required or people is not None
        self._anybody = local(home)

    def start(self) -> None:
        """Know the keys, and keep up with them. Raises StoreError, or BadAccess for a file."""
        self.keys.start()
        self.audit.start()
        if self._required and self.people is None and not self.keys.all:
            _log.warning("keys are required and there is none: `causeline keys create --first` makes one")

    def stop(self) -> None:
        """Write what the audit log still holds, and end. Safe to call twice."""
        self.keys.stop()
        self.audit.stop()

    @property
    def on(self) -> bool:
        """Whether requests need a key. The last key that is revoked opens nothing again."""
        return self._required or bool(self.keys.all)

    def identify(self, authorization: str) -> Principal:
        """Whose key an Authorization header has. Raises Unauthenticated."""
        if not self.on:
            return self._anybody
        return self.keys.holder(secret.bearer(authorization))

    async def identify_anyone(self, authorization: str) -> Principal:
        """Whose key, or which person's token, an Authorization header has. Raises IngestError."""
        if self.people is None or authorization.count(".") < _DOTS_OF_A_TOKEN:
            return self.identify(authorization)
        try:
            return self.identify(authorization)
        except Unauthenticated:
            # It may have to wait for the provider's keys.
            return await asyncio.to_thread(self.people.holder, secret.bearer(authorization))

    def stands(self, principal: Principal) -> bool:
        """Whether what let somebody in a while ago would still do so."""
        if principal.expires is not None and principal.expires <= time.time():
            return False
        if not principal.id:
            return not self.on
        # What a person may do is good as long as the token.
        return principal.id.startswith("person:") or self.keys.holds(principal.id)

    def sender(self, transport: str) -> Callable[[Lookup], Sender]:
        """What asks, for an OTLP port, who sends: the tenant comes from the key and from nothing else."""
        anybody = Sender(self.home)

        def authorize(lookup: Lookup) -> Sender:
            if not self.on:
                return anybody
            who: Principal | None = None
            try:
                secret.refuse_in_url("", lookup(":query").encode())
                who = self.identify(lookup("authorization"))
                if not who.may(Scope.INGEST):
                    raise Forbidden("the access key does not have the scope ingest")
            except IngestError as error:
                self._refused(transport, who, error)
                raise
            return Sender(who.tenant, who.name)

        return authorize

    def _refused(self, transport: str, who: Principal | None, error: IngestError) -> None:
        # A misconfigured fleet sends thousands of these; a few a minute tell as much.
        if self.refusals.worth_telling(transport if who is None else who.id):
            self.audit.add(denial(who, self.home, Scope.INGEST, f"export {transport}", "", error))


def denial(
    who: Principal | None, home: str, scope: Scope | None, action: str, thing: str, error: IngestError,
    address: str = "", request_id: str = "",
) -> Entry:  # fmt: skip
    """The entry of a refused request; whose it was, is the installation's own tenant when nobody knows."""
    return Entry(
        at=time.time_ns() // 1_000_000,
        tenant=home if who is None else who.tenant,
        who="" if who is None else who.name,
        scope="" if scope is None else scope.value,
        action=action,
        object=thing,
        decision="denied",
        status=error.status,
        reason=str(error)[:200],
        address=address,
        request_id=request_id,
    )


def needs(principal: Principal, scope: Scope) -> None:
    """Raises Forbidden without the scope."""
    if not principal.may(scope):
        raise Forbidden(f"the access key does not have the scope {scope.value}")
