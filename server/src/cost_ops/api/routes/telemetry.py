"""The declarations of what telemetry pipelines send; the gateway answers these routes."""

from __future__ import annotations

from cost_ops.api.operations import BodyOf, Operation, Routes, standard_errors
from cost_ops.api.parameters_known import ATOMIC, MONEY
from cost_ops.api.schemas.telemetry import (
    EVENT_DATA,
    EVENT_EXAMPLE,
    EVENT_SCHEMA,
    TRACES_EXAMPLE,
    TRACES_SCHEMA,
    RpcStatus,
    TracesAnswer,
)
from cost_ops.api.schemas.usage import BatchAnswer, UsageAnswer

routes = Routes("Usage")
TRACES_PATH, TRACES_PATH_BELOW = "/v1/traces", "/api/v1/traces"
"""Where exporters send by themselves, and the same below our own base path."""
EVENTS_PATH = "/api/v1/events"

_EVENT_ATTRIBUTES = {
    f"ce-{name}": f"binary mode: the event's `{name}`, percent-encoded where it is not plain ASCII"
    for name in ("specversion", "id", "source", "type", "time", "subject")
}
_TRACES = BodyOf(
    TRACES_SCHEMA,
    {"one call": TRACES_EXAMPLE},
    {"application/x-protobuf": {"schema": {"type": "string", "format": "binary"}}},
)
_EVENTS = BodyOf(
    {"$ref": "#/components/schemas/SubmittedRecord"},
    {"binary mode, the attributes in headers": EVENT_DATA},
    {
        "application/cloudevents+json": {"schema": EVENT_SCHEMA, "examples": {"structured": {"value": EVENT_EXAMPLE}}},
        "application/cloudevents-batch+json": {
            "schema": {"type": "array", "minItems": 1, "maxItems": 10_000, "items": EVENT_SCHEMA},
            "examples": {"two": {"value": [EVENT_EXAMPLE, {**EVENT_EXAMPLE, "id": "call-2"}]}},
        },
    },
)

routes.operations.append(
    Operation(
        ("POST",),
        TRACES_PATH,
        None,
        "Usage",
        "Export OpenTelemetry spans (OTLP/HTTP; also at /api/v1/traces): calls of models are recorded, other spans are "
        "let pass; the answer has the request's encoding",
        "usage:write",
        (),
        False,
        _TRACES,
        {
            200: TracesAnswer,
            **dict.fromkeys(standard_errors(True, _TRACES, ()), RpcStatus),
        },
        (),
        scoped=True,
    )
)
routes.operations.append(
    Operation(
        ("POST",),
        EVENTS_PATH,
        None,
        "Usage",
        "Submit usage as CloudEvents 1.0: one, answered as a record is, or a batch, answered as a batch is",
        "usage:write",
        (ATOMIC, MONEY),
        False,
        _EVENTS,
        {
            201: {"oneOf": [{"$ref": f"#/components/schemas/{s.__name__}"} for s in (UsageAnswer, BatchAnswer)]},
            200: {"oneOf": [{"$ref": f"#/components/schemas/{s.__name__}"} for s in (UsageAnswer, BatchAnswer)]},
        },
        standard_errors(True, _EVENTS, (409,)),
        _EVENT_ATTRIBUTES,
        scoped=True,
    )
)
