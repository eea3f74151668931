"""Policies: rules of an organisation beside its roles, with conditions on project, tag, time and address."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from zoneinfo import ZoneInfo

from cost_ops.domain.scopes import EVERYTHING, Scope

Network = IPv4Network | IPv6Network
_MAPPED_BITS = 96


class Effect(StrEnum):
    """What a policy does where its conditions hold."""

    ALLOW = "allow"
    DENY = "deny"


@dataclass(frozen=True, slots=True)
class Hours:
    """A part of the week in a zone: minutes of the local day `[start, end)`, over midnight where end ≤ start.

    `weekdays` are ISO numbers (1 is Monday); empty: every day.
    """

    start_minute: int
    end_minute: int
    zone: str = "UTC"
    weekdays: frozenset[int] = frozenset()

    def hold(self, at: datetime) -> bool:
        """Whether an instant lies inside. A window over midnight belongs to the day on which it begins."""
        local = at.astimezone(ZoneInfo(self.zone))
        minute, day = local.hour * 60 + local.minute, local.isoweekday()
        if self.start_minute < self.end_minute:
            inside = self.start_minute <= minute < self.end_minute
        elif minute >= self.start_minute:
            inside = True
        else:
            inside, day = minute < self.end_minute, (day - 2) % 7 + 1
        return inside and (not self.weekdays or day in self.weekdays)


@dataclass(frozen=True, slots=True)
class PolicyConditions:
    """What must hold for a policy to apply, all of it. None or empty: whatever it is.

    `data` restricts the policy to some usage: its `only` dimensions are `project` and `tag:KEY`.
    """

    data: Scope = EVERYTHING
    hours: Hours | None = None
    not_before: datetime | None = None
    not_after: datetime | None = None
    addresses: tuple[Network, ...] = ()

    def hold(self, at: datetime, address: str | None) -> str | None:
        """None where time and address fit, otherwise which of them does not. An unknown address is in no network."""
        if self.not_before is not None and at < self.not_before:
            return f"not before {self.not_before.isoformat()}"
        if self.not_after is not None and at >= self.not_after:
            return f"not after {self.not_after.isoformat()}"
        if self.hours is not None and not self.hours.hold(at):
            return "outside its hours"
        if self.addresses and not in_networks(address, self.addresses):
            return f"address {address or 'unknown'} is not in its networks"
        return None


@dataclass(frozen=True, slots=True)
class Policy:
    """A rule. `subjects` are `role:NAME`, `user:ID`, `key:ID` or `*`; `actions` permissions, `usage:*` or `*`.

    `*` as an action is every permission but `admin:*`, which only a denial can name: so that no policy makes admins,
    and none shuts them out by the way.
    """

    policy_id: str
    name: str
    effect: Effect
    subjects: frozenset[str]
    actions: frozenset[str]
    conditions: PolicyConditions
    created_at: datetime

    def concerns(self, permission: str) -> bool:
        """Whether a permission is among the actions."""
        noun = permission.partition(":")[0]
        return bool(self.actions & {permission, f"{noun}:*"}) or ("*" in self.actions and noun != "admin")


def in_networks(address: str | None, networks: Sequence[Network]) -> bool:
    """Whether an address lies in one of the networks; what is no address lies in none."""
    found = None if address is None else _parsed(address)
    return found is not None and any(found in network for network in networks)


@lru_cache(maxsize=4096)
def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """An address; an IPv4 one that came over IPv6 as what it is. None for what is none."""
    try:
        found = ip_address(text)
    except ValueError:
        return None
    return getattr(found, "ipv4_mapped", None) or found


def parse_network(text: str) -> Network:
    """A network such as 10.0.0.0/8, or one address; one of IPv4 in IPv6 as what it is. Raises ValueError."""
    network = ip_network(text, strict=False)
    mapped = getattr(network.network_address, "ipv4_mapped", None)
    if mapped is None or network.prefixlen < _MAPPED_BITS:
        return network
    return IPv4Network((mapped, network.prefixlen - _MAPPED_BITS))


_CLOCK = re.compile(r"([01]\d|2[0-4]):([0-5]\d)\Z")


def parse_minute(text: str) -> int:
    """Minutes from midnight of `HH:MM`, 24:00 included. Raises ValueError."""
    match = _CLOCK.match(text)
    if match is None or int(match[1]) * 60 + int(match[2]) > 24 * 60:
        raise ValueError(text)
    return int(match[1]) * 60 + int(match[2])
