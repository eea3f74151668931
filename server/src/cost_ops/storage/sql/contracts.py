"""Contracts of organisations."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, true, update

from cost_ops.domain.contracts import Contract, Kind
from cost_ops.domain.errors import NotFound
from cost_ops.domain.money import format_decimal
from cost_ops.domain.multipliers import meters_to_json, parse_meters
from cost_ops.domain.periods import from_us, to_us
from cost_ops.domain.volumes import ContractMonth, tiers_from_json, volume_to_json
from cost_ops.storage.tables import contract_months, contracts
from cost_ops.storage.transaction import Transaction

m = contract_months


class StoredContracts:
    """Contracts of an organisation; without one, of all."""

    def __init__(self, tx: Transaction, organization_id: str | None) -> None:
        self._tx = tx
        self._organization_id = organization_id

    def _visible(self) -> ColumnElement[bool]:
        return true() if self._organization_id is None else contracts.c.organization_id == self._organization_id

    def get(self, number: int) -> Contract | None:
        """One contract."""
        found = self._tx.rows(select(contracts).where(self._visible(), contracts.c.number == number))
        return self._with_months(found)[0] if found else None

    def list(self) -> list[Contract]:
        """All contracts, ended ones too, by organisation and number."""
        order = (contracts.c.organization_id, contracts.c.number)
        return [*self._with_months(self._tx.rows(select(contracts).where(self._visible()).order_by(*order)))]

    def _with_months(self, rows: Sequence[Any]) -> Sequence[Contract]:
        """The contracts of rows; those with tiers have the months that were looked at."""
        tiered = [row.number for row in rows if "volume" in row.terms]
        months: dict[int, tuple[ContractMonth, ...]] = {}
        if tiered:
            for row in self._tx.rows(select(m).where(m.c.contract.in_(tiered)).order_by(m.c.contract, m.c.month)):
                months[row.contract] = (*months.get(row.contract, ()), _month(row))
        return [_contract(row, months.get(row.number, ())) for row in rows]

    def add(self, contract: Contract, now: datetime) -> Contract:
        """Store a contract of the bound organisation; it comes back with its number."""
        values = {
            "organization_id": self._organization_id or contract.organization_id,
            "provider": contract.provider,
            "model_id": contract.model_id,
            "terms": {
                "kind": contract.kind.value,
                "percent": format_decimal(contract.percent),
                "meters": meters_to_json(contract.meters),
                **({"volume": volume_to_json(contract.tiers)} if contract.tiers else {}),
            },
            "effective_from": None if contract.effective_from is None else to_us(contract.effective_from),
            "effective_to": None if contract.effective_to is None else to_us(contract.effective_to),
            "note": contract.note,
            "created_at": to_us(now),
        }
        return _contract(self._tx.write(insert(contracts).values(values).returning(contracts)).one())

    def end(self, number: int, at: datetime) -> None:
        """Set the end of a contract. Raises NotFound."""
        ended = update(contracts).where(self._visible(), contracts.c.number == number).values(effective_to=to_us(at))
        if self._tx.write(ended).rowcount == 0:
            raise NotFound(f"No contract with id 'contract-{number}'")

    def put_month(self, number: int, month: ContractMonth) -> None:
        """Store a month of a contract in place of what was known of it."""
        self._tx.write(delete(m).where(m.c.contract == number, m.c.month == month.month))
        values = month._asdict() | {"contract": number, "updated_at": to_us(month.updated_at)}
        self._tx.write(insert(m).values(values))

    def month_applied(self, number: int, month: ContractMonth) -> None:
        """Note that a month's usage was costed again, if the month is still what it was then."""
        same = (m.c.contract == number, m.c.month == month.month, m.c.updated_at == to_us(month.updated_at))
        self._tx.write(update(m).where(*same).values(applied=True))


def _month(row: Any) -> ContractMonth:
    return ContractMonth(row.month, row.tier, row.volume, row.settled, row.applied, from_us(row.updated_at))


def _contract(row: Any, months: tuple[ContractMonth, ...] = ()) -> Contract:
    volume = row.terms.get("volume")
    return Contract(
        row.organization_id,
        Kind(row.terms["kind"]),
        Decimal(row.terms["percent"]),
        row.provider,
        row.model_id,
        parse_meters(row.terms["meters"], "meters", []),
        None if row.effective_from is None else from_us(row.effective_from),
        None if row.effective_to is None else from_us(row.effective_to),
        row.note,
        row.number,
        from_us(row.created_at),
        () if volume is None else tiers_from_json(volume, []),
        months,
    )
