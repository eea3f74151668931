"""A small HTTP client for the API: exact numbers, errors as exceptions, patience with a busy server."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse
from typing import Any, Protocol, cast
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode, urlsplit
from urllib.request import Request, urlopen

from cost_ops import __version__
from cost_ops.cli.errors import RemoteError
from cost_ops.domain.errors import invalid
from cost_ops.domain.exact_json import json_text, parse_json

BASE_PATH = "/api/v1"
ATTEMPTS = 6
MOST_ON_A_PAGE = 100
LONGEST_WAIT_SECONDS = 30.0
LONGEST_PATIENCE_SECONDS = 60.0
"""Whoever is asked to come back later than that is told, instead of waiting."""

_BUSY = (429, 503)

Parameters = Mapping[str, Any]


class Tokens(Protocol):
    """Where a token comes from where there is no key."""

    def bearer(self) -> str:
        """The token; empty where nobody is logged in."""

    def renew(self) -> bool:
        """Get another one, as the server does not take this one; whether there is one."""


class Client:
    """Requests to one server with one key, or with the tokens of whoever is logged in."""

    def __init__(self, url: str, key: str, *, tokens: Tokens | None = None, timeout_seconds: float = 120.0) -> None:
        """`url` is the server's, with or without /api/v1. Raises InvalidInput where it is no HTTP URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise invalid("api_url", "invalid_url", f"the API URL must be like http://localhost:8080, got {url[:80]!r}")
        self.url = url.rstrip("/").removesuffix(BASE_PATH)
        self._key = key
        self._tokens = None if key else tokens
        self._timeout = timeout_seconds

    def get(self, path: str, parameters: Parameters | None = None) -> Any:
        """The JSON answer to a GET."""
        return self.send("GET", path, parameters=parameters)

    def pages(self, path: str, parameters: Parameters, limit: int | None = None) -> tuple[list[Any], int]:
        """What a list holds, page by page, at most `limit`, and how much there is in all. Raises RemoteError."""
        found: list[Any] = []
        size = MOST_ON_A_PAGE if limit is None else min(MOST_ON_A_PAGE, limit)
        page = 1
        while True:
            answer = self.get(path, {**parameters, "page": page, "page_size": size})
            found.extend(answer["data"])
            if not answer["pagination"]["has_next"] or (limit is not None and len(found) >= limit):
                return found[:limit], int(answer["pagination"]["total_items"])
            page += 1

    def send(
        self,
        method: str,
        path: str,
        *,
        parameters: Parameters | None = None,
        body: Any = None,
        attempts: int = ATTEMPTS,
    ) -> Any:
        """The JSON answer to a request; a busy server is asked again. Raises RemoteError."""
        with self._answer(method, path, parameters, body, attempts) as response:
            content = response.read()
        try:
            return parse_json(content)
        except ValueError as error:
            raise RemoteError(
                0, "INVALID_ANSWER", f"{self.url} did not answer with JSON; is it this server?"
            ) from error

    def lines(self, path: str, parameters: Parameters) -> Iterator[Any]:
        """The values of a JSON lines answer, as they arrive. Raises RemoteError, also where it breaks off."""
        with self._answer("GET", path, parameters, None) as response:
            try:
                for line in response:
                    if line.strip():
                        yield parse_json(line)
            except (OSError, HTTPException, ValueError) as error:
                raise RemoteError(0, "INCOMPLETE", f"the answer of {self.url} broke off: {error}") from error

    @contextmanager
    def _answer(
        self, method: str, path: str, parameters: Parameters | None, body: Any, attempts: int = ATTEMPTS
    ) -> Iterator[HTTPResponse]:
        renewed = False
        for attempt in range(1, attempts + 2):
            request = self._request(method, path, parameters, body)
            try:
                response = urlopen(request, timeout=self._timeout)  # noqa: S310 (only http and https get here)
            except HTTPError as error:
                with error:
                    failure = _failure(error)
                    if error.code == 401 and not renewed and self._tokens is not None and self._tokens.renew():
                        renewed = True
                        continue
                    asked = _asked(error.headers.get("Retry-After"))
                    if error.code not in _BUSY or attempt >= attempts or asked > LONGEST_PATIENCE_SECONDS:
                        raise failure from None
                    time.sleep(min(max(asked, 0.25 * float(2**attempt)), LONGEST_WAIT_SECONDS))
            except (URLError, OSError, HTTPException) as error:
                reason = getattr(error, "reason", None) or error
                raise RemoteError(0, "UNREACHABLE", f"{self.url} cannot be reached: {reason}") from error
            else:
                with response:
                    yield cast("HTTPResponse", response)
                return

    def _request(self, method: str, path: str, parameters: Parameters | None, body: Any) -> Request:
        query = urlencode(_pairs(parameters or {}))
        url = f"{self.url}{BASE_PATH}{quote(path)}" + (f"?{query}" if query else "")
        headers = {"Accept": "application/json", "User-Agent": f"cost-ops/{__version__}"}
        if credential := self._key or ("" if self._tokens is None else self._tokens.bearer()):
            headers["Authorization"] = f"Bearer {credential}"
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json_text(body).encode()
        return Request(url, data=data, headers=headers, method=method)  # noqa: S310 (checked above)


def _pairs(parameters: Parameters) -> Sequence[tuple[str, str]]:
    """Query parameters; what is None is left out, a list is repeated."""
    pairs: list[tuple[str, str]] = []
    for name, value in parameters.items():
        values = value if isinstance(value, list | tuple) else [value]
        pairs.extend((name, str(v)) for v in values if v is not None)
    return pairs


def _asked(retry_after: str | None) -> float:
    """How many seconds the server asks to wait."""
    return float(retry_after) if retry_after and retry_after.isascii() and retry_after.isdigit() else 0.0


def _failure(error: HTTPError) -> RemoteError:
    """What a server's error answer says."""
    try:
        content = json.loads(error.read())["error"]
        message, code = str(content["message"]), str(content["code"])
    except (OSError, HTTPException, ValueError, KeyError, TypeError):
        return RemoteError(error.code, "UNKNOWN", f"the server answered {error.code} {error.reason}")
    if isinstance(later := content.get("retry_after"), int) and later > LONGEST_PATIENCE_SECONDS:
        message = f"{message}; come back in {later} seconds"
    details = content.get("details")
    return RemoteError(
        error.code,
        code,
        message,
        content.get("request_id"),
        **({k: v for k, v in details.items() if k.isidentifier()} if isinstance(details, dict) else {}),
    )
