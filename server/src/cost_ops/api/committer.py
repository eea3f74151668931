"""Group commit: requests put submissions on a bounded queue, one thread writes all that waits as one transaction.

An answer given after `submit` resolves means: committed. What was taken in is written even where its client has gone.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from cost_ops.api.metrics import Metrics
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER, Principal
from cost_ops.domain.errors import CostOpsError, Unavailable
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.storage import Lost
from cost_ops.logs import logger
from cost_ops.services import usage
from cost_ops.services.usage import Batch, Outcome

_log = logger("cost_ops.committer")
_WRITER = Principal(None, None, frozenset({"usage:write"}))
"""Who writes for callers that may not create organisations."""

Answer = list[Outcome] | Exception

_ANSWERS_A_TURN = 4
"""Requests that are answered, and so followed by their next ones, in one turn of the event loop."""


@dataclass(slots=True)
class _Waiting:
    batch: Batch
    admin: bool
    future: asyncio.Future[list[Outcome]]


class Committer:
    """The queue and its thread. `submit` is called from the event loop only."""

    def __init__(self, application: Application, metrics: Metrics) -> None:
        """Nothing runs before `start`."""
        ingest = application.settings.ingest
        self._limit, self._max_group = ingest.queue_size, ingest.max_group
        self._owner, self._writer = application.context(OWNER), application.context(_WRITER)
        self._metrics = metrics
        self._changed = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._held = 0
        self._closing = False
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        metrics.queue_depth.set_function(lambda: self._held)

    def start(self) -> None:
        """Begin to write. Call it inside the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether the thread runs."""
        return self._thread is not None and self._thread.is_alive()

    def stop(self) -> None:
        """Take nothing more, write what waits, then end. Blocks until all is written."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join()

    def submit(self, batch: Batch, *, admin: bool) -> asyncio.Future[list[Outcome]]:
        """A future of one outcome per item. Raises Unavailable where the queue is full; then nothing was taken."""
        size = len(batch.items)
        if self._loop is None or not self.alive:
            raise Unavailable("the server is not taking usage now; nothing was recorded")
        future: asyncio.Future[list[Outcome]] = self._loop.create_future()
        with self._changed:
            if self._closing:
                raise Unavailable("the server is shutting down; nothing was recorded")
            # A batch larger than the whole queue is let in when nothing else waits, else it could never be.
            if self._held and self._held + size > self._limit:
                raise Unavailable("the ingest queue is full; nothing was recorded, try again")
            self._held += size
            self._queue.append(_Waiting(batch, admin, future))
            if len(self._queue) == 1:
                self._changed.notify()
        return future

    def _run(self) -> None:
        while group := self._take():
            try:
                answers = self._write(group)
            except Exception as error:  # noqa: BLE001 (the thread must not die; the callers are told)
                _log.exception("a group of usage could not be written")
                answers = [error] * len(group)
            with self._changed:
                self._held -= sum(len(w.batch.items) for w in group)
            self._hand_out([w.future for w in group], answers)

    def _take(self) -> list[_Waiting]:
        """All that waits, up to the largest group; empty when the thread is to end."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    return []
                self._changed.wait()
            group = [self._queue.popleft()]
            size = len(group[0].batch.items)
            while self._queue and size + len(self._queue[0].batch.items) <= self._max_group:
                group.append(self._queue.popleft())
                size += len(group[-1].batch.items)
            return group

    def _write(self, group: Sequence[_Waiting]) -> list[Answer]:
        """One transaction, or two where some callers may create organisations and others may not."""
        answers: dict[int, Answer] = {}
        for admin in (False, True):
            places = [i for i, waiting in enumerate(group) if waiting.admin is admin]
            if places:
                ctx = self._owner if admin else self._writer
                found = self._commit(ctx, [group[i].batch for i in places])
                answers.update(zip(places, found, strict=True))
        return [answers[i] for i in range(len(group))]

    def _commit(self, ctx: Context, batches: Sequence[Batch]) -> list[Answer]:
        started = time.perf_counter()
        try:
            answers: list[Answer] = list(usage.record(ctx, batches))
        except Unavailable as error:
            return [error] * len(batches)
        except Exception as error:  # noqa: BLE001 (one poisoned record must not fail the others)
            if len(batches) == 1:
                return [_one_batch_failed(ctx, batches[0], error)]
            _log.warning("a group failed and is written one by one", error=repr(error), batches=len(batches))
            return [self._commit(ctx, [batch])[0] for batch in batches]
        self._metrics.group_seconds.observe(time.perf_counter() - started)
        self._metrics.group_size.observe(sum(len(batch.items) for batch in batches))
        return answers

    def _hand_out(self, futures: Sequence[asyncio.Future[list[Outcome]]], answers: Sequence[Answer]) -> None:
        if self._loop is None:
            return
        try:
            self._loop.call_soon_threadsafe(_resolve, self._loop, deque(zip(futures, answers, strict=True)))
        except RuntimeError:
            _log.warning("usage was written after its event loop had ended", batches=len(futures))


def _one_batch_failed(ctx: Context, batch: Batch, error: Exception) -> Answer:
    """Only the item at fault fails: the others of a batch are written one by one, unless they belong together."""
    if isinstance(error, Lost):
        return Unavailable("other servers write the same records; nothing was recorded, try again")
    if batch.atomic or len(batch.items) == 1:
        return error
    outcomes: list[Outcome] = []
    for item in batch.items:
        try:
            outcomes.extend(usage.record(ctx, [Batch([item])])[0])
        except CostOpsError as refused:
            outcomes.append(refused)
        except Exception as fault:  # noqa: BLE001 (it fails alone; the callers of the others get theirs)
            _log.exception("a usage record could not be written", error=repr(fault))
            outcomes.append(CostOpsError("An unexpected error occurred"))
    return outcomes


def _resolve(loop: asyncio.AbstractEventLoop, answered: deque[tuple[asyncio.Future[list[Outcome]], Answer]]) -> None:
    """Hand out a few answers in this turn of the loop and the rest in later ones, so that others get their turn."""
    for _ in range(min(_ANSWERS_A_TURN, len(answered))):
        future, answer = answered.popleft()
        if future.done():
            continue
        if isinstance(answer, Exception):
            future.set_exception(answer)
        else:
            future.set_result(answer)
    if answered:
        loop.call_soon(_resolve, loop, answered)
