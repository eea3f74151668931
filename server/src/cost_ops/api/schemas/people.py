"""Members of an organisation in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from cost_ops.api.pages import Pagination
from cost_ops.domain.users import Membership
from cost_ops.services.people import Invited

_BOUND_NOTE = "the projects that they are bound to; with no teams either: the whole organisation"
_LETTER_NOTE = "sent, or not_sent where no mail server is configured"
_LINK_NOTE = "for an admin key where no mail server is configured: sets their password, once"


class MemberView(Struct):
    """A member of an organisation."""

    user_id: str
    id: str
    organization_id: str
    email: str
    name: str
    role: str
    projects: Annotated[list[str], Meta(description=_BOUND_NOTE)]
    teams: Annotated[list[str], Meta(description="the teams whose projects they see")]
    created_at: datetime
    created_by: str
    last_login_at: datetime | None
    invitation: Annotated[str, Meta(description=_LETTER_NOTE)] | msgspec.UnsetType = msgspec.UNSET
    link: Annotated[str, Meta(description=_LINK_NOTE)] | msgspec.UnsetType = msgspec.UNSET


class MemberOne(Struct):
    """One member."""

    data: MemberView


class MemberPage(Struct):
    """A page of members, by e-mail address."""

    data: list[MemberView]
    pagination: Pagination


def member_view(member: Membership, invited: Invited | None = None) -> MemberView:
    """A member in JSON."""
    return MemberView(
        user_id=member.user_id,
        id=member.user_id,
        organization_id=member.organization_id,
        email=member.email,
        name=member.name,
        role=member.role,
        projects=list(member.projects),
        teams=list(member.teams),
        created_at=member.created_at,
        created_by=member.created_by,
        last_login_at=member.last_login_at,
        invitation=msgspec.UNSET if invited is None else invited.letter,
        link=msgspec.UNSET if invited is None or not invited.link else invited.link,
    )


_NAME: Mapping[str, Any] = {"type": ["string", "null"], "minLength": 1, "maxLength": 256, "examples": ["Ana"]}
_ROLE: Mapping[str, Any] = {
    "type": "string",
    "minLength": 1,
    "maxLength": 64,
    "description": "viewer, analyst, engineer, billing_admin, admin, or a role of the organisation's own",
    "examples": ["engineer"],
}
_LIST: Mapping[str, Any] = {"type": ["array", "null"], "items": {"type": "string"}, "maxItems": 200}

NEW_MEMBER: Mapping[str, Any] = {
    "type": "object",
    "required": ["email", "role"],
    "additionalProperties": False,
    "properties": {
        "organization_id": {"type": ["string", "null"], "description": "required with an admin key"},
        "email": {"type": "string", "format": "email", "maxLength": 254, "examples": ["ana@example.com"]},
        "name": {**_NAME, "description": "the part of the address before the @ where it is left out"},
        "role": _ROLE,
        "projects": {**_LIST, "description": _BOUND_NOTE},
        "teams": {**_LIST, "description": "their projects too"},
    },
}
CHANGED_MEMBER: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": _NAME,
        "role": {**_ROLE, "type": ["string", "null"]},
        "projects": {**_LIST, "description": "in place of the old; [] together with no teams lifts the binding"},
        "teams": _LIST,
        "disabled": {
            "type": ["boolean", "null"],
            "description": "shut the account, in all organisations; with an admin key of the installation",
        },
    },
}
