"""The body of InvokeModel, listened to while the application reads it: it reads what it would have read, as it would.

The object that the application has stays the one of botocore; what listens stands between it and the connection.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any, Callable

from botocore.response import StreamingBody

from llm_cost_ops.instrumentation.answers import Answer
from llm_cost_ops.instrumentation.streams import WatchedAsyncStream

Ended = Callable[[], None]


def listen(body: Any, answer: Answer, ended: Ended) -> None:
    """Listen to a StreamingBody. Raises AttributeError where it is made in another way."""
    body._raw_stream = _Heard(body._raw_stream, answer, ended)


def listen_async(body: Any, answer: Answer, ended: Ended) -> None:
    """Listen to one of aiobotocore, which reads everything by `read`; those before 3 tell what the headers do."""
    if not isinstance(body, StreamingBody):
        ended()
        return
    reading, read = _Reading(answer, ended), body.read

    async def heard(amt: Any = None) -> Any:
        data = await read(amt)
        reading.hear(data)
        if amt is None or amt < 0 or (not data and amt != 0):
            reading.end()
        return data

    body.read = heard


class EventsOfAio(WatchedAsyncStream):
    """A stream of aiobotocore, which is closed without being awaited."""

    def close(self) -> Any:
        """Close the stream."""
        try:
            return self._watched_stream.close()
        finally:
            self._end(whole=False)


class _Reading:
    """What was read so far, until the end, which is told of once: the last byte, `close()`, or that nobody holds it."""

    def __init__(self, answer: Answer, ended: Ended) -> None:
        self._answer = answer
        self._ended: list[Ended] = [ended]

    def hear(self, data: Any) -> None:
        with suppress(Exception):  # the headers tell the tokens, too
            self._answer.see(data)

    def end(self) -> None:
        if self._ended:
            self._ended.pop()()

    def __del__(self) -> None:
        self.end()


class _Heard:
    """A raw stream whose bytes are heard as they pass."""

    def __init__(self, raw: Any, answer: Answer, ended: Ended) -> None:
        self._raw = raw
        self._reading = _Reading(answer, ended)

    def read(self, amt: Any = None, *args: Any, **kwargs: Any) -> Any:
        data = self._raw.read(amt, *args, **kwargs)
        self._heard(data, last=amt is None or amt < 0 or (not data and amt != 0))
        return data

    def readinto(self, buffer: Any) -> Any:
        size = self._raw.readinto(buffer)
        self._heard(bytes(memoryview(buffer)[: size or 0]), last=not size and len(buffer) > 0)
        return size

    def readline(self, *args: Any) -> Any:
        data = self._raw.readline(*args)
        self._heard(data, last=not data)
        return data

    def readlines(self, *args: Any) -> Any:
        lines = self._raw.readlines(*args)
        self._heard(b"".join(lines), last=True)
        return lines

    def stream(self, *args: Any, **kwargs: Any) -> Iterator[Any]:
        for data in self._raw.stream(*args, **kwargs):
            self._heard(data, last=False)
            yield data
        self._reading.end()

    def __iter__(self) -> Iterator[Any]:
        for data in self._raw:
            self._heard(data, last=False)
            yield data
        self._reading.end()

    def __enter__(self) -> Any:
        self._raw.__enter__()
        return self

    def __exit__(self, *raised: Any) -> Any:
        self._reading.end()
        return self._raw.__exit__(*raised)

    def close(self) -> None:
        try:
            self._raw.close()
        finally:
            self._reading.end()

    def _heard(self, data: bytes, *, last: bool) -> None:
        self._reading.hear(data)
        if last:
            self._reading.end()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_raw"], name)
