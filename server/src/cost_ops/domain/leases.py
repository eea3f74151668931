"""Leases: a part of budgets that is held for a call before it is made, and the one function that decides about it.

A lease holds its amount of every budget that its usage would count for, or of none. Room is what is neither spent nor
held. Only hard budgets refuse; a soft one that would be exceeded is named in the decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from cost_ops.domain.budget_status import BudgetStatus

MAX_TTL = timedelta(days=1)


class LeaseStatus(StrEnum):
    """What became of a lease."""

    HELD = "held"
    SETTLED = "settled"
    RELEASED = "released"
    EXPIRED = "expired"


class Held(NamedTuple):
    """What a lease holds of a budget: its id and name, the period, the amount in 1e-10 units of the currency."""

    budget_id: str
    name: str
    period: str
    amount_e10: int
    currency: str


@dataclass(frozen=True, slots=True)
class Lease:
    """An amount held for a call. `usage` is what is known of the call: the values of dimensions."""

    lease_id: str
    organization_id: str
    amount_e10: int
    currency: str
    usage: Mapping[str, Any]
    holds: tuple[Held, ...]
    created_at: datetime
    expires_at: datetime
    status: LeaseStatus = LeaseStatus.HELD
    key: str | None = None
    request_hash: int = 0
    closed_at: datetime | None = None
    usage_id: str | None = None
    settled_e10: int | None = None
    settled_currency: str | None = None

    @property
    def project_id(self) -> str | None:
        """The call's project."""
        return self.usage.get("project_id")

    @property
    def tags(self) -> Mapping[str, str] | None:
        """The call's tags."""
        return self.usage.get("tags")

    def at(self, now: datetime) -> Lease:
        """The lease as it is now: one that has run out is expired, whether that was noted or not."""
        if self.status is LeaseStatus.HELD and now >= self.expires_at:
            return replace(self, status=LeaseStatus.EXPIRED, closed_at=self.expires_at)
        return self


@dataclass(frozen=True, slots=True)
class Level:
    """One budget that a reservation would count for: how it stands, and the amount in its currency.

    `amount_e10` is None where no exchange rate leads to the budget's currency.
    """

    status: BudgetStatus
    amount_e10: int | None

    @property
    def fits(self) -> bool:
        """Whether there is room for it."""
        return self.amount_e10 is not None and self.amount_e10 <= self.status.available_e10

    @property
    def certain(self) -> bool:
        """Whether all that was spent is known in the budget's currency."""
        return self.amount_e10 is not None and not self.status.unconverted

    @property
    def refuses(self) -> bool:
        """Whether the reservation fails because of this budget."""
        return self.status.budget.is_hard and not (self.fits and self.certain)


@dataclass(frozen=True, slots=True)
class Decision:
    """Whether a reservation is granted, and how each budget concerned stood before it."""

    levels: tuple[Level, ...]

    @property
    def allowed(self) -> bool:
        """Whether no budget refuses."""
        return not any(level.refuses for level in self.levels)

    @property
    def refusing(self) -> tuple[Level, ...]:
        """The budgets that refuse."""
        return tuple(level for level in self.levels if level.refuses)

    @property
    def warnings(self) -> tuple[Level, ...]:
        """Budgets that are exceeded by it and do not refuse."""
        return tuple(level for level in self.levels if not level.refuses and not level.fits)


def decide(levels: Sequence[Level]) -> Decision:
    """All levels at once, all or nothing; the one with the least room first."""
    return Decision(tuple(sorted(levels, key=lambda level: (not level.refuses, level.status.available_e10))))
