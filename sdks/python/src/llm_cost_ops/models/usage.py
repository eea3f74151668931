"""Usage: what was recorded, and what it cost."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Optional

from llm_cost_ops.models.base import Model
from llm_cost_ops.models.pricing import Price


class Cost(Model):
    """What a call cost. `cache_cost` is the part of `input_cost` for cached tokens; the others add up."""

    total_cost: Decimal
    input_cost: Decimal
    output_cost: Decimal
    cache_cost: Decimal
    other_cost: Decimal


class Submitted(Model):
    """A record that stands in the ledger. `cost` is None while no price is known: unknown is not zero."""

    usage_id: str
    organization_id: str
    status: str
    cost: Optional[Cost]
    currency: Optional[str]
    processed_at: Optional[datetime]
    estimated_cost: Optional[Decimal]
    """The whole cost once more."""


class Problem(Model):
    """Why a record of a batch was refused."""

    code: str
    message: str
    details: Optional[Model]


class BatchResult(Model):
    """What became of one record of a batch: it has a `usage_id`, or an `error`."""

    index: int
    usage_id: Optional[str]
    status: Optional[str]
    cost: Optional[Decimal]
    """The whole cost; None where no price is known."""
    currency: Optional[str]
    replayed: Optional[bool]
    """Whether it was there already."""
    error: Optional[Problem]


class Batch(Model):
    """What became of a batch."""

    accepted: int
    replayed: int
    rejected: int
    results: list[BatchResult]


class UsageRecord(Model):
    """A record of the ledger with its cost."""

    usage_id: str
    organization_id: str
    timestamp: datetime
    received_at: datetime
    provider: str
    model_id: str
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_tokens: int
    quantities: dict[str, Any]
    """What is billed, by meter: the parts that do not overlap."""
    status: str
    """`computed`, `unpriced`, `estimated`, `reported` and others."""
    cost: Optional[Cost]
    currency: Optional[str]
    price_id: Optional[str]
    project_id: Optional[str]
    user_id: Optional[str]
    team_id: Optional[str]
    session_id: Optional[str]
    estimated: bool
    """Whether the counts were guessed."""
    tags: dict[str, Any]


class RevisedRecord(UsageRecord):
    """A record after a correction."""

    revision: int
    changed: bool
    """Whether the correction changed anything."""


class UsageRevision(Model):
    """An earlier form of a record that was corrected."""

    revision: int
    reason: Optional[str]
    status: str
    cost: Optional[Decimal]


class CostLine(Model):
    """One product of a proof: a quantity, its rate, their amount."""

    meter: str
    quantity: Decimal
    priced_as: Optional[str]
    rate_price: Decimal
    rate_per: Decimal
    included: Optional[Decimal]
    conditions: Optional[dict[str, Any]]
    amount: Decimal


class Explanation(Model):
    """The proof of an amount."""

    usage: UsageRecord
    price: Optional[Price]
    found_by: Optional[str]
    context_tokens: Optional[int]
    lines: list[CostLine]
    recomputed_cost: Optional[Decimal]
    missing_meters: list[str]
    agrees: Optional[bool]
    """Whether what was worked out for this answer is what stands in the ledger."""
    reason: Optional[str]
