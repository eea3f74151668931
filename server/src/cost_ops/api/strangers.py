"""Requests without a valid credential: counted by where they come from, in this process alone."""

from __future__ import annotations

from collections import OrderedDict
from ipaddress import IPv6Address, ip_address

from cost_ops.api.tickets import Pairs, Ticket, header_pairs, refusal, shown, unlimited_until
from cost_ops.domain.limiting import Count, Window, current, unix_seconds
from cost_ops.domain.plans import HOUR_SECONDS
from cost_ops.interfaces.clock import Clock

NAME = "anonymous_per_hour"
MOST_ADDRESSES = 10_000
"""How many are remembered: those that asked last."""

LONGEST_WAIT_SECONDS = 1.0
_IPV6_HOST_BITS = 64


class Strangers:
    """Windows of the UTC hour by client address. An IPv6 network of 64 bits counts as one client."""

    def __init__(self, per_hour: int, clock: Clock) -> None:
        """`per_hour` 0: any number."""
        self._clock = clock
        self._window = Window(NAME, HOUR_SECONDS, per_hour) if per_hour else None
        self._counts: OrderedDict[str, Count] = OrderedDict()

    def admit(self, address: str | None) -> Ticket:
        """Let a request in. Raises RateLimited."""
        window = self._window
        if window is None:
            return Ticket(None, None, 0)
        client, now = _client(address), self._clock()
        count = current(window, self._counts.get(client), unix_seconds(now))
        if count.used >= window.limit:
            raise refusal(window, count, now)
        count = self._counts[client] = Count(count.started, count.used + 1)
        self._counts.move_to_end(client)
        if len(self._counts) > MOST_ADDRESSES:
            self._counts.popitem(last=False)
        return Ticket(None, shown(window, count), window.limit - count.used)

    def patience(self, address: str | None) -> float:
        """Seconds that somebody waits before they are refused again: none at first, more once half of their requests
        are used up, `LONGEST_WAIT_SECONDS` at the end. A flood on N connections is then N requests in that time.
        """
        window = self._window
        if window is None:
            return 0.0
        count = current(window, self._counts.get(_client(address)), unix_seconds(self._clock()))
        return LONGEST_WAIT_SECONDS * max(0.0, min(2 * count.used / window.limit - 1, 1.0))

    def pairs(self, address: str | None) -> Pairs:
        """The headers for somebody who was not let in, or did not ask for anything that is counted."""
        window, now = self._window, self._clock()
        if window is None:
            return unlimited_until(now)[1]
        count = current(window, self._counts.get(_client(address)), unix_seconds(now))
        return header_pairs(shown(window, count), window.limit - count.used)


def _client(address: str | None) -> str:
    """Who counts as one: whoever has an IPv6 network has 2^64 addresses of it."""
    if address is None or ":" not in address:
        return address or ""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if not isinstance(parsed, IPv6Address) or parsed.ipv4_mapped is not None:
        return str(getattr(parsed, "ipv4_mapped", parsed))
    return str(IPv6Address(int(parsed) >> _IPV6_HOST_BITS << _IPV6_HOST_BITS))
