"""The outermost ASGI callable: names every request, sends the hot path straight on, counts every answer."""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from cost_ops.api.bodies import ClientGone, Message, Receive
from cost_ops.api.errors import InternalError, MethodNotAllowed, envelope, headers_of, status_of
from cost_ops.api.ingest import Answered, Headers
from cost_ops.api.metrics import Metrics
from cost_ops.domain.errors import CostOpsError
from cost_ops.logs import logger

Scope = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
_HotAnswer = tuple[int, bytes, Sequence[tuple[bytes, bytes]]]
HotRoute = Callable[[Headers, bytes, Receive], Awaitable[Answered | _HotAnswer]]

API_VERSION = b"v1"
_SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}\Z")
_JSON = (b"content-type", b"application/json")
_log = logger("cost_ops.api")


class Gateway:
    """Wraps the application of all other routes. `hot` maps a path to the handler of its POST.

    An answer is JSON unless its first header says otherwise.
    """

    def __init__(self, inner: AsgiApp, hot: dict[str, HotRoute], metrics: Metrics) -> None:
        """Ids that are made here are unique to this process and cheap: a random start, then a count."""
        self._inner = inner
        self._hot = hot
        self._metrics = metrics
        self._prefix = f"req-{secrets.token_hex(5)}"
        self._count = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        headers = dict(scope["headers"])
        request_id = self._request_id(headers.get(b"x-request-id"))
        route = self._hot.get(scope["path"])
        if route is not None:
            answered = await self._answer_hot(route, scope, headers, receive, request_id)
            if answered is not None:
                await self._send(scope["path"], answered, send, request_id)
            return
        await self._answer_other(scope, receive, send, request_id)

    def _request_id(self, sent: bytes | None) -> bytes:
        if sent is not None and _SANE_ID.match(sent):
            return sent
        return f"{self._prefix}{next(self._count):07x}".encode()

    async def _answer_hot(
        self, route: HotRoute, scope: Scope, headers: Headers, receive: Receive, request_id: bytes
    ) -> _HotAnswer | None:
        """The answer of a hot route; None where the client has gone."""
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed(scope["method"], "POST")
            answered = await route(headers, scope["query_string"], receive)
            return answered if len(answered) == 3 else (*answered, ())
        except CostOpsError as error:
            return status_of(error), envelope(error, request_id.decode()), headers_of(error)
        except ClientGone:
            return None
        except Exception:  # noqa: BLE001 (the last line: the caller gets an envelope, the log the cause)
            _log.exception("a request failed", path=scope["path"], request_id=request_id.decode())
            return 500, envelope(InternalError(), request_id.decode()), ()

    async def _send(self, path: str, answered: _HotAnswer, send: Send, request_id: bytes) -> None:
        status, body, more = answered
        self._metrics.request(path, status)
        if not (more and more[0][0] == b"content-type"):
            more = (_JSON, *more)
        await send(
            {
                "type": "http.response.start",
                "status": status,
                "headers": [
                    (b"content-length", b"%d" % len(body)),
                    (b"x-api-version", API_VERSION),
                    (b"x-request-id", request_id),
                    *more,
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _answer_other(self, scope: Scope, receive: Receive, send: Send, request_id: bytes) -> None:
        text = request_id.decode()
        scope["request_id"] = text
        metrics = self._metrics

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [
                    *message.get("headers", ()),
                    (b"x-api-version", API_VERSION),
                    (b"x-request-id", request_id),
                ]
                metrics.request(scope.get("route_template", "other"), message["status"])
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=text):
            await self._inner(scope, receive, send_named)
