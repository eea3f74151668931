"""Organisations: the tenants of an installation, their plans and limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from cost_ops.domain.access import ADMIN, Organization, authorize, authorize_owner, check_organization_id
from cost_ops.domain.audit import Action
from cost_ops.domain.before_after import before_after
from cost_ops.domain.errors import InvalidInput, NotFound, Problem
from cost_ops.domain.limiting import Count, Window, holder_of, unix_seconds, windows_of
from cost_ops.domain.plans import DEFAULT_QUOTA, changed_quota
from cost_ops.domain.text import text_fault
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.limits import PermitStore


@dataclass(frozen=True, slots=True)
class OrganizationChange:
    """What is to be put in place of an organisation's own; None leaves it. `plan_limits`: no limits of its own."""

    name: str | None = None
    plan: str | None = None
    limits: Mapping[str, Any] | None = None
    plan_limits: bool = False


@dataclass(frozen=True, slots=True)
class LimitsNow:
    """An organisation with its quota, and what is used of it in the stretches of time that run now."""

    organization: Organization
    windows: tuple[tuple[Window, Count], ...]


def list_organizations(ctx: Context) -> list[Organization]:
    """All organisations by id; for an organisation's own admin, that one. Raises Forbidden."""
    bound = authorize(ctx.principal, ADMIN)
    with ctx.storage.installation() as installation:
        return [found for found in installation.organizations() if bound in (None, found.organization_id)]


def get(ctx: Context, organization_id: str) -> Organization:
    """One organisation. Raises NotFound, Forbidden."""
    authorize(ctx.principal, ADMIN, organization_id)
    return _find(ctx, organization_id)


def ensure(
    ctx: Context, organization_id: str, name: str | None = None, change: OrganizationChange | None = None
) -> Organization:
    """The organisation, created where it does not exist (owner only): then with the plan and limits of `change`.

    Raises InvalidInput for an impossible id, name or plan, Forbidden.
    """
    authorize_owner(ctx.principal)
    check_organization_id(organization_id)
    _check_name(name)
    quota = DEFAULT_QUOTA if change is None else changed_quota(DEFAULT_QUOTA, change.plan, change.limits)
    with ctx.storage.installation() as installation:
        found = installation.organization(organization_id)
        if found is not None:
            return found
        new = Organization(organization_id, name or organization_id, ctx.clock(), quota)
        installation.add_organization(new)
        if quota != DEFAULT_QUOTA:
            installation.credentials.set_quota(organization_id, quota)
        detail = before_after(None, _described(new))
        event = ctx.event(Action.ORGANIZATION_ADDED, organization_id, organization_id=organization_id, detail=detail)
        installation.audit.add(event)
    return new


def change(ctx: Context, organization_id: str, wanted: OrganizationChange) -> Organization:
    """Change name, plan or limits (owner only: nobody gives themselves more). Raises NotFound, InvalidInput, Forbidden.

    Servers hold to it once they have read it: within `auth.key_cache_secs`.
    """
    authorize_owner(ctx.principal)
    _check_name(wanted.name)
    with ctx.storage.installation() as installation:
        old = installation.organization(organization_id)
        if old is None:
            raise _unknown(organization_id)
        quota = changed_quota(old.quota, wanted.plan, wanted.limits, clear=wanted.plan_limits)
        new = replace(old, name=wanted.name or old.name, quota=quota)
        if new == old:
            return old
        installation.rename_organization(organization_id, new.name)
        installation.credentials.set_quota(organization_id, quota)
        detail = before_after(_described(old), _described(new))
        event = ctx.event(Action.ORGANIZATION_CHANGED, organization_id, organization_id=organization_id, detail=detail)
        installation.audit.add(event)
    return new


def limits(ctx: Context, permits: PermitStore, organization_id: str) -> LimitsNow:
    """An organisation's limits and how much of them is used; whoever belongs to it may ask. Raises NotFound."""
    principal = ctx.principal
    if not principal.owner and principal.organization_id != organization_id:
        raise _unknown(organization_id)
    organization = _find(ctx, organization_id)
    windows = windows_of(organization.quota.limits)
    counts = permits.counts(holder_of(organization_id), windows, unix_seconds(ctx.clock())) if windows else ()
    return LimitsNow(organization, tuple(zip(windows, counts, strict=True)))


def exists(ctx: Context, organization_id: str) -> bool:
    """Whether the installation has this organisation."""
    with ctx.storage.installation() as installation:
        return installation.organization(organization_id) is not None


def _find(ctx: Context, organization_id: str) -> Organization:
    with ctx.storage.installation() as installation:
        found = installation.organization(organization_id)
    if found is None:
        raise _unknown(organization_id)
    return found


def _unknown(organization_id: str) -> NotFound:
    return NotFound(f"No organization {organization_id[:64]!r} for this API key")


def _check_name(name: str | None) -> None:
    if name is None:
        return
    if fault := text_fault(name) if name.strip() else ("empty", "must not be empty"):
        raise InvalidInput([Problem("name", fault[0], f"name {fault[1]}")])


def _described(organization: Organization) -> dict[str, Any]:
    quota = organization.quota
    own = None if quota.own is None else quota.own.to_json()
    return {"name": organization.name, "plan": quota.plan, "limits": own}
