"""The hot path's declarations: the gateway answers these, here they are described."""

from __future__ import annotations

from cost_ops.api.operations import BodyOf, Operation, Routes, standard_errors
from cost_ops.api.parameters_known import ATOMIC, DETAILS, MONEY
from cost_ops.api.schemas.submitted import SubmittedRecord
from cost_ops.api.schemas.usage import BatchAnswer, UsageAnswer

routes = Routes("Usage")
ONE_PATH, BATCH_PATH = "/api/v1/usage", "/api/v1/usage/batch"
IDEMPOTENCY_HEADER = {
    "Idempotency-Key": "the same key and payload again changes nothing and returns the first answer; "
    "another payload is a conflict. In a batch the record's place is added to it"
}
_RECORD = {
    "organization_id": "org-123",
    "provider": "openai",
    "model_id": "gpt-4",
    "input_tokens": 1000,
    "output_tokens": 500,
    "total_tokens": 1500,
}
_RECORD_SCHEMA = {
    "allOf": [{"$ref": "#/components/schemas/SubmittedRecord"}],
    "required": ["organization_id", "provider", "model_id"],
}
_ONE = BodyOf(_RECORD_SCHEMA, {"plain": _RECORD})
_BATCH = BodyOf(
    {
        "type": "object",
        "required": ["records"],
        "additionalProperties": False,
        "properties": {
            "records": {"type": "array", "minItems": 1, "maxItems": 10_000, "items": _RECORD_SCHEMA},
        },
    },
    {"two": {"records": [_RECORD, {**_RECORD, "model_id": "gpt-4-turbo"}]}},
)
NAMED = (SubmittedRecord,)
"""Structs that schemas name by reference."""

routes.operations.append(
    Operation(
        ("POST",),
        ONE_PATH,
        None,
        "Usage",
        "Submit one record; 201 and 200 (a replay) mean that it is stored for good",
        "usage:write",
        (MONEY,),
        False,
        _ONE,
        {201: UsageAnswer, 200: UsageAnswer},
        standard_errors(True, _ONE, (409,)),
        IDEMPOTENCY_HEADER,
        scoped=True,
    )
)
routes.operations.append(
    Operation(
        ("POST",),
        BATCH_PATH,
        None,
        "Usage",
        "Submit up to 10,000 records: good ones are kept and bad ones named, or with `atomic` all or none; "
        "200 where all were replays, an error where none was taken",
        "usage:write",
        (ATOMIC, DETAILS, MONEY),
        False,
        _BATCH,
        {201: BatchAnswer, 200: BatchAnswer},
        standard_errors(True, _BATCH, (409,)),
        IDEMPOTENCY_HEADER,
        scoped=True,
    )
)
