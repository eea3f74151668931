"""Correcting a recorded usage: the old form is kept, the new one is costed, and the sums move by the difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cost_ops.domain.access import authorize
from cost_ops.domain.audit import Action, AuditEvent, actor_of
from cost_ops.domain.charging import charge
from cost_ops.domain.corrections import Corrected, corrected, same_cost
from cost_ops.domain.errors import Conflict, NotFound, invalid
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.money import MAX_AMOUNT_PER_RECORD_E10
from cost_ops.domain.periods import to_us
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Layer, Price
from cost_ops.domain.repricing import NO_COST, CostedUsage, NewCost, cost_today, exchanged
from cost_ops.domain.revisions import Revision, kept_form
from cost_ops.domain.scoped_usage import check_covered, covers
from cost_ops.domain.scopes import Scope
from cost_ops.domain.statuses import CostStatus, reported_agrees
from cost_ops.domain.submission import Intake
from cost_ops.domain.text import text_fault
from cost_ops.domain.usage import UsageRecord
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Correction, Ledger


@dataclass(frozen=True, slots=True)
class CorrectedUsage:
    """A record as it stands now, how often it was corrected, and whether this time changed anything."""

    record: UsageRecord
    revision: int
    changed: bool


def correct(
    ctx: Context, organization_id: str | None, usage_id: str, fields: Mapping[str, Any], *, reason: str
) -> CorrectedUsage:
    """Put fields in place of a record's own, all in one transaction: the same again changes nothing.

    The cost is worked out anew where anything it depends on changed, by today's prices for the time of the call.
    Raises InvalidInput with every problem, NotFound, and Conflict for a record whose cost an invoice settled.
    """
    bound = authorize(ctx.principal, "usage:write", organization_id)
    _check_reason(reason)
    timestamp_us, uid = parse_usage_id(usage_id)
    book = ctx.books.refresh()
    now = ctx.clock()
    for organization in _candidates(ctx, bound):
        with ctx.storage.ledger(organization) as ledger:
            ledger.costs.lock()
            old = ledger.usage.get(timestamp_us, uid)
            if old is not None and covers(ctx.principal.scope_of("usage:write"), old):
                return _Correcting(ctx, ledger, book, now, reason).put(old, fields)
    raise NotFound(f"No usage record with id {usage_id[:64]!r}")


def _check_reason(reason: str) -> None:
    if not reason.strip():
        raise invalid("reason", "missing_required_field", "reason is required: it says why the record was wrong")
    if fault := text_fault(reason):
        raise invalid("reason", fault[0], f"reason {fault[1]}")


def _candidates(ctx: Context, bound: str | None) -> list[str]:
    if bound is not None:
        return [bound]
    with ctx.storage.installation() as installation:
        return [o.organization_id for o in installation.organizations()]


class _Correcting:
    """The correction of one record in an open transaction."""

    def __init__(self, ctx: Context, ledger: Ledger, book: PriceBook, now: datetime, reason: str) -> None:
        self.ctx = ctx
        self.ledger = ledger
        self.book = book
        self.now = now
        self.reason = reason

    def put(self, old: UsageRecord, fields: Mapping[str, Any]) -> CorrectedUsage:
        """Write the new form, its cost, the sums and the event; nothing where all is as it was."""
        if old.status == CostStatus.INVOICED:
            raise Conflict("the cost of this record was settled by an invoice; it cannot be corrected")
        place = parse_usage_id(old.usage_id)
        new = corrected(old, fields, self._intake(old))
        check_covered(self.ctx.principal, "usage:write", new.record)
        if kept_form(new.record) == kept_form(old):
            return CorrectedUsage(old, self.ledger.revisions.count(*place), changed=False)
        cost = self._cost(old, new)
        actor = actor_of(self.ctx.principal)
        before, after = CostedUsage.of(old), _with_cost(CostedUsage.of(new.record), cost)
        revision = self.ledger.revisions.supersede(old, new.record, actor=actor, reason=self.reason, now=self.now)
        if cost != before.cost:
            self.ledger.costs.correct([Correction.of(before, cost, self.reason)], self.now)
        self.ledger.costs.fold(exchanged(before, after))
        self.ledger.audit.add(self._event(old, new.record, revision))
        stored = self.ledger.usage.get(*place)
        if stored is None:
            raise NotFound(f"No usage record with id {old.usage_id!r}")
        return CorrectedUsage(stored, revision, changed=True)

    def _intake(self, old: UsageRecord) -> Intake:
        latest_us = max(to_us(self.now), to_us(old.timestamp))
        return Intake(self.book.names, latest_us, api_key_id=old.api_key_id, shapes=self.ctx.shapes)

    def _cost(self, old: UsageRecord, new: Corrected) -> NewCost:
        if same_cost(old, new.record):
            return CostedUsage.of(old).cost
        usage = CostedUsage.of(new.record)
        found = cost_today(self.book, usage, self._number_of) or self._by_its_own_price(usage) or NO_COST
        return _reported(new, found)

    def _number_of(self, price: Price) -> int:
        return self.ledger.prices.number_of(price, self.now)

    def _by_its_own_price(self, usage: CostedUsage) -> NewCost | None:
        """The cost by the price that the record came with, where it came with one."""
        price = self.book.by_number.get(usage.price_number or 0)
        if price is None or price.layer is not Layer.DEFAULT:
            return None
        amount = charge(self.book.compiled(price), usage).amount_e10
        if amount is None or amount > MAX_AMOUNT_PER_RECORD_E10:
            return None
        return NewCost(CostStatus.ESTIMATED.value, price.currency, amount, price.number)

    def _event(self, old: UsageRecord, new: UsageRecord, revision: int) -> AuditEvent:
        before, after = kept_form(old), kept_form(new)
        names = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
        detail = {"revision": revision, "reason": self.reason, "fields": names}
        return self.ctx.event(Action.USAGE_CORRECTED, old.usage_id, detail=detail)


def _with_cost(usage: CostedUsage, cost: NewCost) -> CostedUsage:
    return usage._replace(
        status=cost.status,
        currency=cost.currency,
        cost_e10=cost.cost_e10,
        price_number=cost.price_number,
        step_prices=cost.step_prices,
    )


def _reported(new: Corrected, found: NewCost) -> NewCost:
    """The provider's own amount where ours is unknown or agrees with it, as when usage is recorded."""
    reported = new.record.reported_cost_e10
    if reported is None:
        return found
    if found.cost_e10 is None or reported_agrees(
        reported_e10=reported,
        reported_currency=new.reported_currency,
        cost_e10=found.cost_e10,
        currency=found.currency,
    ):
        return found._replace(status=CostStatus.REPORTED.value, currency=new.reported_currency, cost_e10=reported)
    return found


def revision_of(ctx: Context, organization_id: str, usage_id: str) -> int:
    """How often a record was corrected."""
    bound = authorize(ctx.principal, "usage:read", organization_id)
    with ctx.storage.ledger(bound or organization_id) as ledger:
        return ledger.revisions.count(*parse_usage_id(usage_id))


def revisions(ctx: Context, organization_id: str | None, usage_id: str) -> Sequence[Revision]:
    """The earlier forms of a record, the first first. Raises NotFound where there is no such record.

    Forms in which it lay outside of what the principal may see are left out.
    """
    bound = authorize(ctx.principal, "usage:read", organization_id)
    scope = ctx.principal.scope_of("usage:read")
    timestamp_us, uid = parse_usage_id(usage_id)
    for organization in _candidates(ctx, bound):
        with ctx.storage.ledger(organization) as ledger:
            found = ledger.usage.get(timestamp_us, uid)
            if found is not None and covers(scope, found):
                return [form for form in ledger.revisions.of(timestamp_us, uid) if _form_inside(scope, form)]
    raise NotFound(f"No usage record with id {usage_id[:64]!r}")


def _form_inside(scope: Scope, form: Revision) -> bool:
    tags = form.record.get("tags") or {}
    project: str | None = form.record.get("project_id")
    return scope.covers(lambda name: project if name == "project" else tags.get(name.removeprefix("tag:")))
