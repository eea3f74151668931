"""Organisations: their rows and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from cost_ops.domain.access import Organization
from cost_ops.domain.periods import from_us, to_us
from cost_ops.storage.sql.access_rows import quota_of
from cost_ops.storage.sql.dialects import insert_or_ignore
from cost_ops.storage.tables import organizations
from cost_ops.storage.transaction import Transaction

_numbers = select(organizations.c.organization_id, organizations.c.number)


def number_of(tx: Transaction, organization_id: str) -> int | None:
    """The number of an organisation; None where it does not exist."""
    return numbers_of(tx, [organization_id]).get(organization_id)


def numbers_of(tx: Transaction, ids: Iterable[str]) -> dict[str, int]:
    """The numbers of those organisations that exist."""
    found: dict[str, int] = {}
    unknown = []
    for organization_id in ids:
        number = tx.organizations.get(organization_id)
        if number is None:
            unknown.append(organization_id)
        else:
            found[organization_id] = number
    if unknown:
        rows = tx.rows(_numbers.where(organizations.c.organization_id.in_(unknown)))
        new = {row[0]: row[1] for row in rows}
        tx.organizations.fresh.update(new)
        found |= new
    return found


def ids_of(tx: Transaction, numbers: Iterable[int]) -> dict[int, str]:
    """Number → id."""
    wanted = list(numbers)
    if not wanted:
        return {}
    return {
        number: organization_id
        for organization_id, number in tx.rows(_numbers.where(organizations.c.number.in_(wanted)))
    }


def add(tx: Transaction, names: Mapping[str, str], now: datetime) -> None:
    """Create organisations (id → name), in order; those that exist stay as they are."""
    if not names:
        return
    rows = [
        {"organization_id": organization_id, "name": name, "created_at": to_us(now)}
        for organization_id, name in sorted(names.items())
    ]
    tx.write(insert_or_ignore(tx, organizations), rows)


def rename(tx: Transaction, organization_id: str, name: str) -> None:
    """Put a name in place of the old one."""
    tx.write(update(organizations).where(organizations.c.organization_id == organization_id).values(name=name))


def _organization(row: Any) -> Organization:
    return Organization(row.organization_id, row.name, from_us(row.created_at), quota_of(row))


_rows = select(organizations)


def get(tx: Transaction, organization_id: str) -> Organization | None:
    """One organisation."""
    found = tx.rows(_rows.where(organizations.c.organization_id == organization_id))
    return _organization(found[0]) if found else None


def all_of(tx: Transaction) -> list[Organization]:
    """All organisations by id."""
    return [_organization(row) for row in tx.rows(_rows.order_by(organizations.c.organization_id))]
