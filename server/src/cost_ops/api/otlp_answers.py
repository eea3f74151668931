"""Answers to OTLP/HTTP exporters, in the encoding that they sent.

Source: the OTLP specification, "OTLP/HTTP Response"; `google/rpc/status.proto` and `google/rpc/code.proto`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from cost_ops.api.errors import encoded, headers_of, status_of
from cost_ops.domain.errors import CostOpsError

PROTOBUF, JSON = b"application/x-protobuf", b"application/json"
Answer = tuple[int, bytes, Sequence[tuple[bytes, bytes]]]

_NAMED = 10
"""Faults that an answer spells out."""

_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 409: 6, 413: 8, 415: 3, 429: 8, 503: 14}
_INTERNAL = 13


class Taken(NamedTuple):
    """What became of an export: faults by span, of those that were refused."""

    faults: Sequence[tuple[str, str]]

    @property
    def message(self) -> str:
        """The faults, the first ones spelt out."""
        named = [f"span {span_id or 'without id'}: {fault}" for span_id, fault in self.faults[:_NAMED]]
        more = len(self.faults) - len(named)
        return "; ".join([*named, f"and {more} more"] if more else named)


def success(taken: Taken, media: bytes) -> Answer:
    """A 200. `partial_success` is there only where something was refused, as the specification demands."""
    if media == JSON:
        partial = {"rejectedSpans": str(len(taken.faults)), "errorMessage": taken.message}
        body = encoded({"partialSuccess": partial} if taken.faults else {})
    else:
        response = ExportTraceServiceResponse()
        if taken.faults:
            response.partial_success.rejected_spans = len(taken.faults)
            response.partial_success.error_message = taken.message.encode("utf-8", "replace").decode()
        body = response.SerializeToString()
    return 200, body, ((b"content-type", media),)


def failure(error: CostOpsError, media: bytes) -> Answer:
    """An error as a `google.rpc.Status`."""
    status = status_of(error)
    code = _CODES.get(status, _INTERNAL)
    as_json = media == JSON
    body = encoded({"code": code, "message": error.message}) if as_json else status_message(code, error.message)
    return status, body, ((b"content-type", media), *headers_of(error))


def status_message(code: int, message: str) -> bytes:
    """A `google.rpc.Status` in protobuf: field 1 the code, field 2 the message. Small enough to be written by hand."""
    text = message.encode("utf-8", "replace")[:4000]
    return bytes((0x08, code, 0x12)) + _varint(len(text)) + text


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
