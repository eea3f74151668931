"""Changing a budget: the document that a change leads to, and the budget that it makes of the old one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from cost_ops.domain.budget_documents import Names, read_budget, stored_document
from cost_ops.domain.budgets import Budget, first_counted

_OF_A_PERIOD = ("period_days", "anchor_date", "fiscal_year_start", "fiscal_pattern", "start_date", "end_date")


def merged(budget: Budget, changes: Mapping[str, Any]) -> dict[str, Any]:
    """A budget's document with fields put in place of its own; null takes one back to its default.

    Another `period` leaves out what belonged to the old one.
    """
    document = stored_document(budget)
    if changes.get("period") is not None:
        document = {name: value for name, value in document.items() if name not in _OF_A_PERIOD}
    return {name: value for name, value in {**document, **changes}.items() if value is not None}


def changed(old: Budget, changes: Mapping[str, Any], *, now: datetime, names: Names) -> Budget:
    """The budget with changes, one version on; itself where they change nothing. Raises InvalidInput.

    Where it counts other usage than before it keeps the history that it can have: as far back as the old one counted.
    """
    read = read_budget(
        merged(old, changes),
        organization_id=old.organization_id,
        budget_id=old.budget_id,
        by=old.created_by,
        now=now,
        names=names,
    )
    kept = replace(
        read,
        created_at=old.created_at,
        counted_from=old.counted_from,
        number=old.number,
        version=old.version,
        updated_at=old.updated_at,
        silenced_until=old.silenced_until,
    )
    if kept == old:
        return old
    if not kept.counts_the_same(old):
        since = old.counted_from if read.effective_from is None else min(read.effective_from, old.counted_from)
        kept = replace(kept, counted_from=first_counted(read.periods, since, now))
    return replace(kept, version=old.version + 1, updated_at=now)
