"""Organisations: the tenants of an installation."""

from __future__ import annotations

from cost_ops.domain.access import ADMIN, Organization, authorize, check_organization_id
from cost_ops.interfaces.context import Context


def list_organizations(ctx: Context) -> list[Organization]:
    """All organisations by id (owner only)."""
    authorize(ctx.principal, ADMIN)
    with ctx.storage.installation() as installation:
        return installation.organizations()


def ensure(ctx: Context, organization_id: str, name: str | None = None) -> Organization:
    """The organisation, created where it does not exist (owner only). Raises InvalidInput for an impossible id."""
    authorize(ctx.principal, ADMIN)
    check_organization_id(organization_id)
    with ctx.storage.installation() as installation:
        found = installation.organization(organization_id)
        if found is None:
            found = Organization(organization_id, name or organization_id, ctx.clock())
            installation.add_organization(found)
    return found


def exists(ctx: Context, organization_id: str) -> bool:
    """Whether the installation has this organisation."""
    with ctx.storage.installation() as installation:
        return installation.organization(organization_id) is not None
