"""What services need of storage for contracts and exchange rates."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import date, datetime
from typing import NamedTuple, Protocol

from cost_ops.domain.contracts import Contract
from cost_ops.domain.exchange import ExchangeRate
from cost_ops.domain.volumes import ContractMonth


class ContractRepository(Protocol):
    """Contracts of the bound organisation; on `Installation.contracts`, of all."""

    def get(self, number: int) -> Contract | None:
        """One contract."""

    def list(self) -> list[Contract]:
        """All contracts, ended ones too, by organisation and number."""

    def add(self, contract: Contract, now: datetime) -> Contract:
        """Store a contract of the bound organisation; it comes back with its number."""

    def end(self, number: int, at: datetime) -> None:
        """Set the end of a contract."""

    def put_month(self, number: int, month: ContractMonth) -> None:
        """Store a month of a contract in place of what was known of it."""

    def month_applied(self, number: int, month: ContractMonth) -> None:
        """Note that a month's usage was costed again, if the month is still what it was then."""


class Imported(NamedTuple):
    """What an import of exchange rates did. `kept` are stored rates that it contradicts and that stand."""

    added: int
    unchanged: int
    replaced: int
    kept: Sequence[ExchangeRate]


class ExchangeRateRepository(Protocol):
    """Exchange rates of the installation."""

    def add(self, rates: Sequence[ExchangeRate], now: datetime, *, replace: bool) -> Imported:
        """Store rates; a stored one that differs stands, unless it is to be replaced."""

    def between(self, first: date, last: date, currencies: Collection[str]) -> list[ExchangeRate]:
        """The rates of these days that any of the currencies is part of."""

    def page(
        self, *, base: str | None, quote: str | None, first: date | None, last: date | None, limit: int, offset: int
    ) -> tuple[list[ExchangeRate], int]:
        """Rates, newest first, and how many there are in all."""
