"""A month of a budget in seconds: usage day by day, what comes late, what is priced again, and what people are told.

    python -m tests.scenarios.month_replayed --database postgres --evaluators 8

A budget of 5,000.00 a month in Berlin, of October, in which the clock is put back. Every four hours usage comes in and
the budget is looked at; what is due goes to a webhook and to a mailbox, both real servers on this machine. On the way a
call of three days ago comes in late, prices rise for the whole month and fall again, and the program starts anew.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from standardwebhooks import Webhook

from cost_ops.bootstrap import Application, migrate, open_application
from cost_ops.domain.access import OWNER
from cost_ops.domain.money import decimal_from_e10
from cost_ops.domain.notifications import ChannelKind
from cost_ops.domain.periods import TimeRange, format_instant, to_us
from cost_ops.domain.prices import rates_from_fields
from cost_ops.domain.reprice_runs import RepriceRequest
from cost_ops.domain.submission import Intake, build
from cost_ops.domain.submitted import read_fields
from cost_ops.interfaces.context import Context
from cost_ops.services import (
    alerting,
    budget_standing,
    budgets,
    channels,
    organizations,
    outbox,
    pricing,
    repricing,
    usage,
)
from cost_ops.settings import load_settings
from tests.notifiers.receivers import Receiver, receiver
from tests.one_delivery import deliver_next
from tests.postgres_server import fresh_database, running_server
from tests.smtp_server import Mailbox, smtp_server

ORGANIZATION = "org-123"
BERLIN = ZoneInfo("Europe/Berlin")
START = datetime(2026, 10, 1, tzinfo=BERLIN)
MIDNIGHT = START.astimezone(UTC)
DAYS = 33
"""October, and two days more: what comes late is still told."""

BUDGET = {
    "organization_id": ORGANIZATION,
    "amount": Decimal("5000.00"),
    "period": "monthly",
    "timezone": "Europe/Berlin",
    "alert_thresholds": [Decimal("0.50"), Decimal("0.75"), Decimal("0.90")],
}
EVENTS = ["budget.threshold_exceeded", "budget.forecast_exceeded", "budget.recovered"]
LATE, DEARER, RESTART, CHEAPER, AFTER = 15, 18, 20, 21, 33
HOURS = (4, 8, 12, 16, 20, 24)
EACH = 25


@dataclass
class Day:
    """What a day brought: what was told of the budget on it, by the bodies that the webhook was posted."""

    day: date
    spent: Decimal
    used: Decimal
    happened: str
    told: list[dict[str, Any]]
    letters: list[str]


@dataclass
class Month:
    """The installation, and who is told."""

    url: str
    hook: Receiver
    mailbox: Mailbox
    evaluators: int = 1
    now: datetime = MIDNIGHT
    days: list[Day] = field(default_factory=list)
    application: Application = field(init=False)
    secret: str = ""
    budget_id: str = ""

    @property
    def ctx(self) -> Context:
        """The owner's context."""
        return self.application.context(OWNER)

    def open(self) -> None:
        """Start the program; its clock is ours."""
        flags = {
            "database.url": self.url,
            "notifications.allow_private_addresses": "true",
            "notifications.smtp_host": "127.0.0.1",
            "notifications.smtp_port": str(self.mailbox.port),
            "notifications.smtp_security": "none",
        }
        self.application = open_application(load_settings(environment={}, flags=flags), lambda: self.now)

    def prepare(self) -> None:
        """An organisation, a price, two channels; a little usage, of which half an hour later a budget knows."""
        self.open()
        organizations.ensure(self.ctx, ORGANIZATION)
        self._price("1", START - timedelta(days=30))
        self._record(START - timedelta(minutes=1), 9_999)
        tools = self.application.notification_tools()
        hook = {"url": self.hook.url("/hooks/costs"), "events": EVENTS}
        self.secret = channels.add_channel(self.ctx, tools, ORGANIZATION, ChannelKind.WEBHOOK, hook).secret
        people = {"name": "Finance", "addresses": ["finance@example.com"]}
        channels.add_channel(self.ctx, tools, ORGANIZATION, ChannelKind.EMAIL, people)
        self.now += timedelta(minutes=30)
        self._record(self.now - timedelta(minutes=10), EACH)
        self.budget_id = budgets.create(self.ctx, ORGANIZATION, BUDGET).budget_id

    def live(self) -> None:
        """The month, day by day."""
        for number in range(1, DAYS + 1):
            begin = START + timedelta(days=number - 1)
            self.now = max(self.now, begin.astimezone(UTC))
            posted, letters = len(self.hook.posted), len(self.mailbox.letters)
            happened = self._special(number)
            for hour in _hours(number):
                self.now = begin.astimezone(UTC) + timedelta(hours=hour, seconds=-1)
                self._record(self.now, EACH)
                self._look()
            self._look()
            told = [_told(one.document) for one in self.hook.posted[posted:]]
            subjects = [str(letter["Subject"]) for letter in self.mailbox.letters[letters:]]
            standing, _ = budget_standing.get_status(self.ctx, ORGANIZATION, self.budget_id, min(self.now, _END))
            spent, used = decimal_from_e10(standing.status.spent_e10), standing.status.used * 100
            self.days.append(Day(begin.date(), spent, used, happened, told, subjects))

    def _special(self, number: int) -> str:
        """What happens early on some days."""
        if number == LATE:
            self._record(START + timedelta(days=number - 4, hours=12), 450)
            return "a call of three days ago comes in late: 450"
        if number == DEARER:
            self._reprice("1.2", START - timedelta(days=20))
            return "priced again: a fifth dearer since the 1st"
        if number == RESTART:
            self.application.close()
            self.open()
            return "the program starts anew"
        if number == CHEAPER:
            self._reprice("1", START - timedelta(days=10))
            return "priced again: as it was"
        if number == AFTER:
            self._record(_END - timedelta(hours=1), 60)
            return "a call of October comes in late: 60"
        return ""

    def _look(self) -> None:
        """Look at the budget, as often as there are evaluators at once; then tell people, a minute later."""
        looking = [threading.Thread(target=self._evaluate) for _ in range(self.evaluators)]
        for one in looking:
            one.start()
        for one in looking:
            one.join()
        outbox.dispatch(self.ctx, group_wait=timedelta(seconds=10))
        self.now += timedelta(minutes=1)
        tools = self.application.notification_tools()
        while deliver_next(self.ctx, tools, "worker"):
            continue
        self.now -= timedelta(minutes=1)

    def _evaluate(self) -> None:
        alerting.evaluate(self.ctx, ORGANIZATION)

    def _reprice(self, price: str, since: datetime) -> None:
        self._price(price, since)
        span = TimeRange(MIDNIGHT, self.now)
        repricing.work(self.ctx, repricing.start(self.ctx, ORGANIZATION, RepriceRequest(span, reason="a new list")))

    def _price(self, per_thousand: str, since: datetime) -> None:
        rates = rates_from_fields({"input_price_per_1k": per_thousand, "output_price_per_1k": "0"})
        new = pricing.NewPrice("openai", "m", rates, effective_from=since.astimezone(UTC))
        pricing.add(self.ctx, ORGANIZATION, new)

    def _record(self, at: datetime, amount: int) -> None:
        fields = {
            "organization_id": ORGANIZATION,
            "provider": "openai",
            "model_id": "m",
            "input_tokens": amount * 1000,
            "output_tokens": 0,
            "timestamp": format_instant(at),
        }
        sent, problems = read_fields(fields)
        book = self.application.books.refresh()
        submission = build(sent, Intake(book.names, to_us(self.now), shapes=self.application.shapes), problems)
        usage.record(self.ctx, [usage.Batch([usage.price(self.ctx, book, submission)])])

    def check_signatures(self) -> int:
        """Hold every request against what an independent library signs; how many there were."""
        for one in self.hook.posted:
            stamp = datetime.fromtimestamp(int(one.headers["webhook-timestamp"]), UTC)
            expected = Webhook(self.secret).sign(one.headers["webhook-id"], stamp, one.body.decode())
            assert one.headers["webhook-signature"] == expected
            assert one.document["delivery_id"] == one.headers["webhook-id"]
        return len(self.hook.posted)


_END = datetime(2026, 11, 1, tzinfo=BERLIN).astimezone(UTC) - timedelta(seconds=1)


def _hours(number: int) -> tuple[int, ...]:
    """The hours of a day at which usage comes in: on the first it came in before the budget was made."""
    return () if number > 31 else HOURS[number == 1 :]


def _told(document: dict[str, Any]) -> dict[str, Any]:
    return {"event": document["event"], **document["data"]}


def replay(url: str, evaluators: int = 1) -> Month:
    """The whole month, on an empty database."""
    migrate(url)
    with receiver() as hook, smtp_server() as mailbox:
        month = Month(url, hook, mailbox, evaluators)
        month.prepare()
        try:
            month.live()
        finally:
            month.application.close()
    return month


def table(month: Month, write: Callable[[str], object]) -> None:
    """The month for people."""
    write(f"{'day':<12}{'spent':>10}{'used':>9}  what happened, and what was told\n")
    for day in month.days:
        happened = [f"({day.happened})"] if day.happened else []
        words = [*happened, *(_words(one) for one in day.told), *(f"mail: {subject}" for subject in day.letters)]
        for place, word in enumerate(words or [""]):
            left = f"{day.day!s:<12}{day.spent:>10,.2f}{day.used:>7.2f} %" if place == 0 else " " * 31
            write(f"{left}  {word}".rstrip() + "\n")
    posts, letters = month.check_signatures(), len(month.mailbox.letters)
    write(f"\n{posts} posts to the webhook, each signed as standardwebhooks signs; {letters} mails\n")


def _words(told: dict[str, Any]) -> str:
    threshold = f"{Decimal(str(told['threshold'])):.2f}"
    return f"webhook: {told['event']} {threshold}{' (late)' if told['late'] else ''}"


@contextlib.contextmanager
def _database(kind: str) -> Iterator[str]:
    if kind == "sqlite":
        with tempfile.TemporaryDirectory() as folder:
            yield f"sqlite:{Path(folder) / 'ledger.db'}"
        return
    with running_server() as server, fresh_database(server.url) as url:
        yield url


def main() -> None:
    """Replay the month and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=["sqlite", "postgres"], default="sqlite")
    parser.add_argument("--evaluators", type=int, default=1)
    options = parser.parse_args()
    with _database(options.database) as url:
        table(replay(url, options.evaluators), sys.stdout.write)


if __name__ == "__main__":
    main()
