"""What leases hold of budgets: a row for each hold, and their sum by budget and period, kept in the same transaction.

A hold that has run out counts no more, noted or not: what is held is the sum less the holds that are over. Of those
there are few, as a job takes them away.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert

from cost_ops.domain.budget_index import Moves, SpendKey
from cost_ops.domain.periods import from_us, to_us
from cost_ops.storage.budget_tables import budget_holds, lease_holds
from cost_ops.storage.sql.dialects import insert_or_add
from cost_ops.storage.transaction import Transaction

_CHUNK = 500
_SPENT, _HELD = 0, 1
_STANDING = """
SELECT 0, s.budget, s.period_start, CASE WHEN s.currency IN (b.currency, '') THEN 0 ELSE s.day END AS on_day,
       s.currency, sum(s.base_e10 + s.folded_e10), sum(s.base_requests + s.folded_requests)
FROM budget_spends s JOIN budgets b ON b.number = s.budget
WHERE s.budget IN ({numbers}) AND s.period_start >= {least}
GROUP BY s.budget, s.period_start, on_day, s.currency
UNION ALL
{held}
"""
_HELD_NOW = """
SELECT 1, budget, period_start, 0, '', held_e10, 0 FROM budget_holds WHERE budget IN ({numbers})
UNION ALL
SELECT 1, budget, period_start, 0, '', -sum(amount_e10), 0 FROM lease_holds
WHERE budget IN ({numbers}) AND expires_at <= {now}
GROUP BY budget, period_start
"""


def standing(tx: Transaction, starts: Mapping[int, int], now: datetime) -> tuple[Moves, dict[tuple[int, int], int]]:
    """What is spent of budgets since an instant each, and what is held by (number, period start).

    One statement: what a settlement moves from held to spent is seen in one place, never in both or in neither.
    """
    spent: Moves = {}
    held_: dict[tuple[int, int], int] = {}
    if starts:
        query = _STANDING.format(numbers=_list(starts), least=min(starts.values()), held=_held_query(tx, starts, now))
        for kind, number, start_us, day, currency, amount, requests in tx.raw.execute(query).fetchall():
            if kind == _HELD:
                held_[number, start_us] = held_.get((number, start_us), 0) + int(amount)
            elif start_us >= starts[number]:
                spent[SpendKey(number, start_us, day, currency)] = (int(amount), int(requests))
    return spent, held_


def held(tx: Transaction, numbers: Collection[int], now: datetime) -> dict[tuple[int, int], int]:
    """(budget number, period start in microseconds) → what leases that have not run out hold."""
    found: dict[tuple[int, int], int] = {}
    if numbers:
        for _, number, start_us, _, _, amount, _ in tx.raw.execute(_held_query(tx, numbers, now)).fetchall():
            found[number, start_us] = found.get((number, start_us), 0) + int(amount)
    return {place: amount for place, amount in found.items() if amount}


def hold(tx: Transaction, holds: Sequence[Mapping[str, Any]]) -> None:
    """Store holds, and add to their sums."""
    if holds:
        tx.write(insert(lease_holds), list(holds))
        _add(tx, [(h["budget"], h["period_start"], h["organization"], h["amount_e10"]) for h in holds])


def let_go(tx: Transaction, lease_ids: Sequence[str]) -> None:
    """Take the holds of leases away, those that are still there, and take them from their sums."""
    h = lease_holds.c
    gone = []
    for place in range(0, len(lease_ids), _CHUNK):
        mine = delete(lease_holds).where(h.lease_id.in_(lease_ids[place : place + _CHUNK]))
        rows = tx.write(mine.returning(h.budget, h.period_start, h.organization, h.amount_e10)).all()
        gone += [(budget, start_us, organization, -amount) for budget, start_us, organization, amount in rows]
    _add(tx, gone)


def _add(tx: Transaction, moves: Sequence[tuple[int, int, int, int]]) -> None:
    """Add amounts to sums, in the order of their key, so that transactions do not wait for each other in circles."""
    sums: dict[tuple[int, int, int], int] = {}
    for budget, start_us, organization, amount in moves:
        place = (budget, start_us, organization)
        sums[place] = sums.get(place, 0) + amount
    rows = [
        {"budget": budget, "period_start": start_us, "organization": organization, "held_e10": amount}
        for (budget, start_us, organization), amount in sorted(sums.items())
        if amount
    ]
    if rows:
        tx.write(insert_or_add(tx, budget_holds, "held_e10"), rows)


def _list(numbers: Collection[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


def _held_query(tx: Transaction, numbers: Collection[int], now: datetime) -> str:
    """Statements are made of numbers and instants of ours."""
    at = f"'{from_us(to_us(now)).isoformat()}'::timestamptz" if tx.postgres else str(to_us(now))
    return _HELD_NOW.format(numbers=_list(numbers), now=at)
