"""LangChain: `CostOpsCallbackHandler` tracks every call of a model, whichever chain or agent makes it.

    chain.invoke(question, config={"callbacks": [CostOpsCallbackHandler()], "metadata": {"project": "search"}})

Works with langchain-core from 0.1 on. Only calls of models are told of, never the chains, tools and retrievers around
them, so a nested chain counts once; of a call only what LangChain knows of its usage, its model and its id.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Optional

from langchain_core.callbacks.base import BaseCallbackHandler

from llm_cost_ops.client import CostOpsClient
from llm_cost_ops.instrumentation.measuring import NoUsageTold
from llm_cost_ops.instrumentation.telling import Telling, begin_telling
from llm_cost_ops.integrations.clients import client_of
from llm_cost_ops.integrations.langchain_callbacks import put_into_langchain
from llm_cost_ops.integrations.langchain_results import Named, attribution_of, named, paid_calls, usage_of_chunk
from llm_cost_ops.spend_limits import check_limits
from llm_cost_ops.tracking import Tracker

_MOST_RUNS = 10_000
"""Runs that began and have not ended: more than this many are forgotten, oldest first."""


class _Run:
    """A call of a model that has begun."""

    __slots__ = ("answered", "begun", "last_usage", "named", "parent", "telling", "told")

    def __init__(self, is_named: Named, telling: Telling, parent: Any) -> None:
        self.answered = False
        self.begun = time.perf_counter_ns()
        self.last_usage: Optional[Mapping[str, Any]] = None
        self.named = is_named
        self.parent = parent
        self.telling = telling
        self.told = False

    def hear(self) -> None:
        """A piece of the answer came."""
        if not self.answered:
            self.answered = True
            self.telling.answered()


class CostOpsCallbackHandler(BaseCallbackHandler):  # type: ignore[misc]
    """Tracks the calls of models that LangChain makes. One may serve a whole program: it is safe to share."""

    run_inline = True
    """It does not wait, so an asyncio loop need not send it to a thread."""

    raise_error = True
    """A spend limit that is reached has to stop the call. Nothing else is ever raised."""

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

        `provider` is who bills, where LangChain would name another: an OpenAI-compatible service is "openai" to it.
        Raises SettingsError where nothing says which key to use.
        """
        super().__init__()
        self._client = client or client_of(api_key, base_url, organization_id)
        self._provider = provider
        self._runs: dict[Any, _Run] = {}

    def on_chat_model_start(self, *given: Any, **about: Any) -> None:
        """A chat model is called."""
        self._begin(given, about)

    def on_llm_start(self, *given: Any, **about: Any) -> None:
        """A completion model is called."""
        self._begin(given, about)

    def on_llm_new_token(self, *_token: Any, **about: Any) -> None:
        """A piece of a stream came; what it says of usage is kept, and nothing else of it is read."""
        run = self._runs.get(about.get("run_id"))
        if run is not None:
            run.hear()
            run.last_usage = usage_of_chunk(about.get("chunk"), run.named) or run.last_usage

    def on_stream_event(self, *_event: Any, **about: Any) -> None:
        """The same of newer streams: here usage comes at the end."""
        run = self._runs.get(about.get("run_id"))
        if run is not None:
            run.hear()

    def on_llm_end(self, *given: Any, **about: Any) -> None:
        """A call ended."""
        self._end(given[0] if given else about.get("response"), about, broken=False)

    def on_llm_error(self, *_error: Any, **about: Any) -> None:
        """A call failed, or its stream was left: counted is what had been told by then."""
        self._end(about.get("response"), about, broken=True)

    def flush(self, timeout: Optional[float] = None) -> bool:
        """Wait until all that was tracked is in the ledger; whether it is."""
        return self._client.flush(timeout)

    def _begin(self, given: Sequence[Any], about: Mapping[str, Any]) -> None:
        check_limits()
        try:
            serialized = given[0] if given else about.get("serialized")
            metadata = about.get("metadata") or {}
            is_named = named(serialized, metadata, about.get("invocation_params") or {}, self._provider)
            fields = attribution_of(metadata, about.get("tags") or ())
            self._runs[about["run_id"]] = _Run(
                is_named, begin_telling(self._tracker, fields), about.get("parent_run_id")
            )
            while len(self._runs) > _MOST_RUNS:
                self._runs.pop(next(iter(self._runs)), None)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
            self._tracker.failed(error)

    def _end(self, result: Any, about: Mapping[str, Any], *, broken: bool) -> None:
        try:
            run_id = about["run_id"]
            run = self._runs.pop(run_id, None)
            if run is None:
                return
            told = run.telling.end(was_answered=run.answered) or run.told
            told = told or (run.telling.is_tracked and (broken or run.telling.tells_late))
            told = told or self._tell(run_id, run, result, broken=broken)
            outer = self._runs.get(run.parent)
            if told and outer is not None:
                outer.told = True  # a model that calls a model: what the outer one knows is the inner one's usage
        except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
            self._tracker.failed(error)

    def _tell(self, run_id: Any, run: _Run, result: Any, *, broken: bool) -> bool:
        latency_ms = (time.perf_counter_ns() - run.begun) // 1_000_000
        calls: Sequence[Mapping[str, Any]] = paid_calls(result, run.named, f"lc_run--{run_id}", run.last_usage)
        for call in calls:
            record = {**run.telling.fields, **call, "latency_ms": latency_ms}
            if run.named.model is not None:
                record["model_id"] = run.named.model
            if broken:
                record["estimated"] = True
            self._tracker.track(record)
        if not calls and not broken and result is not None and not _is_of_a_batch(result):
            raise NoUsageTold(
                f"LangChain knows nothing of the tokens of {run.named.model or 'a call'}, so what it cost is unknown: "
                "a stream of ChatOpenAI needs stream_usage=True"
            )
        return bool(calls)

    @property
    def _tracker(self) -> Tracker:
        return self._client.tracker


def _is_of_a_batch(result: Any) -> bool:
    """Whether the usage stands with another prompt of the same request, or nothing was paid because it was cached."""
    told = (getattr(result, "llm_output", None) or {}).get("token_usage")
    return told == {} or any(
        (getattr(getattr(one, "message", None), "usage_metadata", None) or {}).get("total_cost") == 0
        for candidates in result.generations
        for one in candidates
    )


put_into_langchain(CostOpsCallbackHandler)
