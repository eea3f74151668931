"""Budgets of an organisation: made, listed, changed, ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cost_ops.domain.access import KEY_FORM, authorize
from cost_ops.domain.audit import Action, AuditEvent, actor_of
from cost_ops.domain.before_after import before_after
from cost_ops.domain.budget_changes import changed
from cost_ops.domain.budget_documents import Names, read_budget, stored_document
from cost_ops.domain.budget_index import Moves
from cost_ops.domain.budget_sums import counted_periods
from cost_ops.domain.budget_tree import check_place, in_tree
from cost_ops.domain.budgets import Budget, is_within
from cost_ops.domain.errors import Conflict, Forbidden, NotFound, invalid
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Ledger
from cost_ops.services import budget_sums

READ, WRITE = "budgets:read", "budgets:write"


def list_budgets(ctx: Context, organization_id: str | None) -> list[Budget]:
    """The budgets in force that the principal may see: by name, each followed by those below it."""
    with ctx.storage.ledger(_bound(ctx, READ, organization_id)) as ledger:
        found = ledger.budgets.list()
    return [placed.budget for placed in in_tree(one for one in found if _sees(ctx, READ, one))]


def get_budget(ctx: Context, organization_id: str | None, budget_id: str) -> Budget:
    """One of them. Raises NotFound."""
    with ctx.storage.ledger(_bound(ctx, READ, organization_id)) as ledger:
        return _found(ctx, ledger, READ, budget_id)


def create(ctx: Context, organization_id: str | None, document: Mapping[str, Any]) -> Budget:
    """Make a budget. When this returns, its sums are those of the ledger, its current period from its start.

    Raises InvalidInput with every problem, Conflict where its name is taken or there are too many, Forbidden where it
    is about more than the principal may see.
    """
    bound = _bound(ctx, WRITE, organization_id)
    made = read_budget(
        document,
        organization_id=bound,
        budget_id=f"budget-{ctx.random_bits(48):012x}",
        by=actor_of(ctx.principal),
        now=ctx.clock(),
        names=names_of(ctx),
    )
    check_reach(ctx, WRITE, made)
    foreseen = _foreseen(ctx, made)
    with ctx.storage.ledger(bound) as ledger:
        ledger.budgets.lock()
        _check_parent(ctx, ledger, made, None)
        check_place(made, ledger.budgets.list())
        stored = ledger.budgets.add(made)
        ledger.budgets.set_bases(_numbered(foreseen, stored.number))
        ledger.audit.add(_event(ctx, Action.BUDGET_ADDED, None, stored))
    budget_sums.reckon(ctx, stored)
    return stored


def change(
    ctx: Context,
    organization_id: str | None,
    budget_id: str,
    changes: Mapping[str, Any],
    *,
    version: int | None = None,
) -> Budget:
    """Put fields in place of a budget's own; `version`, if given, must be the one that is changed.

    Raises NotFound, InvalidInput, Forbidden, and Conflict as `create` does or where the budget was changed meanwhile.
    """
    bound = _bound(ctx, WRITE, organization_id)
    with ctx.storage.ledger(bound) as ledger:
        old = _found(ctx, ledger, WRITE, budget_id)
    if version is not None and version != old.version:
        raise Conflict(f"this budget is at version {old.version}, not {version}: read it again", version=old.version)
    new = changed(old, changes, now=ctx.clock(), names=names_of(ctx))
    if new is old:
        return old
    check_reach(ctx, WRITE, new)
    same = new.counts_the_same(old)
    foreseen = {} if same else _foreseen(ctx, new)
    with ctx.storage.ledger(bound) as ledger:
        ledger.budgets.lock()
        if _found(ctx, ledger, WRITE, budget_id) != old:
            raise Conflict("this budget was changed meanwhile: read it again")
        _check_parent(ctx, ledger, new, old)
        check_place(new, [one for one in ledger.budgets.list() if one.budget_id != budget_id])
        if same:
            ledger.budgets.save(new)
        else:
            new = ledger.budgets.replace(old, new)
            ledger.budgets.set_bases(_numbered(foreseen, new.number))
        ledger.audit.add(_event(ctx, Action.BUDGET_CHANGED, old, new))
    if not same:
        budget_sums.reckon(ctx, new)
    return new


def remove(ctx: Context, organization_id: str | None, budget_id: str) -> Budget:
    """End a budget: nothing counts for it any more. Raises NotFound, and Conflict while others are below it."""
    bound = _bound(ctx, WRITE, organization_id)
    with ctx.storage.ledger(bound) as ledger:
        ledger.budgets.lock()
        old = _found(ctx, ledger, WRITE, budget_id)
        below = sum(one.parent_id == budget_id for one in ledger.budgets.list())
        if below:
            raise Conflict(f"{below} budgets are below this one: delete them first, or give them another parent_id")
        now = ctx.clock()
        ended = replace(old, ended_at=now, updated_at=now)
        ledger.budgets.save(ended)
        ledger.audit.add(_event(ctx, Action.BUDGET_REMOVED, old, None))
    return ended


def names_of(ctx: Context) -> Names:
    """How the ledger writes the values of a scope: canonical providers, keys by their id alone."""
    providers = ctx.books.current().names

    def name(dimension: str, value: str) -> str:
        if dimension == "provider":
            return providers.canonical(value)
        if dimension == "api_key" and (key := KEY_FORM.match(value.strip())):
            return key.group(2)
        return value.strip() or value

    return name


def check_reach(ctx: Context, permission: str, budget: Budget) -> None:
    """Raises Forbidden where a budget is about more than the principal may see."""
    scope = ctx.principal.scope_of(permission)
    if not is_within(budget.scope, scope):
        raise Forbidden(permission, f"a budget of {budget.scope} is beyond this credential, which is bound to {scope}")


def _bound(ctx: Context, permission: str, organization_id: str | None) -> str:
    bound = authorize(ctx.principal, permission, organization_id)
    if bound is None:
        raise invalid(
            "organization_id", "missing_required_field", "organization_id is required: whose budgets they are"
        )
    return bound


def _sees(ctx: Context, permission: str, budget: Budget) -> bool:
    return is_within(budget.scope, ctx.principal.scope_of(permission))


def _found(ctx: Context, ledger: Ledger, permission: str, budget_id: str) -> Budget:
    found = ledger.budgets.get(budget_id)
    if found is None or not _sees(ctx, permission, found):
        raise NotFound(f"No budget {budget_id[:64]!r}")
    return found


def _check_parent(ctx: Context, ledger: Ledger, new: Budget, old: Budget | None) -> None:
    """Raises InvalidInput for a parent that the principal cannot see, as for one that is not there."""
    if new.parent_id is None or (old is not None and old.parent_id == new.parent_id):
        return
    parent = ledger.budgets.get(new.parent_id)
    if parent is None or not _sees(ctx, WRITE, parent):
        raise invalid("parent_id", "unknown_budget", f"there is no budget {new.parent_id[:64]!r}")


def _foreseen(ctx: Context, budget: Budget) -> Moves:
    """What a hard budget will have spent, nearly: so that it refuses from its first instant, before it is reckoned."""
    if not budget.is_hard:
        return {}
    with ctx.storage.ledger(budget.organization_id) as ledger:
        ledger.budgets.read_one_state()
        periods = counted_periods(budget, budget.counted_from, max(budget.counted_from, ctx.clock()))
        return budget_sums.ledger_sums(ledger, budget, periods)


def _numbered(moves: Moves, number: int) -> Moves:
    return {key._replace(number=number): sums for key, sums in moves.items()}


def _event(ctx: Context, action: Action, old: Budget | None, new: Budget | None) -> AuditEvent:
    one = new or old
    if one is None:
        raise ValueError("an event is about a budget")
    detail = before_after(None if old is None else stored_document(old), None if new is None else stored_document(new))
    return ctx.event(action, one.budget_id, organization_id=one.organization_id, detail=detail)
