"""Answers without an end in sight: JSON lines written by one thread, at the speed of the client, in constant memory."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Iterator
from typing import Any, TypeVar

import anyio
import anyio.from_thread
import anyio.to_thread
import msgspec
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from cost_ops.api.errors import envelope, headers_of, status_of
from cost_ops.domain.errors import CostOpsError

_T = TypeVar("_T")
_CHUNK_BYTES = 64 * 1024
MEDIA = "application/jsonl"
_streams = threading.BoundedSemaphore(16)
_encode = msgspec.json.Encoder().encode


class JsonLines(Response):
    """One JSON object a line. The first record is read before the answer begins, so that early errors are answers.

    The records are read, encoded and sent by one thread: a transaction may not change its thread. An error on the way
    breaks the connection off, so that no client takes a part for the whole.
    """

    def __init__(self, records: Iterator[_T], view: Callable[[_T], Any]) -> None:
        """`view` makes of a record what is encoded."""
        super().__init__(media_type=MEDIA)
        del self.headers["content-length"]
        self._records, self._view = records, view

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the lines, until the client leaves."""
        gone = threading.Event()
        limiter = anyio.CapacityLimiter(1)

        async def watch() -> None:
            while (await receive())["type"] != "http.disconnect":
                pass
            gone.set()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(watch)
            await anyio.to_thread.run_sync(self._produce, scope, send, gone, limiter=limiter)
            tasks.cancel_scope.cancel()

    def _produce(self, scope: Scope, send: Send, gone: threading.Event) -> None:
        def tell(message: Message) -> None:
            anyio.from_thread.run(_send, send, message)

        with _streams:
            lines = self._chunks()
            try:
                chunk = next(lines, b"")
            except CostOpsError as error:
                anyio.from_thread.run(_refuse, error, scope, send)
                return
            start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
            tell(start)
            while chunk and not gone.is_set():
                tell({"type": "http.response.body", "body": chunk, "more_body": True})
                chunk = next(lines, b"")
            lines.close()
            tell({"type": "http.response.body", "body": b""})

    def _chunks(self) -> Generator[bytes, None, None]:
        buffer = bytearray()
        try:
            for record in self._records:
                buffer += _encode(self._view(record))
                buffer += b"\n"
                if len(buffer) >= _CHUNK_BYTES:
                    yield bytes(buffer)
                    buffer.clear()
            if buffer:
                yield bytes(buffer)
        finally:
            close = getattr(self._records, "close", None)
            if close is not None:
                close()


async def _send(send: Send, message: Message) -> None:
    await send(message)


async def _refuse(error: CostOpsError, scope: Scope, send: Send) -> None:
    headers = [(b"content-type", b"application/json"), *headers_of(error)]
    await send({"type": "http.response.start", "status": status_of(error), "headers": headers})
    await send({"type": "http.response.body", "body": envelope(error, scope.get("request_id", "req-unknown"))})
