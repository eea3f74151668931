"""mistralai: chat, fill-in-the-middle, agents, embeddings, OCR and transcriptions, whole and streamed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Callable, Optional

from llm_cost_ops.instrumentation import answers
from llm_cost_ops.instrumentation.active import named_provider, tracker_of
from llm_cost_ops.instrumentation.answers import Answer, picked
from llm_cost_ops.instrumentation.measuring import Measured, Skeleton
from llm_cost_ops.instrumentation.patching import Around

_PACKAGES = ("mistralai.client", "mistralai")
"""Where the modules are, and where they were before 2.0."""

_WHOLE = (
    ("chat", "Chat.complete"),
    ("fim", "Fim.complete"),
    ("agents", "Agents.complete"),
    ("embeddings", "Embeddings.create"),
    ("ocr", "Ocr.process"),
    ("transcriptions", "Transcriptions.complete"),
)
_STREAMED = (
    ("chat", "Chat.stream"),
    ("fim", "Fim.stream"),
    ("agents", "Agents.stream"),
    ("transcriptions", "Transcriptions.stream"),
)
_KEPT = ("id", "model", "object", "service_tier", "usage", "usage_info")


def install() -> Callable[[], None]:
    """Track all calls, and return what takes that off again."""
    return answers.patch_what_is_there(_ways())


def _ways() -> Iterator[tuple[str, str, Around]]:
    for package in _PACKAGES:
        for module, name in _WHOLE:
            yield f"{package}.{module}", name, answers.whole(_begin, _Told)
            yield f"{package}.{module}", f"{name}_async", answers.awhole(_begin, _Told)
        for module, name in _STREAMED:
            yield f"{package}.{module}", name, answers.streamed(_begin, _Told)
            yield f"{package}.{module}", f"{name}_async", answers.astreamed(_begin, _Told)


def bearers(client: Any) -> list[Any]:
    """What the calls of a client know it by."""
    return [client.sdk_configuration]


class _Told(Answer):
    """An answer, or the event of a stream that tells the usage, which is the last."""

    def __init__(self) -> None:
        self._kept: Optional[dict[str, Any]] = None

    def see(self, item: Any) -> None:
        chunk = getattr(item, "data", None) if hasattr(item, "event") or not hasattr(item, "usage") else item
        chunk = item if chunk is None or isinstance(chunk, (list, str)) else chunk
        if getattr(chunk, "usage", None) or getattr(chunk, "usage_info", None):
            self._kept = picked(chunk, _KEPT)

    def skeleton(self) -> Optional[Skeleton]:
        return self._kept


def _begin(resource: Any, _args: Any, kwargs: Any) -> Optional[Measured]:
    bearer = getattr(resource, "sdk_configuration", None)
    tracker = tracker_of(bearer)
    if tracker is None:
        return None
    asked = kwargs.get("model")
    return Measured(tracker, named_provider(bearer) or "mistral", asked if isinstance(asked, str) else None)
