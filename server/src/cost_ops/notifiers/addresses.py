"""Where messages may be posted to: which URLs are taken, and which addresses a host may have.

A server that posts wherever it is told to is a way into its network. So every address that a host has is checked, and
the connection goes to one that was checked: a name that resolves to something else a moment later gains nothing.
"""

from __future__ import annotations

import socket
import threading
from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import NamedTuple
from urllib.parse import SplitResult, urlsplit

from cost_ops.domain.errors import InvalidInput, Problem

MAX_URL_LENGTH = 2000
LOOKUP_SECONDS = 3.0
SETTING = "notifications.allow_private_addresses"
_PORTS = {"http": 80, "https": 443}
_NAT64 = IPv6Network("64:ff9b::/96")
"""The last 32 bits are an IPv4 address, which is where a packet ends."""


class Refused(Exception):
    """A URL or address that nothing is posted to; `reason` is stable, the text is for people."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Place(NamedTuple):
    """A URL that was taken apart, and the address to connect to."""

    parts: SplitResult
    address: tuple[str, int]

    @property
    def target(self) -> str:
        """What is asked for there."""
        return (self.parts.path or "/") + (f"?{self.parts.query}" if self.parts.query else "")

    @property
    def secure(self) -> bool:
        """Whether it speaks TLS."""
        return self.parts.scheme.lower() == "https"


def check_url(url: object, field: str, *, private: bool) -> str:
    """A URL that may be posted to. `private` allows addresses that are not public, and http.

    A host that cannot be looked up now is taken: it may be there later. Raises InvalidInput.
    """
    try:
        parts = _parts(url, private=private)
        try:
            found = _lookup(str(parts.hostname), _port(parts), LOOKUP_SECONDS)
        except (OSError, ValueError, TimeoutError):
            return str(url)
        _check_addresses(str(parts.hostname), found, private=private)
    except Refused as refused:
        raise InvalidInput([Problem(field, refused.reason, f"{field} {refused}")]) from refused
    return str(url)


def find(url: str, *, private: bool, timeout_seconds: float) -> Place:
    """Where to connect to for a URL. Raises Refused; OSError, TimeoutError where the host cannot be looked up."""
    parts = _parts(url, private=private)
    port = _port(parts)
    found = _lookup(str(parts.hostname), port, timeout_seconds)
    _check_addresses(str(parts.hostname), found, private=private)
    return Place(parts, (found[0], port))


def _parts(url: object, *, private: bool) -> SplitResult:
    if not isinstance(url, str) or not url:
        raise Refused("invalid_url", "must be a URL such as https://example.com/hooks/costs")
    if len(url) > MAX_URL_LENGTH:
        raise Refused("too_long", f"must be at most {MAX_URL_LENGTH:,} characters long; this one has {len(url):,}")
    if not url.isascii() or not url.isprintable() or any(mark in url for mark in ' \\"<>'):
        raise Refused("invalid_url", "must be plain ASCII without spaces; write other characters as %XX")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise Refused("invalid_url", f"is no URL: {error}") from error
    scheme = parts.scheme.lower()
    if scheme not in _PORTS or not parts.hostname or port == 0:
        raise Refused("invalid_url", f"must be like https://example.com/hooks/costs, got {url[:80]!r}")
    if "@" in parts.netloc:
        raise Refused("credentials_in_url", "must not hold a user or password; requests are signed instead")
    if scheme == "http" and not private:
        raise Refused("not_https", f"must begin with https:// (http is for private networks: {SETTING})")
    return parts


def _port(parts: SplitResult) -> int:
    return parts.port or _PORTS[parts.scheme.lower()]


def _lookup(host: str, port: int, timeout_seconds: float) -> list[str]:
    """The addresses of a host. A resolver's own patience is longer than ours, hence the thread."""
    found: list[str] = []
    failed: list[Exception] = []

    def look() -> None:
        try:
            found.extend(str(entry[4][0]) for entry in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, ValueError) as error:
            failed.append(error)

    looking = threading.Thread(target=look, name="lookup", daemon=True)
    looking.start()
    looking.join(timeout_seconds)
    if failed:
        raise failed[0]
    if not found:
        raise TimeoutError(f"{host} could not be looked up in time")
    return list(found)


def _check_addresses(host: str, addresses: list[str], *, private: bool) -> None:
    for address in addresses:
        if not private and not is_public(address):
            raise Refused(
                "private_address", f"leads to {host}, the address {address}, which is not public ({SETTING} permits it)"
            )


def is_public(address: str) -> bool:
    """Whether an address is reachable from anywhere; one that stands for an IPv4 address is what that is."""
    ip = ip_address(address.partition("%")[0])
    if isinstance(ip, IPv4Address):
        return ip.is_global and not ip.is_multicast and not ip.is_reserved
    if ip in _NAT64:
        return is_public(str(IPv4Address(int(ip) & 0xFFFFFFFF)))
    if (inner := ip.ipv4_mapped or ip.sixtofour) is not None:
        return is_public(str(inner))
    return ip.is_global and not (ip.is_multicast or ip.is_reserved or ip.is_site_local)
