"""Routes as data: one declaration routes a request, parses it, checks its permission and documents it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import Response

from cost_ops.api.money import MoneyWriter
from cost_ops.api.parameters import Given, Parameter
from cost_ops.api.parameters_known import MONEY
from cost_ops.api.process import Process
from cost_ops.bootstrap import Application
from cost_ops.domain.access import ADMIN, Principal
from cost_ops.domain.errors import invalid
from cost_ops.interfaces.context import Context


@dataclass(frozen=True, slots=True)
class Call:
    """One request as a handler sees it: who asks, what was given, parsed."""

    process: Process
    ctx: Context
    given: Given
    path: Mapping[str, str]
    body: Any
    headers: Mapping[bytes, bytes] = field(default_factory=dict)
    """By lower-case name."""

    @property
    def application(self) -> Application:
        """The opened installation."""
        return self.process.application

    @property
    def principal(self) -> Principal:
        """Who asks."""
        return self.ctx.principal

    @property
    def money(self) -> MoneyWriter:
        """How amounts are to be written."""
        return self.given.money

    def organization(self, in_body: str | None = None) -> str:
        """The organisation of a question that is about one: named, or the key's. Raises InvalidInput for an owner
        who names none.
        """
        named: str | None = in_body or self.given.get("organization_id") or self.principal.organization_id
        if named is None:
            raise invalid("organization_id", "missing_required_field", "organization_id is required with an admin key")
        return named


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that is not a plain 200: a value to encode, its status and further headers."""

    status: int
    value: Any
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Call], Any]
"""A plain function, run in a thread. Returns a struct (200), a Reply, or a Response of its own."""


@dataclass(frozen=True, slots=True)
class BodyOf:
    """The body of a request in the OpenAPI document: a schema by struct or in full, and examples.

    `other_media` are what the body may be beside JSON, each with its part of the document.
    """

    schema: Any
    examples: Mapping[str, Any] = field(default_factory=dict)
    other_media: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Operation:
    """One route. `answers` maps a status to a struct; `errors` are the statuses that the envelope comes with."""

    methods: tuple[str, ...]
    path: str
    handler: Handler | None
    tag: str
    summary: str
    permission: str | None
    parameters: tuple[Parameter, ...]
    tag_filters: bool
    body: BodyOf | None
    answers: Mapping[int, Any]
    errors: tuple[int, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    media: str = "application/json"
    public: bool = False
    """Whether it is open to all. A route without a permission that is not public is open to whoever is known."""

    scoped: bool = False
    """Whether it heeds the principal's scope, or touches no usage; otherwise whoever sees a part only is refused."""


class Routes:
    """The routes of one noun."""

    def __init__(self, tag: str) -> None:
        """`tag` groups them in the OpenAPI document."""
        self.tag = tag
        self.operations: list[Operation] = []

    def add(
        self,
        methods: str,
        path: str,
        *,
        summary: str,
        answer: Any,
        permission: str | None = None,
        parameters: tuple[Parameter, ...] = (),
        tag_filters: bool = False,
        body: BodyOf | None = None,
        status: int = 200,
        also: Mapping[int, Any] | None = None,
        errors: tuple[int, ...] = (),
        media: str = "application/json",
        scoped: bool = False,
        public: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Declare a route: `methods` is one or several words. Standard errors are added by what the route does.

        `scoped` says that the handler heeds the principal's scope, or that no usage is involved; `public` that the
        route is open to all.
        """

        def declare(handler: Handler) -> Handler:
            money = (MONEY,) if permission not in (None, ADMIN) else ()
            self.operations.append(
                Operation(
                    methods=tuple(methods.split()),
                    path=path,
                    handler=handler,
                    tag=self.tag,
                    summary=summary,
                    permission=permission,
                    parameters=(*parameters, *money),
                    tag_filters=tag_filters,
                    body=body,
                    answers={status: answer, **(also or {})},
                    errors=standard_errors(not public, body, errors),
                    media=media,
                    scoped=scoped,
                    public=public,
                )
            )
            return handler

        return declare


def standard_errors(protected: bool, body: BodyOf | None, more: tuple[int, ...]) -> tuple[int, ...]:
    """The error statuses of a route: what every protected one has, what a body adds, and its own."""
    found = set(more)
    if protected:
        found |= {400, 401, 403, 404, 429, 503}
    if body is not None:
        found |= {413, 415}
    return tuple(sorted(found))


def respond(status: int, body: bytes, headers: Mapping[str, str] | None = None) -> Response:
    """A JSON answer of prebuilt bytes."""
    return Response(body, status_code=status, media_type="application/json", headers=headers)
