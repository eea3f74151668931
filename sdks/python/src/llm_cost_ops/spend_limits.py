"""A limit on what a run may cost: `with spend_limit(usd=2) as spent:`.

Before each call that is tracked, the costs of those before it are waited for (they are the ledger's own answers), and
when they have reached the limit the call is not made. So what is spent passes the limit by the calls that were under
way when it was reached, and by no more: by at most one where calls are made one after the other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from decimal import Decimal, InvalidOperation
from typing import Any, Optional, Union

from llm_cost_ops.blocks import block, put_back
from llm_cost_ops.exceptions import SettingsError, SpendLimitExceeded

WAIT_SECONDS = 10.0
"""How long a call waits for the costs of those before it."""
_AFTER_DELIVERY = 1.0
"""How long an answer is waited for when all is delivered: what was dropped is never answered for."""
_SHOWN = 3
_ACTIVE: ContextVar[tuple[SpendLimit, ...]] = ContextVar("llm_cost_ops_spend_limits", default=())
_CHANGED = threading.Condition()
"""Held for every change below; told of when an answer has arrived."""
_WAITING: dict[bytes, list[tuple[Any, tuple[SpendLimit, ...]]]] = {}
"""Records that were tracked and not answered yet: the delivery they went into, the limits their costs count for."""


class SpendLimit:
    """What was spent under a limit, and what is left of it."""

    def __init__(self, limit: Decimal, currency: str, *, refuse_unknown: bool, wait: float) -> None:
        self.limit = limit
        self.currency = currency
        self._refuses_unknown = refuse_unknown
        self._wait = wait
        self._total = Decimal(0)
        self._calls = 0
        self._unknown: dict[str, int] = {}
        self._counted: set[str] = set()
        self._outstanding: dict[Any, int] = {}
        self._gave_up = False

    @property
    def total(self) -> Decimal:
        """What the calls have cost that the ledger has answered for; see `waiting` and `unknown`."""
        return self._total

    @property
    def remaining(self) -> Decimal:
        """What is left of the limit; never below 0."""
        return max(self.limit - self._total, Decimal(0))

    @property
    def calls(self) -> int:
        """How many calls were answered for."""
        return self._calls

    @property
    def waiting(self) -> int:
        """How many calls wait for the ledger's answer."""
        return sum(self._outstanding.values())

    @property
    def unknown(self) -> Mapping[str, int]:
        """Calls whose cost is not known, by the reason."""
        return dict(self._unknown)

    def check(self) -> None:
        """Do what is done before each call that is tracked. Raises SpendLimitExceeded.

        For calls that nothing tracks by itself: check, make the call, tell of it by `client.track` or `usage.submit`.
        """
        if self._total < self.limit:
            self.settle()
        about = f"{self._total} {self.currency} were spent in {self._calls} call{'' if self._calls == 1 else 's'}"
        if self._total >= self.limit:
            raise SpendLimitExceeded(f"the spend limit of {self.limit} {self.currency} is reached: {about}", self)
        if self._refuses_unknown and (reasons := self._doubts()):
            raise SpendLimitExceeded(
                f"what was spent of the limit of {self.limit} {self.currency} is not known: {reasons}. "
                f"Known is that {about}. when_unknown='allow' goes on all the same",
                self,
            )

    def settle(self, timeout: Optional[float] = None) -> bool:
        """Wait until the ledger has answered for every call; whether it has."""
        if not self._outstanding:
            return True
        seconds = (0.0 if self._gave_up else self._wait) if timeout is None else timeout
        delivered = [delivery.flush(seconds) for delivery in list(self._outstanding)]
        with _CHANGED:
            _CHANGED.wait_for(lambda: not self._outstanding, min(seconds, _AFTER_DELIVERY) if all(delivered) else 0)
        self._gave_up = bool(self._outstanding) and not self._refuses_unknown
        return not self._outstanding

    def _doubts(self) -> str:
        reasons = [f"{reason} ({number}×)" if number > 1 else reason for reason, number in self._unknown.items()]
        if self.waiting:
            reasons.insert(0, f"the ledger has not answered for {self.waiting} of the calls within {self._wait:g} s")
        return "; ".join(reasons[:_SHOWN])

    def _expect(self, delivery: Any) -> None:
        self._outstanding[delivery] = self._outstanding.get(delivery, 0) + 1

    def _arrived(self, delivery: Any) -> None:
        left = self._outstanding.get(delivery, 0) - 1
        if left > 0:
            self._outstanding[delivery] = left
        else:
            self._outstanding.pop(delivery, None)

    def _add(self, result: Mapping[str, Any], model: str) -> None:
        """The ledger's answer for one call; a record that two sources tell of counts once."""
        usage_id = result.get("usage_id")
        if usage_id is not None:
            if usage_id in self._counted:
                return
            self._counted.add(usage_id)
        self._calls += 1
        reason = _why_unknown(result, model, self.currency)
        if reason is None:
            self._total += Decimal(str(result["cost"]))
        else:
            self._doubt(reason)

    def _doubt(self, reason: str) -> None:
        self._unknown[reason] = self._unknown.get(reason, 0) + 1

    def __repr__(self) -> str:
        spent = f"{self._total} of {self.limit} {self.currency}"
        return f"<SpendLimit: {spent} in {self._calls} calls, {self.waiting} waiting>"


@block
def spend_limit(
    usd: Union[int, str, Decimal, float, None] = None,
    *,
    amount: Union[int, str, Decimal, float, None] = None,
    currency: str = "USD",
    when_unknown: str = "refuse",
    wait: float = WAIT_SECONDS,
) -> Iterator[SpendLimit]:
    """Make no call in the block any more when those before it have cost this much: they raise SpendLimitExceeded.

    It holds in the threads and tasks that the block begins, and for blocks within it. `when_unknown="allow"` goes on
    where costs cannot be known: no price, a ledger that does not answer within `wait` seconds. Raises SettingsError.
    """
    from llm_cost_ops.carrying import carry_into_threads

    limit = SpendLimit(*_amount(usd, amount, currency), refuse_unknown=_refuses(when_unknown), wait=wait)
    carry_into_threads()
    token = _ACTIVE.set((*_ACTIVE.get(), limit))
    try:
        yield limit
    finally:
        put_back(_ACTIVE, token)
        limit.settle()


def _amount(usd: Any, amount: Any, currency: str) -> tuple[Decimal, str]:
    if (usd is None) == (amount is None) or (usd is not None and currency != "USD"):
        raise SettingsError("give spend_limit either usd=2, or amount=2 with its currency='EUR'")
    given = amount if usd is None else usd
    try:
        limit = Decimal(str(given))
    except InvalidOperation:
        raise SettingsError(f"a spend limit is a number, got {given!r}") from None
    if isinstance(given, bool) or not limit.is_finite() or limit < 0:
        raise SettingsError(f"a spend limit is a number that is not negative, got {given!r}")
    return limit, currency.upper()


def _refuses(when_unknown: str) -> bool:
    if when_unknown not in ("refuse", "allow"):
        raise SettingsError(f"when_unknown is 'refuse' or 'allow', got {when_unknown!r}")
    return when_unknown == "refuse"


def check_limits() -> tuple[SpendLimit, ...]:
    """The limits around this line. Raises SpendLimitExceeded where one is reached: called before a call is made."""
    limits = _ACTIVE.get()
    for limit in limits:
        limit.check()
    return limits


def expect(record: bytes, delivery: Any) -> None:
    """A record is about to be put into a delivery: its cost will count for the limits around."""
    limits = _ACTIVE.get()
    if limits:
        with _CHANGED:
            _WAITING.setdefault(record, []).append((delivery, limits))
            for limit in limits:
                limit._expect(delivery)


def forget(record: bytes) -> None:
    """A record was not put after all."""
    if _ACTIVE.get():
        with _CHANGED:
            _taken(record)


def doubt(reason: str) -> None:
    """A call was made, and its cost will not be known."""
    for limit in _ACTIVE.get():
        with _CHANGED:
            limit._doubt(reason)


def arrived(record: bytes, result: Mapping[str, Any], model: str) -> None:
    """The ledger answered for a record that was put into a delivery."""
    if not _WAITING:
        return
    with _CHANGED:
        for limit in _taken(record):
            limit._add(result, model)
        _CHANGED.notify_all()


def _taken(record: bytes) -> tuple[SpendLimit, ...]:
    """The limits that a record counts for, which waits no more."""
    waiting = _WAITING.get(record)
    if waiting is None:
        return ()
    delivery, limits = waiting.pop(0)
    if not waiting:
        del _WAITING[record]
    for limit in limits:
        limit._arrived(delivery)
    return limits


def submitted(result: Mapping[str, Any], model: str) -> None:
    """The ledger answered for a record that was sent to it directly."""
    limits = _ACTIVE.get()
    if limits:
        with _CHANGED:
            for limit in limits:
                limit._add(result, model)


def _why_unknown(result: Mapping[str, Any], model: str, currency: str) -> Optional[str]:
    if result.get("error") is not None:
        return f"the ledger refused the record of {model}: {result['error'].get('message', 'no reason')}"
    if result.get("cost") is None:
        return f"no price is known for {model}"
    if result.get("currency") != currency:
        return f"{model} is paid in {result.get('currency')}"
    return None


def _after_fork() -> None:
    """A child counts its own calls: what the parent waits for is not answered here."""
    global _CHANGED  # noqa: PLW0603  (a thread of the parent may hold it)
    _CHANGED = threading.Condition()
    _WAITING.clear()
    for limit in _ACTIVE.get():
        limit._outstanding.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
