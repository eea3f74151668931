"""What services need of storage for contracts of organisations."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from cost_ops.domain.contracts import Contract


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
