"""What budgets need of a database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, Protocol

from cost_ops.domain.budget_index import BudgetIndex, Moves
from cost_ops.domain.budgets import Budget
from cost_ops.domain.exchange import ExchangeRate
from cost_ops.domain.leases import Lease


class BudgetRepository(Protocol):
    """Budgets of the bound organisation, and what is spent of them."""

    def lock(self) -> None:
        """Let one transaction at a time change budgets; what is read from now on is the newest."""

    def list(self, *, ended: bool = False) -> list[Budget]:
        """The budgets in force by number; with `ended` all there ever were."""

    def get(self, budget_id: str) -> Budget | None:
        """One that has not ended."""

    def add(self, budget: Budget) -> Budget:
        """Store a budget; it comes back with its number. From now on all who record count for it."""

    def save(self, budget: Budget) -> None:
        """Put a budget in place of the row with its number."""

    def replace(self, old: Budget, new: Budget) -> Budget:
        """End a budget and have a new one under its id, which counts other usage: it comes back with its number."""

    def spends(self, starts: Mapping[int, int], *, by_day: bool = False) -> Moves:
        """What is spent, by number, in the periods since an instant (budget number → microseconds).

        Without `by_day` the days of a budget's own currency are one, under day 0: other currencies need their days.
        """

    def held(self, numbers: Collection[int], now: datetime) -> dict[tuple[int, int], int]:
        """(budget number, period start in microseconds) → what leases that have not run out hold, in 1e-10 units."""

    def read_one_state(self) -> None:
        """Have all that is read from now on, in this transaction, be of one state of the database."""

    def folded(self, number: int) -> Moves:
        """What was added to a budget since it is watched."""

    def bases(self, number: int) -> Moves:
        """What a budget began with."""

    def set_bases(self, bases: Moves) -> None:
        """Put bases in place of the old ones."""

    def kept_periods(self, number: int) -> set[int]:
        """The starts (microseconds) of periods whose records retention has removed: their sums stay as they are."""

    def lease(self, lease_id: str) -> Lease | None:
        """One lease of this organisation."""

    def leases(self, *, status: str | None, limit: int, offset: int) -> tuple[Sequence[Lease], int]:
        """Leases, newest first, and how many there are in all."""


class Hold(NamedTuple):
    """What a lease holds of one budget, in 1e-10 units of the budget's currency."""

    number: int
    period_start_us: int
    amount_e10: int


@dataclass(frozen=True, slots=True)
class NewLease:
    """A lease to be stored, and what it holds."""

    lease: Lease
    holds: tuple[Hold, ...]


class Closed(NamedTuple):
    """A lease that ends: settled with a usage record and its cost, or released without."""

    lease_id: str
    status: str
    at: datetime
    usage_id: str | None = None
    cost_e10: int | None = None
    currency: str | None = None


class LeaseRepository(Protocol):
    """Leases of any number of organisations in one transaction, as recording has usage.

    Every lease carries the organisation that its request was bound to.
    """

    def indexes_of(self, ids: Collection[str]) -> dict[str, BudgetIndex]:
        """The budgets in force of organisations. They do not change until this transaction ends."""

    def lock(self, numbers: Collection[int]) -> None:
        """Let one transaction at a time decide about these budgets."""

    def standing(self, starts: Mapping[int, int], now: datetime) -> tuple[Moves, dict[tuple[int, int], int]]:
        """What is spent of budgets since an instant each, and what is held by (number, period start): one state."""

    def by_key(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Lease]:
        """The leases that callers' keys led to, by (organisation, key)."""

    def get(self, ids: Collection[str], *, for_update: bool = False) -> dict[str, Lease]:
        """Leases by id."""

    def add(self, leases: Sequence[NewLease]) -> None:
        """Store leases with what they hold."""

    def close(self, closed: Sequence[Closed]) -> None:
        """End leases: nothing is held any more."""

    def expire(self, now: datetime, limit: int) -> int:
        """End leases that have run out; how many."""

    def rates(self, first: datetime, last: datetime, currencies: Collection[str]) -> list[ExchangeRate]:
        """Exchange rates among currencies, of the days from first to last."""
