"""Budgets of an organisation."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, insert, select, update

from cost_ops.domain.budget_index import Moves
from cost_ops.domain.budgets import Budget
from cost_ops.domain.leases import Lease
from cost_ops.domain.periods import to_us
from cost_ops.storage.budget_tables import budgets, leases
from cost_ops.storage.sql import budget_holds, budget_spends, lease_rows
from cost_ops.storage.sql.budget_rows import budget_of, known, values_of
from cost_ops.storage.transaction import Transaction

b = budgets.c


class StoredBudgets:
    """Budgets of the bound organisation."""

    def __init__(self, tx: Transaction, organization_id: str, number: int) -> None:
        self._tx = tx
        self._organization_id = organization_id
        self._number = number

    def lock(self) -> None:
        """Let one transaction at a time change budgets; what is read from now on is the newest."""
        self._tx.driver.lock_names(self._tx)

    def list(self, *, ended: bool = False) -> list[Budget]:
        """The budgets in force by number; with `ended` all there ever were."""
        if not ended:
            return known(self._tx, self._organization_id)
        mine = select(budgets).where(b.organization_id == self._organization_id).order_by(b.number)
        return [budget_of(row) for row in self._tx.rows(mine)]

    def get(self, budget_id: str) -> Budget | None:
        """One that has not ended."""
        mine = (b.organization_id == self._organization_id, b.budget_id == budget_id, b.ended_at.is_(None))
        found = self._tx.rows(select(budgets).where(*mine))
        return budget_of(found[0]) if found else None

    def add(self, budget: Budget) -> Budget:
        """Store a budget; it comes back with its number. From now on all who record count for it."""
        budget_spends.change_watched(self._tx)
        values = values_of(budget, self._number)
        return budget_of(self._tx.write(insert(budgets).values(values).returning(budgets)).one())

    def save(self, budget: Budget) -> None:
        """Put a budget in place of the row with its number."""
        budget_spends.change_watched(self._tx)
        mine = (b.organization_id == self._organization_id, b.number == budget.number)
        self._tx.write(update(budgets).where(*mine).values(values_of(budget, self._number)))

    def replace(self, old: Budget, new: Budget) -> Budget:
        """End a budget and have a new one under its id, which counts other usage: it comes back with its number."""
        mine = (b.organization_id == self._organization_id, b.number == old.number)
        budget_spends.change_watched(self._tx)
        self._tx.write(update(budgets).where(*mine).values(ended_at=to_us(new.updated_at or new.created_at)))
        return self.add(new)

    def spends(self, starts: Mapping[int, int], *, by_day: bool = False) -> Moves:
        """What is spent, by number, in the periods since an instant (budget number → microseconds)."""
        return budget_spends.of(self._tx, starts, by_day=by_day)

    def held(self, numbers: Collection[int], now: datetime) -> dict[tuple[int, int], int]:
        """(budget number, period start in microseconds) → what leases that have not run out hold."""
        return budget_holds.held(self._tx, numbers, now)

    def read_one_state(self) -> None:
        """Have all that is read from now on, in this transaction, be of one state of the database."""
        self._tx.driver.read_one_state(self._tx)

    def folded(self, number: int) -> Moves:
        """What was added to a budget since it is watched."""
        return budget_spends.folded(self._tx, number)

    def bases(self, number: int) -> Moves:
        """What a budget began with."""
        return budget_spends.based(self._tx, number)

    def set_bases(self, bases: Moves) -> None:
        """Put bases in place of the old ones."""
        budget_spends.set_bases(self._tx, self._number, bases)

    def kept_periods(self, number: int) -> set[int]:
        """The starts of periods whose records retention has removed: their sums stay as they are."""
        return budget_spends.kept_periods(self._tx, number)

    def lease(self, lease_id: str) -> Lease | None:
        """One lease of this organisation."""
        mine = (leases.c.organization_id == self._organization_id, leases.c.lease_id == lease_id)
        found = self._tx.rows(select(leases).where(*mine))
        return lease_rows.lease_of(found[0]) if found else None

    def leases(self, *, status: str | None, limit: int, offset: int) -> tuple[Sequence[Lease], int]:
        """Leases, newest first, and how many there are in all."""
        mine = [leases.c.organization_id == self._organization_id]
        if status is not None:
            mine.append(leases.c.status == status)
        page = select(leases).where(*mine).order_by(leases.c.created_at.desc(), leases.c.lease_id)
        total = self._tx.connection.execute(select(func.count()).select_from(leases).where(*mine)).scalar()
        return [lease_rows.lease_of(row) for row in self._tx.rows(page.limit(limit).offset(offset))], int(total or 0)
