"""API keys: making, listing, changing, rotating, revoking. With an admin key, or as an organisation's admin."""

from __future__ import annotations

import re
from datetime import timedelta

from cost_ops.api.fields import Fields
from cost_ops.api.operations import BodyOf, Call, Reply, Routes
from cost_ops.api.pages import cut
from cost_ops.api.parameters_known import ORGANIZATION, PAGE, PAGE_SIZE, instant
from cost_ops.api.schemas.access import CHANGED_KEY, NEW_KEY, ROTATED_KEY, KeyOne, KeyPage, key_view
from cost_ops.domain.access import ADMIN, check_organization_id
from cost_ops.domain.errors import NotFound
from cost_ops.domain.new_keys import LONGEST_OVERLAP, OVERLAP, NewKey
from cost_ops.services import access

routes = Routes("Access")
_KEY_ID = re.compile(r"(key_)?[0-9a-z]{8}\Z")


def _key_id(call: Call) -> str:
    """The id in the path. Raises NotFound for what cannot be one."""
    text = call.path["key_id"]
    if _KEY_ID.match(text) is None:
        raise NotFound(f"No API key {text[:20]!r}")
    return text


@routes.add(
    "GET",
    "/api/v1/auth/keys",
    summary="API keys, newest first, revoked ones included",
    answer=KeyPage,
    permission=ADMIN,
    parameters=(ORGANIZATION, PAGE, PAGE_SIZE),
)
def list_keys(call: Call) -> KeyPage:
    """A page of keys."""
    keys = access.list_keys(call.ctx, call.given.get("organization_id"))
    shown, about = cut([key_view(key) for key in keys], call.given.get("page", 1), call.given.get("page_size", 20))
    return KeyPage(shown, about)


@routes.add(
    "POST",
    "/api/v1/auth/keys",
    summary="Make a key; the answer holds the whole key, once",
    answer=KeyOne,
    status=201,
    permission=ADMIN,
    body=BodyOf(
        NEW_KEY,
        {
            "organisation": {"organization_id": "org-123", "name": "production"},
            "one project": {
                "organization_id": "org-123",
                "name": "chatbot",
                "permissions": ["usage:write", "usage:read", "costs:read"],
                "projects": ["chatbot"],
            },
        },
    ),
)
def create_key(call: Call) -> Reply:
    """A new key of an organisation, which is created where the owner names it first."""
    fields = Fields(call.body, tuple(NEW_KEY["properties"]), what="a key")
    name = fields.text("name", required=True)
    organization_id = fields.parsed("organization_id", check_organization_id)
    kind = fields.text("kind") or "live"
    permissions, projects = fields.texts("permissions"), fields.texts("projects") or ()
    expires_at = fields.parsed("expires_at", instant)
    fields.done()
    made = access.create_key(
        call.ctx,
        organization_id,
        name=name or "",
        kind=kind,
        permissions=permissions,
        projects=projects,
        expires_at=expires_at,
    )
    return _created(made)


def _created(made: NewKey) -> Reply:
    """The whole key, which no cache may keep."""
    headers = {"Location": f"/api/v1/auth/keys/{made.key.key_id}", "Cache-Control": "no-store"}
    return Reply(201, KeyOne(key_view(made.key, made.secret)), headers)


@routes.add("GET", "/api/v1/auth/keys/{key_id}", summary="One key", answer=KeyOne, permission=ADMIN)
def describe_key(call: Call) -> KeyOne:
    """A key by its id."""
    return KeyOne(key_view(access.describe_key(call.ctx, _key_id(call))))


@routes.add(
    "PATCH",
    "/api/v1/auth/keys/{key_id}",
    summary="Change a key's name, permissions, projects or expiry",
    answer=KeyOne,
    permission=ADMIN,
    body=BodyOf(CHANGED_KEY, {"grant": {"add_permissions": ["usage:write", "costs:read"]}}),
    errors=(409,),
)
def update_key(call: Call) -> KeyOne:
    """Change what is said; the rest stays."""
    fields = Fields(call.body, tuple(CHANGED_KEY["properties"]), what="a change of a key")
    name = fields.text("name")
    added, removed = fields.texts("add_permissions") or (), fields.texts("remove_permissions") or ()
    projects = fields.texts("projects")
    expires_at = fields.parsed("expires_at", instant)
    fields.done()
    changed = access.update_key(
        call.ctx,
        _key_id(call),
        add_permissions=added,
        remove_permissions=removed,
        name=name,
        projects=projects,
        expires_at=expires_at,
    )
    return KeyOne(key_view(changed))


@routes.add(
    "POST",
    "/api/v1/auth/keys/{key_id}/rotate",
    summary="Put a new key with the same grants in a key's place; the old one works on for an overlap",
    answer=KeyOne,
    status=201,
    permission=ADMIN,
    body=BodyOf(ROTATED_KEY, {"a day": {}, "at once": {"overlap_seconds": 0}}),
    errors=(409,),
)
def rotate_key(call: Call) -> Reply:
    """The new key, shown once."""
    fields = Fields(call.body, tuple(ROTATED_KEY["properties"]), what="a rotation of a key")
    seconds = fields.whole("overlap_seconds", 0, int(LONGEST_OVERLAP.total_seconds()))
    expires_at = fields.parsed("expires_at", instant)
    fields.done()
    overlap = OVERLAP if seconds is None else timedelta(seconds=seconds)
    return _created(access.rotate_key(call.ctx, _key_id(call), overlap=overlap, expires_at=expires_at))


@routes.add(
    "DELETE",
    "/api/v1/auth/keys/{key_id}",
    summary="Revoke a key for good; every server refuses it within 5 seconds",
    answer=KeyOne,
    permission=ADMIN,
)
def revoke_key(call: Call) -> KeyOne:
    """Turn a key off; again changes nothing."""
    return KeyOne(key_view(access.revoke_key(call.ctx, _key_id(call))))
