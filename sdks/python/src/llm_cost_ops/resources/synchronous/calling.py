"""Asking: attempts until there is an answer, and what the answer says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from time import sleep
from typing import Any, Optional, TypeVar, cast

import httpx2

from llm_cost_ops import _answers
from llm_cost_ops._faults import told
from llm_cost_ops._requests import Call
from llm_cost_ops._retrying import Attempts
from llm_cost_ops._transport import Answer, Transport
from llm_cost_ops.exceptions import ConnectionError
from llm_cost_ops.models.base import one
from llm_cost_ops.models.installation import Who
from llm_cost_ops.settings import Settings

_Read = TypeVar("_Read")
_Resource = TypeVar("_Resource", bound="Resource")


class Caller:
    """Asks one server, with the settings of one client."""

    def __init__(
        self,
        transport: Transport,
        settings: Settings,
        headers: Optional[Mapping[str, str]] = None,
        *,
        raw: bool = False,
        known: Optional[list[Optional[str]]] = None,
    ) -> None:
        self.transport = transport
        self.settings = settings
        self.headers = dict(headers or {})
        self.raw = raw
        self.known: list[Optional[str]] = [] if known is None else known

    def with_raw(self, raw: bool = True) -> Caller:
        """One that gives answers as they came, or what they say."""
        return Caller(self.transport, self.settings, self.headers, raw=raw, known=self.known)

    def organization(self) -> Optional[str]:
        """The organisation of the settings, else of the key, which is asked for once; None with an admin's key."""
        if self.settings.organization_id is not None:
            return self.settings.organization_id
        if not self.known:
            who = self._made(Call("GET", "auth/whoami", one(Who)))
            self.known.append(who.organization_id)
        return self.known[0]

    def call(self, call: Call[_Read]) -> _Read:
        """The answer to a call. Raises ApiError and ConnectionError; with raw answers, a RawResponse of any status."""
        if self.raw:
            answer = self.answer(call)
            return cast("_Read", _answers.RawResponse(answer, self.settings.base_url, call.read))
        return self._made(call)

    def _made(self, call: Call[_Read]) -> _Read:
        return _answers.read(self.answer(call), self.settings.base_url, call.read)

    def answer(self, call: Call[Any]) -> Answer:
        """The last of all attempts, whatever its status. Raises ConnectionError where there was none."""
        attempts = Attempts(self.settings.max_retries, may_repeat=call.may_repeat)
        target, content = call.target, call.content
        while True:
            try:
                answer = self.transport.send(
                    call.method, target, content=content, headers=self.headers, timeout=self.settings.timeout
                )
                pause = attempts.after_answer(answer)
                if pause is None:
                    return answer
            except ConnectionError as error:
                pause = attempts.after_fault(was_sent=not error.unsent)
                if pause is None:
                    raise
            sleep(pause)

    @contextmanager
    def stream(self, call: Call[Any]) -> Iterator[Iterator[bytes]]:
        """The body of an answer, piece by piece. Raises as `call`; what breaks off later is not asked for again."""
        with ExitStack() as stack:
            answer = self._opened(stack, call)
            yield _pieces(answer, self.settings.base_url, self.settings.timeout)

    def _opened(self, stack: ExitStack, call: Call[Any]) -> httpx2.Response:
        attempts = Attempts(self.settings.max_retries, may_repeat=call.may_repeat)
        url, seconds = self.settings.base_url, self.settings.timeout
        while True:
            try:
                opening = self.transport.stream(call.method, call.target, headers=self.headers, timeout=seconds)
                answer = stack.enter_context(opening)
                if answer.status_code < 300:
                    return answer
                refused = Answer(answer.status_code, answer.headers, _whole(_pieces(answer, url, seconds)))
            except ConnectionError as error:
                pause = attempts.after_fault(was_sent=not error.unsent)
                if pause is None:
                    raise
            else:
                pause = attempts.after_answer(refused)
                if pause is None:
                    raise _answers.refused(refused, url)
            sleep(pause)


def _pieces(answer: httpx2.Response, url: str, seconds: float) -> Iterator[bytes]:
    try:
        for piece in answer.iter_bytes():
            yield piece
    except httpx2.HTTPError as error:
        raise told(error, url, seconds) from error


def _whole(pieces: Iterator[bytes]) -> bytes:
    body = b""
    for piece in pieces:
        body += piece
    return body


class Resource:
    """A part of what the server can be asked."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    @property
    def with_raw_response(self: _Resource) -> Any:
        """The same methods; each gives a `RawResponse` and raises no ApiError."""
        return type(self)(self._caller.with_raw())

    def _mine(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What was asked, of the client's organisation unless it names another."""
        return {"organization_id": self._caller.settings.organization_id, **given(asked)}

    def _owned(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The same where the server wants to be told the organisation."""
        fields = given(asked)
        if "organization_id" not in fields:
            organization = self._caller.organization()
            if organization is not None:
                return {"organization_id": organization, **fields}
        return fields


def given(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was said: None says nothing."""
    return {name: value for name, value in asked.items() if value is not None}
