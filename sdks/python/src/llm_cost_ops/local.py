"""The ledger in a file of yours, without a server: what `CostOpsClient.local("cost-ops.db")` stands on.

The server's own application runs in this process, on an event loop of a thread of its own, and requests go to it
instead of to a network. It comes with the distribution `cost-ops-server`, which offers it as an entry point, so that
nothing of it is imported here. The key that requests bear is made up for this process and stands nowhere.
"""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import importlib.metadata
import os
import secrets
import sys
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLong
from pathlib import Path
from typing import Any, Callable, Optional, Union

import httpx2

from llm_cost_ops.exceptions import SettingsError

GROUP = "llm_cost_ops.local"
_OLDEST = (3, 11)
_INSTALL = "a ledger in a file needs the distribution cost-ops-server: `pip install ./server` in a checkout"
_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"
_STOP_SECONDS = 30.0
_LEFT_TO_PARENT: list[Any] = []
"""What a forked child must not close: SQLite's locks would go with it."""


def opened(path: Union[str, os.PathLike[str]], organization_id: str) -> tuple[LocalTransport, str, str]:
    """The ledger in a file: (what requests go through, its URL, the key). Raises SettingsError where it cannot be."""
    text = os.fspath(path)
    key = f"sk_live_{_letters(8)}_{_letters(43)}"
    transport = LocalTransport(text, organization_id, key)
    # Not a host of any network; of its own for each file, because what waits to be sent is kept apart by the URL.
    place = hashlib.sha256(str(Path(text).expanduser().absolute()).encode()).hexdigest()[:16]
    return transport, f"http://{place}.local-ledger.invalid", key


def _letters(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _opener() -> Callable[[str, str, str], Any]:
    """What opens a ledger, of the distribution that has it. Raises SettingsError where there is none."""
    if sys.version_info[:2] < _OLDEST:
        have = ".".join(map(str, sys.version_info[:2]))
        raise SettingsError(f"{_INSTALL}. It needs Python 3.11 or newer, and this is {have}")
    found_by: Any = importlib.metadata.entry_points
    for entry in found_by(group=GROUP):
        try:
            found: Callable[[str, str, str], Any] = entry.load()
        except ImportError as error:
            raise SettingsError(f"cost-ops-server is installed and cannot be loaded: {error}") from error
        return found
    raise SettingsError(_INSTALL)


class LocalTransport(httpx2.BaseTransport, httpx2.AsyncBaseTransport):
    """Takes requests to the ledger in a file. Safe between threads and event loops; a forked child opens its own."""

    def __init__(self, path: str, organization_id: str, key: str) -> None:
        self._about = (path, organization_id, key)
        self._lock = threading.Lock()
        self._closed = False
        self._running: Optional[_Running] = _Running(*self._about)
        _OPEN.add(self)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request of a thread that waits."""
        asked = self._begun().ask(request, request.read())
        try:
            return asked.result(request.extensions.get("timeout", {}).get("read"))
        except WaitedTooLong:
            asked.cancel()
            raise httpx2.ReadTimeout("the ledger did not answer in time", request=request) from None

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Answer a request of an event loop, whichever it is."""
        asked = asyncio.wrap_future(self._begun().ask(request, await request.aread()))
        try:
            return await asyncio.wait_for(asked, request.extensions.get("timeout", {}).get("read"))
        except asyncio.TimeoutError:
            raise httpx2.ReadTimeout("the ledger did not answer in time", request=request) from None

    def _begun(self) -> _Running:
        with self._lock:
            if self._running is None:
                if self._closed:
                    raise RuntimeError("this ledger is closed")
                self._running = _Running(*self._about)
            return self._running

    def close(self) -> None:
        """Write what waits and close the file."""
        with self._lock:
            self._closed = True
            running, self._running = self._running, None
            _OPEN.discard(self)
        if running is not None:
            running.close()

    async def aclose(self) -> None:
        """Loops come and go; the ledger stays."""

    def after_fork(self) -> None:
        """In a child: a lock that nobody holds, and no connection of the parent's."""
        self._lock = threading.Lock()
        _LEFT_TO_PARENT.append(self._running)
        self._running = None


class _Running:
    """An opened ledger, and the thread with the event loop that it lives on."""

    def __init__(self, path: str, organization_id: str, key: str) -> None:
        open_ledger = _opener()
        if os.path.isdir(path):
            raise SettingsError(f"{path} cannot be opened as a ledger: it is a folder, and a file is needed")
        try:
            self._ledger = open_ledger(path, organization_id, key)
        except Exception as error:
            raise SettingsError(f"{path} cannot be opened as a ledger: {error}") from error
        self._ready: Future[asyncio.AbstractEventLoop] = Future()
        self._thread = threading.Thread(target=self._run, name="llm-cost-ops-ledger", daemon=True)
        self._thread.start()
        self._loop = self._ready.result()

    def ask(self, request: httpx2.Request, body: bytes) -> Future[httpx2.Response]:
        """Have a request answered."""
        return asyncio.run_coroutine_threadsafe(_answered(self._ledger.app, request, body), self._loop)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(_STOP_SECONDS)
        self._ledger.close()

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except BaseException as error:
            if self._ready.done():
                raise
            self._ready.set_exception(error)

    async def _live(self) -> None:
        """The application's life: what begins with it, until it is told to stop, what ends with it."""
        loop = asyncio.get_running_loop()
        loop.set_default_executor(_UntilTheEnd(max_workers=4, thread_name_prefix="llm-cost-ops-ledger"))
        self._stop = asyncio.Event()
        told: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        app = asyncio.ensure_future(self._ledger.app({"type": "lifespan", "state": {}}, told.get, heard.put))
        await told.put({"type": "lifespan.startup"})
        begun = await heard.get()
        if begun["type"] != "lifespan.startup.complete":
            raise SettingsError(f"the ledger did not start: {begun.get('message', '')}")
        self._ready.set_result(loop)
        await self._stop.wait()
        await told.put({"type": "lifespan.shutdown"})
        await app


class _UntilTheEnd(ThreadPoolExecutor):
    """Runs work itself when the interpreter ends and no thread takes any: the last records are written then, too."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """As every executor's."""
        try:
            return super().submit(fn, *args, **kwargs)
        except RuntimeError:
            done: Future[Any] = Future()
            try:
                done.set_result(fn(*args, **kwargs))
            except Exception as error:  # noqa: BLE001  (it is whoever asked who is told)
                done.set_exception(error)
            return done


async def _answered(app: Any, request: httpx2.Request, body: bytes) -> httpx2.Response:
    """One request to an application, and its whole answer."""
    url = request.url
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": url.scheme,
        "path": url.path,
        "raw_path": url.raw_path.split(b"?")[0],
        "query_string": url.query,
        "root_path": "",
        "headers": [(name.lower(), value) for name, value in request.headers.raw],
        "server": (url.host, 80),
        "client": ("127.0.0.1", 0),
    }
    sent = asyncio.Event()
    status, headers = 500, []
    pieces: list[bytes] = []
    waiting = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> dict[str, Any]:
        if waiting:
            return waiting.pop()
        await sent.wait()
        return {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        nonlocal status, headers
        if message["type"] == "http.response.start":
            status, headers = message["status"], list(message.get("headers", ()))
        elif message["type"] == "http.response.body":
            pieces.append(message.get("body", b""))
            if not message.get("more_body"):
                sent.set()

    await app(scope, receive, send)
    return httpx2.Response(status, headers=headers, content=b"".join(pieces), request=request)


_OPEN: set[LocalTransport] = set()
"""What is closed at exit."""


def _after_fork() -> None:
    for transport in list(_OPEN):
        transport.after_fork()


def _at_exit() -> None:
    """Close what is open, after what waits was sent to it."""
    from llm_cost_ops.delivery import exits

    exits._end_all()
    for transport in list(_OPEN):
        transport.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
atexit.register(_at_exit)
