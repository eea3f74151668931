"""How often something may be tried: log-ins that fail, and letters that are asked for. Data, and who is counted."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from ipaddress import IPv6Address, ip_address


@dataclass(frozen=True, slots=True)
class AttemptLimit:
    """At most `most` attempts in `seconds` from the first one on; `kind` keeps apart what is counted apart."""

    kind: str
    most: int
    seconds: int

    @property
    def time(self) -> timedelta:
        """The seconds as a duration."""
        return timedelta(seconds=self.seconds)


LOGINS_OF_ACCOUNT = AttemptLimit("login-account", 10, 15 * 60)
"""Failed log-ins to one account, whether there is such an account or not."""

LOGINS_FROM_ADDRESS = AttemptLimit("login-address", 50, 15 * 60)
LETTERS_TO_ACCOUNT = AttemptLimit("letter-account", 5, 60 * 60)
LETTERS_FROM_ADDRESS = AttemptLimit("letter-address", 20, 60 * 60)
LINKS_FROM_ADDRESS = AttemptLimit("link-address", 50, 15 * 60)
"""Links out of letters that were presented and are not good."""


def account_holder(email: str) -> str:
    """Who is counted for an account: a hash, as nobody shall read from the counts which addresses were tried."""
    return sha256(email.encode()).hexdigest()[:32]


def address_holder(address: str | None) -> str:
    """Who is counted for a client's address; of IPv6 the /64, which one customer has whole."""
    try:
        found = ip_address(address or "")
    except ValueError:
        return "unknown"
    if isinstance(found, IPv6Address) and found.ipv4_mapped is None:
        return f"{IPv6Address(int(found) >> 64 << 64)}/64"
    return str(getattr(found, "ipv4_mapped", None) or found)
