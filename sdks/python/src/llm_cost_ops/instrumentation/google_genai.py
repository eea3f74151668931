"""google-genai: `models.generate_content`, its stream, `embed_content` and chats, of the Gemini API and of Vertex AI.

What is tracked are the requests: where the client calls functions by itself and asks again, each request is a record.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Callable, Optional

from llm_cost_ops.instrumentation import answers
from llm_cost_ops.instrumentation.active import named_provider, tracker_of
from llm_cost_ops.instrumentation.answers import Answer, picked, plain
from llm_cost_ops.instrumentation.measuring import Measured, Skeleton

_MODULE = "google.genai.models"
_NAMED_BY_NUMBER = ("endpoints/", "tunedModels/")


def install() -> Callable[[], None]:
    """Track all calls, and return what takes that off again."""
    ways = {
        "Models._generate_content": answers.whole(_begin, _Generated),
        "Models._generate_content_stream": answers.streamed(_begin, _Generated),
        "Models.embed_content": answers.whole(_begin, _Embedded),
        "AsyncModels._generate_content": answers.awhole(_begin, _Generated),
        "AsyncModels._generate_content_stream": answers.astreamed(_begin, _Generated),
        "AsyncModels.embed_content": answers.awhole(_begin, _Embedded),
    }
    return answers.patch_what_is_there((_MODULE, name, around) for name, around in ways.items())


def bearers(client: Any) -> list[Any]:
    """What the calls of a client know it by."""
    return [client._api_client]


class _Generated(Answer):
    """An answer, or the chunks of a stream: each repeats the counts so far, so the last ones hold."""

    def __init__(self) -> None:
        self._kept: dict[str, Any] = {}
        self._usage: Any = None
        self._finish: Any = None
        self._searches = 0

    def see(self, item: Any) -> None:
        raw = getattr(getattr(item, "sdk_http_response", None), "body", None)
        if raw is not None and item.usage_metadata is None:
            item = type(item).model_validate(json.loads(raw))  # the caller asked for the HTTP response as it is
        self._kept.update(picked(item, ("model_version", "response_id")))
        self._usage = item.usage_metadata or self._usage
        for candidate in item.candidates or ():
            self._finish = candidate.finish_reason or self._finish
            queries: Sequence[str] = getattr(candidate.grounding_metadata, "web_search_queries", None) or ()
            self._searches = max(self._searches, len(queries))

    def skeleton(self) -> Optional[list[Skeleton]]:
        """As a stream's event, so that the ledger sees whether the answer came to its end."""
        if self._usage is None:
            return None
        candidate: dict[str, Any] = {
            "finish_reason": self._finish and str(getattr(self._finish, "value", self._finish))
        }
        if self._searches:  # how many, and not what for
            candidate["grounding_metadata"] = {"web_search_queries": [""] * self._searches}
        return [{**self._kept, "usage_metadata": plain(self._usage), "candidates": [candidate]}]


class _Embedded(Answer):
    """Embeddings: the Gemini API tells the usage of all, Vertex AI the tokens of each."""

    def __init__(self) -> None:
        self._usage: dict[str, Any] = {}

    def see(self, item: Any) -> None:
        usage = getattr(item, "usage_metadata", None)
        if usage is not None:
            self._usage = plain(usage)
            return
        counted: list[Any] = [getattr(one.statistics, "token_count", None) for one in item.embeddings or ()]
        if counted and None not in counted:
            self._usage = {"prompt_token_count": int(sum(counted))}

    def skeleton(self) -> Optional[Skeleton]:
        return {"usage_metadata": self._usage} if self._usage else None


def _begin(models: Any, _args: Any, kwargs: Any) -> Optional[Measured]:
    bearer = getattr(models, "_api_client", None)
    tracker = tracker_of(bearer)
    if tracker is None:
        return None
    asked = kwargs.get("model")
    return Measured(tracker, named_provider(bearer) or "google", _model_id(asked) if isinstance(asked, str) else None)


def _model_id(name: str) -> str:
    """A model's name without the path that it may stand at the end of.

    >>> _model_id("publishers/google/models/gemini-2.5-pro"), _model_id("tunedModels/123")
    ('gemini-2.5-pro', 'tunedModels/123')
    """
    return name if any(part in name for part in _NAMED_BY_NUMBER) else name.rpartition("/")[2]
