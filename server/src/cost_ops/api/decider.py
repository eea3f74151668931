"""Reservations that wait, decided together: one thread, one transaction for all that have come in meanwhile.

The thread lives as long as the process serves. An answer given means: the lease is committed, or refused.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future

from cost_ops.api.metrics import Metrics
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER
from cost_ops.domain.errors import CostOpsError, Unavailable
from cost_ops.domain.lease_requests import LeaseRequest
from cost_ops.logs import logger
from cost_ops.services import leases
from cost_ops.services.leases import Outcome

MOST_WAITING = 20_000
MOST_AT_ONCE = 1_000
_log = logger("cost_ops.decider")
_Waiting = tuple[LeaseRequest, "Future[Outcome]", float]


class Decider:
    """The queue and its thread."""

    def __init__(self, application: Application, metrics: Metrics) -> None:
        """The thread starts with the first request."""
        self._ctx = application.context(OWNER)
        self._metrics = metrics
        self._changed = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._thread: threading.Thread | None = None
        self._closing = False

    async def decide(self, request: LeaseRequest) -> Outcome:
        """What becomes of a request. Raises Unavailable where too many wait, or the database is away."""
        return await asyncio.wrap_future(self.submit(request))

    def submit(self, request: LeaseRequest) -> Future[Outcome]:
        """A future of what becomes of a request."""
        future: Future[Outcome] = Future()
        with self._changed:
            if self._closing:
                raise Unavailable("the server is shutting down; nothing was reserved")
            if len(self._queue) >= MOST_WAITING:
                raise Unavailable("too many reservations wait; nothing was reserved, try again")
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="decider", daemon=True)
                self._thread.start()
            self._queue.append((request, future, time.perf_counter()))
            if len(self._queue) == 1:
                self._changed.notify()
        return future

    def stop(self) -> None:
        """Take nothing more, decide what waits, then end."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while waiting := self._take():
            for (_, future, since), outcome in zip(waiting, self._decided([w[0] for w in waiting]), strict=True):
                self._metrics.decision_seconds.observe(time.perf_counter() - since)
                if future.set_running_or_notify_cancel():
                    if isinstance(outcome, Unavailable):
                        future.set_exception(outcome)
                    else:
                        future.set_result(outcome)

    def _take(self) -> list[_Waiting]:
        with self._changed:
            while not self._queue:
                if self._closing:
                    return []
                self._changed.wait()
            return [self._queue.popleft() for _ in range(min(MOST_AT_ONCE, len(self._queue)))]

    def _decided(self, requests: Sequence[LeaseRequest]) -> Sequence[Outcome]:
        try:
            return leases.reserve(self._ctx, requests)
        except Unavailable as error:
            return [error] * len(requests)
        except Exception as error:  # noqa: BLE001 (the thread must not die, and one request must not fail the others)
            if len(requests) > 1:
                return [self._decided([request])[0] for request in requests]
            _log.exception("a reservation could not be decided", error=repr(error))
            return [error if isinstance(error, CostOpsError) else CostOpsError("An unexpected error occurred")]
