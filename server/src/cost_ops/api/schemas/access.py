"""Keys and organisations in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from cost_ops.api.pages import Pagination
from cost_ops.domain.access import PERMISSIONS, ApiKey, Organization


class KeyView(Struct):
    """An API key without its secret. `key` is the whole of it, shown only once, when it is made."""

    key_id: str
    id: str
    organization_id: str | None
    kind: str
    name: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    key: Annotated[str, Meta(description="shown once")] | msgspec.UnsetType = msgspec.UNSET


class KeyOne(Struct):
    """One key."""

    data: KeyView


class KeyPage(Struct):
    """A page of keys, newest first."""

    data: list[KeyView]
    pagination: Pagination


class OrganizationView(Struct):
    """A tenant."""

    organization_id: str
    id: str
    name: str
    created_at: datetime


class OrganizationOne(Struct):
    """One organisation."""

    data: OrganizationView


class OrganizationPage(Struct):
    """A page of organisations, by id."""

    data: list[OrganizationView]
    pagination: Pagination


def key_view(key: ApiKey, secret: str | None = None) -> KeyView:
    """A key in JSON."""
    return KeyView(
        key_id=key.key_id,
        id=f"key_{key.key_id}",
        organization_id=key.organization_id,
        kind=key.kind,
        name=key.name,
        permissions=sorted(key.permissions),
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        key=msgspec.UNSET if secret is None else secret,
    )


def organization_view(organization: Organization) -> OrganizationView:
    """An organisation in JSON."""
    identity = organization.organization_id
    return OrganizationView(identity, identity, organization.name, organization.created_at)


_PERMISSION_LIST: Mapping[str, Any] = {
    "type": ["array", "null"],
    "items": {"type": "string", "enum": list(PERMISSIONS)},
}
_NAME: Mapping[str, Any] = {"type": "string", "minLength": 1, "maxLength": 256, "examples": ["production"]}
_OTHER_NAME: Mapping[str, Any] = {**_NAME, "type": ["string", "null"]}
_WHEN: Mapping[str, Any] = {"type": ["string", "null"], "format": "date-time"}
_ORGANIZATION: Mapping[str, Any] = {
    "type": "string",
    "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$",
    "examples": ["org-123"],
}

NEW_KEY: Mapping[str, Any] = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": _NAME,
        "organization_id": {
            **_ORGANIZATION,
            "type": ["string", "null"],
            "description": "required, but for kind admin",
        },
        "kind": {"type": ["string", "null"], "enum": ["live", "test", "admin", None], "default": "live"},
        "permissions": {**_PERMISSION_LIST, "description": "none given: all of the organisation's"},
        "expires_at": _WHEN,
    },
}
CHANGED_KEY: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": _OTHER_NAME,
        "add_permissions": _PERMISSION_LIST,
        "remove_permissions": _PERMISSION_LIST,
        "expires_at": _WHEN,
    },
}
NEW_ORGANIZATION: Mapping[str, Any] = {
    "type": "object",
    "required": ["organization_id"],
    "additionalProperties": False,
    "properties": {"organization_id": _ORGANIZATION, "name": _OTHER_NAME},
}
