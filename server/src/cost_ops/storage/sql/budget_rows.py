"""A budget as a row, and back."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from sqlalchemy import select

from cost_ops.domain.budget_documents import read_budget, same_names, stored_document
from cost_ops.domain.budgets import Budget
from cost_ops.domain.periods import format_instant, from_us, parse_instant, to_us
from cost_ops.storage.budget_tables import budgets
from cost_ops.storage.tables import dimension_version
from cost_ops.storage.transaction import Transaction

b = budgets.c


def in_force(tx: Transaction, ids: Collection[str]) -> dict[str, list[Budget]]:
    """The budgets of organisations that have not ended, by organisation."""
    found: dict[str, list[Budget]] = {}
    wanted = sorted(ids)
    for place in range(0, len(wanted), 500):
        mine = b.organization_id.in_(wanted[place : place + 500])
        for row in tx.rows(select(budgets).where(mine, b.ended_at.is_(None)).order_by(b.number)):
            found.setdefault(row.organization_id, []).append(budget_of(row))
    return found


def known(tx: Transaction, organization_id: str) -> list[Budget]:
    """The budgets of an organisation that have not ended. Reading documents takes time: they are not read again until
    somebody changes what is watched.
    """
    if tx.writing:
        return in_force(tx, [organization_id]).get(organization_id, [])
    watched = tx.rows(select(dimension_version.c.watched))[0][0]
    before = tx.names.budgets.get(organization_id)
    if before is None or before[0] != watched:
        before = (watched, in_force(tx, [organization_id]).get(organization_id, []))
        tx.names.budgets.put(organization_id, before)
    return list(before[1])


def budget_of(row: Any) -> Budget:
    """The budget in a row."""
    document = dict(row.document)
    counted_from = parse_instant(document.pop("counted_from"), "counted_from")
    read = read_budget(
        document,
        organization_id=row.organization_id,
        budget_id=row.budget_id,
        by=row.created_by,
        now=from_us(row.created_at),
        names=same_names,
    )
    return Budget(
        **{name: getattr(read, name) for name in _READ},
        counted_from=counted_from,
        number=row.number,
        version=row.version,
        updated_at=from_us(row.updated_at),
        silenced_until=_instant(row.silenced_until),
        ended_at=_instant(row.ended_at),
    )


_SET = {"counted_from", "number", "version", "updated_at", "silenced_until", "ended_at"}
_READ = tuple(name for name in Budget.__dataclass_fields__ if name not in _SET)


def values_of(budget: Budget, organization: int) -> dict[str, Any]:
    """The values of a budget's row, without its number."""
    return {
        "organization": organization,
        "organization_id": budget.organization_id,
        "budget_id": budget.budget_id,
        "name": budget.name,
        "parent_id": budget.parent_id,
        "amount_e10": budget.amount_e10,
        "currency": budget.currency,
        "enforcement": str(budget.enforcement),
        "document": {**stored_document(budget), "counted_from": format_instant(budget.counted_from)},
        "version": budget.version,
        "created_at": to_us(budget.created_at),
        "created_by": budget.created_by,
        "updated_at": to_us(budget.updated_at or budget.created_at),
        "silenced_until": _us(budget.silenced_until),
        "ended_at": _us(budget.ended_at),
    }


def _us(instant: datetime | None) -> int | None:
    return None if instant is None else to_us(instant)


def _instant(instant_us: int | None) -> datetime | None:
    return None if instant_us is None else from_us(instant_us)
