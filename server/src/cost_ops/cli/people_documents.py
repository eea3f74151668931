"""Members and links as documents in the shapes of the HTTP API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cost_ops.cli.documents import instant
from cost_ops.domain.periods import format_instant

if TYPE_CHECKING:
    from cost_ops.domain.users import Membership
    from cost_ops.services.people import Invited

Document = dict[str, Any]


def member_document(member: Membership, invited: Invited | None = None) -> Document:
    """A member."""
    more = {} if invited is None else {"invitation": invited.letter, **({"link": invited.link} if invited.link else {})}
    return {
        "user_id": member.user_id,
        "id": member.user_id,
        "organization_id": member.organization_id,
        "email": member.email,
        "name": member.name,
        "role": member.role,
        "projects": list(member.projects),
        "teams": list(member.teams),
        "created_at": format_instant(member.created_at),
        "created_by": member.created_by,
        "last_login_at": instant(member.last_login_at),
        **more,
    }
