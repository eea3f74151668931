"""Organisations as documents in the shapes of the HTTP API."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from cost_ops.cli.documents import Document, instant
from cost_ops.domain.access import Organization
from cost_ops.domain.plans import PLANS, Quota
from cost_ops.services.organizations import LimitsNow


def organization_document(organization: Organization) -> Document:
    """An organisation."""
    return {
        "organization_id": organization.organization_id,
        "id": organization.organization_id,
        "name": organization.name,
        "created_at": instant(organization.created_at),
        **_quota(organization.quota),
    }


def limits_document(now: LimitsNow) -> Document:
    """Limits and their use."""
    return {
        "organization_id": now.organization.organization_id,
        "name": now.organization.name,
        **_quota(now.organization.quota),
        "windows": [
            {
                "limit": window.name,
                "maximum": window.limit,
                "used": count.used,
                "remaining": max(0, window.limit - count.used),
                "window_seconds": window.seconds,
                "resets_at": instant(datetime.fromtimestamp(count.started + window.seconds, UTC)),
            }
            for window, count in now.windows
        ],
    }


def _quota(quota: Quota) -> dict[str, Any]:
    return {
        "plan": quota.plan,
        "features": sorted(PLANS[quota.plan].features),
        "limits": quota.limits.to_json(),
        "limits_from": "plan" if quota.own is None else "organization",
    }
