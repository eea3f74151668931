"""cohere: chat, embed, rerank and generate of `ClientV2`, `Client` and their asynchronous twins.

The requests below the clients are tracked, because clients bind their methods when they are made. Responses do not name
their model: it is the one that was asked for.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from importlib.util import find_spec
from typing import Any, Callable, Optional

from llm_cost_ops.instrumentation import answers
from llm_cost_ops.instrumentation.active import named_provider, tracker_of
from llm_cost_ops.instrumentation.answers import Answer, picked
from llm_cost_ops.instrumentation.measuring import Measured, Skeleton
from llm_cost_ops.instrumentation.patching import Around

_V1, _V2 = "cohere.raw_base_client", "cohere.v2.raw_client"
_WHOLE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (_V2, "RawV2Client", ("chat", "embed", "rerank")),
    (_V1, "RawBaseCohere", ("chat", "embed", "rerank", "generate")),
)
_STREAMED: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (_V2, "RawV2Client", ("chat_stream",)),
    (_V1, "RawBaseCohere", ("chat_stream", "generate_stream")),
)
_NAMES = ("id", "response_id", "generation_id")
_COUNTS = ("billed_units", "tokens", "cached_tokens")
_BILLED_BY = {"cohere.aws_client": "aws", "cohere.oci_client": "oracle"}
"""Whose signature a client puts under its requests, by the module that makes it."""

_NOT_ASKED = "default"
"""The model of a call that names none: which it was, nobody tells."""


def install() -> Callable[[], None]:
    """Track all calls, and return what takes that off again."""
    return answers.patch_what_is_there(_ways())


def _ways() -> Iterator[tuple[str, str, Around]]:
    if find_spec(_V1) is None:
        yield from _ways_of_old()
        return
    for module, owner, names in _WHOLE:
        for name in names:
            yield module, f"{owner}.{name}", answers.whole(_begin, _Told)
            yield module, f"Async{owner}.{name}", answers.awhole(_begin, _Told)
    for module, owner, names in _STREAMED:
        for name in names:
            yield module, f"{owner}.{name}", _stream
            yield module, f"Async{owner}.{name}", _astream


def _ways_of_old() -> Iterator[tuple[str, str, Around]]:
    """Before 5.15: the clients themselves."""
    for module, owner in (("cohere.v2.client", "V2Client"), ("cohere.base_client", "BaseCohere")):
        for name in ("chat", "embed", "rerank", "generate"):
            yield module, f"{owner}.{name}", answers.whole(_begin, _Told)
            yield module, f"Async{owner}.{name}", answers.awhole(_begin, _Told)
        for name in ("chat_stream", "generate_stream"):
            yield module, f"{owner}.{name}", answers.streamed(_begin, _Told)
            yield module, f"Async{owner}.{name}", answers.streamed(_begin, _Told, answers.awatched)


def bearers(client: Any) -> list[Any]:
    """What the calls of a client know it by."""
    return [client._client_wrapper]


class _Told(Answer):
    """An answer, or the last event of a stream, which has the usage."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}
        self._event: Optional[dict[str, Any]] = None

    def see(self, item: Any) -> None:
        told = getattr(item, "data", item)
        self._kept = {**self._kept, **picked(told, _NAMES)}
        for event, inner in (("delta", "usage"), ("response", "meta")):
            within = getattr(told, event, None)
            if getattr(within, inner, None) is not None:
                kind = picked(told, ("type", "event_type"))
                self._kept = {**self._kept, **picked(within, _NAMES)}
                self._event = {**kind, event: {inner: picked(getattr(within, inner), _COUNTS)}}
        for usage in ("usage", "meta"):
            if getattr(told, usage, None) is not None:
                self._kept[usage] = picked(getattr(told, usage), _COUNTS)

    def skeleton(self) -> Optional[Skeleton | list[Skeleton]]:
        if self._event is not None:
            return [{**self._kept, **self._event}]
        return self._kept if self._kept.keys() & {"usage", "meta"} else None


@contextmanager
def _stream(original: Callable[..., Any], self: Any, args: Any, kwargs: Any) -> Iterator[Any]:
    measured = _begin(self, args, kwargs)
    with original(self, *args, **kwargs) as response:
        if measured is not None:
            response._data = answers.watched(response.data, measured, _Told())
        yield response


@asynccontextmanager
async def _astream(original: Callable[..., Any], self: Any, args: Any, kwargs: Any) -> AsyncIterator[Any]:
    measured = _begin(self, args, kwargs)
    async with original(self, *args, **kwargs) as response:
        if measured is not None:
            response._data = answers.awatched(response.data, measured, _Told())
        yield response


def _begin(raw_client: Any, _args: Any, kwargs: Any) -> Optional[Measured]:
    wrapper = getattr(raw_client, "_client_wrapper", None)
    tracker = tracker_of(wrapper)
    if tracker is None:
        return None
    asked = kwargs.get("model")
    return Measured(
        tracker, named_provider(wrapper) or _billed_by(wrapper), asked if isinstance(asked, str) else _NOT_ASKED
    )


def _billed_by(wrapper: Any) -> str:
    http = getattr(getattr(wrapper, "httpx_client", None), "httpx_client", None)
    for hook in (getattr(http, "event_hooks", None) or {}).get("request", ()):
        return _BILLED_BY.get(getattr(hook, "__module__", ""), "cohere")
    return "cohere"
