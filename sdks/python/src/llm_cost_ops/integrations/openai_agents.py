"""The OpenAI Agents SDK: each call of a model belongs to its agent, its workflow and its group.

    agents.add_trace_processor(CostOpsTracingProcessor())

Beside `llm_cost_ops.instrument()`, which knows the calls best, it says whom they belong to. A call that no tracked
client told of is told of from its span. What was asked and answered stands in the span too, and stays there.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any, NamedTuple, Optional

from agents.tracing import TracingProcessor

from llm_cost_ops.client import CostOpsClient, default_client
from llm_cost_ops.context import attribution
from llm_cost_ops.exceptions import CostOpsError
from llm_cost_ops.instrumentation.telling import Telling, begin_telling
from llm_cost_ops.integrations.agents_spans import NoUsageTold, record_of

_MOST_SPANS = 10_000
"""Spans that began and have not ended: of more than this many the oldest are forgotten."""
_BELONGS = {"project": "project_id", "user": "user_id", "team": "team_id", "session": "session_id"}
"""What a trace's metadata may say → the field of a record."""


class _Call(NamedTuple):
    """A call of a model that has begun."""

    telling: Telling
    begun_ns: int


class CostOpsTracingProcessor(TracingProcessor):  # type: ignore[misc, unused-ignore]
    """Tracks the calls of models that agents make, in any number of runs at once; it sends to the ledger alone.

    The tags `agent` and `workflow` have the names, the trace's `group_id` is the session, and `project`, `user`, `team`
    and `session` in its metadata hold as well. What `cost_context` says wins.
    """

    def __init__(self, client: Optional[CostOpsClient] = None, *, provider: Optional[str] = None) -> None:
        """`client` is by default `llm_cost_ops.default_client()`.

        `provider` is who bills, where it is not the one whose API the agents use.
        """
        self._tracker = (client or default_client()).tracker
        self._provider = provider
        self._traces: dict[str, dict[str, Any]] = {}
        self._agents: dict[str, str] = {}
        self._calls: dict[str, _Call] = {}

    def on_trace_start(self, trace: Any) -> None:
        """A run began."""
        try:
            _keep(self._traces, trace.trace_id, _fields_of(trace))
        except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
            self._tracker.failed(error)

    def on_trace_end(self, trace: Any) -> None:
        """A run ended."""
        self._traces.pop(trace.trace_id, None)

    def on_span_start(self, span: Any) -> None:
        """An agent, a turn, a call of a model or of a tool began."""
        try:
            kind = span.span_data.type
            named = {"agent": "name", "turn": "agent_name"}.get(kind)
            agent = getattr(span.span_data, named) if named else self._agents.get(span.parent_id or "")
            if agent:
                _keep(self._agents, span.span_id, agent)
            if kind in {"generation", "response"}:
                fields = _beneath_blocks(self._traces.get(span.trace_id, {}), agent)
                _keep(self._calls, span.span_id, _Call(begin_telling(self._tracker, fields), time.perf_counter_ns()))
        except Exception as error:  # noqa: BLE001
            self._tracker.failed(error)

    def on_span_end(self, span: Any) -> None:
        """It ended: a call that no client told of is told of now."""
        self._agents.pop(span.span_id, None)
        call = self._calls.pop(span.span_id, None)
        if call is None or call.telling.end() or call.telling.is_tracked:
            return
        try:
            record = record_of(span, self._provider)
            if record is not None:
                latency_ms = (time.perf_counter_ns() - call.begun_ns) // 1_000_000
                self._tracker.track({**call.telling.fields, **record, "latency_ms": latency_ms})
        except CostOpsError as error:
            self._tracker.failed(error)
        except Exception as error:  # noqa: BLE001
            self._tracker.failed(error)

    def force_flush(self) -> None:
        """Nothing waits here: what was told is the client's, see `CostOpsClient.flush`."""

    def shutdown(self) -> None:
        """Forget the runs that did not end."""
        for begun in (self._traces, self._agents, self._calls):
            begun.clear()


def _keep(begun: dict[str, Any], key: str, value: Any) -> None:
    begun[key] = value
    while len(begun) > _MOST_SPANS:
        begun.pop(next(iter(begun)), None)


def _fields_of(trace: Any) -> dict[str, Any]:
    metadata = getattr(trace, "metadata", None) or {}
    fields: dict[str, Any] = {
        _BELONGS[name]: str(metadata[name]) for name in _BELONGS if metadata.get(name) is not None
    }
    group = getattr(trace, "group_id", None)
    if group is not None:
        fields.setdefault("session_id", str(group))
    return {**fields, "tags": {"workflow": str(trace.name)}}


def _beneath_blocks(trace: Mapping[str, Any], agent: Optional[str]) -> dict[str, Any]:
    """What a call belongs to by its trace and agent, but for what the blocks around it say."""
    said = attribution()
    fields = {name: value for name, value in trace.items() if name not in said}
    tags = {**trace.get("tags", {}), **({"agent": agent} if agent else {})}
    return {**fields, "tags": {key: value for key, value in tags.items() if key not in said.get("tags", {})}}


__all__ = ["CostOpsTracingProcessor", "NoUsageTold"]
