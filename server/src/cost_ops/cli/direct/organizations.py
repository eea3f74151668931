"""Organisations of a database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cost_ops.cli.documents import Document
from cost_ops.cli.organization_documents import limits_document, organization_document
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.limits import PermitStore
from cost_ops.services import organizations
from cost_ops.services.organizations import OrganizationChange


class DirectOrganizations:
    """Organisations as the installation's owner."""

    def __init__(self, ctx: Context, permits: PermitStore) -> None:
        """Work with a context, and where requests are counted."""
        self._ctx = ctx
        self._permits = permits

    def search(self) -> list[Document]:
        """All of them."""
        return [organization_document(found) for found in organizations.list_organizations(self._ctx)]

    def limits(self, organization_id: str) -> Document:
        """One with its limits and their use."""
        return limits_document(organizations.limits(self._ctx, self._permits, organization_id))

    def add(self, organization_id: str, fields: Mapping[str, Any]) -> Document:
        """A new one."""
        existed = organizations.exists(self._ctx, organization_id)
        made = organizations.ensure(self._ctx, organization_id, fields.get("name"), _change(fields))
        return {**organization_document(made), "created": not existed}

    def change(self, organization_id: str, fields: Mapping[str, Any]) -> Document:
        """Change one."""
        return organization_document(organizations.change(self._ctx, organization_id, _change(fields)))


def _change(fields: Mapping[str, Any]) -> OrganizationChange:
    limits = fields.get("limits")
    return OrganizationChange(fields.get("name"), fields.get("plan"), limits, "limits" in fields and limits is None)
