"""Costs: sums over usage."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Optional

from llm_cost_ops.models.base import Model


class Total(Model):
    """A sum in one currency. Currencies are never added."""

    currency: str
    cost: Decimal
    requests: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cached_tokens: int
    unpriced_requests: int


class CostRow(Total):
    """A row of a breakdown: what it was grouped by stands beside the sums, as `row.provider` or `row["tag:env"]`."""


class PartOfRequests(Model):
    """How many requests, and which part of all (1 is all)."""

    requests: int
    share: Decimal


class CostReport(Model):
    """What usage cost in a range. `total_cost` is None where there are several currencies: see `totals`."""

    organization_id: Optional[str]
    start_date: datetime
    end_date: datetime
    range: Optional[str]
    timezone: str
    group_by: list[str]
    total_cost: Optional[Decimal]
    currency: Optional[str]
    requests: int
    input_tokens: int
    output_tokens: int
    total_tokens: int
    totals: list[Total]
    unpriced: PartOfRequests
    """Requests that are in no sum of money."""
    estimated: PartOfRequests
    """Requests whose cost rests on an assumption."""
    breakdown: list[CostRow]
    row_count: int
    data_through: Optional[datetime]
    sources: list[str]


class Series(Model):
    """A metric's way through time. Each point has its `time` and the metrics that were asked for."""

    dimensions: dict[str, Any]
    currency: Optional[str]
    points: list[Model]


class Analytics(Model):
    """Metrics by dimensions, over time."""

    start_date: datetime
    end_date: datetime
    range: Optional[str]
    timezone: str
    interval: str
    metrics: list[str]
    dimensions: list[str]
    series: list[Series]


class Difference(Model):
    """A sum before and after."""

    currency: str
    before: Decimal
    after: Decimal
    difference: Decimal


class Repricing(Model):
    """A run that costs recorded usage again, or what one would change (`dry_run`)."""

    number: Optional[int]
    organization_id: Optional[str]
    dry_run: Optional[bool]
    status: Optional[str]
    """`running`, `stopped` or `finished`; None of a dry run."""
    progress: Optional[Decimal]
    examined_records: int
    changed_records: int
    totals: Optional[list[Difference]]
