"""Where records wait when there is no disk: a bounded queue."""

from __future__ import annotations

from collections import deque
from itertools import islice
from typing import Optional

from llm_cost_ops.delivery.frames import Entry
from llm_cost_ops.delivery.sources import Taken


class Memory:
    """Records that end with the process. One thread takes and settles."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._entries: deque[Entry] = deque()

    @property
    def waits(self) -> bool:
        """Whether there is any."""
        return bool(self._entries)

    def put(self, entry: Entry) -> bool:
        """Keep a record; False where there is no room."""
        if len(self._entries) >= self._most:
            return False
        self._entries.append(entry)
        return True

    def take(self, records: int) -> Optional[Taken]:
        """The oldest ones."""
        count = min(records, len(self._entries))
        entries = list(islice(self._entries.copy(), count))
        return Taken(entries, self, count, own=True) if entries else None

    def settle(self, position: int) -> None:
        """The oldest `position` are done with."""
        for _ in range(position):
            self._entries.popleft()
