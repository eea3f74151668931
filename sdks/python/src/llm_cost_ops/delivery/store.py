"""All that waits in this process: on disk, and in memory where the disk does not take it."""

from __future__ import annotations

import threading
import time
from collections import deque
from pathlib import Path
from typing import Optional

from llm_cost_ops.delivery.bell import Bell
from llm_cost_ops.delivery.counters import Counters
from llm_cost_ops.delivery.frames import Entry, packed
from llm_cost_ops.delivery.memory import Memory
from llm_cost_ops.delivery.settings import DeliverySettings
from llm_cost_ops.delivery.sources import Taken
from llm_cost_ops.delivery.spool import Spool
from llm_cost_ops.notices import NOTICES

_DISK_AGAIN_SECONDS = 30.0


class Store:
    """Records between `track` and the ledger. `put` from any thread, the rest from the one that sends."""

    def __init__(self, folder: Optional[Path], settings: DeliverySettings, counters: Counters) -> None:
        """Without a folder, records wait in memory alone."""
        self.settings = settings
        self.counters = counters
        self.folder = folder
        self.lock = threading.RLock()  # a signal's handler or a finalizer may track while its thread does
        self.changed = threading.Condition(self.lock)
        self.bell = Bell()
        self.idle = False
        """The sending thread waits for the next record, however long that takes."""
        self._memory = Memory(settings.buffer_records)
        self._spool = None if folder is None else Spool(folder, settings, self.lock, self._damaged)
        self._disk_again = 0.0
        self._untold: deque[tuple[str, str]] = deque()

    def put(self, record: bytes, key: bytes, at_ns: int) -> bool:
        """Keep a record; False where it had to be dropped."""
        frame = packed(record, key, at_ns) if self._spool is not None else b""
        try:
            with self.lock:
                if not self._kept(frame, record, key, at_ns) and not self._room_for(frame, record, key, at_ns):
                    self.counters.dropped += 1
                    return False
                self.counters.tracked += 1
                if self.idle or self.counters.waiting_records == self.settings.batch_records:
                    self.bell.ring()
                return True
        finally:
            if self._untold:
                self._tell()

    def _tell(self) -> None:
        """Without the lock: who writes the log may track, too, and wait for the lock while we wait for him."""
        while self._untold:
            NOTICES.warn(*self._untold.popleft())

    def _kept(self, frame: bytes, record: bytes, key: bytes, at_ns: int) -> bool:
        """Whether it is kept. It is counted first: where a signal's exception ends this, one too many is put right."""
        counters = self.counters
        counters.waiting_records += 1
        counters.waiting_bytes += len(record)
        if self._written(frame, record, key, at_ns):
            return True
        counters.waiting_records -= 1
        counters.waiting_bytes -= len(record)
        return False

    def _written(self, frame: bytes, record: bytes, key: bytes, at_ns: int) -> bool:
        if self._spool is not None and (not self._disk_again or time.monotonic() >= self._disk_again):
            try:
                kept = self._spool.put(frame)
                self._disk_again = 0.0
                return kept
            except OSError as error:
                self._disk_failed(error)
        return self._memory.put(Entry(key, at_ns, record))

    def _disk_failed(self, error: OSError) -> None:
        self._disk_again = time.monotonic() + _DISK_AGAIN_SECONDS
        self.counters.last_error = f"{type(error).__name__}: {error}"
        most = self.settings.buffer_records
        self._untold.append(
            ("disk", f"{self.folder} cannot be written to ({error}): up to {most} records wait in memory instead")
        )

    def _room_for(self, frame: bytes, record: bytes, key: bytes, at_ns: int) -> bool:
        if self.settings.when_full == "block":
            deadline = time.monotonic() + self.settings.block_seconds
            while (left := deadline - time.monotonic()) > 0:
                self.bell.ring()
                self.changed.wait(left)
                if self._kept(frame, record, key, at_ns):
                    return True
        self._untold.append(
            ("full", "there is no room for a tracked call: it is dropped. The ledger takes nothing, or too slowly")
        )
        return False

    def take(self, records: int, size: int) -> Optional[Taken]:
        """The next records to send."""
        found = self._spool.take(records, size) if self._spool is not None else None
        if found is None:
            with self.changed:
                found = self._memory.take(records)
                if found is None and not (self._spool is not None and self._spool.own_waits):
                    self._gone(self.counters.waiting_records, 0)  # nothing waits: what was counted was not written
        return found

    def settle(self, taken: Taken) -> None:
        """These are done with."""
        with self.changed:
            taken.source.settle(taken.position)
            if taken.own:
                self._gone(len(taken.entries), sum(len(entry.record) for entry in taken.entries))

    def _gone(self, records: int, size: int) -> None:
        counters = self.counters
        counters.waiting_records = max(0, counters.waiting_records - records)
        counters.waiting_bytes = counters.waiting_bytes - size if counters.waiting_records else 0
        self.changed.notify_all()

    def _damaged(self, records: int, why: str) -> None:
        NOTICES.warn("damaged", f"records on disk cannot be read: {why}")
        with self.changed:
            self.counters.damaged += 1
            self.counters.last_error = why
            self._gone(records, 0)

    def upkeep(self, *, look: bool) -> None:
        """Make the next segment ahead; with `look`, adopt what dead processes left."""
        if self._spool is None:
            return
        try:
            if not self._disk_again:
                self._spool.prepare()
            if look:
                self._spool.look()
        except OSError as error:
            self._disk_failed(error)
            self._tell()

    @property
    def wants_look(self) -> bool:
        """Whether dead processes left more than was adopted."""
        return self._spool is not None and self._spool.wants_look

    @property
    def memory_waits(self) -> bool:
        """Whether there is something that ends with this process."""
        return self._memory.waits

    @property
    def has_adopted(self) -> bool:
        """Whether records of dead processes wait."""
        return self._spool is not None and self._spool.has_adopted

    def release(self, *, reading: bool) -> None:
        """Leave what waits on disk to other processes; what waits in memory is lost."""
        if self._spool is not None:
            self._spool.release(reading=reading)

    def abandon(self) -> None:
        """In a forked child: close what is the parent's."""
        if self._spool is not None:
            self._spool.abandon()
