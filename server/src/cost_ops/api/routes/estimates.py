"""Estimates: what a call would cost, before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from cost_ops.api.decoding import read_value
from cost_ops.api.ingest import intake_of
from cost_ops.api.operations import BodyOf, Call, Routes
from cost_ops.api.schemas.estimates import ESTIMATE, CallEstimateAnswer, estimate_view
from cost_ops.domain.errors import invalid
from cost_ops.services import estimates

routes = Routes("Costs")
_BODY = {"organization_id": "org-123", "provider": "openai", "model_id": "gpt-4"}
_ESTIMATE = BodyOf(
    ESTIMATE,
    {
        "before": {**_BODY, "input_tokens": 1200, "max_output_tokens": 800},
        "counts": {**_BODY, "input_tokens": 1200, "cached_tokens": 1000, "output_tokens": 300},
    },
)


@routes.add(
    "POST",
    "/api/v1/costs/estimate",
    summary="What a call would cost by the organisation's prices; nothing is recorded, 404 where no price is known",
    answer=CallEstimateAnswer,
    permission="costs:read",
    body=_ESTIMATE,
    scoped=True,
)
def estimate(call: Call) -> CallEstimateAnswer:
    """A cost with its lines."""
    intake = replace(intake_of(call.application, call.principal, None), organization_id=call.principal.organization_id)
    submission = read_value(_as_record(call.body), intake)
    return CallEstimateAnswer(estimate_view(estimates.estimate(call.ctx, submission), call.money))


def _as_record(body: Any) -> Any:
    """The fields of a record: the most that may come out stands for what came out. Raises InvalidInput."""
    if not isinstance(body, Mapping) or body.get("max_output_tokens") is None:
        return body
    rest = {name: value for name, value in body.items() if name != "max_output_tokens"}
    said = [name for name in ("output_tokens", "completion_tokens", "usage", "response") if rest.get(name) is not None]
    if said:
        raise invalid("max_output_tokens", "contradiction", f"give either max_output_tokens or {said[0]}, not both")
    most = body["max_output_tokens"]
    if isinstance(most, bool) or not isinstance(most, int) or most < 0:
        raise invalid(
            "max_output_tokens", "invalid_type", "max_output_tokens must be a whole number that is not negative"
        )
    return {**rest, "output_tokens": most}
