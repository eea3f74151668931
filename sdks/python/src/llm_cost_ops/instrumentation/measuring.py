"""One call to a provider, measured: when it began, who serves it, and what it told of itself when it ended.

An instrumentor makes a `Measured` before the call and tells it how the call ended. No content passes through here: what
an instrumentor hands over is the skeleton of a response. Nothing here raises, but for a spend limit that is reached,
which is meant to.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextvars import copy_context
from typing import Any, Optional

from llm_cost_ops.exceptions import CostOpsError
from llm_cost_ops.instrumentation.telling import telling_around
from llm_cost_ops.spend_limits import check_limits
from llm_cost_ops.tracking import Tracker

Skeleton = Mapping[str, Any]
"""A response with its id, model, tier, usage and what else is paid for; without what was asked or answered."""


class NoUsageTold(CostOpsError):
    """A call was made, and nothing told how much it used: what it cost is not known."""


class Measured:
    """A call that has begun."""

    __slots__ = ("_around", "_begun", "_ended", "_provider", "_requested", "_telling", "_tracker")

    def __init__(
        self, tracker: Tracker, provider: str, requested_model: Optional[str] = None, *, pays: bool = True
    ) -> None:
        """`provider` is who bills; `requested_model` what was asked for, where the call says it.

        `pays` is False for a call that only fetches what another one pays for: no limit stops it. Raises
        SpendLimitExceeded, and nothing else, where a limit around the call is reached.
        """
        if pays:
            check_limits()
        self._around = copy_context()
        self._telling = telling_around(tracker, requested_model)
        self._tracker = tracker
        self._provider = provider
        self._requested = requested_model
        self._begun = time.perf_counter_ns()
        self._ended = False

    def done(self, response: Skeleton | list[Skeleton], **fields: Any) -> None:
        """The call ended with a response, or the skeletons of a stream's events. The first end counts.

        `fields` are further ones of a usage record. `model_id` is needed where the response does not name its model.
        """
        if self._ended:
            return
        self._ended = True
        record: dict[str, Any] = {
            "provider": self._provider,
            "response": response,
            "latency_ms": (time.perf_counter_ns() - self._begun) // 1_000_000,
        }
        if self._requested is not None:
            record["model_id"] = self._requested
        record.update(fields)
        self._around.run(self._track, record)

    def _track(self, record: dict[str, Any]) -> None:
        """Where the call began, for it belongs to what stood around it there; a stream may end anywhere."""
        self._tracker.track(record if self._telling is None else self._telling.told_by_client(record))

    def will_be_late(self) -> None:
        """The call may be told of only when a framework above has ended it."""
        if self._telling is not None:
            self._telling.tells_late = True

    def told_below(self) -> None:
        """A client below this one told of the same call, so that a framework above need not, either."""
        self._ended = True
        if self._telling is not None:
            self._telling.told_by_client({})

    def failed(self, error: BaseException) -> None:
        """Our reading of a response failed: counted and logged, and the application does not notice."""
        self._ended = True
        self._around.run(self._tracker.failed, error)

    def without_usage(self, why: str) -> None:
        """The call ended, and nobody told how much it used: counted and logged as a failure, for it is in no sum."""
        if not self._ended:
            self.failed(NoUsageTold(f"{self._requested or 'a model'} of {self._provider}: {why}"))
