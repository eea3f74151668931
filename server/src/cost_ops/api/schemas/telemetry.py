"""What OTLP and CloudEvents look like in the OpenAPI document; both are others' formats, described as far as used."""

from __future__ import annotations

from typing import Any

import msgspec


class PartialSuccess(msgspec.Struct, rename="camel"):
    """What of an export was refused: how many spans, and why."""

    rejected_spans: str
    error_message: str


class TracesAnswer(msgspec.Struct, rename="camel", omit_defaults=True):
    """An `ExportTraceServiceResponse`; empty where nothing was refused."""

    partial_success: PartialSuccess | msgspec.UnsetType = msgspec.UNSET


class RpcStatus(msgspec.Struct):
    """A `google.rpc.Status`: the way OTLP says that something went wrong."""

    code: int
    message: str


TRACES_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "an ExportTraceServiceRequest in OTLP's JSON encoding",
    "properties": {"resourceSpans": {"type": ["array", "null"], "items": {"type": "object"}}},
}
TRACES_EXAMPLE: dict[str, Any] = {
    "resourceSpans": [
        {
            "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "shop"}}]},
            "scopeSpans": [
                {
                    "scope": {"name": "opentelemetry.instrumentation.openai_v2"},
                    "spans": [
                        {
                            "traceId": "5b8efff798038103d269b633813fc60c",
                            "spanId": "eee19b7ec3c1b174",
                            "name": "chat gpt-4",
                            "kind": 3,
                            "startTimeUnixNano": "1772442900000000000",
                            "endTimeUnixNano": "1772442901500000000",
                            "attributes": [
                                {"key": "gen_ai.operation.name", "value": {"stringValue": "chat"}},
                                {"key": "gen_ai.provider.name", "value": {"stringValue": "openai"}},
                                {"key": "gen_ai.request.model", "value": {"stringValue": "gpt-4"}},
                                {"key": "gen_ai.usage.input_tokens", "value": {"intValue": "1000"}},
                                {"key": "gen_ai.usage.output_tokens", "value": {"intValue": "500"}},
                            ],
                        }
                    ],
                }
            ],
        }
    ]
}
_TEXT = {"type": "string", "minLength": 1, "maxLength": 1024}
_ATTRIBUTES: dict[str, Any] = {
    "specversion": {"const": "1.0"},
    "id": _TEXT,
    "source": {**_TEXT, "format": "uri-reference"},
    "type": {**_TEXT, "examples": ["com.llm-cost-ops.usage.v1"]},
    "time": {"type": "string", "format": "date-time"},
    "subject": {**_TEXT, "description": "the `user_id` where the data has none"},
    "datacontenttype": {"type": "string", "description": "JSON, if it is given"},
    "data": {"$ref": "#/components/schemas/SubmittedRecord"},
    "data_base64": {"type": "string", "format": "byte", "description": "the data in base64, instead of `data`"},
}
EVENT_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": ["specversion", "id", "source", "type"],
    "properties": _ATTRIBUTES,
}
EVENT_DATA: dict[str, Any] = {"provider": "openai", "model_id": "gpt-4", "input_tokens": 1000, "output_tokens": 500}
EVENT_EXAMPLE: dict[str, Any] = {
    "specversion": "1.0",
    "id": "call-1",
    "source": "/services/shop",
    "type": "com.llm-cost-ops.usage.v1",
    "time": "2026-03-02T09:15:00Z",
    "subject": "ana",
    "data": EVENT_DATA,
}
