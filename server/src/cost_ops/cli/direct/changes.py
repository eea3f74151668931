"""Corrections and erasure in a database."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cost_ops.cli.backend import Document
from cost_ops.cli.change_documents import corrected_document, erasure_document
from cost_ops.interfaces.context import Context
from cost_ops.services import corrections, retention


class DirectChanges:
    """Changes of the ledger as the installation's owner."""

    def __init__(self, ctx: Context) -> None:
        """Work with a context."""
        self._ctx = ctx

    def correct(self, organization_id: str | None, usage_id: str, fields: Mapping[str, Any], reason: str) -> Document:
        """Put fields in place of a record's own."""
        return corrected_document(corrections.correct(self._ctx, organization_id, usage_id, fields, reason=reason))

    def erase(self, organization_id: str | None, user_id: str, tags: Sequence[str], *, dry_run: bool) -> Document:
        """Take what tells of a person out of their usage."""
        return erasure_document(retention.erase(self._ctx, organization_id, user_id, tags=tags, dry_run=dry_run))
