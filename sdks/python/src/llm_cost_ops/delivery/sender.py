"""The thread that sends what waits, and what others may ask of it: to hurry, to flush, to end."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Callable, Optional, Union

from llm_cost_ops.delivery import rejected
from llm_cost_ops.delivery.answers import FAULT, KEY, SPLIT, Judged, Refusal, Unjudged
from llm_cost_ops.delivery.bodies import names_itself
from llm_cost_ops.delivery.frames import Entry
from llm_cost_ops.delivery.pace import Pace
from llm_cost_ops.delivery.posting import Poster
from llm_cost_ops.delivery.settings import MOST_RECORDS
from llm_cost_ops.delivery.sources import Taken
from llm_cost_ops.delivery.store import Store
from llm_cost_ops.notices import NOTICES

Listener = Callable[[Sequence[bytes], Sequence[dict[str, Any]], bool], None]
"""Told of each answered batch: its records as they were tracked, their results, and whether they are our own."""

_LOOK_SECONDS = 30.0
_HURRIED_PAUSE = 0.5
_SHORTEST_PAUSE = 0.05
_BACKLOG_TIMES = 5


class Sender:
    """Takes what waits in a store and posts it. `turn` is called by one thread at a time."""

    def __init__(self, store: Store, poster: Poster, listeners: Callable[[], list[Listener]]) -> None:
        self.store = store
        self.ending = False
        """The thread ends when nothing waits any more."""
        self.stopped = False
        """It ends now."""
        self.thread: Optional[threading.Thread] = None
        self._poster = poster
        self._listeners = listeners
        self._counters = store.counters
        self._options = store.settings
        self._pace = Pace()
        self._most = store.settings.batch_records
        self._hurried = 0
        self._not_before = 0.0
        self._asked_for = False
        self._since: Optional[float] = None
        self._look_at = 0.0
        self._give_up_at = 0.0

    def run(self) -> None:
        """What the thread does."""
        while not self.stopped and not (self.ending and self._is_over()):
            self._guarded_turn()
        self.stopped = True
        self.store.release(reading=False)

    def _is_over(self) -> bool:
        """Nobody has this sender any more: whether it ends. What is on disk does not need it for long."""
        if not self._something_waits():
            return True
        return time.monotonic() >= self._give_up_at and not self.store.memory_waits

    def _guarded_turn(self) -> None:
        try:
            self.turn()
        except Exception as error:  # noqa: BLE001  (records that wait must not wait for ever because of it)
            if not self.stopped:  # who ended us has closed what we send with
                self._failed(error)

    def start(self) -> bool:
        """Start the thread; False where none can be started any more, as the interpreter is about to end."""
        self.thread = threading.Thread(target=self.run, name="llm-cost-ops", daemon=True)
        try:
            self.thread.start()
        except RuntimeError:
            self.thread = None
        return self.thread is not None

    @property
    def is_running(self) -> bool:
        """Whether there is a thread that sends."""
        return self.thread is not None and self.thread.is_alive()

    def finish(self) -> None:
        """Send what waits, then end; nobody waits for it. A ledger that is away is waited for as long as at exit."""
        self._give_up_at = time.monotonic() + self._options.exit_seconds
        self.ending = True
        self.store.bell.ring()

    def end(self, seconds: float) -> bool:
        """Send what waits for so many seconds at most, and end; whether all is sent. The rest stays in the spool."""
        deadline = time.monotonic() + seconds
        if self.stopped:
            return self._counters.waiting_records == 0
        if not self.is_running:
            sent = self.drain(seconds)
            self.store.release(reading=False)
            return sent
        sent = self.flush(seconds)
        self.stopped = True
        self.store.bell.ring()
        thread = self.thread
        if thread is not None and thread is not threading.current_thread():
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                self.store.release(reading=True)
        return sent

    def _failed(self, error: Exception) -> None:
        self._counters.last_error = f"{type(error).__name__}: {error}"
        NOTICES.warn("sender", f"sending tracked calls failed, and is tried again: {type(error).__name__}: {error}")
        self._later(Unjudged(FAULT, str(error)))

    def turn(self) -> None:
        """Send what is ripe, else wait for it."""
        now = time.monotonic()
        if now < self._not_before:
            self._rest(now)
            return
        look = now >= self._look_at or self.store.wants_look
        if look:
            self._look_at = now + _LOOK_SECONDS
        self.store.upkeep(look=look)
        if not self._something_waits():
            self._since = None
            self._idle()
        elif self._is_ripe(now):
            self._send()

    def _something_waits(self) -> bool:
        return self._counters.waiting_records > 0 or self.store.has_adopted

    def _idle(self) -> None:
        self.store.idle = True
        if not self._something_waits() and not self.ending:
            self.store.bell.wait(_LOOK_SECONDS)
        self.store.idle = False

    def _rest(self, now: float) -> None:
        """Wait out a pause; somebody who flushes waits for less of it, unless the server asked for all."""
        pause = self._not_before - now
        if self._hurried and not self._asked_for:
            pause = min(pause, _HURRIED_PAUSE)
            self._not_before = now + pause
        if self.ending:
            pause = min(pause, max(_SHORTEST_PAUSE, self._give_up_at - now))
        self.store.bell.wait(pause)

    def _is_ripe(self, now: float) -> bool:
        if self._hurried or self.ending or self.store.has_adopted:
            return True
        if self._counters.waiting_records >= min(self._most, self._options.batch_records):
            return True
        if self._since is None:
            self._since = now
        left = self._since + self._options.linger_seconds - now
        if left <= 0:
            return True
        self.store.bell.wait(left)
        return False

    def _send(self) -> None:
        taken = self.store.take(self._most, self._options.batch_bytes)
        self._since = None
        if taken is None:
            self._since = time.monotonic()
            return
        self._poster.detailed = bool(self._listeners())
        said = self._judged(taken.entries)
        if isinstance(said, Judged):
            self._take_in(taken, said)
        else:
            self._not_judged(taken, said)

    def _judged(self, entries: Sequence[Entry]) -> Union[Judged, Unjudged]:
        try:
            return self._poster.judge(entries)
        except Exception as error:  # whatever it is, it may lie in one of these records
            if self.stopped:
                raise
            return Unjudged(FAULT, f"{type(error).__name__}: {error}")

    def _take_in(self, taken: Taken, judged: Judged) -> None:
        self._pace.went_well()
        self._most = min(self._most * 2, self._largest())
        counters, refused = self._counters, []
        for entry, result, refusal in zip(taken.entries, judged.results, judged.refusals):
            if refusal is None:
                counters.delivered += 1
                counters.duplicates += result.get("replayed") is True
            elif refusal.is_conflict and not names_itself(entry.record):
                counters.delivered += 1
                counters.duplicates += 1
            else:
                refused.append((entry.record, refusal.code, refusal.message))
        if refused:
            self._refuse(refused)
        if not taken.own:
            counters.adopted += len(taken.entries) - len(refused)
        self._tell(taken, judged)
        self.store.settle(taken)

    def _largest(self) -> int:
        """Records of a batch; more than usual where many wait."""
        usual = self._options.batch_records
        return min(usual * _BACKLOG_TIMES, MOST_RECORDS) if self._counters.waiting_records > usual * 2 else usual

    def _refuse(self, refused: Sequence[tuple[bytes, str, str]]) -> None:
        self._counters.rejected += len(refused)
        self._counters.last_error = refused[-1][2]
        rejected.set_aside(self.store.folder, refused)

    def _tell(self, taken: Taken, judged: Judged) -> None:
        records = [entry.record for entry in taken.entries]
        for listener in self._listeners():
            try:
                listener(records, judged.results, taken.own)
            except Exception as error:  # noqa: BLE001  (who listens must not stop what is sent)
                NOTICES.warn("listener", f"a total of what was tracked is wrong: {type(error).__name__}: {error}")

    def _not_judged(self, taken: Taken, said: Unjudged) -> None:
        self._counters.last_error = said.message
        self._counters.retried += 1
        if said.why == SPLIT:
            self._split(taken, said)
            return
        if said.why == FAULT and self._pace.suspects_a_record() and self._isolate(taken, said):
            return
        self._later(said)

    def _split(self, taken: Taken, said: Unjudged) -> None:
        if len(taken.entries) > 1:
            self._most = len(taken.entries) // 2
        else:
            self._refuse([(taken.entries[0].record, "INVALID_REQUEST", said.message)])
            self.store.settle(taken)

    def _isolate(self, taken: Taken, said: Unjudged) -> bool:
        """Look for the record that a server fails on; whether it was found, which is so when it takes the next one."""
        if len(taken.entries) > 1:
            self._most = len(taken.entries) // 2
            self._pace.forget_suspicion()
            return False
        both = self.store.take(2, self._options.batch_bytes)
        if both is None or both.source is not taken.source or len(both.entries) < 2:
            return False
        other = self._judged(both.entries[1:])
        if isinstance(other, Unjudged):
            return False
        found = Refusal("INTERNAL_ERROR", said.message, ())
        result = {"index": 0, "error": {"code": found.code, "message": found.message}}
        self._take_in(both, Judged([result, *other.results], [found, *other.refusals]))
        return True

    def _later(self, said: Unjudged) -> None:
        if self._pace.failures or said.why == KEY:  # one failure alone is nothing to be told of
            NOTICES.warn("key" if said.why == KEY else "ledger", f"{self._waiting()}: {said.message}")
        self._not_before = time.monotonic() + self._pace.pause(said.why, said.retry_after)
        self._asked_for = said.retry_after is not None

    def _waiting(self) -> str:
        return f"{self._counters.waiting_records} tracked calls wait, for the ledger does not take them"

    def flush(self, seconds: float) -> bool:
        """Send now, and wait until nothing of this process waits; whether that was reached."""
        deadline = time.monotonic() + seconds
        with self.store.changed, self._hurry():
            self.store.bell.ring()
            while self._counters.waiting_records > 0:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self.store.changed.wait(min(left, threading.TIMEOUT_MAX))
        return self._counters.waiting_records == 0

    @contextmanager
    def _hurry(self) -> Iterator[None]:
        self._hurried += 1
        try:
            yield
        finally:
            self._hurried -= 1

    def drain(self, seconds: float) -> bool:
        """The same on the calling thread, where there is no other any more; nothing where this has ended."""
        deadline = time.monotonic() + seconds
        with self._hurry():
            while not self.stopped and self._counters.waiting_records > 0:
                left = deadline - time.monotonic()
                self._poster.seconds_left = left
                if left <= 0 or self._not_before - time.monotonic() > left:
                    break
                self._guarded_turn()
        return self._counters.waiting_records == 0
