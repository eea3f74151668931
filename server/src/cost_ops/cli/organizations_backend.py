"""What the organisation commands need of a ledger, be it a database or a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Document = dict[str, Any]


class OrganizationsBackend(Protocol):
    """Organisations, their plans and limits."""

    def search(self) -> list[Document]:
        """Those that the caller may see, by id."""

    def limits(self, organization_id: str) -> Document:
        """One with its plan and limits, and what is used of them now as `windows`. Raises NotFound."""

    def add(self, organization_id: str, fields: Mapping[str, Any]) -> Document:
        """A new one with `name`, `plan` and `limits`; `created` is false where it was there, and it stays as it is."""

    def change(self, organization_id: str, fields: Mapping[str, Any]) -> Document:
        """Change `name`, `plan` and `limits` (None: the plan's again). Raises NotFound."""
