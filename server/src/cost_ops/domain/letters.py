"""Letters that the installation sends to people, as facts; their wording is the notifier's."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum


class LetterKind(StrEnum):
    """What a letter is about."""

    RESET = "reset_password"
    INVITE = "invite"
    JOINED = "joined"
    PASSWORD_CHANGED = "password_changed"  # noqa: S105 (a name, no secret)
    CHANNEL_DISABLED = "channel_disabled"


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter to one address. `token` is the secret of its link, never to be logged."""

    kind: LetterKind
    to: str
    public_url: str
    token: str = field(default="", repr=False)
    valid_for: timedelta = timedelta()
    organization: str = ""
    about: str = ""
    """What it is about, where that is neither the person nor the organisation."""

    reason: str = ""

    @property
    def link(self) -> str:
        """Where its reader is to go. The secret is in the fragment: it is sent to no server and stands in no log."""
        return link_of(self.public_url, self.token) if self.token else self.public_url


def link_of(public_url: str, token: str) -> str:
    """The link that sets a password."""
    return f"{public_url.rstrip('/')}/reset-password#token={token}"
