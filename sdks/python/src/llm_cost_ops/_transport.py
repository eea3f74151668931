"""Bytes to the server and back: one attempt, on connections that are used again.

Nothing here retries, and nothing here reads what it carries.
"""

from __future__ import annotations

import asyncio
import os
import platform
import sys
import threading
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any, Callable, NamedTuple, Optional, TypeVar, Union

import httpx2

from llm_cost_ops import __version__
from llm_cost_ops._faults import NOT_MADE, not_made, told
from llm_cost_ops.settings import Settings

_Http = TypeVar("_Http")
USER_AGENT = f"llm-cost-ops-python/{__version__} (Python {platform.python_version()}; {sys.platform})"


class Answer(NamedTuple):
    """What came back: the status, headers by their names in lower case, and the body as it is."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class _Pool(NamedTuple):
    client: httpx2.AsyncClient
    keeper: AsyncGenerator[None, None]


class Transport:
    """Connections to one server. Safe between threads; a forked child makes its own."""

    def __init__(self, settings: Settings, http: Optional[httpx2.BaseTransport] = None) -> None:
        """`http` takes the place of a network."""
        self.settings = settings
        self._under = http
        self._lock = threading.Lock()
        self._open: list[httpx2.Client] = []
        self._closed = False
        self._for_loops: Optional[AsyncTransport] = None
        self._finalizer = weakref.finalize(self, _close, self._open)
        _ALL.add(self)

    def send(
        self,
        method: str,
        path: str,
        *,
        content: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = None,
    ) -> Answer:
        """One attempt. A path that begins with `/` is the server's, any other lies below `/api/v1/`.

        Raises ConnectionError and its TimeoutError, SettingsError where there can be no request, and nothing else;
        whatever the status is.
        """
        with self.stream(method, path, content=content, headers=headers, timeout=timeout) as answer:
            try:
                body = answer.read()
            except httpx2.HTTPError as error:
                raise told(error, self.settings.base_url, timeout or self.settings.timeout) from error
        return Answer(answer.status_code, answer.headers, body)

    @contextmanager
    def stream(
        self,
        method: str,
        path: str,
        *,
        content: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = None,
    ) -> Iterator[httpx2.Response]:
        """The same, with the body still to be read."""
        seconds = timeout or self.settings.timeout
        client = self._client()
        request = _request(
            client, method, path, content=content, headers=_headers(self.settings, headers, content), timeout=seconds
        )
        try:
            answer = client.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise told(error, self.settings.base_url, seconds) from error
        except UnicodeError as error:  # a host that is no name
            raise not_made(error, self.settings.base_url) from error
        try:
            yield answer
        finally:
            answer.close()

    def _client(self) -> httpx2.Client:
        with self._lock:
            if not self._open:
                if self._closed:
                    raise RuntimeError("this client is closed")
                self._open.append(_made(httpx2.Client, self.settings, self._under))
            return self._open[0]

    def for_loops(self) -> AsyncTransport:
        """The same for what is awaited."""
        with self._lock:
            if self._closed:
                raise RuntimeError("this client is closed")
            if self._for_loops is None:
                under: Any = self._under
                waits = isinstance(under, httpx2.AsyncBaseTransport)
                self._for_loops = AsyncTransport(self.settings, under if waits else None)
            return self._for_loops

    def after_fork(self) -> None:
        """In a child: no lock that a thread of the parent holds, and no connection of the parent's."""
        self._lock = threading.Lock()
        self._finalizer.detach()
        _LEFT_TO_PARENT.append(self._open)
        self._open = []
        self._finalizer = weakref.finalize(self, _close, self._open)

    def close(self) -> None:
        """Close the connections. A client that is closed stays closed."""
        with self._lock:
            self._closed = True
            _close(self._open)
        if self._under is not None:
            self._under.close()


class AsyncTransport:
    """The same for event loops: connections belong to the loop that made them, and end with it."""

    def __init__(self, settings: Settings, http: Optional[httpx2.AsyncBaseTransport] = None) -> None:
        self.settings = settings
        self._under = http
        self._lock = threading.Lock()
        self._pools: weakref.WeakKeyDictionary[asyncio.AbstractEventLoop, _Pool] = weakref.WeakKeyDictionary()
        self._closed = False
        _ALL.add(self)

    async def send(
        self,
        method: str,
        path: str,
        *,
        content: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = None,
    ) -> Answer:
        """As `Transport.send`."""
        async with self.stream(method, path, content=content, headers=headers, timeout=timeout) as answer:
            try:
                body = await answer.aread()
            except httpx2.HTTPError as error:
                raise told(error, self.settings.base_url, timeout or self.settings.timeout) from error
        return Answer(answer.status_code, answer.headers, body)

    @asynccontextmanager
    async def stream(
        self,
        method: str,
        path: str,
        *,
        content: Optional[bytes] = None,
        headers: Optional[Mapping[str, str]] = None,
        timeout: Optional[float] = None,
    ) -> AsyncIterator[httpx2.Response]:
        """As `Transport.stream`."""
        seconds = timeout or self.settings.timeout
        client = await self._client()
        request = _request(
            client, method, path, content=content, headers=_headers(self.settings, headers, content), timeout=seconds
        )
        try:
            answer = await client.send(request, stream=True)
        except httpx2.HTTPError as error:
            raise told(error, self.settings.base_url, seconds) from error
        except UnicodeError as error:  # a host that is no name
            raise not_made(error, self.settings.base_url) from error
        try:
            yield answer
        finally:
            await answer.aclose()

    async def _client(self) -> httpx2.AsyncClient:
        loop = asyncio.get_running_loop()
        with self._lock:
            if self._closed:
                raise RuntimeError("this client is closed")
            pool = self._pools.get(loop)
            if pool is not None:
                return pool.client
            client = _made(httpx2.AsyncClient, self.settings, self._under)
            pool = self._pools[loop] = _Pool(client, _keep(client))
        await pool.keeper.__anext__()
        return client

    async def close(self) -> None:
        """Close the connections of the loop that runs; those of others end with their loops."""
        with self._lock:
            self._closed = True
            pool = self._pools.pop(asyncio.get_running_loop(), None)
        if pool is not None:
            await pool.keeper.aclose()

    def after_fork(self) -> None:
        """As `Transport.after_fork`."""
        self._lock = threading.Lock()
        _LEFT_TO_PARENT.append(self._pools)
        self._pools = weakref.WeakKeyDictionary()


_ALL: weakref.WeakSet[Any] = weakref.WeakSet()
_LEFT_TO_PARENT: list[Any] = []
"""What a forked child must neither use nor close: it could be heard in the parent."""


def _after_fork() -> None:
    for transport in list(_ALL):
        transport.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


async def _keep(client: httpx2.AsyncClient) -> AsyncGenerator[None, None]:
    """Close with the loop: a loop that ends ends its asynchronous generators first, and this is one of them."""
    try:
        yield
    finally:
        await client.aclose()


def _close(clients: list[httpx2.Client]) -> None:
    while clients:
        clients.pop().close()


def _made(kind: Callable[..., _Http], settings: Settings, under: Any) -> _Http:
    try:
        return kind(base_url=settings.base_url, transport=under)
    except NOT_MADE as error:
        raise not_made(error, settings.base_url) from error


def _request(client: Union[httpx2.Client, httpx2.AsyncClient], method: str, path: str, **parts: Any) -> httpx2.Request:
    try:
        return client.build_request(method, _target(path), **parts)
    except NOT_MADE as error:
        raise not_made(error, str(client.base_url)) from error


def _target(path: str) -> str:
    return path if path.startswith("/") else f"/api/v1/{path}"


def _headers(settings: Settings, more: Optional[Mapping[str, str]], content: Optional[bytes]) -> dict[str, str]:
    headers = {"Authorization": f"Bearer {settings.api_key}", "User-Agent": USER_AGENT, "Accept": "application/json"}
    if content is not None:
        headers["Content-Type"] = "application/json"
    headers.update(more or {})
    return headers
