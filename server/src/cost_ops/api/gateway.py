"""The outermost ASGI callable: names every request, sends the hot path straight on, counts every answer.

Every answer under /api/v1 tells how many requests are left, and every refusal is kept for the audit trail.
"""

from __future__ import annotations

import itertools
import re
import secrets
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import structlog

from cost_ops.api.arrival import API_PATHS, Arrival, HeaderPairs
from cost_ops.api.bodies import ClientGone, Message, Receive
from cost_ops.api.door import Door
from cost_ops.api.errors import InternalError, MethodNotAllowed, envelope, headers_of, status_of
from cost_ops.api.ingest import Answered
from cost_ops.api.metrics import Metrics
from cost_ops.domain.errors import CostOpsError
from cost_ops.domain.policies import Network
from cost_ops.logs import logger

Scope = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]
_HotAnswer = tuple[int, bytes, HeaderPairs]
HotRoute = Callable[[Arrival, bytes, Receive], Awaitable[Answered | _HotAnswer]]

_EVERY_ANSWER = (
    (b"x-api-version", b"v1"),
    (b"x-content-type-options", b"nosniff"),
    (b"cache-control", b"no-store"),
    (b"content-security-policy", b"default-src 'none'; base-uri 'none'; frame-ancestors 'none'"),
    (b"referrer-policy", b"no-referrer"),
)
_SANE_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:/+=-]{0,127}\Z")
_JSON = (b"content-type", b"application/json")
_log = logger("cost_ops.api")


class Gateway:
    """Wraps the application of all other routes. `hot` maps a path to the handler of its POST.

    An answer is JSON unless its first header says otherwise.
    """

    def __init__(
        self, inner: AsgiApp, hot: dict[str, HotRoute], door: Door, metrics: Metrics, proxies: Sequence[Network] = ()
    ) -> None:
        """Ids that are made here are unique to this process and cheap: a random start, then a count.

        `proxies` are the networks whose X-Forwarded-For is believed.
        """
        self._inner = inner
        self._hot = hot
        self._door = door
        self._metrics = metrics
        self._proxies = proxies
        self._prefix = f"req-{secrets.token_hex(5)}"
        self._count = itertools.count(1)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._inner(scope, receive, send)
            return
        arrival = Arrival(scope, self._proxies)
        arrival.request_id = self._request_id(arrival.headers.get(b"x-request-id"))
        route = self._hot.get(scope["path"])
        try:
            if route is None:
                await self._answer_other(scope, arrival, receive, send)
            elif (answered := await self._answer_hot(route, scope, arrival, receive)) is not None:
                await self._send(scope["path"], answered, arrival, send)
        finally:
            self._door.leave(arrival)

    def _request_id(self, sent: bytes | None) -> str:
        if sent is not None and _SANE_ID.match(sent):
            return sent.decode()
        return f"{self._prefix}{next(self._count):07x}"

    async def _answer_hot(self, route: HotRoute, scope: Scope, arrival: Arrival, receive: Receive) -> _HotAnswer | None:
        """The answer of a hot route; None where the client has gone."""
        try:
            if scope["method"] != "POST":
                raise MethodNotAllowed(scope["method"], "POST")
            answered = await route(arrival, scope["query_string"], receive)
            return answered if len(answered) == 3 else (*answered, ())
        except CostOpsError as error:
            status = status_of(error)
            self._door.refused(arrival, error, status)
            return status, envelope(error, arrival.request_id), headers_of(error)
        except ClientGone:
            return None
        except Exception:  # noqa: BLE001 (the last line: the caller gets an envelope, the log the cause)
            _log.exception("a request failed", path=scope["path"], request_id=arrival.request_id)
            return 500, envelope(InternalError(), arrival.request_id), ()

    async def _send(self, path: str, answered: _HotAnswer, arrival: Arrival, send: Send) -> None:
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
                    (b"x-request-id", arrival.request_id.encode()),
                    *_EVERY_ANSWER,
                    *self._door.limit_headers(arrival),
                    *more,
                ],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def _answer_other(self, scope: Scope, arrival: Arrival, receive: Receive, send: Send) -> None:
        scope["arrival"] = arrival
        metrics = self._metrics
        limited = scope["path"].startswith(API_PATHS)

        async def send_named(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = message.get("headers", ())
                taken = {name.lower() for name, _ in own}
                message["headers"] = [
                    *own,
                    (b"x-request-id", arrival.request_id.encode()),
                    *(pair for pair in _EVERY_ANSWER if pair[0] not in taken),
                    *(self._door.limit_headers(arrival) if limited else ()),
                ]
                metrics.request(scope.get("route_template", "other"), message["status"])
            await send(message)

        with structlog.contextvars.bound_contextvars(request_id=arrival.request_id):
            await self._inner(scope, receive, send_named)
