"""Budgets among each other: what a new one may be, beside those there are, and in which order people read them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cost_ops.domain.budgets import Budget, ancestors, is_within
from cost_ops.domain.errors import Conflict, invalid

MOST_BUDGETS = 2_000
"""How many budgets an organisation may have at once."""


def check_place(budget: Budget, others: Sequence[Budget]) -> None:
    """Raises Conflict where a budget's name is taken, it would be its own ancestor, or there are too many; InvalidInput
    where its parent is unknown, or a scope is not within the one above it.
    """
    if len(others) >= MOST_BUDGETS:
        raise Conflict(f"there are {len(others):,} budgets, and {MOST_BUDGETS:,} is the limit: delete one first")
    same = next((one for one in others if one.name == budget.name), None)
    if same is not None:
        message = f"there is a budget named {budget.name!r} already; give this one another name"
        raise Conflict(message, field="name", budget_id=same.budget_id)
    by_id = {one.budget_id: one for one in others} | {budget.budget_id: budget}
    if budget.parent_id is not None:
        parent = by_id.get(budget.parent_id)
        if parent is None:
            raise invalid("parent_id", "unknown_budget", f"there is no budget {budget.parent_id[:64]!r}")
        above = ancestors(budget, by_id)
        if parent is budget or above[-1].parent_id == budget.budget_id:
            raise Conflict(f"{budget.parent_id} is below this budget: it cannot be above it", field="parent_id")
        _check_within(budget, parent)
    for child in others:
        if child.parent_id == budget.budget_id:
            _check_within(child, budget)


def _check_within(child: Budget, parent: Budget) -> None:
    if not is_within(child.scope, parent.scope):
        message = (
            f"the scope of {child.name!r} ({child.scope}) is not within that of the budget above it, {parent.name!r} "
            f"({parent.scope})"
        )
        raise invalid("scope", "outside_parent", message)


class Placed(NamedTuple):
    """A budget in the tree: how many others are above it."""

    budget: Budget
    depth: int


def in_tree(budgets: Iterable[Budget]) -> list[Placed]:
    """Budgets by name, each followed by those below it. One whose parent is not among them stands at the top."""
    ordered = sorted(budgets, key=lambda one: (one.name, one.budget_id))
    known = {one.budget_id for one in ordered}
    below: dict[str | None, list[Budget]] = {}
    for one in ordered:
        below.setdefault(one.parent_id if one.parent_id in known else None, []).append(one)
    found: list[Placed] = []
    waiting = [Placed(one, 0) for one in reversed(below.get(None, []))]
    while waiting:
        placed = waiting.pop()
        found.append(placed)
        waiting += [Placed(one, placed.depth + 1) for one in reversed(below.get(placed.budget.budget_id, []))]
    return found
