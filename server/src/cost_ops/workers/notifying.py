"""Telling what happened: events are handed on, deliveries made, channels' owners told, old deliveries forgotten."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from typing import Any

from cost_ops.interfaces.context import Context
from cost_ops.interfaces.notifications import Claimed, NotificationTools
from cost_ops.services import channel_letters, deliveries, outbox
from cost_ops.workers.workplace import Pump, Run, Step, Workplace

SENDERS = 16
"""Requests under way in one process. They wait more than they work, and one channel has two at most."""

_LOOK_SECONDS = 0.25


def make_dispatching(workplace: Workplace) -> Step:
    """Hands on what is in the outbox."""
    group_wait = timedelta(seconds=workplace.application.settings.notifications.group_wait_secs)
    return lambda: outbox.dispatch(workplace.context(), group_wait=group_wait).more


def make_delivering(workplace: Workplace) -> Step:
    """Makes the deliveries that are due."""
    return Delivering(workplace).step


class Delivering:
    """Makes what is due, several at once; a step ends when nothing is due and nothing under way."""

    def __init__(self, workplace: Workplace) -> None:
        """Nothing is done yet; threads begin with the first deliveries."""
        self._workplace = workplace
        self._claims = 0

    def step(self) -> bool:
        """Deliver until there is nothing to do. Raises what went wrong with keeping outcomes, when all have ended."""
        claimed = self._claim(1)
        if not claimed:
            return False
        tools = self._workplace.application.notification_tools()
        failures: list[BaseException] = []
        with ThreadPoolExecutor(SENDERS, thread_name_prefix="deliveries") as threads:
            under_way: set[Future[None]] = set()
            while claimed or under_way:
                under_way |= {threads.submit(_deliver, self._workplace.context(), tools, one) for one in claimed}
                ended, under_way = wait(under_way, timeout=_LOOK_SECONDS, return_when=FIRST_COMPLETED)
                failures += [error for one in ended if (error := one.exception()) is not None]
                claimed = [] if failures else self._claim(SENDERS - len(under_way))
        if failures:
            raise failures[0]
        return True

    def _claim(self, free: int) -> list[Claimed]:
        if free <= 0 or self._workplace.stopping.is_set():
            return []
        self._claims += 1
        return deliveries.claim(self._workplace.context(), f"{self._workplace.worker}#{self._claims}", limit=free)


def _deliver(ctx: Context, tools: NotificationTools, claimed: Claimed) -> None:
    began = ctx.clock()
    answer = deliveries.send(tools, claimed.channel, claimed.organization_name, claimed.deliveries)
    deliveries.done(ctx, claimed, answer, began)


PUMPS = (Pump("outbox", make_dispatching), Pump("deliveries", make_delivering))


def tell_disabled(run: Run) -> Mapping[str, Any]:
    """Write to whoever's channel was turned off."""
    tools, about = run.application.login_tools, run.job.payload
    organization_id, channel_id = str(about["organization_id"]), str(about["channel_id"])
    sent = channel_letters.tell_disabled(run.ctx, tools.mailer, tools.public_url, organization_id, channel_id)
    return {"letters": sent}


def prune_deliveries(run: Run) -> Mapping[str, Any]:
    """Deliveries that ended long ago."""
    before = run.workplace.now - timedelta(days=run.application.settings.jobs.keep_days)
    return {"forgotten": deliveries.prune(run.ctx, before)}
