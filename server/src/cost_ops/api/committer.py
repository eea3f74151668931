"""Group commit: requests put work on a bounded queue, a thread writes all that waits as one transaction.

An answer given after `submit` resolves means: committed. What was taken in is written even where its client has gone.
Work that is long, such as a batch, is checked and priced on the committer's thread too: two threads of one interpreter
that compute at once only wait for each other's turn.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cost_ops.api.metrics import Metrics
from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER, Principal
from cost_ops.domain.errors import CostOpsError, Unavailable
from cost_ops.interfaces.context import Context
from cost_ops.interfaces.recording import Lost
from cost_ops.logs import logger
from cost_ops.services import usage
from cost_ops.services.usage import Batch, Outcome

_log = logger("cost_ops.committer")
_WRITER = Principal(None, None, frozenset({"usage:write"}))
"""Who writes for callers that may not create organisations."""

Answer = list[Outcome] | Exception


class Work(Protocol):
    """What one request wants recorded. The methods run on a committer's thread."""

    size: int
    """Records at most, for the limits of queue and group."""
    admin: bool
    """Whether organisations that do not exist may be created."""

    def priced(self) -> Batch:
        """What is to be recorded. Raises CostOpsError where nothing is."""

    def answer(self, outcomes: list[Outcome]) -> Any:
        """What the request's future resolves to, once it is committed. Raises CostOpsError."""


_ANSWERS_A_TURN = 4
"""Requests that are answered, and so followed by their next ones, in one turn of the event loop."""


@dataclass(slots=True)
class _Waiting:
    work: Work
    future: asyncio.Future[Any]


class _Group:
    """What is written together, and the answer to each that waits for it, in order."""

    def __init__(self, waiting: Sequence[_Waiting]) -> None:
        self.waiting = waiting
        self.size = sum(waits.work.size for waits in waiting)
        self.answers: list[Any] = [None] * len(waiting)
        self.batches: dict[int, Batch] = {}

    def prepare(self) -> None:
        """Check and price; what cannot be recorded has its answer now."""
        for place, waits in enumerate(self.waiting):
            try:
                self.batches[place] = waits.work.priced()
            except Exception as error:  # noqa: BLE001 (the others of the group must not fail with it)
                self._failed(place, error)

    def places(self, *, admin: bool) -> list[int]:
        """What is left to write for those who may create organisations, or for the others."""
        return [place for place in self.batches if self.waiting[place].work.admin is admin]

    def written(self, place: int, found: Answer) -> None:
        """Work out the answer from what became of a batch."""
        if isinstance(found, Exception):
            self.answers[place] = found
            return
        try:
            self.answers[place] = self.waiting[place].work.answer(found)
        except Exception as error:  # noqa: BLE001 (this one's caller is told, the others get their answers)
            self._failed(place, error)

    def _failed(self, place: int, error: Exception) -> None:
        if not isinstance(error, CostOpsError):
            _log.exception("a piece of work failed", error=repr(error))
        self.answers[place] = error


class Committer:
    """The queue and its threads: one for a database with one writer. `submit` is called from the event loop only."""

    def __init__(self, application: Application, metrics: Metrics) -> None:
        """Nothing runs before `start`."""
        ingest = application.settings.ingest
        self._limit, self._max_group = ingest.queue_size, ingest.max_group
        self._owner, self._writer = application.context(OWNER), application.context(_WRITER)
        self._recorders = application.storage.recorders
        self._metrics = metrics
        self._changed = threading.Condition()
        self._queue: deque[_Waiting] = deque()
        self._held = 0
        self._closing = False
        self._threads: list[threading.Thread] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        metrics.queue_depth.set_function(lambda: self._held)

    def start(self) -> None:
        """Begin to write. Call it inside the running event loop."""
        self._loop = asyncio.get_running_loop()
        self._threads = [
            threading.Thread(target=self._run, name=f"committer-{number}", daemon=True)
            for number in range(self._recorders)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def alive(self) -> bool:
        """Whether its threads run."""
        return bool(self._threads) and all(thread.is_alive() for thread in self._threads)

    def stop(self) -> None:
        """Take nothing more, write what waits, then end. Blocks until all is written."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        for thread in self._threads:
            thread.join()

    def submit(self, work: Work) -> asyncio.Future[Any]:
        """A future of the work's answer. Raises Unavailable where the queue is full; then nothing was taken."""
        if self._loop is None or not self.alive:
            raise Unavailable("the server is not taking usage now; nothing was recorded")
        future: asyncio.Future[Any] = self._loop.create_future()
        with self._changed:
            if self._closing:
                raise Unavailable("the server is shutting down; nothing was recorded")
            # A batch larger than the whole queue is let in when nothing else waits, else it could never be.
            if self._held and self._held + work.size > self._limit:
                raise Unavailable("the ingest queue is full; nothing was recorded, try again")
            self._held += work.size
            self._queue.append(_Waiting(work, future))
            if len(self._queue) == 1:
                self._changed.notify()
        return future

    def _run(self) -> None:
        while waiting := self._take():
            group = _Group(waiting)
            try:
                self._write(group)
            except Exception as error:  # noqa: BLE001 (the thread must not die; the callers are told)
                _log.exception("a group of usage could not be written")
                group.answers = [error] * len(waiting)
            with self._changed:
                self._held -= group.size
            self._hand_out(group)

    def _take(self) -> list[_Waiting]:
        """All that waits, up to the largest group; empty when the thread is to end."""
        with self._changed:
            while not self._queue:
                if self._closing:
                    return []
                self._changed.wait()
            group = [self._queue.popleft()]
            size = group[0].work.size
            while self._queue and size + self._queue[0].work.size <= self._max_group:
                group.append(self._queue.popleft())
                size += group[-1].work.size
            if self._queue:
                self._changed.notify()
            return group

    def _write(self, group: _Group) -> None:
        """One transaction, or two where some callers may create organisations and others may not."""
        group.prepare()
        for admin, ctx in ((False, self._writer), (True, self._owner)):
            if places := group.places(admin=admin):
                found = self._commit(ctx, [group.batches[place] for place in places])
                for place, answer in zip(places, found, strict=True):
                    group.written(place, answer)

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

    def _hand_out(self, group: _Group) -> None:
        if self._loop is None:
            return
        answered = deque((waits.future, answer) for waits, answer in zip(group.waiting, group.answers, strict=True))
        try:
            self._loop.call_soon_threadsafe(_resolve, self._loop, answered)
        except RuntimeError:
            _log.warning("usage was written after its event loop had ended", batches=len(answered))


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


def _resolve(loop: asyncio.AbstractEventLoop, answered: deque[tuple[asyncio.Future[Any], Any]]) -> None:
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
