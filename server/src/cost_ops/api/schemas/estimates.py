"""Estimates in JSON: what a call would cost."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from msgspec import Meta, Struct

from cost_ops.api.money import MoneyWriter
from cost_ops.api.schemas.explanation import CostLine, line_view
from cost_ops.api.schemas.usage import CostParts, cost_parts
from cost_ops.domain.proof import prove
from cost_ops.domain.usage import MAX_TOKENS, token_totals
from cost_ops.services.estimates import Estimate

ESTIMATE: Mapping[str, Any] = {
    "type": "object",
    "allOf": [{"$ref": "#/components/schemas/SubmittedRecord"}],
    "required": ["provider", "model_id"],
    "properties": {
        "max_output_tokens": {
            "type": "integer",
            "minimum": 0,
            "maximum": MAX_TOKENS,
            "description": "as many output tokens as the call may have; in the place of `output_tokens`",
        }
    },
}


class CallEstimate(Struct):
    """What a call would cost. `status` is that which its record would have: `computed`, `estimated` or `reported`."""

    organization_id: str
    provider: str
    model_id: str
    input_tokens: int
    output_tokens: int
    status: str
    cost: CostParts | None
    currency: str | None
    price_id: Annotated[
        str | None, Meta(description="null where the price came with the question, or is not stored yet")
    ]
    lines: list[CostLine]


class CallEstimateAnswer(Struct):
    """An estimate. Nothing was recorded."""

    data: CallEstimate


def estimate_view(found: Estimate, money: MoneyWriter) -> CallEstimate:
    """An estimate in JSON."""
    priced, submission = found.priced, found.priced.submission
    whole_input, output = token_totals(submission.quantities)
    return CallEstimate(
        submission.organization_id,
        submission.provider,
        submission.model_id,
        whole_input,
        output,
        str(priced.status),
        cost_parts(priced.lines, priced.cost_e10, money),
        priced.currency,
        found.price_id,
        [line_view(prove(line), money) for line in priced.lines],
    )
