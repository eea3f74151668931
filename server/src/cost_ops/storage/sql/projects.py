"""Projects: known from the usage that names them."""

from __future__ import annotations

from sqlalchemy import select

from cost_ops.storage.tables import dimension_values
from cost_ops.storage.transaction import Transaction


def ids(tx: Transaction, organization: int) -> list[str]:
    """The projects that an organisation's usage has named, in order."""
    d = dimension_values.c
    named = select(d.value).where(d.organization == organization, d.kind == "project", d.name == "", d.value != "")
    return sorted(row[0] for row in tx.rows(named))
