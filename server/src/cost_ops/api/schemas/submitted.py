"""What a submitted record may hold: the typed twin of `domain.submission.Submitted`, made from its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from cost_ops.domain.submitted import MAX_LATENCY_MS, TEXT_FIELDS, Submitted
from cost_ops.domain.usage import COUNTER_NAMES, MAX_TOKENS

DECIMAL_FIELDS = ("reported_cost", "seconds", "search_units")
_EXAMPLES: Mapping[str, Any] = {
    "organization_id": "org-123",
    "provider": "openai",
    "model_id": "gpt-4",
    "input_tokens": 1000,
    "output_tokens": 500,
    "total_tokens": 1500,
    "tags": {"env": "prod"},
}


def _field_type(name: str) -> Any:
    examples = [_EXAMPLES[name]] if name in _EXAMPLES else None
    if name in TEXT_FIELDS:
        return Annotated[str, Meta(max_length=256, examples=examples)] | None
    if name.endswith("_tokens") or (name in COUNTER_NAMES and name not in DECIMAL_FIELDS):
        return Annotated[int, Meta(ge=0, le=MAX_TOKENS, examples=examples)] | None
    if name == "latency_ms":
        return Annotated[int, Meta(ge=0, le=MAX_LATENCY_MS)] | None
    if name in DECIMAL_FIELDS:
        return Decimal | None
    if name == "timestamp":
        return Annotated[datetime, Meta(tz=True)] | None
    return Any if name != "default_pricing" else (dict[str, Any] | None)


SubmittedRecord: Any = msgspec.defstruct(
    "SubmittedRecord", [(f.name, _field_type(f.name), None) for f in fields(Submitted)], forbid_unknown_fields=True
)
"""The typed twin of `domain.submission.Submitted`: what a record must be to take the fast way in."""
