"""API keys in a database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from cost_ops.cli.backend import Document
from cost_ops.cli.documents import key_document
from cost_ops.domain.new_keys import OVERLAP
from cost_ops.interfaces.context import Context
from cost_ops.services import access


class DirectKeys:
    """API keys as the installation's owner."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def create(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new key; an organisation named for the first time is created."""
        new = access.create_key(
            self._ctx,
            organization_id,
            name=fields["name"],
            kind=fields.get("kind") or "live",
            permissions=fields.get("permissions"),
            projects=fields.get("projects") or (),
            expires_at=fields.get("expires_at"),
        )
        return {**key_document(new.key), "key": new.secret}

    def search(self, organization_id: str | None) -> list[Document]:
        """Keys, newest first."""
        return [key_document(key) for key in access.list_keys(self._ctx, organization_id)]

    def describe(self, key_id: str) -> Document:
        """One key."""
        return key_document(access.describe_key(self._ctx, key_id))

    def update(self, key_id: str, fields: Mapping[str, Any]) -> Document:
        """Change a key."""
        return key_document(
            access.update_key(
                self._ctx,
                key_id,
                add_permissions=fields.get("add_permissions") or (),
                remove_permissions=fields.get("remove_permissions") or (),
                name=fields.get("name"),
                projects=fields.get("projects"),
                expires_at=fields.get("expires_at"),
            )
        )

    def rotate(self, key_id: str, fields: Mapping[str, Any]) -> Document:
        """A new key in a key's place."""
        overlap = timedelta(seconds=fields["overlap_seconds"]) if "overlap_seconds" in fields else OVERLAP
        new = access.rotate_key(self._ctx, key_id, overlap=overlap, expires_at=fields.get("expires_at"))
        return {**key_document(new.key), "key": new.secret}

    def revoke(self, key_id: str) -> Document:
        """Turn a key off for good."""
        return key_document(access.revoke_key(self._ctx, key_id))
