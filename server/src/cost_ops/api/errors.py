"""Errors as answers: the envelope that every failure has, and the status of each kind."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from cost_ops.domain.errors import (
    Conflict,
    CostOpsError,
    Forbidden,
    InvalidInput,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    Unauthorized,
    Unavailable,
    UnsupportedMedia,
)

STATUSES: dict[type[CostOpsError], int] = {
    InvalidInput: 400,
    Unauthorized: 401,
    Forbidden: 403,
    NotFound: 404,
    Conflict: 409,
    PayloadTooLarge: 413,
    UnsupportedMedia: 415,
    RateLimited: 429,
    Unavailable: 503,
}
"""The one place that maps an error to a status."""


class MethodNotAllowed(CostOpsError):
    """The path exists, the method does not."""

    code = "METHOD_NOT_ALLOWED"

    def __init__(self, method: str, allowed: str) -> None:
        super().__init__(f"{method[:20]} is not possible here; this path takes {allowed}")
        self.allowed = allowed


class InternalError(CostOpsError):
    """Something unforeseen; its cause is in the log, found by the request id."""

    def __init__(self) -> None:
        super().__init__("An unexpected error occurred")


def status_of(error: CostOpsError) -> int:
    """The HTTP status of an error; 500 for one that is not meant for callers."""
    if isinstance(error, MethodNotAllowed):
        return 405
    return next((STATUSES[kind] for kind in type(error).__mro__ if kind in STATUSES), 500)


def described(error: CostOpsError) -> dict[str, Any]:
    """What is said about an error: `code`, `message`, and `details` and `retry_after` where there are any."""
    out: dict[str, Any] = {"code": error.code, "message": error.message}
    if error.details:
        out["details"] = error.details
    if isinstance(error, RateLimited | Unavailable):
        out["retry_after"] = error.retry_after
    return out


def envelope(error: CostOpsError, request_id: str) -> bytes:
    """The body of an error answer."""
    return encoded({"error": {**described(error), "request_id": request_id}})


def encoded(value: Any) -> bytes:
    """JSON of plain values; text that UTF-8 cannot hold (half a surrogate pair, sent by a caller) is escaped."""
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(value, default=str).encode()


def headers_of(error: CostOpsError) -> list[tuple[bytes, bytes]]:
    """The headers that go with an error."""
    if isinstance(error, Unauthorized):
        return [(b"www-authenticate", b"Bearer")]
    if isinstance(error, RateLimited | Unavailable):
        return [(b"retry-after", b"%d" % error.retry_after)]
    if isinstance(error, MethodNotAllowed):
        return [(b"allow", error.allowed.encode())]
    return []
