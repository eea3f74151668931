"""What may go wrong when you ask the ledger something.

    CostOpsError
    ├── ApiError                    the server refused; has code, status, request_id, details
    │   ├── InvalidRequestError     400, 413, 415, 422
    │   ├── AuthenticationError     401
    │   ├── PermissionDeniedError   403
    │   ├── NotFoundError           404
    │   ├── ConflictError           409
    │   │   └── BudgetExceededError 409 with the reason `budget_exceeded`
    │   ├── RateLimitError          429; has retry_after
    │   └── ServerError             500 and above
    ├── ConnectionError             the server was not reached, or did not answer in time
    │   └── TimeoutError
    ├── SettingsError               the client was not told something it needs
    └── SpendLimitExceeded          the limit of a `with spend_limit(…)` is reached

Tracking in the background raises none of them: see `docs/guides/python-delivery.md`.
"""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from typing import Any, Optional

_PROBLEMS_SHOWN = 5
"""Problems of one request that its message names beside the first."""


class CostOpsError(Exception):
    """The root of all of them."""


class SettingsError(CostOpsError, ValueError):
    """The client was not told something it needs, or was told what cannot be."""


class SpendLimitExceeded(CostOpsError):
    """No call is made: what was spent has reached the limit of a `with spend_limit(…)`, which is `spent`."""

    def __init__(self, message: str, spent: Any = None) -> None:
        super().__init__(message)
        self.spent = spent


class ConnectionError(CostOpsError, builtins.ConnectionError):
    """The server was not reached, or the connection broke, after all attempts.

    `unsent` says that nothing of the request can have reached it.
    """

    unsent: bool = False


class TimeoutError(ConnectionError, builtins.TimeoutError):
    """The server did not answer in time, after all attempts."""


class ApiError(CostOpsError):
    """The server answered, and refused.

    `message` is for people, `code` is stable (`INVALID_REQUEST`), `status` is HTTP's, `request_id` finds the request in
    the server's log, `details` says where the problem is: `details["errors"]` lists all where there are several.
    """

    def __init__(
        self,
        message: str,
        code: str = "",
        status: int = 0,
        request_id: Optional[str] = None,
        details: Optional[Mapping[str, Any]] = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.status = status
        self.request_id = request_id
        self.details = dict(details or {})

    def __str__(self) -> str:
        """The message, the other problems where there are several, and what finds the request again."""
        about = f"{self.status} {self.code}".strip()
        more = "".join(f"; {problem}" for problem in self._other_problems())
        return f"{self.message}{more} ({about}{f', request {self.request_id}' if self.request_id else ''})"

    def _other_problems(self) -> list[str]:
        errors = self.details.get("errors")
        told = [str(one["message"]) for one in errors or () if isinstance(one, Mapping) and "message" in one]
        others = [message for message in told if message != self.message]
        left = len(others) - _PROBLEMS_SHOWN
        return others if left <= 0 else [*others[:_PROBLEMS_SHOWN], f"and {left} more in `details`"]


class InvalidRequestError(ApiError):
    """Something in the request is wrong; `details["errors"]` names every problem."""


class AuthenticationError(ApiError):
    """The API key is missing, unknown, expired or revoked."""


class PermissionDeniedError(ApiError):
    """The key may not do this; `details["required_permission"]` is what it lacks."""


class NotFoundError(ApiError):
    """There is no such thing for this key, or no price where one is needed."""


class ConflictError(ApiError):
    """The same idempotency key with other content, a name that is taken, a price that overlaps."""


class BudgetExceededError(ConflictError):
    """A hard budget has no room; `details["budgets"]` says which."""


class RateLimitError(ApiError):
    """Too many requests; `retry_after` is in seconds."""

    def __init__(self, *about: Any, retry_after: Optional[float] = None, **more: Any) -> None:
        super().__init__(*about, **more)
        self.retry_after = retry_after


class ServerError(ApiError):
    """The server could not: it is overloaded, its database is away, or it has a fault."""
