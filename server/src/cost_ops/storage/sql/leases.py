"""Leases of any number of organisations: deciding about budgets, one transaction at a time for each budget."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import bindparam, insert, select, tuple_, update

from cost_ops.domain.budget_index import BudgetIndex, Moves
from cost_ops.domain.exchange import MAX_AGE_DAYS, ExchangeRate
from cost_ops.domain.leases import Lease
from cost_ops.domain.periods import to_us
from cost_ops.interfaces.budgets import Closed, NewLease
from cost_ops.interfaces.recording import Lost
from cost_ops.storage.budget_tables import budgets, leases
from cost_ops.storage.sql import budget_holds, organizations
from cost_ops.storage.sql.budget_spends import watch_of
from cost_ops.storage.sql.dialects import insert_or_ignore
from cost_ops.storage.sql.exchange_rates import StoredExchangeRates
from cost_ops.storage.sql.lease_rows import lease_of, values_of
from cost_ops.storage.transaction import Transaction

b, t = budgets.c, leases.c
_CHUNK = 500


class StoredLeases:
    """Leases, in a transaction of many organisations."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx

    def indexes_of(self, ids: Collection[str]) -> dict[str, BudgetIndex]:
        """The budgets in force of organisations. They do not change until this transaction ends."""
        self._tx.check_names()
        return {one: watch.budgets for one, watch in watch_of(self._tx, ids).items()}

    def lock(self, numbers: Collection[int]) -> None:
        """Let one transaction at a time decide about these budgets."""
        self._tx.begin_write()
        if self._tx.postgres and numbers:
            wanted = ",".join(map(str, sorted(numbers)))
            query = f"SELECT number FROM budgets WHERE number IN ({wanted}) ORDER BY number FOR NO KEY UPDATE"  # noqa: S608
            self._tx.raw.execute(query)

    def standing(self, starts: Mapping[int, int], now: datetime) -> tuple[Moves, dict[tuple[int, int], int]]:
        """What is spent of budgets since an instant each, and what is held by (number, period start): one state."""
        return budget_holds.standing(self._tx, starts, now)

    def by_key(self, keys: Collection[tuple[str, str]]) -> dict[tuple[str, str], Lease]:
        """The leases that callers' keys led to, by (organisation, key)."""
        found: dict[tuple[str, str], Lease] = {}
        wanted = sorted(keys)
        for place in range(0, len(wanted), _CHUNK):
            chunk = wanted[place : place + _CHUNK]
            for row in self._tx.rows(select(leases).where(tuple_(t.organization_id, t.key).in_(chunk))):
                found[row.organization_id, row.key] = lease_of(row)
        return found

    def get(self, ids: Collection[str], *, for_update: bool = False) -> dict[str, Lease]:
        """Leases by id."""
        found: dict[str, Lease] = {}
        wanted = sorted(ids)
        for place in range(0, len(wanted), _CHUNK):
            mine = select(leases).where(t.lease_id.in_(wanted[place : place + _CHUNK])).order_by(t.lease_id)
            if for_update:
                mine = mine.with_for_update()
            found |= {row.lease_id: lease_of(row) for row in self._tx.rows(mine)}
        return found

    def add(self, leases_: Sequence[NewLease]) -> None:
        """Store leases with what they hold. Raises Lost where a key was used meanwhile."""
        if not leases_:
            return
        tx = self._tx
        rows = [values_of(new.lease) for new in leases_]
        keyed = [row for row in rows if row["key"] is not None]
        plain = [row for row in rows if row["key"] is None]
        for place in range(0, len(keyed), _CHUNK):
            chunk = keyed[place : place + _CHUNK]
            stored = tx.write(insert_or_ignore(tx, leases).values(chunk).returning(t.lease_id))
            if len(stored.all()) < len(chunk):
                raise Lost
        if plain:
            tx.write(insert(leases), plain)
        numbers = organizations.numbers_of(tx, {new.lease.organization_id for new in leases_})
        holds = [
            {
                "budget": hold.number,
                "lease_id": new.lease.lease_id,
                "organization": numbers[new.lease.organization_id],
                "period_start": hold.period_start_us,
                "expires_at": to_us(new.lease.expires_at),
                "amount_e10": hold.amount_e10,
            }
            for new in leases_
            for hold in new.holds
        ]
        budget_holds.hold(tx, holds)

    def close(self, closed: Sequence[Closed]) -> None:
        """End leases: nothing is held any more."""
        if not closed:
            return
        ended = (
            update(leases)
            .where(t.lease_id == bindparam("of_lease"))
            .values(
                status=bindparam("new_status"),
                closed_at=bindparam("at"),
                usage_id=bindparam("of_usage"),
                settled_e10=bindparam("cost"),
                settled_currency=bindparam("in_currency"),
            )
        )
        rows = [
            {
                "of_lease": one.lease_id,
                "new_status": one.status,
                "at": to_us(one.at),
                "of_usage": one.usage_id,
                "cost": one.cost_e10,
                "in_currency": one.currency,
            }
            for one in sorted(closed)
        ]
        self._tx.write(ended, rows)
        budget_holds.let_go(self._tx, [one.lease_id for one in closed])

    def expire(self, now: datetime, limit: int) -> int:
        """End leases that have run out; how many."""
        over = select(t.lease_id).where(t.status == "held", t.expires_at <= to_us(now)).order_by(t.expires_at)
        self._tx.begin_write()
        ids = [row[0] for row in self._tx.rows(over.limit(limit).with_for_update(skip_locked=True))]
        if ids:
            ended = update(leases).where(t.lease_id.in_(ids)).values(status="expired", closed_at=t.expires_at)
            self._tx.write(ended)
            budget_holds.let_go(self._tx, ids)
        return len(ids)

    def rates(self, first: datetime, last: datetime, currencies: Collection[str]) -> list[ExchangeRate]:
        """Exchange rates among currencies, of the days from first to last."""
        since = first.date() - timedelta(days=MAX_AGE_DAYS)
        return list(StoredExchangeRates(self._tx).between(since, last.date(), currencies))
