"""Where records wait on disk: the segments of this process, and those that dead ones left behind.

One process writes a segment, and the one that holds its lock reads it: on one thread, which takes and settles.
"""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Callable, Optional

from llm_cost_ops.delivery.adopted import Adopted
from llm_cost_ops.delivery.locks import Held, new_lock
from llm_cost_ops.delivery.reading import Segment
from llm_cost_ops.delivery.segments import START, Writer
from llm_cost_ops.delivery.settings import DeliverySettings
from llm_cost_ops.delivery.sources import Taken

_SPARE_FROM = 0.5
"""The next segment is made when this one is so full."""


class Spool:
    """The folder of one destination."""

    def __init__(
        self,
        folder: Path,
        settings: DeliverySettings,
        lock: threading.RLock,
        on_damage: Callable[[int, str], None],
    ) -> None:
        """Nothing is made before the first record. `on_damage` is told how many records are lost (0: unknown), and why.

        `put` is called with the lock held.
        """
        self.folder = folder
        self._lock = lock
        self._settings = settings
        self._on_damage = on_damage
        self._adopted = Adopted(folder, self._damaged)
        self._held: Optional[Held] = None
        self._writer: Optional[Writer] = None
        self._spare: Optional[Writer] = None
        self._full: Optional[Writer] = None
        self._own: deque[Segment] = deque()
        self._numbers = count()
        self._turn = 0

    def put(self, frame: bytes) -> bool:
        """Write a record down; False where the limit is reached. Raises OSError."""
        while True:
            writer = self._writer
            if writer is not None and writer.put(frame):
                self._own[-1].records += 1
                return True
            if not self._roll(START + len(frame)):
                return False

    def _roll(self, needed: int) -> bool:
        writer, self._spare = self._spare, None
        if writer is not None and writer.size < needed:
            self._remove(writer)
            writer = None
        if writer is None:
            size = max(self._settings.segment_bytes, needed)
            if self.bytes_on_disk() + size > self._settings.spool_limit_bytes and self._own:
                return False
            writer = self._made(size)
        self._seal()
        self._own.append(Segment(writer.path))
        self._writer = writer
        return True

    def _seal(self) -> None:
        """The segment is full. Its memory is given back with the next one's: somebody may still be copying into it."""
        if self._full is not None:
            self._full.close()
        self._full, self._writer = self._writer, None
        if self._full is not None:
            self._own[-1].end = self._full.position

    def _made(self, size: int) -> Writer:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if self._held is None or not self._held.path.exists():
            self._held = new_lock(self.folder)
        return Writer(self.folder / f"{self._held.name}.{next(self._numbers):08}.segment", size)

    def prepare(self) -> None:
        """Make the next segment before it is needed, so that no `put` waits for it. Raises OSError."""
        writer = self._writer
        if writer is None or self._spare is not None or writer.position < writer.size * _SPARE_FROM:
            return
        if self.bytes_on_disk() + self._settings.segment_bytes > self._settings.spool_limit_bytes:
            return
        self._offer(self._made(self._settings.segment_bytes))

    def _offer(self, spare: Writer) -> None:
        with self._lock:
            if self._spare is None and self._writer is not None:
                self._spare = spare
                return
        self._remove(spare)

    def bytes_on_disk(self) -> int:
        """What the segments of this destination take, those of other processes as they were when last looked at."""
        return len(self._own) * self._settings.segment_bytes + self._adopted.bytes_of_others

    def take(self, records: int, size: int) -> Optional[Taken]:
        """The next records to send, own ones and adopted ones in turn."""
        self._turn += 1
        if self._turn % 2:
            return self._take_own(records, size) or self._adopted.take(records, size)
        return self._adopted.take(records, size) or self._take_own(records, size)

    def _take_own(self, records: int, size: int) -> Optional[Taken]:
        while self._own:
            segment = self._own[0]
            with self._lock:
                live = self._is_live(segment)
                end = self._end_of(segment)
            found = segment.find(end, records, size, self._damaged)
            if found:
                return Taken(found.entries, segment, found.position, own=True)
            if live and not segment.lost:
                return None
            self._finish(segment)
        return None

    def _is_live(self, segment: Segment) -> bool:
        return self._writer is not None and segment.path == self._writer.path

    def _end_of(self, segment: Segment) -> Optional[int]:
        return self._writer.position if self._writer is not None and self._is_live(segment) else segment.end

    @property
    def own_waits(self) -> bool:
        """Whether there are bytes of this process that are not settled. Called with the lock held."""
        return any(not segment.is_done(self._end_of(segment)) for segment in self._own)

    def _finish(self, segment: Segment) -> None:
        with self._lock:
            if self._is_live(segment):
                self._seal()
            self._own.popleft()
        segment.remove()
        if segment.records > segment.settled:
            self._on_damage(segment.records - segment.settled, f"{segment.path.name} is not as it was written")

    def look(self) -> None:
        """Adopt what dead processes left."""
        self._adopted.look({self._held.path} if self._held is not None else set())

    @property
    def has_adopted(self) -> bool:
        """Whether records of dead processes wait here."""
        return self._adopted.waits

    @property
    def wants_look(self) -> bool:
        """Whether there are more of them than were taken."""
        return self._adopted.wants_more

    def _damaged(self, path: Path, data: bytes, why: str) -> None:
        with suppress(OSError):
            aside = os.open(f"{path}.damaged", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(aside, data)
            finally:
                os.close(aside)
        self._on_damage(0, f"{path.name}: {why}")

    @staticmethod
    def _remove(writer: Writer) -> None:
        writer.close()
        writer.path.unlink(missing_ok=True)

    def _writers(self) -> Iterator[Writer]:
        for writer in (self._full, self._writer, self._spare):
            if writer is not None:
                yield writer

    def release(self, *, reading: bool) -> None:
        """Let go of everything: what still waits is for another process, what is empty is removed.

        `reading`: the thread that sends is still at it, and is left the file that it has open.
        """
        with self._lock, suppress(OSError):
            self._release(reading)

    def _release(self, reading: bool) -> None:
        spare, self._spare = self._spare, None
        if spare is not None:
            self._remove(spare)
        self._seal()
        for writer in self._writers():
            writer.close()
        self._full = None
        for segment in self._own:
            if segment.is_done(segment.end) and not reading:
                segment.remove()
                continue
            if not reading:
                segment.close()
            segment.shorten()
        self._own.clear()
        if not reading:
            self._adopted.release()
        held, self._held = self._held, None
        if held is not None:
            held.close() if held.segments() else held.remove()

    def abandon(self) -> None:
        """In a forked child: close what the parent has open, and touch nothing of it."""
        for writer in self._writers():
            writer.close()
        for segment in self._own:
            segment.close()
        self._adopted.abandon()
        if self._held is not None:
            self._held.close()
