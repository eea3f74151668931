"""Refused requests on their way into the audit trail: noted on the event loop, folded, stored by a thread.

A flood must cost neither the loop nor the disk. Equal refusals become one event with a count; what is too much to be
told apart becomes one event for each chain; and the longer refusals keep coming, the more rarely they are written.
"""

from __future__ import annotations

import threading
from datetime import datetime

from prometheus_client import Counter

from cost_ops.api.metrics import Metrics
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER, Principal
from cost_ops.domain.audit import OWNER_NAME
from cost_ops.domain.errors import CostOpsError
from cost_ops.domain.refusals import OTHERS, UNKNOWN, Refusal, known_method
from cost_ops.logs import logger
from cost_ops.services import audit

MOST = 1_000
"""Refusals that are told apart at once, of all chains."""

MOST_OF_ONE = 250
"""The same of one chain, so that nobody's refusals hide those of others."""

SHORTEST_SECONDS, LONGEST_SECONDS = 1, 32
"""Between two writes: the shortest after a quiet time, then twice as long each time, up to the longest."""

_log = logger("cost_ops.refusals")
_Key = tuple[str | None, str | None, str | None, str | None, str, str, int, str | None]
"""Organisation, user, key, address, method, route, status, permission."""


class _Noted:
    """Equal refusals; reason and request are those of the first."""

    __slots__ = ("count", "first_at", "last_at", "reason", "request_id")

    def __init__(self, at: datetime, reason: str | None = None, request_id: str | None = None) -> None:
        self.first_at = self.last_at = at
        self.count = 0
        self.reason, self.request_id = reason, request_id


class _Fold:
    """Refusals of some time, told apart as far as there is room; `others` are the rest of each chain."""

    __slots__ = ("_of_chain", "noted", "others")

    def __init__(self) -> None:
        self.noted: dict[_Key, _Noted] = {}
        self.others: dict[str | None, _Noted] = {}
        self._of_chain: dict[str | None, int] = {}

    def find(self, key: _Key, at: datetime, reason: str | None, request_id: str | None) -> _Noted:
        """Where refusals of this key are counted."""
        found = self.noted.get(key)
        if found is not None:
            return found
        chain = key[0]
        of_chain = self._of_chain.get(chain, 0)
        if of_chain >= MOST_OF_ONE or len(self.noted) >= MOST:
            return self.other(chain, at)
        self._of_chain[chain] = of_chain + 1
        new = self.noted[key] = _Noted(at, reason, request_id)
        return new

    def other(self, chain: str | None, at: datetime) -> _Noted:
        """Where the rest of a chain is counted."""
        found = self.others.get(chain)
        if found is None:
            found = self.others[chain] = _Noted(at)
        return found

    def take(self, earlier: _Fold) -> None:
        """Put in what could not be stored."""
        for key, one in earlier.noted.items():
            _add(self.find(key, one.first_at, one.reason, one.request_id), one)
        for chain, one in earlier.others.items():
            _add(self.other(chain, one.first_at), one)

    def refusals(self) -> list[Refusal]:
        """What there is, in the order of its beginning."""
        found = [_refusal(key, one) for key, one in self.noted.items()]
        found += [
            Refusal(chain, OTHERS, OTHERS, None, one.first_at, one.last_at, one.count, reason="too many to tell apart")
            for chain, one in self.others.items()
        ]
        return sorted(found, key=lambda refusal: refusal.first_at)


class Refusals:
    """What this process refused and has not stored yet. `note` may be called from any thread."""

    def __init__(self, application: Application, metrics: Metrics) -> None:
        """It is the process that keeps the trail, not who was refused."""
        self._ctx = application.context(OWNER)
        self._clock = application.clock
        self._lock = threading.Lock()
        self._fold = _Fold()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._stored = Counter(
            "cost_ops_refusals_total",
            "Refused requests that were stored in the audit trail",
            ["status"],
            registry=metrics.registry,
        )
        self._failures = Counter(
            "cost_ops_refusal_writes_failed_total", "Writes of refusals that failed", registry=metrics.registry
        )

    def start(self) -> None:
        """Begin to store what is noted."""
        self._thread = threading.Thread(target=self._work, name="refusals", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Store what is left, and end."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
        self.flush()
        if left := sum(refusal.count for refusal in self._fold.refusals()):
            _log.error("refusals could not be stored in the audit trail", refusals=left)

    def note(
        self,
        principal: Principal | None,
        *,
        method: str,
        route: str,
        status: int,
        permission: str | None = None,
        reason: str | None = None,
        address: str | None = None,
        request_id: str | None = None,
    ) -> None:
        """Keep that a request was refused; `route` is a path template, `principal` None where nobody is known."""
        at = self._clock()
        if principal is None:
            key: _Key = (None, None, None, address, method, route, status, permission)
        else:
            user_id, key_id = principal.user_id, principal.key_id or OWNER_NAME
            key = (principal.organization_id, user_id, key_id, address, method, route, status, permission)
        with self._lock:
            noted = self._fold.find(key, at, reason, request_id)
            noted.count += 1
            noted.last_at = at

    def flush(self) -> bool:
        """Store what is noted; whether there was any. What cannot be stored waits, folded into what comes."""
        with self._lock:
            fold, self._fold = self._fold, _Fold()
        refusals = fold.refusals()
        if not refusals:
            return False
        try:
            audit.record_refusals(self._ctx, refusals)
        except Exception as error:  # noqa: BLE001 (nobody waits for this thread: it tells the log, and tries again)
            self._failures.inc()
            known = isinstance(error, CostOpsError)
            _log.warning("refusals wait for the database", refusals=len(refusals), exc_info=None if known else error)
            with self._lock:
                fold.take(self._fold)
                self._fold = fold
        else:
            for refusal in refusals:
                self._stored.labels(OTHERS if refusal.status is None else str(refusal.status)).inc(refusal.count)
        return True

    def _work(self) -> None:
        pause = SHORTEST_SECONDS
        while not self._stopping.wait(pause):
            pause = min(pause * 2, LONGEST_SECONDS) if self.flush() else SHORTEST_SECONDS


def _add(to: _Noted, one: _Noted) -> None:
    to.count += one.count
    to.first_at, to.last_at = min(to.first_at, one.first_at), max(to.last_at, one.last_at)


def _refusal(key: _Key, one: _Noted) -> Refusal:
    organization_id, user_id, key_id, address, method, route, status, permission = key
    actor = UNKNOWN if key_id is None else key_id if user_id is None else f"user:{user_id}"
    return Refusal(
        organization_id,
        actor,
        f"{known_method(method)} {route}",
        status,
        one.first_at,
        one.last_at,
        one.count,
        permission,
        one.reason,
        address,
        one.request_id,
    )
