"""What the commands about leases need of a ledger, be it a database or a server."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

Document = dict[str, Any]


class LeasesBackend(Protocol):
    """What is reserved of budgets."""

    def reserve(self, organization_id: str | None, call: Mapping[str, Any]) -> Document:
        """A lease for a call. Raises Conflict where a hard budget has no room for it."""

    def settle(self, lease_id: str, usage: Mapping[str, Any]) -> Document:
        """The recorded usage of a call, and what became of its lease."""

    def release(self, organization_id: str | None, lease_id: str) -> Document:
        """A lease that is given back."""

    def search(self, organization_id: str | None, status: str | None) -> list[Document]:
        """Leases, newest first."""
