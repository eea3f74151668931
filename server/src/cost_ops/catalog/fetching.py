"""Fetching a price file over HTTP: bounded in size and time, and never from inside the network unless that is allowed.

A server that fetches what it is told to is a way into its network. So a host is looked up once, every address it has
is checked, and the connection goes to an address that was checked; a redirect starts over. No credentials are sent.
"""

from __future__ import annotations

import socket
import ssl
import time
from http.client import HTTPConnection, HTTPException, HTTPResponse
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urljoin, urlsplit

from cost_ops.domain.errors import InvalidInput, invalid

MAX_BYTES = 50 * 1024 * 1024
TIMEOUT_SECONDS = 60.0
MAX_REDIRECTS = 3
_CHUNK = 256 * 1024
_MOVED = frozenset({301, 302, 303, 307, 308})
_PORTS = {"http": 80, "https": 443}
_UNCHANGED = "nothing was written, prices stay as they are"


class Limits(NamedTuple):
    """What a fetch may do. `private` allows addresses that are not public: this machine, its network."""

    private: bool = False
    max_bytes: int = MAX_BYTES
    timeout_seconds: float = TIMEOUT_SECONDS


def is_url(location: str) -> bool:
    """Whether a location is fetched rather than read from a file."""
    return urlsplit(location).scheme.lower() in _PORTS


def fetch(url: str, limits: Limits) -> bytes:
    """The body that a URL answers with. Raises InvalidInput with what went wrong."""
    deadline = time.monotonic() + limits.timeout_seconds
    at = url
    for _ in range(MAX_REDIRECTS + 1):
        found = _get(url, at, limits, deadline)
        if isinstance(found, bytes):
            return found
        at = urljoin(at, found)
    raise _failed(url, f"it redirects more than {MAX_REDIRECTS} times")


def _failed(url: str, why: str, reason: str = "unreachable") -> InvalidInput:
    return invalid("sources", reason, f"source {url[:200]} cannot be fetched: {why}; {_UNCHANGED}")


def _get(url: str, at: str, limits: Limits, deadline: float) -> bytes | str:
    """The body, or where it is instead."""
    parts = _checked(url, at)
    address = _address(url, parts, limits)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    connection = _Pinned(parts, address, timeout=_left(url, deadline))
    try:
        connection.request("GET", target, headers={"Accept": "application/json", "Accept-Encoding": "identity"})
        with connection.getresponse() as response:
            if response.status in _MOVED and (location := response.headers.get("Location")):
                return location
            if response.status != 200:
                raise _failed(url, f"it answers {response.status} {response.reason}")
            return _body(url, response, limits, deadline)
    except (OSError, HTTPException) as error:
        raise _failed(url, str(error) or type(error).__name__) from error
    finally:
        connection.close()


def _checked(url: str, at: str) -> SplitResult:
    parts = urlsplit(at)
    if parts.scheme.lower() not in _PORTS or not parts.hostname or parts.username or parts.password:
        raise invalid("sources", "invalid_url", f"source {url[:200]} leads to no plain http(s) URL; {_UNCHANGED}")
    return parts


def _address(url: str, parts: SplitResult, limits: Limits) -> tuple[str, int]:
    """An address of the host that may be connected to. Every one it has must be allowed."""
    host = str(parts.hostname)
    try:
        port = parts.port or _PORTS[parts.scheme.lower()]
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, ValueError) as error:
        raise _failed(url, str(error)) from error
    addresses = [str(entry[4][0]) for entry in found]
    for address in addresses:
        if not limits.private and not _is_public(address):
            why = f"{host} is the address {address}, which is not public (pricing.allow_private_sources permits it)"
            raise _failed(url, why, "private_address")
    return addresses[0], port


def _is_public(address: str) -> bool:
    ip = ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None) or getattr(ip, "sixtofour", None)
    return ip.is_global and not ip.is_multicast and (mapped is None or mapped.is_global)


def _left(url: str, deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise _failed(url, "it takes too long", "timeout")
    return left


def _body(url: str, response: HTTPResponse, limits: Limits, deadline: float) -> bytes:
    body = bytearray()
    while chunk := response.read1(_CHUNK):
        body += chunk
        if len(body) > limits.max_bytes:
            raise _failed(url, f"it is larger than {limits.max_bytes:,} bytes", "too_large")
        _left(url, deadline)
    return bytes(body)


class _Pinned(HTTPConnection):
    """A connection to an address that was checked; over TLS the certificate must be that of the host."""

    def __init__(self, parts: SplitResult, address: tuple[str, int], *, timeout: float) -> None:
        super().__init__(str(parts.hostname), address[1], timeout=timeout)
        self._address = address
        self._tls = ssl.create_default_context() if parts.scheme.lower() == "https" else None
        if self._tls is not None:
            self.default_port = 443

    def connect(self) -> None:
        """Connect to the checked address."""
        plain = socket.create_connection(self._address, self.timeout)
        if self._tls is None:
            self.sock = plain
            return
        try:
            self.sock = self._tls.wrap_socket(plain, server_hostname=self.host)
        except (OSError, ValueError):
            plain.close()
            raise
