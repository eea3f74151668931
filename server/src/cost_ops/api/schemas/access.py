"""Keys in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from cost_ops.api.pages import Pagination
from cost_ops.domain.access import PERMISSIONS, ApiKey


class KeyView(Struct):
    """An API key without its secret. `key` is the whole of it, shown only once, when it is made.

    `projects`: those that it is bound to; none: the whole organisation. `replaced_by`: the key that took its place.
    """

    key_id: str
    id: str
    organization_id: str | None
    kind: str
    name: str
    permissions: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    projects: list[str]
    created_by: str | None
    replaced_by: str | None
    last_used_at: datetime | None
    key: Annotated[str, Meta(description="shown once")] | msgspec.UnsetType = msgspec.UNSET


class KeyOne(Struct):
    """One key."""

    data: KeyView


class KeyPage(Struct):
    """A page of keys, newest first."""

    data: list[KeyView]
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
        projects=list(key.projects),
        created_by=key.created_by,
        replaced_by=f"key_{key.replaced_by}" if key.replaced_by else None,
        last_used_at=key.last_used_at,
        key=msgspec.UNSET if secret is None else secret,
    )


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

_PROJECTS: Mapping[str, Any] = {
    "type": ["array", "null"],
    "items": {"type": "string", "minLength": 1, "maxLength": 256},
    "maxItems": 200,
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
        "projects": {**_PROJECTS, "description": "usage of these projects alone; none given: of all"},
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
        "projects": {**_PROJECTS, "description": "in place of its projects; an empty list: the whole organisation"},
        "expires_at": _WHEN,
    },
}
ROTATED_KEY: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "overlap_seconds": {
            "type": ["integer", "null"],
            "minimum": 0,
            "maximum": 2_592_000,
            "default": 86_400,
            "description": "how long the old key works on",
        },
        "expires_at": {**_WHEN, "description": "none given: after as long as the old key was made for"},
    },
}
