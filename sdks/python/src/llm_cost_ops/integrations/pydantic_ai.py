"""Pydantic AI: a model that tracks what it is asked, around any other.

    agent = Agent(CostOpsModel("openai:gpt-5"), name="support")

Beside `llm_cost_ops.instrument()`, which knows the calls best, it says whom they belong to. A call that no tracked
client told of is told of by what Pydantic AI knows of its usage. Messages stay where they are.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple, Optional

from pydantic_ai.models.wrapper import WrapperModel

from llm_cost_ops.client import CostOpsClient, default_client
from llm_cost_ops.context import attribution
from llm_cost_ops.instrumentation.telling import Telling, begin_telling
from llm_cost_ops.integrations.pydantic_responses import NoUsageTold, record_of
from llm_cost_ops.spend_limits import check_limits

_BELONGS = {"project": "project_id", "user": "user_id", "team": "team_id"}
"""What a run's metadata may say → the field of a record."""


class _Call(NamedTuple):
    """A request to a model that has begun."""

    telling: Telling
    begun_ns: int


class CostOpsModel(WrapperModel):  # type: ignore[misc, unused-ignore]
    """Tracks the requests to a model, whole and streamed; in all else it is that model.

    The tag `agent` has the agent's name, the conversation is the session, and `project`, `user` and `team` in a run's
    `metadata` hold as well. What `cost_context` says wins.
    """

    def __init__(self, wrapped: Any, client: Optional[CostOpsClient] = None, *, provider: Optional[str] = None) -> None:
        """`wrapped` is a model or the name of one; `client` is by default `llm_cost_ops.default_client()`.

        `provider` is who bills, where it is not the one that Pydantic AI names.
        """
        super().__init__(wrapped)
        self._cost_ops_tracker = (client or default_client()).tracker
        self._cost_ops_provider = provider

    async def request(self, *given: Any, **named: Any) -> Any:
        """Ask the model. Raises SpendLimitExceeded where a limit around the call is reached."""
        check_limits()
        call = self._begin(None)
        try:
            response = await self.wrapped.request(*given, **named)
        finally:
            told = call is None or call.telling.end() or call.telling.is_tracked
        if call is not None and not told:
            self._tell(call, response)
        return response

    @asynccontextmanager
    async def request_stream(self, *given: Any, **named: Any) -> AsyncIterator[Any]:
        """Ask the model for a stream. Raises SpendLimitExceeded where a limit around the call is reached."""
        check_limits()
        run_context = named.get("run_context", given[3] if len(given) > 3 else None)
        call = self._begin(run_context)
        async with self.wrapped.request_stream(*given, **named) as stream:
            # The client below has begun by now, if it is tracked. What the block calls is not of this request.
            told = call is None or call.telling.end() or call.telling.is_tracked
            try:
                yield stream
            finally:
                if call is not None and not told:
                    self._tell(call, stream, streamed=True)

    def _begin(self, run_context: Any) -> Optional[_Call]:
        try:
            fields = _beneath_blocks(run_context or _current_run())
            return _Call(begin_telling(self._cost_ops_tracker, fields), time.perf_counter_ns())
        except Exception as error:  # noqa: BLE001  (whatever it is, it is not the application's)
            self._cost_ops_tracker.failed(error)
            return None

    def _tell(self, call: _Call, answered: Any, *, streamed: bool = False) -> None:
        try:
            response = answered.get() if streamed else answered
            record = record_of(response, self.wrapped, self._cost_ops_provider, streamed=streamed)
            if record is not None:
                latency_ms = (time.perf_counter_ns() - call.begun_ns) // 1_000_000
                self._cost_ops_tracker.track({**call.telling.fields, **record, "latency_ms": latency_ms})
        except Exception as error:  # noqa: BLE001
            self._cost_ops_tracker.failed(error)


def _current_run() -> Any:
    """The run around this line; None where this version does not tell."""
    try:
        from pydantic_ai._run_context import get_current_run_context
    except ImportError:
        return None
    return get_current_run_context()


def _beneath_blocks(run: Any) -> dict[str, Any]:
    """What a call belongs to by its run, but for what the blocks around it say."""
    said = attribution()
    metadata = getattr(run, "metadata", None) or {}
    fields = {_BELONGS[name]: str(metadata[name]) for name in _BELONGS if metadata.get(name) is not None}
    conversation = getattr(run, "conversation_id", None)
    if conversation is not None:
        fields["session_id"] = str(conversation)
    found: dict[str, Any] = {name: value for name, value in fields.items() if name not in said}
    agent = getattr(getattr(run, "agent", None), "name", None)
    if agent and "agent" not in said.get("tags", {}):
        found["tags"] = {"agent": str(agent)}
    return found


__all__ = ["CostOpsModel", "NoUsageTold"]
