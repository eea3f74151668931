"""A request as it arrives: its headers, where it came from, and what is found out about it on its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from http.cookies import CookieError, SimpleCookie
from typing import TYPE_CHECKING, Any

from cost_ops.domain.access import Principal
from cost_ops.domain.csrf import COOKIE_NAME
from cost_ops.domain.policies import Network, in_networks, parse_network

if TYPE_CHECKING:
    from cost_ops.api.tickets import Ticket

Headers = Mapping[bytes, bytes]
HeaderPairs = Sequence[tuple[bytes, bytes]]

API_PATHS = ("/api/v1", "/v1/")
"""Where answers tell how many requests are left."""

_TWICE = b"sent twice"


class Arrival:
    """One request. `principal` is who sent it, once the door knows; `ticket` what it was let in with."""

    __slots__ = ("address", "headers", "method", "principal", "request_id", "route", "ticket")

    def __init__(self, scope: Mapping[str, Any], proxies: Sequence[Network] = ()) -> None:
        raw = scope["headers"]
        headers = dict(raw)
        if len(headers) < len(raw) and sum(name == b"authorization" for name, _ in raw) > 1:
            # Whoever stands before us may have looked at the other one.
            headers[b"authorization"] = _TWICE
        self.headers: Headers = headers
        self.method: str = scope["method"]
        self.route: str = scope["path"]
        self.request_id = "req-unknown"
        client = scope.get("client")
        self.address: str | None = client[0] if client else None
        if proxies and in_networks(self.address, proxies):
            self.address = forwarded_for(raw, proxies) or self.address
        self.principal: Principal | None = None
        self.ticket: Ticket | None = None


def forwarded_for(raw: Sequence[tuple[bytes, bytes]], proxies: Sequence[Network]) -> str | None:
    """The nearest address in X-Forwarded-For that is none of our proxies': what is left of it can be made up."""
    hops = b",".join(value for name, value in raw if name == b"x-forwarded-for").decode("latin-1").split(",")
    for hop in reversed(hops):
        address = hop.strip().removeprefix("[").removesuffix("]")
        if not in_networks(address, proxies):
            return address if in_networks(address, _ANYWHERE) else None
    return None


_ANYWHERE = (parse_network("0.0.0.0/0"), parse_network("::/0"))


def proxies_of(text: str) -> tuple[Network, ...]:
    """The networks in a list such as `10.0.0.0/8, 192.168.1.4`. Raises ValueError."""
    return tuple(parse_network(part.strip()) for part in text.split(",") if part.strip())


def session_cookie(headers: Headers) -> str | None:
    """The value of the cookie that carries a session; None where there is none."""
    header = headers.get(b"cookie")
    if header is None or COOKIE_NAME.encode() not in header:
        return None
    try:
        found = SimpleCookie(header.decode("latin-1")).get(COOKIE_NAME)
    except CookieError:
        return None
    return None if found is None else found.value
