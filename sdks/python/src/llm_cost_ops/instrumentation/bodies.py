"""A response's body, heard while the application reads it: in lines, in bytes, or through the library's own stream.

The body is not read for the application and not held back from it. What is kept of it are the few events that can tell
of usage, and they are parsed when it has ended.
"""

from __future__ import annotations

import base64
import json
import re
from collections import deque
from collections.abc import AsyncGenerator, Generator
from functools import cache
from typing import Any, Callable, Optional

Told = Callable[[Any], None]
"""Is given what a body said, once: a response, a list of events, or None where nothing in it can be read."""

_EAR = "_llm_cost_ops_ear"
_EVENTS_KEPT = 4
_USAGE = re.compile(rb'"usage"\s*:\s*\{')
_DATA_LINE = re.compile(rb"^data:[ \t]*(\{.*)", re.MULTILINE)
_NO_CHOICES = re.compile(rb'"choices"\s*:\s*\[\s*\]')
_DONE = re.compile(rb"^data:[ \t]*\[DONE\]", re.MULTILINE)


def listen(response: Any, told: Told, *, hide_usage: bool = False) -> None:
    """Hear the body of an HTTP response that nobody has read yet, and tell what it said when it ends.

    `hide_usage`: the application did not ask for a stream's last chunk, which has usage and no choices, and shall not
    see it.
    """
    response.__dict__[_EAR] = _ear(response.headers.get("content-type", ""), told, hide_usage)
    kind: Any = type(response)
    response.__class__ = _heard_kind(kind)


@cache
def _heard_kind(kind: Any) -> Any:
    """A kind of response that is heard until it ends, and is of its own kind from then on."""

    class Heard(kind):  # type: ignore[misc]
        def iter_bytes(self, *args: Any, **kwargs: Any) -> Any:
            return _heard(super().iter_bytes(*args, **kwargs), self.__dict__[_EAR])

        def aiter_bytes(self, *args: Any, **kwargs: Any) -> Any:
            return _aheard(super().aiter_bytes(*args, **kwargs), self.__dict__[_EAR])

        def close(self) -> Any:
            try:
                return super().close()
            finally:
                _closed(self, kind)

        async def aclose(self) -> Any:
            try:
                return await super().aclose()
            finally:
                _closed(self, kind)

    Heard.__name__, Heard.__qualname__, Heard.__module__ = kind.__name__, kind.__qualname__, kind.__module__
    return Heard


def _closed(response: Any, kind: Any) -> None:
    ear = response.__dict__.get(_EAR)
    if ear is not None and not ear.reading:
        response.__class__ = kind
        del response.__dict__[_EAR]
        ear.end()


def _ear(content_type: str, told: Told, hide_usage: bool) -> Ear:
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/event-stream":
        return ServerSentEar(told, hide_usage=hide_usage)
    if kind == "application/vnd.amazon.eventstream":
        return AmazonEar(told)
    return JsonEar(told) if kind.endswith("json") else Ear(told)


def _heard(chunks: Any, ear: Ear) -> Generator[bytes, None, None]:
    ear.reading = True
    try:
        for chunk in chunks:
            passed = ear.hear(chunk)
            if passed:
                ear.reading = False
                yield passed
                ear.reading = True
        rest = ear.rest()
        if rest:
            yield rest
    finally:
        ear.reading = False
        ear.end()


async def _aheard(chunks: Any, ear: Ear) -> AsyncGenerator[bytes, None]:
    ear.reading = True
    try:
        async for chunk in chunks:
            passed = ear.hear(chunk)
            if passed:
                ear.reading = False
                yield passed
                ear.reading = True
        rest = ear.rest()
        if rest:
            yield rest
    finally:
        ear.reading = False
        ear.end()
        await chunks.aclose()


class Ear:
    """Hears a body, and makes nothing of it."""

    def __init__(self, told: Told) -> None:
        self.reading = False
        """Whether bytes are being fetched: then a close is the body's own end, and not the application's."""
        self._told: Optional[Told] = told

    def hear(self, chunk: bytes) -> bytes:
        """A piece of the body; what of it is passed on. Raises nothing."""
        return chunk

    def rest(self) -> bytes:
        """What was held back until the end."""
        return b""

    def said(self) -> Any:
        """What the body said; None for nothing."""
        return None

    def end(self) -> None:
        """The body has ended, or nobody reads on. The first end counts."""
        told, self._told = self._told, None
        if told is None:
            return
        try:
            said = self.said()
        except Exception:  # noqa: BLE001  (a body that is cut off, or is not what its headers say)
            said = None
        told(said)

    def __del__(self) -> None:
        """Nobody holds the response any more."""
        if self.__dict__.get("_told") is not None:
            self.end()


class JsonEar(Ear):
    """A whole answer."""

    def __init__(self, told: Told) -> None:
        super().__init__(told)
        self._chunks: list[bytes] = []

    def hear(self, chunk: bytes) -> bytes:
        """All of it is kept until the end."""
        self._chunks.append(chunk)
        return chunk

    def said(self) -> Any:
        """The answer."""
        return json.loads(b"".join(self._chunks))


class EventsEar(Ear):
    """A stream: its first event, which names the response, and the last that have usage."""

    def __init__(self, told: Told) -> None:
        super().__init__(told)
        self._buffer = b""
        self._first: Optional[bytes] = None
        self._last: deque[bytes] = deque(maxlen=_EVENTS_KEPT)

    def event(self, data: bytes) -> None:
        """One event's JSON."""
        if self._first is None:
            self._first = data
        elif _USAGE.search(data):
            self._last.append(data)

    def said(self) -> Any:
        """The events that were kept; the first of them only where the others do not say what it says."""
        told = [json.loads(data) for data in self._last]
        if self._first is None or (told and _says_all(told[-1], self._first)):
            return told or None
        return [json.loads(self._first), *told]


class ServerSentEar(EventsEar):
    """Server-sent events. Looked for are the few lines that matter; the others are not looked at one by one."""

    def __init__(self, told: Told, *, hide_usage: bool) -> None:
        super().__init__(told)
        self._hides = hide_usage
        self._after_hidden = False

    def hear(self, chunk: bytes) -> bytes:
        """Where something is to be hidden, lines are passed on whole."""
        if self._says_nothing(chunk):
            return chunk
        block = self._buffer + chunk if self._buffer else chunk
        cut = block.rfind(b"\n") + 1
        lines, self._buffer = block[:cut], block[cut:]
        shown = self._lines(lines) if lines else lines
        return shown if self._hides else chunk

    def _says_nothing(self, chunk: bytes) -> bool:
        """Whether these are whole lines of which none matters, as almost all are."""
        return (
            self._first is not None
            and not self._buffer
            and not self._after_hidden
            and chunk.endswith(b"\n")
            and b"[DONE]" not in chunk
            and _USAGE.search(chunk) is None
        )

    def rest(self) -> bytes:
        """A last line without its end."""
        rest, self._buffer = self._buffer, b""
        shown = self._lines(rest) if rest else rest
        return shown if self._hides else b""

    def _lines(self, lines: bytes) -> bytes:
        """Hear lines; those that are shown to the application."""
        begin = at = 0
        if self._after_hidden:
            self._after_hidden = False
            begin = len(lines[:2]) - len(lines[:2].lstrip(b"\r\n"))
        opening = _DATA_LINE.search(lines) if self._first is None else None
        if opening is not None:
            self._first, at = opening[1], opening.start()
        shown = []
        for usage in _USAGE.finditer(lines, at):
            if usage.start() < at:
                continue  # another one in the same line
            start, at = lines.rfind(b"\n", 0, usage.start()) + 1, lines.find(b"\n", usage.end()) + 1 or len(lines)
            line = lines[start:at]
            if not line.startswith(b"data:"):
                continue
            if opening is None or start != opening.start():
                self._last.append(line[5:])
            if self._hides and _is_usage_alone(line[5:]):
                shown.append(lines[begin:start])
                begin = at = _after_blank(lines, at)
                self._after_hidden = at == len(lines)
        if b"[DONE]" in lines and _DONE.search(lines):
            self.end()
        return b"".join([*shown, lines[begin:]]) if begin else lines


class AmazonEar(EventsEar):
    """Amazon's event stream, whose messages hold the model's own events."""

    def hear(self, chunk: bytes) -> bytes:
        """Messages may be cut anywhere."""
        self._buffer += chunk
        while len(self._buffer) >= 12:
            size = int.from_bytes(self._buffer[:4], "big")
            if size < 16 or len(self._buffer) < size:
                break
            headers = int.from_bytes(self._buffer[4:8], "big")
            payload, self._buffer = self._buffer[12 + headers : size - 4], self._buffer[size:]
            self._message(payload)
        return chunk

    def _message(self, payload: bytes) -> None:
        try:
            self.event(base64.b64decode(json.loads(payload)["bytes"]))
        except (ValueError, KeyError, TypeError):
            return  # a message without an event, such as an error


def _after_blank(lines: bytes, at: int) -> int:
    """Where an event ends whose last line ends here."""
    return next((at + len(end) for end in (b"\n", b"\r\n") if lines.startswith(end, at)), at)


def _says_all(event: Any, first: bytes) -> bool:
    """Whether an event names its response, so that the first one need not be read."""
    response = event.get("response", event)
    return "id" in response and "model" in response and ("service_tier" in response or b'"service_tier"' not in first)


def _is_usage_alone(data: bytes) -> bool:
    """Whether a chunk of a chat is the one that `include_usage` adds."""
    return _NO_CHOICES.search(data) is not None
