"""Asking: attempts until there is an answer, and what the answer says."""

from __future__ import annotations

from asyncio import sleep
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Optional, TypeVar, cast

import httpx2

from llm_cost_ops import _answers
from llm_cost_ops._faults import told
from llm_cost_ops._requests import Call
from llm_cost_ops._retrying import Attempts
from llm_cost_ops._transport import Answer, AsyncTransport
from llm_cost_ops.exceptions import ConnectionError
from llm_cost_ops.models.base import one
from llm_cost_ops.models.installation import Who
from llm_cost_ops.settings import Settings

_Read = TypeVar("_Read")
_Resource = TypeVar("_Resource", bound="AsyncResource")


class AsyncCaller:
    """Asks one server, with the settings of one client."""

    def __init__(
        self,
        transport: AsyncTransport,
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

    def with_raw(self, raw: bool = True) -> AsyncCaller:
        """One that gives answers as they came, or what they say."""
        return AsyncCaller(self.transport, self.settings, self.headers, raw=raw, known=self.known)

    async def organization(self) -> Optional[str]:
        """The organisation of the settings, else of the key, which is asked for once; None with an admin's key."""
        if self.settings.organization_id is not None:
            return self.settings.organization_id
        if not self.known:
            who = await self._made(Call("GET", "auth/whoami", one(Who)))
            self.known.append(who.organization_id)
        return self.known[0]

    async def call(self, call: Call[_Read]) -> _Read:
        """The answer to a call. Raises ApiError and ConnectionError; with raw answers, a RawResponse of any status."""
        if self.raw:
            answer = await self.answer(call)
            return cast("_Read", _answers.RawResponse(answer, self.settings.base_url, call.read))
        return await self._made(call)

    async def _made(self, call: Call[_Read]) -> _Read:
        return _answers.read(await self.answer(call), self.settings.base_url, call.read)

    async def answer(self, call: Call[Any]) -> Answer:
        """The last of all attempts, whatever its status. Raises ConnectionError where there was none."""
        attempts = Attempts(self.settings.max_retries, may_repeat=call.may_repeat)
        target, content = call.target, call.content
        while True:
            try:
                answer = await self.transport.send(
                    call.method, target, content=content, headers=self.headers, timeout=self.settings.timeout
                )
                pause = attempts.after_answer(answer)
                if pause is None:
                    return answer
            except ConnectionError as error:
                pause = attempts.after_fault(was_sent=not error.unsent)
                if pause is None:
                    raise
            await sleep(pause)

    @asynccontextmanager
    async def stream(self, call: Call[Any]) -> AsyncIterator[AsyncIterator[bytes]]:
        """The body of an answer, piece by piece. Raises as `call`; what breaks off later is not asked for again."""
        async with AsyncExitStack() as stack:
            answer = await self._opened(stack, call)
            yield _pieces(answer, self.settings.base_url, self.settings.timeout)

    async def _opened(self, stack: AsyncExitStack, call: Call[Any]) -> httpx2.Response:
        attempts = Attempts(self.settings.max_retries, may_repeat=call.may_repeat)
        url, seconds = self.settings.base_url, self.settings.timeout
        while True:
            try:
                opening = self.transport.stream(call.method, call.target, headers=self.headers, timeout=seconds)
                answer = await stack.enter_async_context(opening)
                if answer.status_code < 300:
                    return answer
                refused = Answer(answer.status_code, answer.headers, await _whole(_pieces(answer, url, seconds)))
            except ConnectionError as error:
                pause = attempts.after_fault(was_sent=not error.unsent)
                if pause is None:
                    raise
            else:
                pause = attempts.after_answer(refused)
                if pause is None:
                    raise _answers.refused(refused, url)
            await sleep(pause)


async def _pieces(answer: httpx2.Response, url: str, seconds: float) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_bytes():
            yield piece
    except httpx2.HTTPError as error:
        raise told(error, url, seconds) from error


async def _whole(pieces: AsyncIterator[bytes]) -> bytes:
    body = b""
    async for piece in pieces:
        body += piece
    return body


class AsyncResource:
    """A part of what the server can be asked."""

    def __init__(self, caller: AsyncCaller) -> None:
        self._caller = caller

    @property
    def with_raw_response(self: _Resource) -> Any:
        """The same methods; each gives a `RawResponse` and raises no ApiError."""
        return type(self)(self._caller.with_raw())

    def _mine(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """What was asked, of the client's organisation unless it names another."""
        return {"organization_id": self._caller.settings.organization_id, **given(asked)}

    async def _owned(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        """The same where the server wants to be told the organisation."""
        fields = given(asked)
        if "organization_id" not in fields:
            organization = await self._caller.organization()
            if organization is not None:
                return {"organization_id": organization, **fields}
        return fields


def given(asked: Mapping[str, Any]) -> dict[str, Any]:
    """What was said: None says nothing."""
    return {name: value for name, value in asked.items() if value is not None}
