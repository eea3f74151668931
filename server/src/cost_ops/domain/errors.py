"""The errors of the system, one tree.

CostOpsError
 ├── InvalidInput        the input is wrong; carries every problem found
 ├── Unauthorized        missing, malformed, unknown, expired or revoked credential
 ├── Forbidden           the principal lacks a permission; names it
 ├── NotFound            no such resource for this organisation
 ├── Conflict            same key with another payload; overlapping price
 ├── PayloadTooLarge     the body is over the limit
 ├── UnsupportedMedia    the body is not what the route takes
 ├── RateLimited         too many requests; says when to come back
 └── Unavailable         database away or queue full; nothing was written

Each class has a stable `code`; shells map it once to a status or an exit code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong with an input: the field, a stable reason, a sentence for people."""

    field: str
    reason: str
    message: str

    def at(self, prefix: str) -> Problem:
        """The same problem with its field placed under `prefix` (for example `records[3]`)."""
        return Problem(f"{prefix}.{self.field}" if self.field else prefix, self.reason, self.message)


class CostOpsError(Exception):
    """Base of everything this system raises on purpose."""

    code = "INTERNAL_ERROR"

    def __init__(self, message: str, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.details: dict[str, Any] = details


class InvalidInput(CostOpsError):
    """The input cannot be accepted; `problems` holds every fault that was found."""

    code = "INVALID_REQUEST"

    def __init__(self, problems: Sequence[Problem]) -> None:
        first = problems[0]
        super().__init__(first.message, field=first.field, reason=first.reason)
        self.problems = tuple(problems)
        if len(problems) > 1:
            self.details["errors"] = [{"field": p.field, "reason": p.reason, "message": p.message} for p in problems]


def invalid(field: str, reason: str, message: str) -> InvalidInput:
    """An `InvalidInput` with a single problem."""
    return InvalidInput([Problem(field, reason, message)])


class Unauthorized(CostOpsError):
    """No valid credential; one message for every cause, so that nothing is given away."""

    code = "UNAUTHORIZED"

    def __init__(self, message: str = "Invalid or missing API key") -> None:
        super().__init__(message)


class Forbidden(CostOpsError):
    """The credential is valid but lacks `permission`, or has it elsewhere, at another time: then `reason` says so."""

    code = "FORBIDDEN"

    def __init__(self, permission: str, reason: str | None = None, **details: Any) -> None:
        about = {} if reason is None else {"reason": reason}
        super().__init__("Insufficient permissions", required_permission=permission, **about, **details)


class NotFound(CostOpsError):
    """No such resource; also said of another organisation's resources."""

    code = "NOT_FOUND"


class Conflict(CostOpsError):
    """The request contradicts what is stored."""

    code = "CONFLICT"


class PayloadTooLarge(CostOpsError):
    """The body is larger than the limit."""

    code = "INVALID_REQUEST"


class UnsupportedMedia(CostOpsError):
    """The body has a type or an encoding that the route does not take."""

    code = "INVALID_REQUEST"


class RateLimited(CostOpsError):
    """Too many requests; `retry_after` is in seconds."""

    code = "RATE_LIMIT_EXCEEDED"

    def __init__(self, retry_after: int, **details: Any) -> None:
        super().__init__("Too many requests", **details)
        self.retry_after = retry_after


class Unavailable(CostOpsError):
    """Not possible now; nothing was written. `retry_after` is in seconds."""

    code = "SERVICE_UNAVAILABLE"

    def __init__(self, message: str, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after
