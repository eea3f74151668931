"""A segment as the sending thread sees it: opened when it is its turn, closed when it is done with."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path
from typing import Callable, Optional

from llm_cost_ops.delivery.segments import START, Found, NotASegment, Reader

Damaged = Callable[[Path, bytes, str], None]
_PASSES = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN, errno.EINTR)
"""What this process or machine lacks for the moment: nothing is wrong with the file."""


class Segment:
    """A segment that waits. `end` is where its records end; None: it is still being written."""

    def __init__(self, path: Path, end: Optional[int] = None) -> None:
        self.path = path
        self.end = end
        self.records = 0
        """How many were written, of a segment of this process."""
        self.settled = 0
        self.lost = False
        """It cannot be read."""
        self._reader: Optional[Reader] = None
        self._taken = 0
        self._settled_to = START

    def find(self, end: Optional[int], records: int, size: int, damaged: Damaged) -> Optional[Found]:
        """The next records; None: there are none before `end` (None: in the whole file).

        Raises OSError where it can be read later.
        """
        try:
            if self._reader is None:
                self._reader = Reader(self.path)
            found = self._reader.find(self._reader.size if end is None else end, records, size)
        except (OSError, NotASegment) as error:
            if isinstance(error, OSError) and error.errno in _PASSES:
                raise
            self.lost = True
            with suppress(OSError):
                self.path.rename(f"{self.path}.damaged")
            damaged(self.path, b"", f"cannot be read: {type(error).__name__}: {error}")
            return None
        if found.damaged:
            damaged(self.path, found.damaged, f"{len(found.damaged)} bytes are damaged")
        self._taken = len(found.entries)
        return found if found.entries else None

    def settle(self, position: int) -> None:
        """What was found last is done with. A disk that does not take this in sends it once more after a restart."""
        self.settled += self._taken
        self._taken = 0
        self._settled_to = position
        if self._reader is not None:
            with suppress(OSError):
                self._reader.settle(position)

    def is_done(self, end: Optional[int]) -> bool:
        """Whether everything before `end` is settled."""
        return end is not None and self._settled_to >= end

    def remove(self) -> None:
        """Delete it."""
        self.close()
        with suppress(OSError):
            self.path.unlink(missing_ok=True)

    def shorten(self) -> None:
        """Give back the room behind its records: nobody writes it any more."""
        if self.end is not None:
            with suppress(OSError):
                os.truncate(self.path, self.end)

    def close(self) -> None:
        """Close it; it stays on disk."""
        reader, self._reader = self._reader, None
        if reader is not None:
            reader.close()
