"""LlamaIndex: `CostOpsEventHandler` tracks the calls of models, whichever engine, agent or workflow makes them.

    from llama_index.core.instrumentation import get_dispatcher

    get_dispatcher().add_event_handler(CostOpsEventHandler())

A `complete` that asks a `chat` counts once. LlamaIndex says nothing of the tokens of embeddings: those are tracked by
`llm_cost_ops.instrument()`.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Optional

from llama_index.core.instrumentation.event_handlers import BaseEventHandler
from pydantic import PrivateAttr

from llm_cost_ops.client import CostOpsClient
from llm_cost_ops.instrumentation.measuring import NoUsageTold
from llm_cost_ops.instrumentation.skeletons import counts, fields_of, says_usage, skeleton
from llm_cost_ops.instrumentation.telling import Telling, begin_telling
from llm_cost_ops.integrations.clients import client_of

_PROVIDERS = {
    # class_name() of LlamaIndex's models, in lower case and without `_llm`; others are taken by their first word
    "azure_openai": "azure",
    "bedrock_converse": "aws",
    "base_llm": "unknown",
    "custom": "unknown",
    "genai": "google",
    "google_genai": "google",
    "mistralai": "mistral",
    "openai_responses": "openai",
    "openailike": "openai",
    "vertex": "google",
}
_NAMES = ("model", "model_name", "engine", "deployment_name")
_BELONGS = {"project": "project_id", "user": "user_id", "team": "team_id", "session": "session_id"}
_OF_GOOGLE = ("usage_metadata", "response_id", "model_version")
_MOST_RUNS = 10_000


class _Run:
    """A call of a model that has begun."""

    __slots__ = ("answered", "begun", "first", "model", "provider", "telling", "used")

    def __init__(self, told: Mapping[str, Any], provider: Optional[str], telling: Telling) -> None:
        self.answered = False
        self.begun = time.perf_counter_ns()
        self.provider = provider or _provider(str(told.get("class_name") or ""))
        self.model = next((str(told[name]) for name in _NAMES if told.get(name)), None)
        self.telling = telling
        self.first: Optional[dict[str, Any]] = None
        self.used: Optional[dict[str, Any]] = None

    def hear(self, kept: dict[str, Any]) -> None:
        """A response, or a piece of one: the first and the last that speaks of usage are kept."""
        if not self.answered:
            self.answered = True
            self.telling.answered()
        if self.first is None:
            self.first = kept
        if _says(kept):
            self.used = kept


class CostOpsEventHandler(BaseEventHandler):  # type: ignore[misc]
    """Tracks the calls of models that LlamaIndex makes. Raises nothing."""

    _client: Any = PrivateAttr()
    _provider: Any = PrivateAttr()
    _runs: Any = PrivateAttr()

    def __init__(
        self,
        api_key: Optional[str] = None,
        organization_id: Optional[str] = None,
        base_url: Optional[str] = None,
        *,
        client: Optional[CostOpsClient] = None,
        provider: Optional[str] = None,
    ) -> None:
        """Send with `client`, else with one of these settings, else with `llm_cost_ops.default_client()`.

        `provider` is who bills, where LlamaIndex's class does not say it. Raises SettingsError where nothing says which
        key to use.
        """
        super().__init__()
        self._client = client or client_of(api_key, base_url, organization_id)
        self._provider = provider
        self._runs = OrderedDict()

    @classmethod
    def class_name(cls) -> str:
        """What LlamaIndex calls it."""
        return "CostOpsEventHandler"

    def handle(self, event: Any, **_about: Any) -> None:
        """An event of LlamaIndex's; those of models' calls are read, and of them nothing that was asked or answered."""
        react = _REACTIONS.get(type(event).__name__)
        if react is not None:
            try:
                react(self, (event.span_id, type(event).__name__.startswith("LLMChat")), event)
            except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
                self._client.tracker.failed(error)

    def _begin(self, key: Any, event: Any) -> None:
        telling = begin_telling(self._client.tracker, _attribution(event.tags))
        self._runs[key] = _Run(event.model_dict, self._provider, telling)
        while len(self._runs) > _MOST_RUNS:
            self._runs.popitem(last=False)

    def _hear(self, key: Any, event: Any) -> None:
        run = self._runs.get(key)
        if run is not None and event.response is not None:
            run.hear(_skeleton(event.response.raw))

    def _end(self, key: Any, event: Any) -> None:
        self._hear(key, event)
        run = self._runs.pop(key, None)
        if run is None:
            return
        told = run.telling.told
        run.telling.end(was_answered=run.answered)
        if not (told or (run.telling.is_tracked and run.telling.tells_late)):
            self._tell(run)
            run.telling.tell()

    def _tell(self, run: _Run) -> None:
        if run.used is None:
            raise NoUsageTold(
                f"LlamaIndex knows nothing of the tokens of {run.model or 'a call'}, so what it cost is unknown: "
                "its response has no usage in `raw`"
            )
        record: dict[str, Any] = {**run.telling.fields, "provider": run.provider}
        record["response"] = run.used if run.first is run.used else [run.first, run.used]
        record["latency_ms"] = (time.perf_counter_ns() - run.begun) // 1_000_000
        if run.model is not None:
            record["model_id"] = run.model
        self._client.tracker.track(record)


_REACTIONS = {
    "LLMChatStartEvent": CostOpsEventHandler._begin,
    "LLMChatInProgressEvent": CostOpsEventHandler._hear,
    "LLMChatEndEvent": CostOpsEventHandler._end,
    "LLMCompletionStartEvent": CostOpsEventHandler._begin,
    "LLMCompletionInProgressEvent": CostOpsEventHandler._hear,
    "LLMCompletionEndEvent": CostOpsEventHandler._end,
}


def _skeleton(raw: Any) -> dict[str, Any]:
    fields = fields_of(raw)
    google = {name: counts(fields[name]) for name in _OF_GOOGLE if fields.get(name) is not None}
    return {**skeleton(raw), **google}


def _says(kept: Mapping[str, Any]) -> bool:
    return says_usage(kept) or bool(kept.get("usage_metadata"))


def _provider(class_name: str) -> str:
    plain = class_name.lower()
    plain = plain[: -len("_llm")] if plain.endswith("_llm") and plain != "base_llm" else plain
    return _PROVIDERS.get(plain) or plain.partition("_")[0] or "unknown"


def _attribution(tags: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a record that `instrument_tags` says; its other tags are the record's."""
    fields: dict[str, Any] = {
        field: str(tags[name]) for name, field in _BELONGS.items() if isinstance(tags.get(name), (str, int))
    }
    more = {key: str(value) for key, value in tags.items() if key not in _BELONGS and isinstance(value, (str, int))}
    return {**fields, "tags": more} if more else fields
