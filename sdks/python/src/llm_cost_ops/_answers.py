"""What comes back: an answer's JSON, or the exception that it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Callable, Generic, Optional, TypeVar

from llm_cost_ops import exceptions
from llm_cost_ops._retrying import retry_after
from llm_cost_ops._transport import Answer

Read = TypeVar("Read")
_BY_STATUS = {
    400: exceptions.InvalidRequestError,
    401: exceptions.AuthenticationError,
    403: exceptions.PermissionDeniedError,
    404: exceptions.NotFoundError,
    409: exceptions.ConflictError,
    413: exceptions.InvalidRequestError,
    415: exceptions.InvalidRequestError,
    422: exceptions.InvalidRequestError,
}
_ON_THE_WAY = (408, 413, 429)
"""What a proxy before the server may answer in words of its own, beside 5xx."""
_SHOWN = 80


def decoded(body: bytes) -> Any:
    """JSON with its numbers as they are written: whole ones as int, others as Decimal. Raises ValueError."""
    return json.loads(body, parse_float=Decimal)


def read(answer: Answer, url: str, reader: Callable[[Any], Read]) -> Read:
    """What a good answer says. Raises the exception that another one is; it names the URL where it cannot be ours."""
    if answer.status >= 300:
        raise refused(answer, url)
    try:
        return reader(decoded(answer.body))
    except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
        raise _foreign(answer, url) from error


def refused(answer: Answer, url: str) -> exceptions.CostOpsError:
    """The exception that a refusal is."""
    try:
        body = decoded(answer.body)
    except (ValueError, RecursionError):
        return _foreign(answer, url)
    said = body.get("error") if isinstance(body, Mapping) else None
    if not isinstance(said, Mapping) or "message" not in said:
        return _foreign(answer, url)
    details = said.get("details")
    return _error(
        answer,
        str(said["message"]),
        str(said.get("code", "")),
        said.get("request_id"),
        details if isinstance(details, Mapping) else {},
    )


def _error(
    answer: Answer, message: str, code: str, request_id: Optional[str], details: Mapping[str, Any]
) -> exceptions.ApiError:
    about = (message, code, answer.status, request_id or answer.headers.get("x-request-id"), details)
    if answer.status == 429:
        return exceptions.RateLimitError(*about, retry_after=retry_after(answer.headers))
    if answer.status == 409 and details.get("reason") == "budget_exceeded":
        return exceptions.BudgetExceededError(*about)
    kind = _BY_STATUS.get(answer.status, exceptions.ServerError if answer.status >= 500 else exceptions.ApiError)
    return kind(*about)


def _foreign(answer: Answer, url: str) -> exceptions.CostOpsError:
    """An answer that the ledger does not give."""
    kind = answer.headers.get("content-type", "no content type")
    text = answer.body.decode("utf-8", "replace")
    shown = " ".join(text[: _SHOWN * 4].split())[:_SHOWN]
    about = f"{answer.status}, {kind}: {shown!r}"
    if answer.status >= 500 or answer.status in _ON_THE_WAY:
        return _error(answer, f"{url} answered {about}", "", None, {})
    if 300 <= answer.status < 400:
        where = answer.headers.get("location", "elsewhere")
        return exceptions.ConnectionError(f"{url} sends its callers to {where}: give the URL of the server as base_url")
    if 200 <= answer.status < 300 and "json" in kind and answer.headers.get("x-api-version"):
        return exceptions.ConnectionError(f"the answer of {url} cannot be read ({about})")
    return exceptions.ConnectionError(
        f"what answers at {url} is not an LLM Cost Ops server ({about}): look at base_url or COST_OPS_API_URL"
    )


class RawResponse(Generic[Read]):
    """An answer as it came, of `with_raw_response`: `status`, `headers`, `content`, and what it says as `parse()`."""

    def __init__(self, answer: Answer, url: str, reader: Callable[[Any], Read]) -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = answer.headers
        self.content = answer.body
        self._answer, self._url, self._reader = answer, url, reader

    @property
    def request_id(self) -> Optional[str]:
        """What finds the request again in the server's log."""
        return self.headers.get("x-request-id")

    def json(self) -> Any:
        """The body's JSON, with decimal numbers as Decimal. Raises ValueError where it is none."""
        return decoded(self.content)

    def parse(self) -> Read:
        """What the method itself would have returned, or raised."""
        return read(self._answer, self._url, self._reader)

    def __repr__(self) -> str:
        return f"<RawResponse {self.status}, {len(self.content)} bytes, request {self.request_id}>"
