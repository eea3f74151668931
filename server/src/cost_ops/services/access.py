"""API keys: making, checking, changing, rotating, revoking. The secret is shown once and never stored."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta

from cost_ops.domain.access import (
    ADMIN,
    KEY_FORM,
    PERMISSIONS,
    ApiKey,
    Organization,
    authorize,
    authorize_owner,
    check_grantable,
    check_organization_id,
    check_permissions,
    check_whole,
)
from cost_ops.domain.audit import Action, AuditEvent, actor_of
from cost_ops.domain.before_after import before_after
from cost_ops.domain.errors import Conflict, NotFound, Unauthorized, invalid
from cost_ops.domain.new_keys import (
    KINDS,
    OVERLAP,
    NewKey,
    check_expiry,
    check_overlap,
    check_projects,
    derive,
    described,
    retired,
    successor,
    with_secret,
)
from cost_ops.domain.text import text_fault
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.people import ApiKeyRepository
from cost_ops.interfaces.storage import Installation, Ledger


def create_key(
    ctx: Context,
    organization_id: str | None,
    *,
    name: str,
    kind: str = "live",
    permissions: Sequence[str] | None = None,
    projects: Sequence[str] = (),
    expires_at: datetime | None = None,
) -> NewKey:
    """A new key of an organisation (created where the owner names it first), or with kind `admin` of the installation.

    Without `permissions` the key has all of its organisation's that its maker holds; with `projects` it sees and
    records usage of these alone. Raises InvalidInput, Forbidden.
    """
    bound = authorize(ctx.principal, ADMIN, organization_id)
    check_whole(ctx.principal, ADMIN)
    if kind not in KINDS:
        raise invalid("kind", "invalid_value", f"kind must be one of {', '.join(KINDS)}")
    _check_name(name)
    now = ctx.clock()
    check_expiry(expires_at, now)
    if kind == "admin":
        authorize_owner(ctx.principal)
        if projects:
            raise invalid("projects", "contradiction", "an admin key is for all organizations; it has no projects")
        bound, granted = None, frozenset({ADMIN})
    else:
        granted = _granted(ctx, permissions)
        if bound is None:
            raise invalid("organization_id", "missing_required_field", "organization_id is required")
        check_organization_id(bound)
    creator = actor_of(ctx.principal)
    key = ApiKey("", bound, kind, name, granted, b"", b"", now, expires_at, None, check_projects(projects), creator)
    made = with_secret(key, ctx.random_bits)
    if ctx.principal.owner:
        with ctx.storage.installation() as installation:
            if bound is not None and installation.organization(bound) is None:
                installation.add_organization(Organization(bound, bound, now))
                installation.audit.add(ctx.event(Action.ORGANIZATION_ADDED, bound, organization_id=bound))
            _add(ctx, installation, made.key)
    else:
        with ctx.storage.ledger(bound or "") as ledger:
            _add(ctx, ledger, made.key)
    return made


def _check_name(name: str) -> None:
    if fault := text_fault(name) if name.strip() else ("empty", "must not be empty"):
        raise invalid("name", fault[0], f"name {fault[1]}")


def _granted(ctx: Context, permissions: Sequence[str] | None) -> frozenset[str]:
    if permissions is None:
        return frozenset(name for name in PERMISSIONS if ctx.principal.may(name))
    granted = check_permissions(list(permissions))
    check_grantable(ctx.principal, granted)
    return granted


def _add(ctx: Context, unit: Installation | Ledger, key: ApiKey) -> None:
    unit.api_keys.add(key)
    detail = before_after(None, {"kind": key.kind, **described(key)})
    unit.audit.add(_event(ctx, Action.KEY_CREATED, key, detail))


def _event(ctx: Context, action: Action, key: ApiKey, detail: dict[str, object]) -> AuditEvent:
    return ctx.event(action, f"key_{key.key_id}", organization_id=key.organization_id, detail=detail)


def authenticate(ctx: Context, presented: str) -> ApiKey:
    """The stored key of a presented one. Raises Unauthorized for every reason alike.

    For a key that does not exist nothing is derived: the caller sees to it that this takes as long as a wrong secret.
    """
    match = KEY_FORM.match(presented)
    if match is None:
        raise Unauthorized
    kind, key_id, secret = match.groups()
    with ctx.storage.installation() as installation:
        key = installation.api_keys.get(key_id)
    if key is None or key.kind != kind or not key.usable_at(ctx.clock()):
        raise Unauthorized
    if not hmac.compare_digest(derive(secret, key.salt), key.secret_hash):
        raise Unauthorized
    return key


def _unit(ctx: Context) -> AbstractContextManager[Installation | Ledger]:
    """Where the caller's keys are: those of all for the owner, of their own organisation for everybody else."""
    bound = authorize(ctx.principal, ADMIN)
    check_whole(ctx.principal, ADMIN)
    return ctx.storage.installation() if bound is None else ctx.storage.ledger(bound)


def list_keys(ctx: Context, organization_id: str | None) -> list[ApiKey]:
    """The keys of an organisation, or all of them where the owner names none."""
    bound = authorize(ctx.principal, ADMIN, organization_id)
    with _unit(ctx) as unit:
        keys = unit.api_keys.list()
    return [k for k in keys if bound is None or k.organization_id == bound]


def describe_key(ctx: Context, key_id: str) -> ApiKey:
    """One key by its id; `key_<id>` and the whole `sk_…` form are understood. Raises NotFound."""
    with _unit(ctx) as unit:
        return _find(unit.api_keys, key_id)


def _find(keys: ApiKeyRepository, text: str) -> ApiKey:
    match = KEY_FORM.match(text)
    found = keys.get(match.group(2) if match else text.removeprefix("key_"))
    if found is None:
        raise NotFound(f"No API key {text[:20]!r}; `cost-ops auth list-keys` shows them")
    return found


def update_key(
    ctx: Context,
    key_id: str,
    *,
    add_permissions: Sequence[str] = (),
    remove_permissions: Sequence[str] = (),
    name: str | None = None,
    projects: Sequence[str] | None = None,
    expires_at: datetime | None = None,
) -> ApiKey:
    """Change a key's name, permissions, projects (none of them: the whole organisation) or expiry.

    Raises NotFound, InvalidInput, Conflict for a key that is revoked, Forbidden for a grant of what is not held.
    """
    added, removed = check_permissions(list(add_permissions)), check_permissions(list(remove_permissions))
    if name is not None:
        _check_name(name)
    check_expiry(expires_at, ctx.clock())
    with _unit(ctx) as unit:
        old = _find(unit.api_keys, key_id)
        check_grantable(ctx.principal, added)
        if old.revoked_at is not None:
            raise Conflict(f"the key key_{old.key_id} is revoked; make a new one")
        if old.kind == "admin" and (added or removed or projects):
            raise invalid("permissions", "contradiction", "an admin key has every permission, in every organization")
        new = replace(
            old,
            permissions=(old.permissions | added) - removed,
            name=name or old.name,
            projects=old.projects if projects is None else check_projects(projects),
            expires_at=expires_at or old.expires_at,
        )
        _change(ctx, unit, Action.KEY_CHANGED, old, new)
    return new


def _change(ctx: Context, unit: Installation | Ledger, action: Action, old: ApiKey, new: ApiKey) -> None:
    """Store a key's new form and what changed; nothing where nothing did."""
    if new == old:
        return
    unit.api_keys.update(new)
    unit.audit.add(_event(ctx, action, new, before_after(described(old), described(new))))


def revoke_key(ctx: Context, key_id: str) -> ApiKey:
    """Turn a key off for good; again changes nothing. Raises NotFound."""
    with _unit(ctx) as unit:
        old = _find(unit.api_keys, key_id)
        if old.revoked_at is not None:
            return old
        new = replace(old, revoked_at=ctx.clock())
        _change(ctx, unit, Action.KEY_REVOKED, old, new)
    return new


def rotate_key(
    ctx: Context, key_id: str, *, overlap: timedelta = OVERLAP, expires_at: datetime | None = None
) -> NewKey:
    """A new key with the grants of another, which ends after the overlap, or at once where that is nothing.

    Raises NotFound, InvalidInput, Conflict for a key that is not in use, Forbidden where it grants more than is held.
    """
    check_overlap(overlap)
    now = ctx.clock()
    check_expiry(expires_at, now)
    with _unit(ctx) as unit:
        old = _find(unit.api_keys, key_id)
        check_grantable(ctx.principal, old.permissions)
        heir = replace(successor(old, now, expires_at), created_by=actor_of(ctx.principal))
        made = with_secret(heir, ctx.random_bits)
        _add(ctx, unit, made.key)
        _change(ctx, unit, Action.KEY_ROTATED, old, retired(old, made.key.key_id, now, overlap))
    return made
