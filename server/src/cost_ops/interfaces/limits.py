"""Where requests are counted against limits: one Protocol, a database or Redis behind it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cost_ops.domain.limiting import Count, Taken, Window


class PermitStore(Protocol):
    """Counts of permits by holder, shared by all processes and replicas. A holder is who the limits are for.

    Instants are unix seconds. Every method may be called from any thread, and raises Unavailable.
    """

    def take(self, holder: str, windows: Sequence[Window], *, needed: int, ahead: int, at: int) -> Taken:
        """Take permits out of all windows at once: those needed now, as far as there are any, and some ahead of need.

        However many take at once, a window never gives more than its limit.
        """

    def give_back(self, holder: str, starts: Sequence[tuple[int, int]], permits: int) -> None:
        """Put unused permits back where the stretch they were taken from still runs: (seconds, started) of each."""

    def counts(self, holder: str, windows: Sequence[Window], at: int) -> tuple[Count, ...]:
        """How many permits each window has given out by now. Changes nothing."""

    def check(self) -> str:
        """What it is, in words, once it was seen to work."""

    def close(self) -> None:
        """Let go of connections."""
