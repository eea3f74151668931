"""What dead processes left behind: their locks are free, and whoever takes one sends their segments."""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from pathlib import Path
from typing import Optional

from llm_cost_ops.delivery.locks import SUFFIX, Held, take
from llm_cost_ops.delivery.reading import Damaged, Segment
from llm_cost_ops.delivery.sources import Taken

_MOST_AT_ONCE = 16
"""Each takes a file that is open, of which the application may have but so many."""


class Adopted:
    """Segments of processes that are no more."""

    def __init__(self, folder: Path, damaged: Damaged) -> None:
        self.bytes_of_others = 0
        """What the segments of others took when last looked at."""
        self._folder = folder
        self._damaged = damaged
        self._left: deque[tuple[Held, deque[Segment]]] = deque()
        self._more = False

    @property
    def waits(self) -> bool:
        """Whether there is something to send."""
        return bool(self._left)

    @property
    def wants_more(self) -> bool:
        """Whether there was more to take than may be had at once, and all of that is done with."""
        return self._more and not self._left

    def look(self, own: set[Path]) -> None:
        """Take the locks that are free, but our own ones."""
        ours = own | {held.path for held, _ in self._left}
        self._more = False
        for path in sorted(self._folder.glob(f"*{SUFFIX}")):
            if len(self._left) >= _MOST_AT_ONCE:
                self._more = True
                break
            if path not in ours:
                with suppress(OSError):  # another user's, say
                    self._adopt(take(path))
        names = tuple(f"{path.name[: -len(SUFFIX)]}." for path in own)
        self.bytes_of_others = sum(
            _size(path) for path in self._folder.glob("*.segment") if not names or not path.name.startswith(names)
        )

    def _adopt(self, held: Optional[Held]) -> None:
        if held is None:
            return
        segments = deque(Segment(path) for path in held.segments())
        if segments:
            self._left.append((held, segments))
        else:
            held.remove()

    def take(self, records: int, size: int) -> Optional[Taken]:
        """The next of their records."""
        while self._left:
            held, segments = self._left[0]
            while segments:
                found = segments[0].find(None, records, size, self._damaged)
                if found:
                    return Taken(found.entries, segments[0], found.position, own=False)
                segments.popleft().remove()
            self._left.popleft()
            held.remove()
        return None

    def release(self) -> None:
        """Leave the rest to other processes."""
        self.abandon()
        self._left.clear()

    def abandon(self) -> None:
        """Close everything."""
        for held, segments in self._left:
            for segment in segments:
                segment.close()
            held.close()


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.stat().st_size
    return 0
