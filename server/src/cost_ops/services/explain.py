"""The proof of an amount: from what was sent to what it cost, worked out again from the price it points at."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from cost_ops.domain.access import authorize
from cost_ops.domain.charging import untold
from cost_ops.domain.compiled import CompiledPrice, context_tokens
from cost_ops.domain.costing import NOT_COSTED, Costed, StoredUsage, cost_of, cost_of_steps, costed_by, steps_of
from cost_ops.domain.errors import NotFound
from cost_ops.domain.extraction import Traced
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.periods import to_us
from cost_ops.domain.price_choice import Considered, considered
from cost_ops.domain.pricebook import PriceBook
from cost_ops.domain.prices import Price
from cost_ops.domain.proof import ProvedLine, prove
from cost_ops.domain.scoped_usage import covers
from cost_ops.domain.usage import Quantities, UsageRecord
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import CostVersion


class ExplainedStep(NamedTuple):
    """A step of a response that had several: what it used, and its price (None where none is known)."""

    model_id: str
    kind: str
    quantities: Quantities
    price: Price | None


@dataclass(frozen=True, slots=True)
class Explanation:
    """A record, the price it points at, and the cost worked out anew.

    `fields` says where each count stood in the provider's payload; it is empty for plain counts. `considered` says why
    this price won, as the price book stands today. `agrees` is whether the amount worked out again is the stored one
    (for a reported cost: the provider's own amount stands, ours is shown beside it). `versions` are all costs that the
    record has had, the first first.
    """

    record: UsageRecord
    price: Price | None
    fields: Sequence[Traced]
    considered: Sequence[Considered]
    steps: Sequence[ExplainedStep]
    context_tokens: int
    lines: Sequence[ProvedLine]
    recomputed_e10: int | None
    missing_meters: Sequence[str]
    agrees: bool
    reason: str
    versions: Sequence[CostVersion]
    list_cost_e10: int | None = None
    """What the usage costs without the organisation's contracts, where one changed the price."""

    @property
    def found_by(self) -> str | None:
        """How the price was found, where it would still win today."""
        won = next((one for one in self.considered if one.won), None)
        if won is None or (self.price is not None and won.price.number != self.price.number):
            return None
        return won.found_by

    @property
    def discrepancies(self) -> Sequence[Mapping[str, Any]]:
        """Where the provider's own numbers contradict each other."""
        found: Sequence[Mapping[str, Any]] = (self.record.evidence or {}).get("discrepancies", ())
        return found


def explain(ctx: Context, organization_id: str | None, text: str) -> Explanation:
    """Everything behind one record's amount. Raises NotFound, also for what the principal may not see."""
    bound = authorize(ctx.principal, "usage:read", organization_id)
    scope = ctx.principal.scope_of("usage:read")
    timestamp_us, uid = parse_usage_id(text)
    for candidate in _candidates(ctx, bound):
        with ctx.storage.ledger(candidate) as ledger:
            record = ledger.usage.get(timestamp_us, uid)
            versions = ledger.costs.versions(timestamp_us, uid) if record is not None else []
        if record is not None and covers(scope, record):
            return _explain(ctx, record, versions)
    raise NotFound(f"No usage record with id {text[:64]!r}")


def _candidates(ctx: Context, bound: str | None) -> list[str]:
    if bound is not None:
        return [bound]
    with ctx.storage.installation() as installation:
        return [o.organization_id for o in installation.organizations()]


def _explain(ctx: Context, record: UsageRecord, versions: Sequence[CostVersion]) -> Explanation:
    book = ctx.books.refresh()
    timestamp_us = to_us(record.timestamp)
    again = _again(book, record)
    return Explanation(
        record=record,
        price=book.by_number.get(record.price_id) if record.price_id is not None else None,
        fields=_fields(ctx, record),
        considered=considered(book, record.organization_id, record.provider, record.model_id, timestamp_us),
        steps=_steps(book, record, again),
        context_tokens=context_tokens(record.quantities),
        lines=[prove(line) for line in again.lines],
        recomputed_e10=again.cost_e10,
        missing_meters=again.missing,
        agrees=record.status == "reported" or again.cost_e10 == record.cost_e10,
        reason=_reason(record, book.by_number.get(record.price_id or 0), again),
        versions=versions,
        list_cost_e10=_list_cost(book, record),
    )


def _list_cost(book: PriceBook, record: UsageRecord) -> int | None:
    """The cost by the prices that contracts changed; None where none did."""
    numbers = record.step_prices or (record.price_id,)
    bases = [_base_of(book, number) for number in numbers]
    if record.cost_e10 is None or bases == list(numbers):
        return None
    usage, steps = StoredUsage.of(record), steps_of(record.evidence)
    if record.step_prices:
        return cost_of_steps([_compiled(book, number) for number in bases], usage, steps).cost_e10
    base = _compiled(book, bases[0])
    return None if base is None else costed_by(base, usage).cost_e10


def _base_of(book: PriceBook, number: int | None) -> int | None:
    price = book.by_number.get(number or 0)
    return number if price is None or price.base_number is None else price.base_number


def _again(book: PriceBook, record: UsageRecord) -> Costed:
    """The cost by the prices that the record points at; where it has none, by today's book."""
    usage, steps = StoredUsage.of(record), steps_of(record.evidence)
    if record.price_id is None and not record.step_prices:
        return cost_of(book, usage, steps)
    if record.step_prices:
        return cost_of_steps([_compiled(book, number) for number in record.step_prices], usage, steps)
    price = _compiled(book, record.price_id)
    return NOT_COSTED if price is None else costed_by(price, usage)


def _compiled(book: PriceBook, number: int | None) -> CompiledPrice | None:
    price = book.by_number.get(number) if number is not None else None
    return None if price is None else book.compiled(price)


def _fields(ctx: Context, record: UsageRecord) -> Sequence[Traced]:
    evidence = record.evidence or {}
    if "shape" not in evidence:
        return ()
    return ctx.shapes.trace(evidence["shape"], evidence["usage"])


def _steps(book: PriceBook, record: UsageRecord, again: Costed) -> list[ExplainedStep]:
    numbers = again.step_prices
    return [
        ExplainedStep(step.model_id or record.model_id, step.kind, step.quantities, book.by_number.get(number or 0))
        for step, number in zip(steps_of(record.evidence), numbers, strict=False)
    ]


def _reason(record: UsageRecord, price: Price | None, again: Costed) -> str:
    if record.status == "unpriced":
        return _why_unpriced(record, again)
    if record.status == "reported":
        return f"the provider's own amount{_beside_ours(price, again)}"
    if record.status == "estimated":
        return _why_estimated(record, price, again)
    return "quantities times rates, each line rounded once"


def _why_estimated(record: UsageRecord, price: Price | None, again: Costed) -> str:
    if record.estimated:
        return "some of the usage had to be assumed"
    if again.price is not None and again.price.is_unsettled:
        return "the discount depends on the volume of the whole month, which is not settled yet"
    words = untold(again.price, StoredUsage.of(record)) if again.price is not None else []
    if words:
        return f"the price says nothing of {' and '.join(words)}, so other rates of it were taken"
    sent = price is not None and price.layer == "default"
    return "priced by the default price that came with the record" if sent else "priced by a default price"


def _beside_ours(price: Price | None, again: Costed) -> str:
    if price is not None:
        return ", within bounds of ours"
    return f"; our price has no rate for {', '.join(again.missing)}" if again.missing else "; we know no price"


def _why_unpriced(record: UsageRecord, again: Costed) -> str:
    if again.missing:
        return f"the price has no rate for {', '.join(again.missing)}"
    if again.cost_e10 is not None:
        return "a price is known by now, but the record has not been priced with it yet"
    return f"no price is known for {record.provider}/{record.model_id} at the time of the call"
