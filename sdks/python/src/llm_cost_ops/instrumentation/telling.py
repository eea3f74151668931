"""One call, told of twice: by a framework's callbacks and by the provider's client below them.

A framework's integration opens a `Telling` before the call, with what it knows of whom the call belongs to. A client
that is tracked finds it, says it was here, and takes that along; the integration then has nothing left to tell. Where
no client spoke up, because nobody tracks it or it is tracked elsewhere, the integration tells. So a call counts once,
also where the framework does not hand the provider's response id on.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any, Optional

from llm_cost_ops.context import merged
from llm_cost_ops.tracking import Tracker

_CURRENT: ContextVar[Optional[Telling]] = ContextVar("llm_cost_ops_telling", default=None)


class Telling:
    """Calls that a framework is about to make. Those of one batch, which begin before the first is made, share it."""

    __slots__ = ("_taken", "_told", "_unanswered", "fields", "is_tracked", "outer", "tells_late", "tracker")

    def __init__(self, tracker: Tracker, fields: Mapping[str, Any], outer: Optional[Telling] = None) -> None:
        """`outer` hears of the calls that begin here and are none of these."""
        self.tracker = tracker
        self.fields = fields
        self.outer = outer
        self.is_tracked = False
        """Whether a client that is tracked makes one of these calls. It tells of it, if late."""
        self.tells_late = False
        """Whether it may tell only when the framework has ended the call."""
        self._unanswered = 1
        self._told = 0
        self._taken = 0

    @property
    def waits(self) -> bool:
        """Whether calls have begun, and none was answered or told of."""
        return self._unanswered > 0 and self._told == 0

    def join(self) -> Telling:
        """One more call of the same batch."""
        self._unanswered += 1
        return self

    def begun_by(self, tracker: Tracker, model: Optional[str]) -> bool:  # noqa: ARG002
        """A client that this tracker tracks begins a call of a model; whether it is one of these calls."""
        if self._unanswered <= 0 or tracker is not self.tracker:
            return False
        self.is_tracked = True
        return True

    def told_by_client(self, record: dict[str, Any]) -> dict[str, Any]:
        """A client's record of one of these calls, with what the framework said it belongs to."""
        self._told += 1
        return merged(self.fields, record)

    @property
    def told(self) -> bool:
        """Whether any of these calls was told of."""
        return self._told > 0

    def tell(self) -> None:
        """The framework itself told of a call: the one that it made it for need not."""
        self._told += 1

    def answered(self) -> None:
        """A call has its answer, or the first piece of it: what begins after that is the application's own."""
        self._unanswered -= 1

    def end(self, *, was_answered: bool = False) -> bool:
        """A call is over; whether a client told of it. `was_answered`: `answered` was said of it before."""
        if not was_answered:
            self.answered()
        if self._told <= self._taken:
            return False
        self._taken += 1
        return True


def begin_telling(tracker: Tracker, fields: Mapping[str, Any]) -> Telling:
    """A framework begins a call that belongs to these fields of a record."""
    current = _CURRENT.get()
    if current is not None and current.waits and current.tracker is tracker and current.fields == fields:
        return current.join()
    telling = Telling(tracker, fields)
    _CURRENT.set(telling)
    return telling


def put_telling(telling: Optional[Telling]) -> Optional[Telling]:
    """Let this one hear of the calls that begin here, and return the one that did."""
    before = _CURRENT.get()
    _CURRENT.set(telling)
    return before


def telling_around(tracker: Tracker, model: Optional[str] = None) -> Optional[Telling]:
    """What tells of the call that a tracked client begins here, if a framework made it and tells the same tracker."""
    telling = _CURRENT.get()
    while telling is not None and not telling.begun_by(tracker, model):
        telling = telling.outer
    return telling
