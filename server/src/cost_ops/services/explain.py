"""The proof of an amount: from what was sent to what it cost, worked out again from the price it points at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cost_ops.domain.access import authorize
from cost_ops.domain.charging import Charge, Line, Stored, charge, context_tokens
from cost_ops.domain.errors import NotFound
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.periods import to_us
from cost_ops.domain.prices import Price
from cost_ops.domain.usage import UsageRecord
from cost_ops.interfaces.context import Context


@dataclass(frozen=True, slots=True)
class Explanation:
    """A record, the price it points at, and the cost worked out anew.

    `found_by` says how the price was found, where it would win today; `agrees` whether the amount worked out again is
    the stored one (for a reported cost: the provider's own amount stands, ours is shown beside it).
    """

    record: UsageRecord
    price: Price | None
    found_by: str | None
    context_tokens: int
    lines: Sequence[Line]
    recomputed_e10: int | None
    missing_meters: Sequence[str]
    agrees: bool
    reason: str


def explain(ctx: Context, organization_id: str | None, text: str) -> Explanation:
    """Everything behind one record's amount. Raises NotFound."""
    bound = authorize(ctx.principal, "usage:read", organization_id)
    timestamp_us, uid = parse_usage_id(text)
    for candidate in _candidates(ctx, bound):
        with ctx.storage.ledger(candidate) as ledger:
            record = ledger.usage.get(timestamp_us, uid)
        if record is not None:
            return _explain(ctx, record)
    raise NotFound(f"No usage record with id {text[:64]!r}")


def _candidates(ctx: Context, bound: str | None) -> list[str]:
    if bound is not None:
        return [bound]
    with ctx.storage.installation() as installation:
        return [o.organization_id for o in installation.organizations()]


def _explain(ctx: Context, record: UsageRecord) -> Explanation:
    book = ctx.books.refresh()
    usage = Stored.of(record)
    today = book.explain(record.organization_id, record.provider, record.model_id, to_us(record.timestamp))
    price = book.by_number.get(record.price_id) if record.price_id is not None else None
    found_by = None
    if today is not None and (price is None or today.price.number == price.number):
        found_by = today.found_by
    again = Charge(None, (), ())
    if price is not None:
        again = charge(book.compiled(price), usage)
    elif today is not None and record.cost_e10 is None:
        again = charge(today.price, usage)
    return Explanation(
        record=record,
        price=price,
        found_by=found_by,
        context_tokens=context_tokens(record.quantities),
        lines=again.lines,
        recomputed_e10=again.amount_e10,
        missing_meters=again.missing,
        agrees=record.status == "reported" or again.amount_e10 == record.cost_e10,
        reason=_reason(record, price, again),
    )


def _reason(record: UsageRecord, price: Price | None, again: Charge) -> str:
    if record.status == "unpriced":
        return _why_unpriced(record, again)
    if record.status == "reported":
        return "the provider's own amount" + (", within bounds of ours" if price else "; we know no price")
    if record.status == "estimated" and record.estimated:
        return "some of the usage had to be assumed"
    if record.status == "estimated":
        sent = price is not None and price.layer == "default"
        return "priced by the default price that came with the record" if sent else "priced by a default price"
    return "quantities times rates, each line rounded once"


def _why_unpriced(record: UsageRecord, again: Charge) -> str:
    if again.missing:
        return f"the price has no rate for {', '.join(again.missing)}"
    if again.amount_e10 is not None:
        return "a price is known by now, but the record has not been priced with it yet"
    return f"no price is known for {record.provider}/{record.model_id} at the time of the call"
