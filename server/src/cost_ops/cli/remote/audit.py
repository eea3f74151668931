"""The audit trail of a server."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cost_ops.cli.audit_backend import AuditSearch
from cost_ops.cli.backend import Document, Watch
from cost_ops.cli.remote.client import Client
from cost_ops.domain.periods import format_instant

_PAGE_SIZE = 100


class RemoteAudit:
    """The trail as the holder of a key sees it."""

    def __init__(self, client: Client) -> None:
        """Ask this client's server."""
        self._client = client

    def search(self, organization_id: str | None, wanted: AuditSearch) -> tuple[list[Document], int]:
        """Events, newest first, and how many there are in all."""
        parameters = {
            "organization_id": organization_id,
            "action": wanted.action,
            "actor": wanted.actor,
            "resource": wanted.resource,
            "address": wanted.address,
            "start_date": _text(wanted.start),
            "end_date": _text(wanted.end),
            "page_size": min(wanted.limit, _PAGE_SIZE),
        }
        found: list[Document] = []
        cursor: str | None = None
        while True:
            answer = self._client.get("/audit", {**parameters, "cursor": cursor})
            found += answer["data"]
            cursor = answer["pagination"]["next_cursor"]
            if len(found) >= wanted.limit or cursor is None:
                return found[: wanted.limit], int(answer["pagination"]["total_items"])

    def verify(self, organization_id: str | None, expected: Sequence[str], watch: Watch) -> Document:  # noqa: ARG002
        """The server's verdict on every chain."""
        parameters = {"organization_id": organization_id, "expect": list(expected)}
        found: Document = self._client.get("/audit/verify", parameters)
        return found

    def export(self, organization_id: str | None) -> Iterator[Document]:
        """All events, oldest first, as they arrive."""
        return self._client.lines("/audit/export", {"organization_id": organization_id})


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else format_instant(instant)
