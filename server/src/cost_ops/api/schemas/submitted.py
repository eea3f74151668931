"""What a submitted record may hold: the typed twin of `domain.submission.Submitted`, made from its fields."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from cost_ops.domain.submitted import MAX_LATENCY_MS, PAYLOAD_FIELDS, TEXT_FIELDS, Submitted
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
    return _OTHER_TYPES.get(name, Any)


_OTHER_TYPES: Mapping[str, Any] = {
    **dict.fromkeys(DECIMAL_FIELDS, Decimal | None),
    "timestamp": Annotated[datetime, Meta(tz=True)] | None,
    "estimated": bool | None,
    "default_pricing": dict[str, Any] | None,
    "usage": dict[str, Any] | None,
}


SubmittedRecord: Any = msgspec.defstruct(
    "SubmittedRecord", [(f.name, _field_type(f.name), None) for f in fields(Submitted)], forbid_unknown_fields=True
)
"""The typed twin of `domain.submitted.Submitted`: what a record must be to take the fast way in."""

NO_PAYLOAD = msgspec.Raw()

DecodedRecord: Any = msgspec.defstruct(
    "DecodedRecord",
    [
        (f.name, msgspec.Raw, NO_PAYLOAD) if f.name in PAYLOAD_FIELDS else (f.name, _field_type(f.name), None)
        for f in fields(Submitted)
    ],
    forbid_unknown_fields=True,
)
"""The same, a provider's payload left as it came: every digit of its numbers counts, and most records have none."""
