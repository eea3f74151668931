"""What log-ins need beside a database: hashing passwords, signing tokens, sending letters, counting attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from cost_ops.domain.attempts import AttemptLimit
from cost_ops.domain.claims import TokenKind
from cost_ops.domain.letters import Letter
from cost_ops.domain.sessions import SigningKey


class PasswordHasher(Protocol):
    """Slow hashing: a good part of a second each, and few run at once. Raises Unavailable where too many wait."""

    def hash(self, password: str) -> str:
        """What is stored of a password."""

    def verify(self, password: str, stored: str | None) -> bool:
        """Whether a password is the stored one. With None it is not, after the same work."""

    def is_outdated(self, stored: str) -> bool:
        """Whether a hash was made with other parameters than one would be now."""


class TokenSigner(Protocol):
    """Signed tokens."""

    def sign(self, key: SigningKey, kind: TokenKind, claims: Mapping[str, Any]) -> str:
        """A token."""

    def key_of(self, token: str, kind: TokenKind) -> str:
        """The `kid` that a token names. Raises Unauthorized for what cannot be a token of this kind."""

    def verify(self, token: str, key: SigningKey, kind: TokenKind) -> Mapping[str, Any]:
        """The claims of a token that the key has signed. Raises Unauthorized."""


class Mailer(Protocol):
    """Sends letters."""

    def send(self, letter: Letter) -> None:
        """Hand a letter to the mail server. Raises Unavailable."""


class AttemptRepository(Protocol):
    """Attempts, counted for all replicas."""

    def claim(self, holder: str, limit: AttemptLimit, now: datetime) -> int:
        """Count an attempt; 0 where it may be made, otherwise the seconds until the next (it is not counted then)."""

    def give_back(self, holder: str, limit: AttemptLimit) -> None:
        """Do not count one attempt."""

    def clear(self, holder: str, limit: AttemptLimit) -> None:
        """Count from nothing again."""


@dataclass(frozen=True, slots=True)
class LoginTools:
    """What log-ins are made with. `mailer` is None where no mail server is configured."""

    passwords: PasswordHasher
    signer: TokenSigner
    mailer: Mailer | None
    public_url: str
    """Where people reach the server: links begin with it."""

    post: Callable[[Callable[[], None]], None]
    """Have something done in the background, soon. Raises Unavailable where too much waits."""
