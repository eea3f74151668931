"""Audit events: who changed what in the ledger, kept for good in the same transaction as the change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from cost_ops.domain.access import Principal

OWNER_NAME = "owner"
"""The actor of what the installation's owner did without a key."""


class Action(StrEnum):
    """What can be audited. Names never change their meaning; new ones may come."""

    PRICE_ADDED = "prices.added"
    PRICE_REVISED = "prices.revised"
    PRICE_ENDED = "prices.ended"
    PRICES_SYNCED = "prices.synced"
    REVIEW_ACCEPTED = "pricing.review_accepted"
    REVIEW_DISMISSED = "pricing.review_dismissed"
    CONTRACT_ADDED = "contracts.added"
    CONTRACT_ENDED = "contracts.ended"
    CONTRACTS_SETTLED = "contracts.settled"
    RATES_IMPORTED = "exchange_rates.imported"
    REPRICE_STARTED = "costs.reprice_started"
    REPRICED = "costs.repriced"
    USAGE_CORRECTED = "usage.corrected"
    USAGE_ERASED = "usage.erased"
    RETENTION_APPLIED = "retention.applied"


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One change. `organization_id` is None for what concerns the whole installation; `number` None until stored.

    `detail` holds what explains the change, never a person's data.
    """

    action: str
    resource: str
    actor: str
    at: datetime
    organization_id: str | None = None
    request_id: str | None = None
    detail: Mapping[str, Any] | None = None
    number: int | None = None


def actor_of(principal: Principal) -> str:
    """Who acts: the key, or the installation's owner."""
    return principal.key_id or OWNER_NAME
