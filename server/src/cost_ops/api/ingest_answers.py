"""Answers of the hot path, written by hand: every value in them is known to need no escaping."""

from __future__ import annotations

from collections.abc import Sequence

from cost_ops.api.errors import described, encoded
from cost_ops.api.money import MoneyWriter, as_number
from cost_ops.api.schemas.usage import split
from cost_ops.domain.errors import CostOpsError
from cost_ops.domain.money import format_e10
from cost_ops.domain.periods import format_instant, from_us
from cost_ops.domain.usage import UsageSubmission, token_totals
from cost_ops.services.usage import Outcome, RecordedUsage


def usage_answer(recorded: RecordedUsage, money: MoneyWriter, more: str = "") -> bytes:
    """The body for one record; `more` is written after the fields of `data`.

    Ids hold no character that JSON escapes: they were checked on the way in.
    """
    cost, total = _cost(recorded, money)
    currency = "null" if recorded.currency is None else f'"{recorded.currency}"'
    processed_at = format_instant(from_us(recorded.received_us))
    return (
        f'{{"data":{{"usage_id":"{recorded.usage_id}","organization_id":"{recorded.organization_id}",'
        f'"status":"{recorded.status}","cost":{cost},"currency":{currency},"processed_at":"{processed_at}"{more}}},'
        f'"usage_id":"{recorded.usage_id}","estimated_cost":{total}}}'
    ).encode()


def _cost(recorded: RecordedUsage, money: MoneyWriter) -> tuple[str, str]:
    """(the parts, the total) as JSON."""
    amount = recorded.cost_e10
    if amount is None:
        return "null", "null"
    quote = "" if money is as_number else '"'
    total = f"{quote}{format_e10(amount)}{quote}"
    parts = split(recorded.lines, amount)
    if parts is None:
        return (
            f'{{"total_cost":{total},"input_cost":null,"output_cost":null,"cache_cost":null,"other_cost":null}}',
            total,
        )
    whole_input, output, cache, other = map(format_e10, parts)
    return (
        f'{{"total_cost":{total},"input_cost":{quote}{whole_input}{quote},"output_cost":{quote}{output}{quote},'
        f'"cache_cost":{quote}{cache}{quote},"other_cost":{quote}{other}{quote}}}',
        total,
    )


def batch_answer(
    outcomes: Sequence[Outcome], counts: tuple[int, int, int], money: MoneyWriter, details: Sequence[bytes] = ()
) -> bytes:
    """The body for a batch, one result per record, in order; `details` are those of each, where they were asked for."""
    accepted, replayed, rejected = counts
    found = [_result(index, outcome, money) for index, outcome in enumerate(outcomes)]
    if details:
        found = [b"%b%b}" % (result[:-1], more) for result, more in zip(found, details, strict=True)]
    results = b",".join(found)
    head = f'{{"data":{{"accepted":{accepted},"replayed":{replayed},"rejected":{rejected},"results":['
    return b"%b%b]}}" % (head.encode(), results)


def details_of(submission: UsageSubmission) -> bytes:
    """What a result says beside its cost, as the record was understood."""
    whole_input, output = token_totals(submission.quantities)
    names = encoded({"provider": submission.provider, "model_id": submission.model_id})
    return b',%b,"input_tokens":%d,"output_tokens":%d' % (names[1:-1], whole_input, output)


def _result(index: int, outcome: Outcome, money: MoneyWriter) -> bytes:
    if isinstance(outcome, CostOpsError):
        return encoded({"index": index, "error": described(outcome)})
    amount = outcome.cost_e10
    quote = "" if money is as_number else '"'
    cost = "null" if amount is None else f"{quote}{format_e10(amount)}{quote}"
    currency = "null" if outcome.currency is None else f'"{outcome.currency}"'
    return (
        f'{{"index":{index},"usage_id":"{outcome.usage_id}","status":"{outcome.status}","cost":{cost},'
        f'"currency":{currency},"replayed":{"true" if outcome.replayed else "false"}}}'
    ).encode()
