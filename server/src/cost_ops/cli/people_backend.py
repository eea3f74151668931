"""What the commands of people and log-ins need of a ledger, be it a database or a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Document = dict[str, Any]


class MembersBackend(Protocol):
    """Members of an organisation; one is named by id or by e-mail address."""

    def search(self, organization_id: str | None) -> list[Document]:
        """All of them, by address."""

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new one from `email`, `role`, `name`, `projects` and `teams`; `invitation` and `link` say what followed."""

    def change(self, organization_id: str | None, member: str, fields: Mapping[str, Any]) -> Document:
        """Another `role`, `name`, `projects`, `teams`, or `disabled`."""

    def remove(self, organization_id: str | None, member: str) -> Document:
        """Take one out."""


class LoginBackend(Protocol):
    """Who one is, forgotten passwords, and the keys that sign tokens."""

    def who_am_i(self) -> Document:
        """Who asks."""

    def reset(self, email: str) -> Document:
        """Send a link: `message`, and `link` where it could not be sent and may be shown."""

    def confirm(self, token: str, password: str) -> Document:
        """Set a password with the token of a link."""

    def rotate_signing_key(self, *, end_sessions: bool) -> Document:
        """Sign with a new key: `kid`, `created_at`, `forgotten`."""
