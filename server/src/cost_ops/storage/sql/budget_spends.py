"""What is spent of budgets, by period, UTC day and currency: added to in the transaction of what is spent.

A row is `base + folded`: `folded` is what was added since somebody watches, `base` what there was before. Summing a
budget anew sets the base only, to the ledger's sum less what was folded in the same state, so nobody waits for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime

from sqlalchemy import case, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from cost_ops.domain.budget_index import BudgetIndex, Moves, SpendKey
from cost_ops.domain.periods import to_us
from cost_ops.domain.rollups import Contribution
from cost_ops.storage.budget_tables import budget_spends, budgets
from cost_ops.storage.sql import budget_rows, organizations, watched_events
from cost_ops.storage.tables import dimension_version
from cost_ops.storage.transaction import Transaction, Watch

s = budget_spends.c


def watch_of(tx: Transaction, ids: Collection[str]) -> dict[str, Watch]:
    """What is watched of organisations, as it is committed; `check_names` was called before."""
    known = tx.names.watches
    unknown = [organization_id for organization_id in ids if organization_id not in known]
    if unknown:
        found = budget_rows.in_force(tx, unknown)
        wanted = watched_events.wanted(tx, unknown)
        fresh = {one: Watch(BudgetIndex(found.get(one, ())), wanted.get(one, frozenset())) for one in unknown}
        with tx.names.lock:
            if tx.names.watched == tx.watched:
                tx.names.watches = {**tx.names.watches, **fresh}
        known = {**known, **fresh}
    return {organization_id: known[organization_id] for organization_id in ids}


def add(tx: Transaction, contributions: Sequence[Contribution]) -> None:
    """Add what records contribute to the budgets that they count for, and say that something moved."""
    ids = {contribution.organization_id for contribution in contributions}
    watched = {one: watch.budgets for one, watch in watch_of(tx, ids).items() if watch.budgets}
    if not watched:
        return
    numbers = organizations.numbers_of(tx, watched)
    rows = []
    moved = []
    for organization_id, index in watched.items():
        mine = contributions
        if len(ids) > 1:
            mine = [one for one in contributions if one.organization_id == organization_id]
        moves = index.moves(mine)
        if moves:
            rows += [(*key, numbers[organization_id], *sums) for key, sums in moves.items()]
            moved.append(organization_id)
    if rows:
        rows.sort()
        tx.driver.add_spends(tx, rows)
        watched_events.say_moved(tx, moved)


def change_watched(tx: Transaction) -> None:
    """Have all who record look again at what is watched; those under way end first."""
    tx.driver.lock_names(tx)
    tx.write(update(dimension_version).values(watched=dimension_version.c.watched + 1))


def of(tx: Transaction, starts: Mapping[int, int], *, by_day: bool = False) -> Moves:
    """What is spent of budgets, by number, in the periods since an instant (budget number → start in microseconds).

    Without `by_day` the days of a budget's own currency are one row, under day 0: other currencies need their days.
    """
    if not starts:
        return {}
    day = s.day if by_day else case((s.currency.in_([budgets.c.currency, ""]), 0), else_=s.day)
    cost, requests = func.sum(s.base_e10 + s.folded_e10), func.sum(s.base_requests + s.folded_requests)
    found: Moves = {}
    wanted = sorted(starts)
    for place in range(0, len(wanted), 500):
        chunk = wanted[place : place + 500]
        rows = tx.rows(
            select(s.budget, s.period_start, day.label("on_day"), s.currency, cost, requests)
            .select_from(budget_spends.join(budgets, budgets.c.number == s.budget))
            .where(s.budget.in_(chunk), s.period_start >= min(starts[number] for number in chunk))
            .group_by(s.budget, s.period_start, day, s.currency)
        )
        for number, start_us, on_day, currency, cost_e10, count in rows:
            if start_us >= starts[number]:
                found[SpendKey(number, start_us, on_day, currency)] = (int(cost_e10), int(count))
    return found


def folded(tx: Transaction, number: int) -> Moves:
    """What was added to a budget since it is watched, by period, day and currency."""
    rows = tx.rows(select(s.period_start, s.day, s.currency, s.folded_e10, s.folded_requests).where(s.budget == number))
    return {SpendKey(number, row[0], row[1], row[2]): (row[3], row[4]) for row in rows}


def based(tx: Transaction, number: int) -> Moves:
    """The bases of a budget's rows."""
    rows = tx.rows(select(s.period_start, s.day, s.currency, s.base_e10, s.base_requests).where(s.budget == number))
    return {SpendKey(number, row[0], row[1], row[2]): (row[3], row[4]) for row in rows}


def kept_periods(tx: Transaction, number: int) -> set[int]:
    """The starts of periods whose records retention has removed, if only in part: their sums stay as they are."""
    rows = tx.rows(select(s.period_start).distinct().where(s.budget == number, s.kept == 1))
    return {row[0] for row in rows}


def set_bases(tx: Transaction, organization: int, bases: Moves) -> None:
    """Put bases in place of the old ones."""
    if not bases:
        return
    tx.begin_write()
    insert_ = postgresql.insert(budget_spends) if tx.postgres else sqlite.insert(budget_spends)
    put = {name: insert_.excluded[name] for name in ("base_e10", "base_requests")}
    rows = [
        {**key._asdict(), "organization": organization, "base_e10": cost, "base_requests": requests}
        for key, (cost, requests) in sorted(bases.items())
    ]
    for row in rows:
        row["budget"], row["period_start"] = row.pop("number"), row.pop("period_start_us")
    keys = [column.name for column in budget_spends.primary_key]
    tx.write(insert_.on_conflict_do_update(index_elements=keys, set_=put), rows)


def keep(tx: Transaction, before: datetime) -> None:
    """Mark the periods that begin before an instant: their records are being removed."""
    tx.write(update(budget_spends).where(s.period_start < to_us(before)).values(kept=1))
