"""Whose telemetry a request brings: asked before any of the body is read."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from store.settings import DEFAULT_TENANT

# Gives the value of a header or of gRPC metadata by its lower-case name, and what is behind the question mark of an
# address by the name ":query"; "" when it was not sent.
Lookup = Callable[[str], str]


class Sender(NamedTuple):
    """Who sends: the tenant that everything of the request belongs to, and the name of the key."""

    tenant: str
    name: str = "anonymous"


# Returns who sends; raises Unauthenticated or Forbidden. Nothing else of a request says whose it is.
Authorize = Callable[[Lookup], Sender]


def anyone(_: Lookup) -> Sender:
    """Everybody, as the default tenant: for a receiver that only this machine can reach."""
    return Sender(DEFAULT_TENANT)
