"""People and log-ins in a database, as the installation's owner."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_ops.bootstrap import Application
from cost_ops.cli.people_backend import Document
from cost_ops.cli.people_documents import member_document
from cost_ops.domain.periods import format_instant
from cost_ops.interfaces.context import Context
from cost_ops.services import passwords, people, signing_keys
from cost_ops.services.people import MemberChange, NewMember


class DirectMembers:
    """Members of an organisation."""

    def __init__(self, application: Application, ctx: Context) -> None:
        """Work with a context."""
        self._application = application
        self._ctx = ctx

    def search(self, organization_id: str | None) -> list[Document]:
        """All of them, by address."""
        return [member_document(found) for found in people.members(self._ctx, organization_id)]

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new one, and a letter or a link."""
        email = fields["email"]
        name = fields.get("name") or email.partition("@")[0]
        bound = tuple(fields.get("projects") or ()), tuple(fields.get("teams") or ())
        new = NewMember(email, name, fields["role"], *bound)
        invited = people.add(self._ctx, self._application.login_tools, organization_id, new)
        return member_document(invited.member, invited)

    def change(self, organization_id: str | None, member: str, fields: Mapping[str, Any]) -> Document:
        """Another role, name or binding."""
        given: dict[str, Any] = {name: tuple(v) if isinstance(v, list) else v for name, v in fields.items()}
        found = people.find_member(self._ctx, organization_id, member)
        changed = people.change(self._ctx, organization_id, found.user_id, MemberChange(**given))
        return member_document(changed)

    def remove(self, organization_id: str | None, member: str) -> Document:
        """Take one out."""
        found = people.find_member(self._ctx, organization_id, member)
        return member_document(people.remove(self._ctx, organization_id, found.user_id))


class DirectLogin:
    """Links and signing keys."""

    def __init__(self, application: Application, ctx: Context) -> None:
        """Work with a context."""
        self._application = application
        self._ctx = ctx

    def who_am_i(self) -> Document:
        """Whoever holds the database is its owner."""
        return {
            "kind": "owner",
            "organization_id": None,
            "permissions": sorted(self._ctx.principal.permissions),
            "scope": None,
            "plan": self._ctx.principal.quota.plan,
            "user": None,
            "session": None,
            "key_id": None,
            "key_name": None,
        }

    def reset(self, email: str) -> Document:
        """Send a link; without a mail server it is shown."""
        made = passwords.reset_for(self._ctx, self._application.login_tools, email)
        until = format_instant(made.expires_at)
        if made.link:
            message = f"No mail server is configured: hand this link to {made.email}. It is good once, until {until}."
            return {"status": "not_sent", "message": message, "link": made.link}
        return {"status": "sent", "message": f"A link was sent to {made.email}; it is good once, until {until}."}

    def confirm(self, token: str, password: str) -> Document:
        """Set a password with the token of a link."""
        passwords.confirm(self._ctx, self._application.login_tools, token, password)
        return {"status": "ok", "message": "The password is set. You can log in with it now."}

    def rotate_signing_key(self, *, end_sessions: bool) -> Document:
        """Sign with a new key."""
        done = signing_keys.rotate(self._ctx, end_sessions=end_sessions)
        return {
            "kid": done.key.kid,
            "created_at": format_instant(done.key.created_at),
            "forgotten": done.forgotten,
        }
