"""What records add up to: rollups, and what is spent of budgets. Nothing is added to one without the other."""

from __future__ import annotations

from collections.abc import Sequence

from cost_ops.domain.rollups import Contribution, fold
from cost_ops.storage.sql import budget_spends, rollups
from cost_ops.storage.transaction import Transaction


def add(tx: Transaction, contributions: Sequence[Contribution]) -> None:
    """Add what records contribute, and take away what superseded costs do not any more."""
    if not contributions:
        return
    tx.check_names()
    rollups.add(tx, fold(contributions))
    budget_spends.add(tx, contributions)
