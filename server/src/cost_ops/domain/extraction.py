"""Extraction: from a provider's own payload to disjoint buckets, by usage shapes (data)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

from cost_ops.domain.usage import Quantities, Quantity, Step


class Discrepancy(NamedTuple):
    """A contradiction in a provider's own numbers."""

    rule: str
    stated: int
    counted: int
    message: str


class Traced(NamedTuple):
    """One field of a payload and where it went."""

    path: str
    quantity: Quantity
    meter: str | None
    note: str


@dataclass(frozen=True, slots=True)
class Extracted:
    """What a payload says."""

    shape: str
    quantities: Quantities
    model_id: str | None = None
    response_id: str | None = None
    service_tier: str | None = None
    processing: str | None = None
    region: str | None = None
    reported_cost: Decimal | None = None
    reported_currency: str | None = None
    estimated: bool = False
    discrepancies: tuple[Discrepancy, ...] = ()
    steps: tuple[Step, ...] = ()
    usage: Mapping[str, Any] = field(default_factory=dict)


class ShapeBook:
    """All shapes (being written; see the task of the extractor)."""

    def extract(self, provider: str, payload: Any, *, whole_response: bool) -> Extracted:
        """What a payload says."""
        raise NotImplementedError

    def trace(self, shape_id: str, usage: Mapping[str, Any]) -> list[Traced]:
        """Field by field."""
        raise NotImplementedError
