"""Telling people that a channel of theirs was turned off, by a letter of the installation's own."""

from __future__ import annotations

import logging

from cost_ops.domain.access import authorize_owner
from cost_ops.domain.letters import Letter, LetterKind
from cost_ops.domain.users import Membership
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.login import Mailer

_BY_PERSON = "user:"
_log = logging.getLogger("cost_ops.services")


def tell_disabled(ctx: Context, mailer: Mailer | None, public_url: str, organization_id: str, channel_id: str) -> int:
    """Write to whoever made a channel that is turned off, or to the organisation's admins where that was no person of
    theirs; how many letters were sent. Without a mail server the log has it. Raises Unavailable.
    """
    authorize_owner(ctx.principal)
    with ctx.storage.installation() as installation:
        organization = installation.organization(organization_id)
    if organization is None:
        return 0
    with ctx.storage.ledger(organization_id) as ledger:
        channel = ledger.channels.get(channel_id)
        members = ledger.people.members()
    if channel is None or channel.enabled:
        return 0
    _log.warning("channel %s (%s) was turned off: %s", channel_id, organization_id, channel.disabled_reason)
    if mailer is None:
        return 0
    concerned = _owners(members, channel.created_by)
    for member in concerned:
        mailer.send(
            Letter(
                LetterKind.CHANNEL_DISABLED,
                member.email,
                public_url,
                organization=organization.name,
                about=f"{channel.kind} {channel.name} ({channel_id})",
                reason=channel.disabled_reason or "",
            )
        )
    return len(concerned)


def _owners(members: list[Membership], created_by: str) -> list[Membership]:
    made = [member for member in members if f"{_BY_PERSON}{member.user_id}" == created_by]
    return made or [member for member in members if member.role == "admin"]
