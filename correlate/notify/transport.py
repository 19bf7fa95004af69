"""Posting to an address that somebody configured, without letting it lead into our own network.

The name is looked up once, every address it has is checked, and the connection is made to the checked address: a name
that answers differently the second time gains nothing. Redirects are not followed, proxies are not asked.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping
from typing import Any

import httpcore
from tenacity import Retrying, retry_if_exception_type, stop_after_attempt, wait_exponential_jitter

from correlate.errors import NotDelivered, NotDeliveredYet

_TIMEOUT_S = 10.0
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
_ATTEMPTS, _FIRST_WAIT_S, _LONGEST_WAIT_S = 3, 1.0, 10.0
_SUCCESS, _SERVER_FAULT, _TOO_MANY = range(200, 300), 500, 429


def public(address: str) -> bool:
    """Whether an address is out in the Internet: nothing private, local, shared, reserved, or wrapped around such."""
    ip = ipaddress.ip_address(address.split("%")[0])
    if isinstance(ip, ipaddress.IPv6Address):
        inner = ip.ipv4_mapped or ip.sixtofour or (ip.teredo[1] if ip.teredo else None)
        if inner is not None:
            return public(str(inner))
        if ip in _NAT64:
            return public(str(ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)))
    return ip.is_global and not ip.is_multicast


class Guarded(httpcore.NetworkBackend):
    """Connects to addresses that were checked."""

    def __init__(self, *, allow_private: bool) -> None:
        self._allow_private = allow_private
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        """A connection. Raises NotDelivered for an address that is not allowed."""
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as error:
            raise httpcore.ConnectError("the name is not known") from error
        addresses = [str(entry[4][0]) for entry in found]
        if not self._allow_private and not all(map(public, addresses)):
            raise NotDelivered("the address is private, which this target does not allow (allow_private)")
        return self._inner.connect_tcp(addresses[0], port, timeout, local_address, socket_options)


def post(
    url: str, body: bytes, headers: Mapping[str, str], *, allow_private: bool, wait_s: float = _FIRST_WAIT_S
) -> None:
    """POST `body`, again a few times when that may help. Raises NotDelivered, which does not tell the URL."""
    retrying = Retrying(
        retry=retry_if_exception_type(NotDeliveredYet),
        stop=stop_after_attempt(_ATTEMPTS),
        wait=wait_exponential_jitter(multiplier=wait_s, max=_LONGEST_WAIT_S, jitter=wait_s),
        reraise=True,
    )
    retrying(_once, url, body, [(name, value) for name, value in headers.items()], allow_private)


def _once(url: str, body: bytes, headers: list[tuple[bytes | str, bytes | str]], allow_private: bool) -> None:
    timeout = {"connect": _TIMEOUT_S, "read": _TIMEOUT_S, "write": _TIMEOUT_S, "pool": _TIMEOUT_S}
    with httpcore.ConnectionPool(network_backend=Guarded(allow_private=allow_private)) as pool:
        try:
            # What it says does not matter, and may be without end.
            with pool.stream("POST", url, headers=headers, content=body, extensions={"timeout": timeout}) as answer:
                status = answer.status
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise NotDeliveredYet(type(error).__name__) from error
    if status >= _SERVER_FAULT or status == _TOO_MANY:
        raise NotDeliveredYet(f"the target answered {status}")
    if status not in _SUCCESS:
        raise NotDelivered(f"the target answered {status}")
