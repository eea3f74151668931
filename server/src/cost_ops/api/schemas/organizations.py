"""Organisations in JSON: the tenants, their plans and limits."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.pages import Pagination
from cost_ops.domain.access import Organization
from cost_ops.domain.plans import PLANS, Limits, Quota
from cost_ops.services.organizations import LimitsNow


class LimitsView(Struct):
    """What holds, by the plan or for this organisation alone; null is no limit."""

    requests_per_hour: int | None
    burst: Annotated[int | None, Meta(description="requests a minute")]
    concurrency: Annotated[int | None, Meta(description="requests at once, in each server process")]


class OrganizationView(Struct):
    """A tenant."""

    organization_id: str
    id: str
    name: str
    created_at: datetime
    plan: Annotated[str, Meta(examples=["enterprise"])]
    features: Annotated[list[str], Meta(description="what the plan has")]
    limits: LimitsView
    limits_from: Annotated[str, Meta(description="plan, or organization where it has limits of its own")]


class OrganizationOne(Struct):
    """One organisation."""

    data: OrganizationView


class OrganizationPage(Struct):
    """A page of organisations, by id."""

    data: list[OrganizationView]
    pagination: Pagination


class WindowView(Struct):
    """A stretch of time that runs now, and how many requests of it are used."""

    limit: Annotated[str, Meta(description="requests_per_hour or burst")]
    maximum: int
    used: int
    remaining: int
    window_seconds: int
    resets_at: datetime


class LimitsNowView(Struct):
    """An organisation's limits and how much of them is used. No windows: no limit."""

    organization_id: str
    name: str
    plan: str
    features: list[str]
    limits: LimitsView
    limits_from: str
    windows: list[WindowView]


class LimitsAnswer(Struct):
    """Limits and their use."""

    data: LimitsNowView


def organization_view(organization: Organization) -> OrganizationView:
    """An organisation in JSON."""
    identity, quota = organization.organization_id, organization.quota
    return OrganizationView(
        identity,
        identity,
        organization.name,
        organization.created_at,
        quota.plan,
        _features(quota),
        _limits(quota.limits),
        _source(quota),
    )


def limits_view(now: LimitsNow) -> LimitsNowView:
    """Limits and their use in JSON."""
    windows = [
        WindowView(
            limit=window.name,
            maximum=window.limit,
            used=count.used,
            remaining=max(0, window.limit - count.used),
            window_seconds=window.seconds,
            resets_at=datetime.fromtimestamp(count.started + window.seconds, UTC),
        )
        for window, count in now.windows
    ]
    identity, name, quota = now.organization.organization_id, now.organization.name, now.organization.quota
    return LimitsNowView(identity, name, quota.plan, _features(quota), _limits(quota.limits), _source(quota), windows)


def _features(quota: Quota) -> list[str]:
    return sorted(PLANS[quota.plan].features)


def _limits(limits: Limits) -> LimitsView:
    return LimitsView(limits.requests_per_hour, limits.burst, limits.concurrency)


def _source(quota: Quota) -> str:
    return "plan" if quota.own is None else "organization"


_LIMIT: Mapping[str, Any] = {"type": ["integer", "null"], "minimum": 1, "maximum": 2**31 - 1}
_NAME: Mapping[str, Any] = {"type": ["string", "null"], "minLength": 1, "maxLength": 256, "examples": ["Example"]}
_PLAN: Mapping[str, Any] = {"type": ["string", "null"], "enum": [*PLANS, None], "examples": ["developer"]}
_LIMITS: Mapping[str, Any] = {
    "type": ["object", "null"],
    "additionalProperties": False,
    "description": "in place of the plan's, those that are named; null in one of them is no limit",
    "properties": {
        "requests_per_hour": _LIMIT,
        "burst": {**_LIMIT, "description": "requests a minute"},
        "concurrency": {**_LIMIT, "description": "requests at once, in each server process"},
    },
}
NEW_ORGANIZATION: Mapping[str, Any] = {
    "type": "object",
    "required": ["organization_id"],
    "additionalProperties": False,
    "properties": {
        "organization_id": {
            "type": "string",
            "pattern": "^[A-Za-z0-9][A-Za-z0-9._:-]{0,63}$",
            "examples": ["org-123"],
        },
        "name": _NAME,
        "plan": {**_PLAN, "default": "enterprise"},
        "limits": _LIMITS,
    },
}
"""The body of POST /organizations."""

CHANGED_ORGANIZATION: Mapping[str, Any] = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "name": _NAME,
        "plan": _PLAN,
        "limits": {**_LIMITS, "description": f"{_LIMITS['description']}; null in place of all: the plan's again"},
    },
}
"""The body of PATCH /organizations/{organization_id}."""
