"""What Bedrock's answers tell of their cost: usage objects, the fields of models' own bodies, and headers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Optional

from llm_cost_ops.instrumentation.answers import Answer, picked
from llm_cost_ops.instrumentation.measuring import Skeleton

_BODY = (
    "id",
    "model",
    "type",
    "usage",
    "prompt_token_count",
    "generation_token_count",
    "inputTextTokenCount",
    "totalOutputTextTokenCount",
    "amazon-bedrock-invocationMetrics",
)
"""The fields of models' own bodies, and of the events of their streams, in which counts stand."""

_TELLING = (b'"usage"', b"invocationMetrics", b"oken_count", b"TokenCount")
_MOST_BYTES = 16 * 1024 * 1024
"""A body larger than this is not kept to be read: the counts in the headers hold."""


class Converse(Answer):
    """An answer of Converse."""

    def __init__(self, response: Mapping[str, Any]) -> None:
        self._response = response

    def skeleton(self) -> Optional[Skeleton]:
        """Its usage, tier and request id."""
        response = self._response
        return _conversed(response, _request_id(response)) if response.get("usage") else None


class ConverseStream(Answer):
    """A stream of Converse: its metadata event, the last, has the usage."""

    def __init__(self, response: Mapping[str, Any]) -> None:
        self._request_id = _request_id(response)
        self._metadata: Optional[Mapping[str, Any]] = None

    def see(self, item: Any) -> None:
        """An event of the stream."""
        self._metadata = item.get("metadata") or self._metadata

    def skeleton(self) -> Optional[list[Skeleton]]:
        """The metadata event, if it came."""
        if self._metadata is None or not self._metadata.get("usage"):
            return None
        return [{"metadata": _conversed(self._metadata, None)}]

    def fields(self) -> Mapping[str, Any]:
        """The request id, where the response does not have an id of its own."""
        return {"response_id": self._request_id} if self._request_id else {}


class Invoked(Answer):
    """The body of InvokeModel, as far as the application read it, and the headers, which tell tokens in any case."""

    def __init__(self, response: Mapping[str, Any]) -> None:
        about = response.get("ResponseMetadata") or {}
        self._request_id = about.get("RequestId")
        self._headers = _counting(about.get("HTTPHeaders") or {})
        self._chunks: list[bytes] = []
        self._size = 0
        self._has_id = False

    def see(self, item: bytes) -> None:
        """What the application read next."""
        self._size += len(item)
        if self._size <= _MOST_BYTES:
            self._chunks.append(bytes(item))
        else:
            self._chunks.clear()

    def skeleton(self) -> Optional[Skeleton]:
        """The counts of the body, and those of the headers, of which the ledger takes the better."""
        body = _of_body(_read(b"".join(self._chunks)))
        self._chunks.clear()
        self._has_id = "id" in body
        if not self._headers and body.keys() <= {"id", "model", "type"}:
            return None
        return {**body, "ResponseMetadata": {"HTTPHeaders": self._headers}}

    def fields(self) -> Mapping[str, Any]:
        """The request id, where the response does not have an id of its own."""
        return {"response_id": self._request_id} if self._request_id and not self._has_id else {}


class InvokedStream(Answer):
    """A stream of InvokeModel: a model's own events, the last of which has Bedrock's metrics."""

    def __init__(self, response: Mapping[str, Any]) -> None:
        self._request_id = _request_id(response)
        self._events: list[dict[str, Any]] = []
        self._has_id = False

    def see(self, item: Any) -> None:
        """An event of the stream."""
        data = (item.get("chunk") or {}).get("bytes") or b""
        if not any(word in data for word in _TELLING):
            return
        event = json.loads(data)
        kept = _of_body(event)
        if isinstance(event.get("message"), dict):
            kept["message"] = _of_body(event["message"])
            self._has_id = "id" in kept["message"]
        if isinstance(event.get("metadata"), dict) and event["metadata"].get("usage"):
            kept["metadata"] = _conversed(event["metadata"], None)
        if kept:
            self._events = [*self._events[:1], *self._events[1:][-2:], kept]

    def skeleton(self) -> Optional[list[Skeleton]]:
        """The first event that tells, and the last three."""
        return list(self._events) or None

    def fields(self) -> Mapping[str, Any]:
        """The request id, where the response does not have an id of its own."""
        return {"response_id": self._request_id} if self._request_id and not self._has_id else {}


def _conversed(told: Mapping[str, Any], request_id: Optional[str]) -> dict[str, Any]:
    kept = picked(told, ("usage", "serviceTier", "performanceConfig"))
    router = (told.get("trace") or {}).get("promptRouter")
    if router:
        kept["trace"] = {"promptRouter": picked(router, ("invokedModelId",))}
    return {**kept, "ResponseMetadata": {"RequestId": request_id}} if request_id else kept


def _of_body(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        return {}
    kept = picked(body, _BODY)
    if isinstance(body.get("results"), list):
        kept["results"] = [picked(one, ("tokenCount",)) for one in body["results"] if isinstance(one, dict)]
    return kept


def _read(body: bytes) -> Any:
    """What a body says; nothing where it was not read to its end."""
    try:
        return json.loads(body)
    except ValueError:
        return None


def _counting(headers: Mapping[str, Any]) -> dict[str, str]:
    return {
        name: str(value)
        for name, value in headers.items()
        if name.startswith("x-amzn-bedrock-") and name.endswith(("-token-count", "-service-tier"))
    }


def _request_id(response: Mapping[str, Any]) -> Optional[str]:
    found = (response.get("ResponseMetadata") or {}).get("RequestId")
    return found if isinstance(found, str) else None
