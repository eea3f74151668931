"""A middleware for Starlette and FastAPI: calls belong to the route and the user of the request they were made for.

    app.add_middleware(CostOpsMiddleware, user=lambda request: request.headers.get("x-user"))

What a request belongs to is asked when a call is tracked and not when the request arrives: by then it has been routed,
and whoever sent it has logged in.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Mapping, MutableMapping
from contextvars import ContextVar
from typing import Any, Callable, NamedTuple, Optional, Union

from llm_cost_ops.context import attribute_from
from llm_cost_ops.exceptions import SettingsError
from llm_cost_ops.integrations._routes import own_path, template_of
from llm_cost_ops.notices import NOTICES

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Callable[..., Any], Callable[..., Any]], Awaitable[None]]
Asked = Union[str, Callable[[Any], Optional[str]], None]
"""A value for all requests, or what finds it for one: it is given a `starlette.requests.HTTPConnection`."""
AskedTags = Union[Mapping[str, str], Callable[[Any], Optional[Mapping[str, str]]], None]

_CURRENT: ContextVar[Optional[_Request]] = ContextVar("llm_cost_ops_request", default=None)


class CostOpsMiddleware:
    """Attributes the calls of models that are made for a request or a web socket.

    Each gets the tag `route` with the template of the route, such as `/api/chat/{id}`, and what the arguments say. It
    holds in `def` and `async def` endpoints, in streamed answers and in background tasks. `cost_context` wins over it.
    """

    def __init__(
        self,
        app: App,
        *,
        user: Asked = None,
        project: Asked = None,
        team: Asked = None,
        session: Asked = None,
        tags: AskedTags = None,
        route_tag: Optional[str] = "route",
    ) -> None:
        """Texts hold for all requests; functions are given the request, and what they do not know is None.

        `route_tag` is the name of the tag that has the route; None for none. Raises SettingsError for an `async def`
        function.
        """
        self._app = app
        self._asked = {"user_id": user, "project_id": project, "team_id": team, "session_id": session, "tags": tags}
        self._route_tag = route_tag
        for name, asked in self._asked.items():
            if inspect.iscoroutinefunction(asked):
                raise SettingsError(
                    f"{name.removesuffix('_id')} must be a text or a `def` function, not an `async def` one"
                )
        attribute_from(_around_this_call)

    async def __call__(self, scope: Scope, receive: Callable[..., Any], send: Callable[..., Any]) -> None:
        """Serve a request."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        token = _CURRENT.set(_Request(self, scope, own_path(scope)))
        try:
            await self._app(scope, receive, send)
        finally:
            _CURRENT.reset(token)

    def said_of(self, scope: Scope, path: str) -> dict[str, Any]:
        """The fields of a usage record that are known of a request by now."""
        fields: dict[str, Any] = {}
        request: Any = None
        for name, asked in self._asked.items():
            value: Any = asked
            if callable(asked):
                request = request or _connection(scope)
                value = _answer(asked, request, name)
            if value is not None:
                fields[name] = dict(value) if name == "tags" else str(value)
        route = template_of(scope, path) if self._route_tag else None
        if route:
            fields["tags"] = {self._route_tag: route, **fields.get("tags", {})}
        return fields


class _Request(NamedTuple):
    """A request on its way: the scope is the one that the router writes its route into."""

    middleware: CostOpsMiddleware
    scope: Scope
    path: str


def _around_this_call() -> Mapping[str, Any]:
    request = _CURRENT.get()
    return {} if request is None else request.middleware.said_of(request.scope, request.path)


def _answer(asked: Callable[[Any], Any], request: Any, name: str) -> Any:
    try:
        return asked(request)
    except Exception as error:  # noqa: BLE001  (the call is tracked with what else is known of it)
        NOTICES.warn(f"request {name}", f"a call was tracked without its {name}: {type(error).__name__}: {error}")
        return None


def _connection(scope: Scope) -> Any:
    from starlette.requests import HTTPConnection

    return HTTPConnection(scope)
