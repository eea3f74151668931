"""What this process has spent so far: by provider, model and project, in the ledger's own amounts.

Every answer to a record of this process is heard here, whether it went in the background or directly. An answer says
what the record cost and how many tokens it had, as the ledger counted them; nothing is counted or priced here.
"""

from __future__ import annotations

import json
import os
import threading
import weakref
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Callable, TypeVar

from llm_cost_ops import spend_limits
from llm_cost_ops.sums import Place, Spent, Sum

if TYPE_CHECKING:
    from llm_cost_ops.settings import Settings

_Read = TypeVar("_Read")
_TO_READ = (b'"project_id"', b'"idempotency_key"', b'"request_id"')
"""Names of what an answer does not say."""
_REMEMBERED = 10_000
"""Records whose second answer is known for one: the same call, told of by two integrations, or sent again."""


class Totals:
    """The running sums of one client's process. Safe between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._sums: dict[Place, Sum] = {}
        self._rejected = 0
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._deliveries: weakref.WeakSet[Any] = weakref.WeakSet()

    @property
    def now(self) -> Spent:
        """The sums at this moment."""
        waiting = sum(_waiting(delivery) for delivery in list(self._deliveries))
        with self._lock:
            return Spent(dict(self._sums), self._rejected, waiting)

    def flush(self, timeout: float) -> None:
        """Wait until what was tracked is answered for, as far as it is in time."""
        for delivery in list(self._deliveries):
            delivery.flush(timeout)

    def listen(self, delivery: Any) -> None:
        """Hear of what a delivery delivers."""

        def heard(records: Sequence[bytes], results: Sequence[Mapping[str, Any]], own: bool) -> None:
            if own:
                for record, result in zip(records, results):
                    self._heard(record, result)

        delivery.listeners.append(heard)
        self._deliveries.add(delivery)

    def _heard(self, record: bytes, result: Mapping[str, Any]) -> None:
        told = "provider" in result and not any(name in record for name in _TO_READ)
        fields = {} if told else json.loads(record)
        place = _place(fields, result)
        spend_limits.arrived(record, result, f"{place.provider}/{place.model_id}")
        if result.get("replayed") and ("idempotency_key" in fields or "request_id" in fields):
            return  # the caller's own name of a call that was counted when it was made
        self._add(place, result)

    def submitted(self, fields: Mapping[str, Any], result: Mapping[str, Any]) -> None:
        """The ledger answered for a record that was sent to it directly."""
        place = _place(fields, result)
        spend_limits.submitted(result, f"{place.provider}/{place.model_id}")
        self._add(place, result)

    def _add(self, place: Place, result: Mapping[str, Any]) -> None:
        with self._lock:
            if result.get("error") is not None:
                self._rejected += 1
                return
            if self._was_seen(str(result.get("usage_id"))):
                return
            cost, currency = result.get("cost"), result.get("currency")
            known = cost is not None and currency is not None
            one = Sum(
                1,
                result.get("input_tokens"),
                result.get("output_tokens"),
                {str(currency): Decimal(str(cost))} if known else {},
                0 if known else 1,
            )
            self._sums[place] = self._sums.get(place, Sum()) + one

    def _was_seen(self, usage_id: str) -> bool:
        if usage_id in self._seen:
            return True
        self._seen[usage_id] = None
        if len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return False

    def after_fork(self) -> None:
        """A child begins at nothing: what its parent spends is the parent's to tell."""
        self._lock = threading.Lock()
        self._sums, self._rejected, self._seen = {}, 0, OrderedDict()


def totals_of(settings: Settings) -> Totals:
    """The sums of everything that is sent with this key to this place."""
    who = (settings.base_url, settings.api_key, settings.organization_id)
    with _LOCK:
        if who not in _ALL:
            _ALL[who] = Totals()
        return _ALL[who]


def listen(delivery: Any, settings: Settings) -> None:
    """Hear of what a delivery delivers. One without `listeners` tells nothing: then nothing of it is counted."""
    if hasattr(delivery, "listeners"):
        totals_of(settings).listen(delivery)


def flush_all(timeout: float) -> None:
    """Wait until what this process tracked is answered for, as far as it is in time."""
    for totals in list(_ALL.values()):
        totals.flush(timeout)


def process_totals() -> Spent:
    """What every client of this process has spent, those that are closed included."""
    return sum((totals.now for totals in list(_ALL.values())), Spent())


def noted(settings: Settings, fields: Mapping[str, Any], read: Callable[[Any], _Read]) -> Callable[[Any], _Read]:
    """A reader of the answer to a record that also counts what the answer says; once, however often it is read."""
    return _noting(read, lambda body: totals_of(settings).submitted(fields, _one_result(fields, body)))


def noted_batch(
    settings: Settings, records: Sequence[Mapping[str, Any]], read: Callable[[Any], _Read]
) -> Callable[[Any], _Read]:
    """The same of the answer to a batch."""

    def note(body: Any) -> None:
        for fields, result in zip(records, body["data"]["results"]):
            totals_of(settings).submitted(fields, {**_tokens(fields), **result})

    return _noting(read, note)


def _noting(read: Callable[[Any], _Read], note: Callable[[Any], None]) -> Callable[[Any], _Read]:
    to_note = [note]

    def reader(body: Any) -> _Read:
        found = read(body)
        while to_note:
            to_note.pop()(body)
        return found

    return reader


def _one_result(fields: Mapping[str, Any], body: Any) -> dict[str, Any]:
    data = body["data"]
    return {
        **_tokens(fields),
        "usage_id": data["usage_id"],
        "cost": body["estimated_cost"],
        "currency": data["currency"],
    }


def _tokens(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The tokens of a record that says them itself; of a provider's own object only the ledger knows how to count."""
    found = {}
    for name, older in (("input_tokens", "prompt_tokens"), ("output_tokens", "completion_tokens")):
        found[name] = fields.get(name, fields.get(older))
    if any(count is not None for count in found.values()):
        found = {name: count or 0 for name, count in found.items()}
    return found


def _place(fields: Mapping[str, Any], result: Mapping[str, Any]) -> Place:
    return Place(
        str(result.get("provider") or fields.get("provider") or "unknown"),
        str(result.get("model_id") or fields.get("model_id") or "unknown"),
        fields.get("project_id"),
    )


def _waiting(delivery: Any) -> int:
    counters = getattr(delivery, "counters", None)
    return int(getattr(counters, "waiting_records", getattr(counters, "waiting", 0)) or 0)


_ALL: dict[Any, Totals] = {}
_LOCK = threading.Lock()


def _after_fork() -> None:
    global _LOCK  # noqa: PLW0603  (a thread of the parent may hold it)
    _LOCK = threading.Lock()
    for totals in _ALL.values():
        totals.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
