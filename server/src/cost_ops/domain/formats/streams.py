"""Dumps of streamed responses: which events belong together, and which of them say something about usage.

A kind of stream is data: what an event of it looks like, when a new stream begins, and what is worth keeping. The
facts are those of the providers' API references (OpenAI, Anthropic, Google, AWS, Ollama).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from cost_ops.domain.formats.values import nested
from cost_ops.domain.records_file import Item

MAX_KEPT = 2_000
"""Events kept of one stream; the last ones, which carry its usage, always."""

_ANTHROPIC = frozenset(
    {
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
        "ping",
    }
)
_CONVERSE = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop", "metadata"}
)
_Event = Mapping[str, Any]


class Kind(NamedTuple):
    """A kind of stream. `identity` is the same for all events of one; None where they have none.

    `begins` and `ends` are for kinds whose events say so; `telling` for what is worth keeping. `is_whole` says that a
    single event looks like a whole response, and can be read as one.
    """

    matches: Callable[[_Event], bool]
    telling: Callable[[_Event], bool]
    identity: Callable[[_Event], Any] = lambda _: None
    begins: Callable[[_Event], bool] = lambda _: False
    ends: Callable[[_Event], bool] = lambda _: False
    is_whole: bool = False


def _finished(chunk: _Event) -> bool:
    candidates = chunk.get("candidates")
    return isinstance(candidates, list) and any(nested(candidate, "finishReason") for candidate in candidates)


def _typed(event: _Event) -> str:
    kind = event.get("type")
    return kind if isinstance(kind, str) else ""


KINDS = (
    Kind(
        matches=lambda e: isinstance(e.get("object"), str) and e["object"].endswith(".chunk"),
        telling=lambda e: bool(e.get("usage") or e.get("x_groq")),
        identity=lambda e: e.get("id"),
    ),
    Kind(
        matches=lambda e: _typed(e).startswith("response."),
        telling=lambda e: isinstance(e.get("response"), Mapping),
        begins=lambda e: _typed(e) == "response.created",
        ends=lambda e: _typed(e) in ("response.completed", "response.incomplete", "response.failed"),
    ),
    Kind(
        matches=lambda e: _typed(e) in _ANTHROPIC,
        telling=lambda e: _typed(e) in ("message_start", "message_delta", "message_stop"),
        begins=lambda e: _typed(e) == "message_start",
        ends=lambda e: _typed(e) == "message_stop",
    ),
    Kind(
        matches=lambda e: len(e) <= 2 and bool(_CONVERSE & e.keys()) and isinstance(next(iter(e.values())), Mapping),
        telling=lambda e: "metadata" in e or "messageStop" in e,
        begins=lambda e: "messageStart" in e,
        ends=lambda e: "metadata" in e,
    ),
    Kind(
        matches=lambda e: "usageMetadata" in e or isinstance(e.get("candidates"), list),
        telling=lambda e: "usageMetadata" in e,
        identity=lambda e: e.get("responseId"),
        ends=_finished,
        is_whole=True,
    ),
    Kind(
        matches=lambda e: isinstance(e.get("done"), bool) and "model" in e,
        telling=lambda e: e["done"] is True,
        ends=lambda e: e["done"] is True,
        is_whole=True,
    ),
)


class Response(NamedTuple):
    """A response as it stands in a file, whole or as the telling events of its stream. `place` is where it begins."""

    place: int
    payload: Any


class _Open:
    """The stream that is being read."""

    def __init__(self, place: int, kind: Kind, event: _Event) -> None:
        self.place, self.kind = place, kind
        self.identity = kind.identity(event)
        self.events: list[_Event] = []
        self.ended = False
        self.add(event)

    def takes(self, kind: Kind, event: _Event) -> bool:
        """Whether an event goes on with this stream."""
        if kind is not self.kind or kind.begins(event):
            return False
        identity = kind.identity(event)
        return identity == self.identity if identity is not None else not self.ended

    def add(self, event: _Event) -> None:
        """Keep an event if it tells something; the first one always, since it names the model."""
        if not self.events or self.kind.telling(event):
            if len(self.events) >= MAX_KEPT:
                del self.events[1]
            self.events.append(event)
        self.ended = self.ended or self.kind.ends(event)

    def response(self) -> Response:
        """What was read; an object that is no part of anything is a whole response."""
        whole = self.kind.is_whole and len(self.events) == 1
        return Response(self.place, self.events[0] if whole else self.events)


def responses(items: Iterable[Item]) -> Iterator[Response]:
    """The responses among values: whole ones as they are, events put together. A list is one stream for itself."""
    current: _Open | None = None
    for item in items:
        if isinstance(item.value, list):
            if current is not None:
                yield current.response()
            current = None
            yield from responses(Item(item.place, event) for event in item.value if isinstance(event, Mapping))
            continue
        kind = next((k for k in KINDS if isinstance(item.value, Mapping) and k.matches(item.value)), None)
        if current is not None and kind is not None and current.takes(kind, item.value):
            current.add(item.value)
            continue
        if current is not None:
            yield current.response()
            current = None
        if kind is not None:
            current = _Open(item.place, kind, item.value)
        elif item.value is not END:
            yield Response(item.place, item.value)
    if current is not None:
        yield current.response()


END: Any = ("end of stream",)
"""The value of an item that only says that a stream is over, as `[DONE]` does."""
