"""What the audit commands need of a ledger, be it a database or a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AuditSearch:
    """Which events to list: at most `limit`, the newest first."""

    action: str | None = None
    actor: str | None = None
    resource: str | None = None
    address: str | None = None
    start: datetime | None = None
    end: datetime | None = None
    limit: int = 20


class AuditBackend(Protocol):
    """The audit trail of an organisation, or of all where none is named and the caller may see them."""

    def search(self, organization_id: str | None, wanted: AuditSearch) -> tuple[list[Document], int]:
        """Events, newest first, and how many there are in all."""

    def verify(
        self, organization_id: str | None, expected: Sequence[str], watch: Callable[[int, int], None]
    ) -> Document:
        """The verdict on every chain as `data`, and `whole` where nothing is wrong."""

    def export(self, organization_id: str | None) -> Iterator[Document]:
        """All events, oldest first, with what it takes to check their hashes, in constant memory."""
