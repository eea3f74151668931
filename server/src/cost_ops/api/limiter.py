"""Holds organisations to their limits, before a request's body is read.

Permits are taken in blocks from a store that all processes and replicas share, so that most requests ask nobody. A
block is what is needed in a twentieth of a second, or in half a second while plenty is left, and ahead of need never
more than a sixteenth of what is left: near the end permits are taken one by one, and exactly as many requests are let
in as the limit says. What is in hand and not used for a moment goes back. How many are under way at once is counted in
each process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from typing import Any, TypeVar

from cost_ops.api.metrics import Metrics
from cost_ops.api.permits import Account, Starts, starts_of
from cost_ops.api.strangers import Strangers
from cost_ops.api.tickets import Pairs, Ticket, header_pairs, refusal, unlimited_until
from cost_ops.bootstrap import Application
from cost_ops.domain.errors import Unavailable
from cost_ops.domain.limiting import unix_seconds
from cost_ops.domain.periods import EPOCH
from cost_ops.domain.plans import Limits
from cost_ops.logs import logger

_T = TypeVar("_T")
BLOCK_SECONDS = 0.05
PLENTY, MORE = 1_000, 10
"""Where a thousand such blocks are left, ten are taken at once: the end is far, and the store is asked less often."""

IDLE_SECONDS = 0.1
REFUSED_SECONDS = 0.1
"""How long a refusal holds without another look: meanwhile others may have given permits back."""

WITHOUT = timedelta(seconds=1)
"""How long nobody counts after the store could not be reached."""

_COMPLAIN_SECONDS = 60.0
_MOST_ACCOUNTS = 10_000
_THREADS = 4
_log = logger("cost_ops.api")


class Limiter:
    """The limits as one process keeps them. Lives on one event loop."""

    def __init__(self, application: Application, metrics: Metrics, timer: Callable[[], float] = time.monotonic) -> None:
        """Nothing is asked of the store before somebody with a limit comes."""
        settings = application.settings.limits
        self._enabled = settings.enabled
        self._refusing = settings.when_unavailable == "refuse"
        self._store = application.permits
        self._clock = application.clock
        self._timer = timer
        self._metrics = metrics
        self._accounts: dict[str, Account] = {}
        self._holding: set[Account] = set()
        self._returning: set[asyncio.Task[None]] = set()
        self._sweeping: asyncio.TimerHandle | None = None
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="limits")
        self._strangers = Strangers(settings.anonymous_per_hour if settings.enabled else 0, application.clock)
        self._unlimited: tuple[datetime, Pairs] = (EPOCH, ())
        self._complained_at = -_COMPLAIN_SECONDS

    def admit(self, organization_id: str, limits: Limits) -> Ticket | None:
        """Let a request in with a permit that is in hand; None where it takes `admit_slow`. Raises RateLimited."""
        account = self._accounts.get(organization_id)
        if account is None or account.limits is not limits:
            if not self._enabled:
                return Ticket(None, None, 0)
            account = self._account(organization_id, limits)
        if account.running >= account.most:
            raise account.too_many_at_once()
        if account.held <= 0 or self._clock() >= account.ends:
            return None
        ticket = account.admit()
        if account.held == account.low and account.low and account.taking is None:
            self._begin(account, self._take(account))
        return ticket

    async def admit_slow(self, organization_id: str, limits: Limits) -> Ticket:
        """Let a request in, after new permits were taken where it needs them. Raises RateLimited, Unavailable."""
        account = self._account(organization_id, limits)
        account.waiting += 1
        try:
            while (ticket := self.admit(organization_id, limits)) is None:
                self._check_refused(account)
                await asyncio.shield(account.taking or self._begin(account, self._take(account)))
            return ticket
        finally:
            account.waiting -= 1

    def admit_stranger(self, address: str | None) -> Ticket:
        """Let a request in that has no valid credential. Raises RateLimited."""
        return self._strangers.admit(address)

    def patience(self, address: str | None) -> float:
        """Seconds that somebody without a valid credential waits for being refused: they fail often."""
        return self._strangers.patience(address)

    def leave(self, ticket: Ticket) -> None:
        """The request was answered."""
        if ticket.underway is not None:
            ticket.underway.running -= 1
            ticket.underway = None

    def header_pairs(self, ticket: Ticket) -> Pairs:
        """How many are left, for the answer."""
        return self.unlimited_pairs() if ticket.shown is None else header_pairs(ticket.shown, ticket.remaining)

    def unlimited_pairs(self) -> Pairs:
        """The same for whoever has no limit."""
        now = self._clock()
        if now >= self._unlimited[0]:
            self._unlimited = unlimited_until(now)
        return self._unlimited[1]

    def stranger_pairs(self, address: str | None) -> Pairs:
        """The same for somebody who has no valid credential, and was not counted."""
        return self._strangers.pairs(address)

    async def close(self) -> None:
        """Give back what is in hand."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        for account in list(self._holding):
            if account.taking is not None:
                await asyncio.wait([account.taking])
            await self._give_back(account)
        if self._returning:
            await asyncio.wait(self._returning)
        self._threads.shutdown(wait=False)

    def _account(self, organization_id: str, limits: Limits) -> Account:
        """The account of an organisation, with these limits."""
        account = self._accounts.get(organization_id)
        if account is None:
            if len(self._accounts) >= _MOST_ACCOUNTS:
                self._accounts = {name: known for name, known in self._accounts.items() if not known.idle}
            account = self._accounts[organization_id] = Account(organization_id, limits)
        elif account.limits == limits:
            account.limits = limits  # the same object from now on, which is quicker to see
        else:
            self._put_back(account.holder, *account.let_go())
            account.adopt(limits)
        return account

    def _check_refused(self, account: Account) -> None:
        """Raises RateLimited where the store said a moment ago that nothing is left."""
        if account.full is None or self._timer() >= account.refused_until:
            return
        window, count = account.full
        now = self._clock()
        if unix_seconds(now) < count.started + window.seconds:
            raise refusal(window, count, now)

    async def _take(self, account: Account) -> None:
        """Take a block of permits for those who wait, and for those who will come."""
        windows, now = account.windows, self._timer()
        recent, elapsed = account.admitted - account.since, now - account.taken_at
        ahead = int(recent * BLOCK_SECONDS / max(elapsed, BLOCK_SECONDS / 10))
        if account.beyond > ahead * PLENTY:
            ahead *= MORE
        account.taken_at, account.since = now, account.admitted
        if self._clock() >= account.ends:
            self._put_back(account.holder, *account.let_go())
            account.held = 0
        needed, at = max(0, account.waiting - account.held), unix_seconds(self._clock())
        take = partial(self._store.take, account.holder, windows, needed=needed, ahead=ahead, at=at)
        try:
            taken = await self._in_thread(take)
        except Unavailable as error:
            self._do_without(account, error)
            return
        finally:
            account.taking = None
        self._metrics.permits_taken.inc()
        starts = starts_of(windows, taken.counts)
        if account.windows is not windows:
            self._put_back(account.holder, starts, taken.granted)
            return
        if account.starts != starts:
            self._put_back(account.holder, *account.let_go())
        account.receive(taken)
        if account.held:
            self._holding.add(account)
            self._sweep_later()
        elif account.full is not None:
            account.refused_until = self._timer() + REFUSED_SECONDS

    def _do_without(self, account: Account, error: Unavailable) -> None:
        """What becomes of requests that cannot be counted. Raises Unavailable where they are refused."""
        self._metrics.permits_failed.inc()
        if self._timer() - self._complained_at >= _COMPLAIN_SECONDS:
            self._complained_at = self._timer()
            happens = "refused" if self._refusing else "let in without counting"
            _log.warning(f"limits cannot be kept; requests are {happens}", error=error.message)
        if self._refusing:
            raise Unavailable("requests cannot be counted now, so none are let in; try again") from error
        account.do_without(self._clock() + WITHOUT)

    def _sweep_later(self) -> None:
        if self._sweeping is None:
            self._sweeping = asyncio.get_running_loop().call_later(IDLE_SECONDS, self._sweep)

    def _sweep(self) -> None:
        """Give back what nobody used since the last look."""
        self._sweeping = None
        for account in list(self._holding):
            if not account.held or not account.starts:
                self._holding.discard(account)
            elif account.taking is None and account.seen == account.admitted:
                self._begin(account, self._give_back(account))
            account.seen = account.admitted
        if self._holding:
            self._sweep_later()

    async def _give_back(self, account: Account) -> None:
        starts, permits = account.let_go()
        self._holding.discard(account)
        try:
            await self._returned(account.holder, starts, permits)
        finally:
            account.taking = None

    def _put_back(self, holder: str, starts: Starts, permits: int) -> None:
        """Give permits back beside everything else."""
        if permits:
            task = _watched(self._returned(holder, starts, permits))
            self._returning.add(task)
            task.add_done_callback(self._returning.discard)

    async def _returned(self, holder: str, starts: Starts, permits: int) -> None:
        if not permits:
            return
        try:
            await self._in_thread(partial(self._store.give_back, holder, starts, permits))
        except Unavailable:
            self._metrics.permits_failed.inc()  # they are missing until their window ends

    async def _in_thread(self, work: Callable[[], _T]) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work)

    def _begin(self, account: Account, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """One piece of work at a time for each account."""
        account.taking = _watched(work)
        return account.taking


def _watched(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """A task whose failure is no news where nobody waits for it any more."""
    task = asyncio.create_task(work)
    task.add_done_callback(lambda done: done.cancelled() or done.exception())
    return task
