"""Corrections, erasure and retention as documents in the shapes of the HTTP API."""

from __future__ import annotations

from typing import Any

from cost_ops.cli.documents import Document, usage_document
from cost_ops.domain.retention import month_name
from cost_ops.services.corrections import CorrectedUsage
from cost_ops.services.retention import ErasureOutcome, RetentionOutcome


def corrected_document(found: CorrectedUsage) -> Document:
    """A corrected record."""
    return {"data": usage_document(found.record), "revision": found.revision, "changed": found.changed}


def erasure_document(found: ErasureOutcome) -> Document:
    """What an erasure took out."""
    return {
        "organization_id": found.organization_id,
        "records": found.records,
        "earlier_forms": found.earlier_forms,
        "dry_run": found.dry_run,
    }


def retention_document(found: RetentionOutcome, month: int) -> Document:
    """What retention took away, by month and organisation."""
    removed = found.removed
    months: list[dict[str, Any]] = [
        {"month": month_name(one.month), "organization_id": one.organization_id, "records": one.records}
        for one in found.months
    ]
    return {
        "kept_from": month_name(month),
        "dry_run": found.dry_run,
        "usage_records": removed.usage_records,
        "cost_records": removed.cost_records,
        "usage_revisions": removed.usage_revisions,
        "idempotency_keys": found.keys,
        "partitions": list(removed.partitions),
        "months": months,
    }
