"""Whether whoever sends a request may send it: asked before any of the body is read."""

from __future__ import annotations

from collections.abc import Callable

# Gives the value of a header or of gRPC metadata by its lower-case name, "" when it was not sent.
Lookup = Callable[[str], str]

# Returns when the sender may go on; raises Unauthenticated or Forbidden.
Authorize = Callable[[Lookup], None]


def anyone(_: Lookup) -> None:
    """Everybody may: for a receiver that only this machine can reach."""
