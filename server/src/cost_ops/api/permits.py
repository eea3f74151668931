"""What one process knows of an organisation's limits: permits in hand, requests under way, what is left elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

from cost_ops.api.tickets import NO_LIMIT, Pairs, Ticket, TooMany, Underway, shown
from cost_ops.domain.limiting import Count, Taken, Window, exhausted, holder_of, windows_of
from cost_ops.domain.plans import Limits

_PLENTY = 2**62
_NEVER = datetime.max.replace(tzinfo=UTC)

Starts = tuple[tuple[int, int], ...]
"""The stretches that permits were taken from: (seconds, started) of each window."""


class Account(Underway):
    """An organisation in this process. Lives on one event loop, which alone changes it.

    `held` permits may be used until `ends`, `running` requests are under way, `full` is the window that had nothing
    left when permits were last asked for.
    """

    __slots__ = (
        "admitted", "beyond", "ends", "full", "held", "holder", "limits", "low", "most", "refused_until", "seen",
        "shown", "since", "starts", "taken_at", "taking", "waiting", "windows",
    )  # fmt: skip

    def __init__(self, organization_id: str, limits: Limits) -> None:
        """Nothing in hand yet."""
        super().__init__()
        self.holder = holder_of(organization_id)
        self.waiting = 0
        self.admitted = self.since = 0
        self.seen = -1
        self.taken_at = self.refused_until = 0.0
        self.taking: asyncio.Task[None] | None = None
        self.adopt(limits)

    def adopt(self, limits: Limits) -> None:
        """Begin anew with other limits; what is in hand must have been let go before."""
        self.limits = limits
        self.windows = windows_of(limits)
        self.most = limits.concurrency or _PLENTY
        self.held = 0 if self.windows else _PLENTY
        self.ends = _NEVER
        self.low = self.beyond = 0
        self.starts: Starts = ()
        self.shown: Pairs | None = None
        self.full: tuple[Window, Count] | None = None

    def admit(self) -> Ticket:
        """Use a permit that is in hand."""
        self.held -= 1
        self.admitted += 1
        self.running += 1
        return Ticket(self, self.shown, NO_LIMIT if self.shown is None else self.beyond + self.held)

    def too_many_at_once(self) -> TooMany:
        """The error for a request while as many as may are under way."""
        ticket = Ticket(None, self.shown, self.beyond + self.held)
        return TooMany(1, ticket, limit="concurrency", maximum=self.most)

    def let_go(self) -> tuple[Starts, int]:
        """Give what is in hand out of it: where it was taken from, and how many."""
        starts, held = self.starts, self.held
        if not starts or not held:
            return (), 0
        self.starts, self.held, self.beyond = (), 0, self.beyond + held
        return starts, held

    def receive(self, taken: Taken) -> None:
        """Take permits in hand, beside those that are there of the same stretches."""
        self.held += taken.granted
        self.low = self.held // 4
        self.starts = starts_of(self.windows, taken.counts)
        self.ends = datetime.fromtimestamp(min(map(sum, self.starts)), UTC)
        self.shown = shown(self.windows[0], taken.counts[0])
        self.beyond = self.windows[0].limit - taken.counts[0].used
        self.full = None if self.held else exhausted(self.windows, taken.counts)

    def do_without(self, until: datetime) -> None:
        """Let everything in for a while: nobody counts."""
        self.held, self.low, self.starts, self.shown, self.full = _PLENTY, 0, (), None, None
        self.ends = until

    @property
    def idle(self) -> bool:
        """Whether nothing would be lost by forgetting it."""
        in_hand = self.held and self.starts
        return not (self.running or self.waiting or in_hand or self.taking)


def starts_of(windows: Sequence[Window], counts: Sequence[Count]) -> Starts:
    """The stretches of counts."""
    return tuple((window.seconds, count.started) for window, count in zip(windows, counts, strict=True))
