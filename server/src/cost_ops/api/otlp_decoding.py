"""From the bytes of an OTLP trace export to spans, in both encodings; of attributes only those that are read here.

Source: the OTLP specification 1.x, `opentelemetry/proto/trace/v1/trace.proto` and its JSON mapping, in which ids are
hex and 64-bit integers may be texts.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import msgspec
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from cost_ops.api.otlp_limits import MAX_SPANS, check_size
from cost_ops.domain.errors import PayloadTooLarge, invalid
from cost_ops.domain.span_names import KNOWN, TAG_PREFIX
from cost_ops.domain.spans import Resource, Span, read_resource

_MAX_VALUES = 100
"""Elements of an array that are looked at: only tags come as one."""

_MAX_TIME = 2**64


class Export(Protocol):
    """A decoded request."""

    def __len__(self) -> int:
        """Its spans, calls or not."""

    def __iter__(self) -> Iterator[Span]:
        """Each of them. Raises InvalidInput for a value that the encoding does not allow."""


def read_protobuf(body: bytes) -> Export:
    """The spans of a binary request. Raises InvalidInput, PayloadTooLarge."""
    check_size(body)
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError as error:
        raise invalid("", "invalid_protobuf", "the body is not an ExportTraceServiceRequest in protobuf") from error
    return _limited(_Binary(request))


def read_json(body: bytes) -> Export:
    """The spans of a JSON request. Raises InvalidInput, PayloadTooLarge."""
    try:
        request = _decode_json(body or b"{}")
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        message = f"the body is not an ExportTraceServiceRequest in JSON: {str(error)[:200]}"
        raise invalid("", "invalid_json", message) from error
    return _limited(_Json(request))


def _limited(export: _Binary | _Json) -> Export:
    if len(export) > MAX_SPANS:
        raise PayloadTooLarge(f"{len(export)} spans in one request; the limit is {MAX_SPANS}", limit_spans=MAX_SPANS)
    return export


class _Binary:
    def __init__(self, request: ExportTraceServiceRequest) -> None:
        self._request = request

    def __len__(self) -> int:
        return sum(len(scope.spans) for resource in self._request.resource_spans for scope in resource.scope_spans)

    def __iter__(self) -> Iterator[Span]:
        for group in self._request.resource_spans:
            resource = read_resource(_binary_attributes(group.resource.attributes))
            for scoped in group.scope_spans:
                name, version = scoped.scope.name, scoped.scope.version
                for span in scoped.spans:
                    yield Span(
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        span.start_time_unix_nano,
                        span.end_time_unix_nano,
                        _binary_attributes(span.attributes),
                        name,
                        version,
                        resource,
                    )


def _binary_attributes(attributes: Iterable[KeyValue]) -> dict[str, Any]:
    return {
        key: _binary_value(pair.value)
        for pair in attributes
        if (key := pair.key) in KNOWN or key.startswith(TAG_PREFIX)
    }


def _binary_value(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind in ("string_value", "int_value", "double_value", "bool_value"):
        return getattr(value, kind)
    if kind == "array_value":
        return [
            v.string_value for v in value.array_value.values[:_MAX_VALUES] if v.WhichOneof("value") == "string_value"
        ]
    return None if kind is None else []


class _Value(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    bool_value: bool | None = None
    array_value: _Values | None = None
    kvlist_value: Any = None
    bytes_value: Any = None


class _Values(msgspec.Struct):
    values: list[_Value] | None = None


class _Pair(msgspec.Struct):
    key: str = ""
    value: _Value | None = None


class _JsonSpan(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str | None = None
    start_time_unix_nano: int | str | None = None
    end_time_unix_nano: int | str | None = None
    attributes: list[_Pair] | None = None


class _Scope(msgspec.Struct):
    name: str | None = None
    version: str | None = None


class _ScopeSpans(msgspec.Struct):
    scope: _Scope | None = None
    spans: list[_JsonSpan] | None = None


class _Resource(msgspec.Struct):
    attributes: list[_Pair] | None = None


class _ResourceSpans(msgspec.Struct, rename="camel"):
    resource: _Resource | None = None
    scope_spans: list[_ScopeSpans] | None = None


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: list[_ResourceSpans] | None = None


_decode_json = msgspec.json.Decoder(_Request).decode


class _Json:
    def __init__(self, request: _Request) -> None:
        self._groups = request.resource_spans or ()

    def __len__(self) -> int:
        return sum(len(scoped.spans or ()) for group in self._groups for scoped in group.scope_spans or ())

    def __iter__(self) -> Iterator[Span]:
        for group in self._groups:
            resource = read_resource(_json_attributes((group.resource or _Resource()).attributes))
            for scoped in group.scope_spans or ():
                yield from _json_spans(scoped.spans or (), scoped.scope or _Scope(), resource)


def _json_spans(spans: Sequence[_JsonSpan], scope: _Scope, resource: Resource) -> Iterator[Span]:
    for span in spans:
        yield Span(
            span.trace_id.lower(),
            span.span_id.lower(),
            (span.parent_span_id or "").lower(),
            _time("startTimeUnixNano", span.start_time_unix_nano),
            _time("endTimeUnixNano", span.end_time_unix_nano),
            _json_attributes(span.attributes),
            scope.name or "",
            scope.version or "",
            resource,
        )


def _time(name: str, value: int | str | None) -> int:
    if isinstance(value, str) and value.isdecimal() and len(value) <= 20:
        value = int(value)
    if isinstance(value, int) and 0 <= value < _MAX_TIME:
        return value
    if value is None or value == "":
        return 0
    raise invalid(name, "invalid_value", f"{name} must be nanoseconds since 1970, got {str(value)[:40]!r}")


def _json_attributes(attributes: Sequence[_Pair] | None) -> Mapping[str, Any]:
    return {
        pair.key: _json_value(pair.value)
        for pair in attributes or ()
        if pair.key in KNOWN or pair.key.startswith(TAG_PREFIX)
    }


def _json_value(value: _Value | None) -> Any:
    if value is None:
        return None
    for plain in (value.string_value, value.int_value, value.double_value, value.bool_value):
        if plain is not None:
            return plain
    if value.array_value is not None:
        texts = (v.string_value for v in (value.array_value.values or ())[:_MAX_VALUES])
        return [text for text in texts if text is not None]
    return None if value.kvlist_value is None and value.bytes_value is None else []
