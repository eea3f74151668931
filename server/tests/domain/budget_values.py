"""Short ways to make budgets in tests."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from cost_ops.domain.budget_documents import read_budget, same_names
from cost_ops.domain.budgets import Budget
from tests.domain.builders import NOW

E10 = 10**10


def budget(*, now: datetime = NOW, **document: Any) -> Budget:
    """A budget of 100 a month, made on 15 March 2026."""
    given = {"amount": 100, "name": "b", **document}
    identity = given.pop("budget_id", "budget-1")
    return read_budget(given, organization_id="org-1", budget_id=identity, by="owner", now=now, names=same_names)


def at(text: str) -> datetime:
    """An instant from text, UTC where nothing else is said."""
    return datetime.fromisoformat(text if text.endswith("Z") or "+" in text else f"{text}Z")
