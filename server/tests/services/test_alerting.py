"""Looking at budgets: every threshold fires once a period, in order, whoever looks, whatever is corrected since."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from cost_ops.bootstrap import Application
from cost_ops.domain.access import OWNER, Principal
from cost_ops.domain.budget_documents import read_budget, same_names
from cost_ops.domain.budgets import Budget
from cost_ops.domain.errors import Forbidden, NotFound
from cost_ops.domain.exchange import ExchangeRate
from cost_ops.domain.notifications import ChannelKind, OutboxEvent
from cost_ops.domain.periods import format_instant
from cost_ops.services import alerting, channels, corrections, exchange, outbox
from tests.services.conftest import Desk

THRESHOLD, FORECAST = "budget.threshold_exceeded", "budget.forecast_exceeded"
START = datetime(2026, 3, 1, tzinfo=UTC)


class Watch:
    """An organisation whose usage costs what it says, budgets of it, and what is told of them."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.told: list[OutboxEvent] = []
        desk.price(input_price_per_1k="1", output_price_per_1k="0", effective_from=datetime(2020, 1, 1, tzinfo=UTC))
        self.take()
        self.told.clear()

    def budget(self, amount: int | str = 100, budget_id: str = "budget-1", **fields: Any) -> Budget:
        document = {"amount": amount, "name": budget_id, **fields}
        org, now = self.desk.org, self.desk.now
        made = read_budget(document, organization_id=org, budget_id=budget_id, by="owner", now=now, names=same_names)
        with self.desk.application.storage.ledger(org) as ledger:
            return ledger.budgets.add(made)

    def save(self, budget: Budget, **changes: Any) -> None:
        with self.desk.application.storage.ledger(self.desk.org) as ledger:
            ledger.budgets.save(replace(budget, **changes))

    def spend(self, amount: int, at: datetime | None = None, **fields: Any) -> str:
        """Usage that costs so much; its id."""
        at = at or self.desk.now
        tokens = {"input_tokens": amount * 1000, "output_tokens": 0}
        (taken,) = self.desk.record(self.desk.submission(timestamp=format_instant(at), **tokens, **fields))
        return str(taken.usage_id)

    def look(self, **kind: Any) -> alerting.Evaluated:
        return alerting.evaluate(self.desk.ctx, self.desk.org, **kind)

    def take(self) -> list[OutboxEvent]:
        """What was told since the last time, in order."""
        with self.desk.application.storage.installation() as installation:
            taken = installation.outbox.take(10_000)
        fresh = [one for one in taken if one.organization_id == self.desk.org and one.event.startswith("budget.")]
        self.told += fresh
        return fresh

    def fired(self) -> list[str]:
        """What was told since the last time, in short."""
        return [f"{one.event.removeprefix('budget.')} {one.data['threshold']}" for one in self.take()]


@pytest.fixture
def watch(desk: Desk) -> Watch:
    return Watch(desk)


def test_thresholds_fire_once_each_in_order(watch: Watch) -> None:
    watch.budget(100, alert_thresholds=["0.5", "0.75", "0.9"], forecast_alerts=False)
    assert (watch.look().told, watch.fired()) == (0, [])
    watch.spend(49)
    assert (watch.look().budgets, watch.fired()) == (1, [])
    watch.spend(1)
    assert (watch.look().thresholds, watch.fired()) == (1, ["threshold_exceeded 0.5"])
    watch.spend(45)
    assert watch.look().thresholds == 2
    assert watch.fired() == ["threshold_exceeded 0.75", "threshold_exceeded 0.9"]
    watch.spend(500)
    assert (watch.look().told, watch.fired()) == (0, [])


def test_an_event_says_how_the_budget_stands(watch: Watch) -> None:
    watch.desk.now = datetime(2026, 3, 10, 12, tzinfo=UTC)
    berlin: dict[str, Any] = {"timezone": "Europe/Berlin", "scope": {"project": "shop"}}
    watch.budget(5000, name="Research", alert_thresholds=["0.75"], forecast_alerts=False, **berlin)
    watch.spend(3750, project_id="shop")
    watch.spend(999, project_id="other")
    watch.look()
    (event,) = watch.take()
    assert (event.event, event.at) == (THRESHOLD, watch.desk.now)
    alert_id = event.data["alert_id"]
    assert event.data == {
        "budget_id": "budget-1",
        "threshold": Decimal("0.75"),
        "current_spend": Decimal(3750),
        "alert_id": alert_id,
        "budget_name": "Research",
        "limit": Decimal(5000),
        "currency": "USD",
        "percent_used": Decimal(75),
        "period_start": "2026-02-28T23:00:00Z",
        "period_end": "2026-03-31T22:00:00Z",
        "period_label": "2026-03",
        "timezone": "Europe/Berlin",
        "held": Decimal(0),
        "enforcement": "soft",
        "projected_spend": event.data["projected_spend"],
        "projected_exceeded_at": event.data["projected_exceeded_at"],
        "unpriced_requests": 0,
        "late": False,
        "silenced": False,
        "scope": {"project": ["shop"]},
        "url": None,
    }
    assert event.data["projected_spend"] > 5000
    with watch.desk.application.storage.ledger(watch.desk.org) as ledger:
        kept = ledger.alerts.get(alert_id)
    assert kept is not None
    assert kept.detail == event.data


def test_a_forecast_fires_once_and_only_below_the_limit(watch: Watch) -> None:
    watch.desk.now = datetime(2026, 3, 10, tzinfo=UTC)
    watch.budget(1000, alert_thresholds=[])
    watch.budget(100, "budget-2", alert_thresholds=[])
    watch.budget(1000, "budget-3", alert_thresholds=[], forecast_alerts=False)
    for day in range(3, 10):
        watch.spend(60, datetime(2026, 3, day, 12, tzinfo=UTC))
    assert watch.look(forecasts=False).told == 0
    assert watch.look().forecasts == 1
    (event,) = watch.take()
    assert (event.event, event.data["budget_id"], event.data["threshold"]) == (FORECAST, "budget-1", 1)
    assert event.data["projected_spend"] > 1000
    assert event.data["projected_exceeded_at"] < event.data["period_end"]
    watch.spend(100)
    assert (watch.look().told, watch.fired()) == (0, [])


def test_what_is_corrected_recovers_once_and_does_not_fire_again(watch: Watch) -> None:
    watch.budget(100, alert_thresholds=["0.5", "0.9"], forecast_alerts=False)
    usage_id = watch.spend(95)
    watch.look()
    watch.desk.now += timedelta(minutes=2)
    assert watch.fired() == ["threshold_exceeded 0.5", "threshold_exceeded 0.9"]
    _correct(watch, usage_id, 60)
    assert (watch.look().recovered, watch.fired()) == (1, ["recovered 0.9"])
    _correct(watch, usage_id, 10)
    assert (watch.look().recovered, watch.fired()) == (1, ["recovered 0.5"])
    _correct(watch, usage_id, 99)
    assert (watch.look().told, watch.fired()) == (0, [])
    _correct(watch, usage_id, 1)
    assert (watch.look().told, watch.fired()) == (0, [])


def _correct(watch: Watch, usage_id: str, amount: int) -> None:
    change = {"input_tokens": amount * 1000}
    corrections.correct(watch.desk.ctx, watch.desk.org, usage_id, change, reason="counted again")


def test_late_usage_tells_of_a_period_that_is_over_for_three_days(watch: Watch) -> None:
    watch.budget(100, alert_thresholds=["0.5"], forecast_alerts=False)
    watch.desk.now = datetime(2026, 4, 3, 12, tzinfo=UTC)
    watch.spend(60, datetime(2026, 3, 31, 12, tzinfo=UTC))
    watch.look()
    (event,) = watch.take()
    assert (event.data["late"], event.data["period_label"]) == (True, "2026-03")
    watch.budget(100, "budget-2", alert_thresholds=["0.5"], forecast_alerts=False, period="daily")
    watch.desk.now = datetime(2026, 4, 9, tzinfo=UTC)
    watch.spend(60, datetime(2026, 4, 5, 12, tzinfo=UTC))  # more than three days ago: of a day that is forgotten
    watch.spend(70, datetime(2026, 4, 6, 12, tzinfo=UTC))
    watch.spend(80, datetime(2026, 4, 7, 12, tzinfo=UTC))
    watch.look()
    told = [(one.data["budget_id"], one.data["period_label"], one.data["late"]) for one in watch.take()]
    assert told == [
        ("budget-1", "2026-04", False),
        ("budget-2", "2026-04-06", True),
        ("budget-2", "2026-04-07", True),
    ]


def test_each_period_begins_anew(watch: Watch) -> None:
    watch.budget(10, alert_thresholds=["0.5"], period="daily", forecast_alerts=False)
    for day in range(1, 6):
        watch.desk.now = datetime(2026, 3, day, 12, tzinfo=UTC) + timedelta(days=31)
        watch.spend(7)
        watch.look()
        watch.look()
    assert [one.data["period_label"] for one in watch.take()] == [f"2026-04-0{day}" for day in range(1, 6)]


def test_a_clock_that_is_set_back_does_no_harm(watch: Watch) -> None:
    watch.budget(100, alert_thresholds=["0.5", "1"], forecast_alerts=False)
    watch.spend(60)
    watch.look()
    watch.desk.now -= timedelta(days=40)
    watch.look()
    watch.desk.now += timedelta(days=41)
    watch.spend(60)
    watch.look()
    assert watch.fired() == ["threshold_exceeded 0.5", "threshold_exceeded 1"]


def test_other_currencies_count_by_the_rates_of_their_days(watch: Watch) -> None:
    desk = watch.desk
    desk.price("e", input_price_per_1k="1", output_price_per_1k="0", currency="EUR", effective_from=START)
    rate = ExchangeRate("EUR", "USD", desk.now.date(), Decimal("1.25"), "test")
    exchange.import_rates(desk.ctx, [rate])
    watch.budget(100, alert_thresholds=["0.5"], forecast_alerts=False)
    watch.spend(39, model_id="e")
    assert watch.look().told == 0
    watch.spend(1, model_id="e")
    watch.look()
    (event,) = watch.take()
    assert event.data["current_spend"] == 50


def test_a_silenced_budget_keeps_its_alerts_and_says_that_it_is(watch: Watch) -> None:
    budget = watch.budget(100, alert_thresholds=["0.5"], forecast_alerts=False)
    watch.save(budget, silenced_until=watch.desk.now + timedelta(hours=1))
    watch.spend(60)
    watch.look()
    (event,) = watch.take()
    assert event.data["silenced"] is True
    with watch.desk.application.storage.ledger(watch.desk.org) as ledger:
        assert ledger.alerts.get(event.data["alert_id"]) is not None


def test_what_nobody_answers_is_escalated_once(watch: Watch) -> None:
    budget = watch.budget(100, alert_thresholds=["0.5", "0.9"], forecast_alerts=False, escalate_after_minutes=30)
    watch.spend(60)
    watch.look()
    watch.desk.now += timedelta(minutes=29)
    assert alerting.escalate_all(watch.desk.ctx).escalated == 0
    watch.spend(10)
    watch.desk.now += timedelta(minutes=1)
    watch.take()
    watch.save(budget, silenced_until=watch.desk.now + timedelta(minutes=5))
    assert alerting.escalate(watch.desk.ctx, watch.desk.org).escalated == 0
    watch.desk.now += timedelta(minutes=5)
    assert alerting.escalate_all(watch.desk.ctx).escalated == 1
    assert alerting.escalate(watch.desk.ctx, watch.desk.org).escalated == 0
    (event,) = watch.take()
    assert event.event == "budget.escalated"
    assert (event.data["threshold"], event.data["current_spend"]) == (Decimal("0.5"), 70)
    assert event.data["fired_at"] == format_instant(watch.desk.now - timedelta(minutes=35))


def test_many_who_look_at_once_tell_once(watch: Watch) -> None:
    for number in range(20):
        watch.budget(100, f"budget-{number}", alert_thresholds=["0.25", "0.5", "0.75", "1"], forecast_alerts=False)
    for _ in range(5):
        watch.spend(25)
        failures = list(_at_once(watch, 8))
        assert failures == []
    told = [(one.data["budget_id"], one.data["threshold"]) for one in watch.take()]
    wanted = [Decimal(text) for text in ("0.25", "0.5", "0.75", "1")]
    assert len(told) == 80
    for number in range(20):
        assert [threshold for budget_id, threshold in told if budget_id == f"budget-{number}"] == wanted


def _at_once(watch: Watch, threads: int) -> Iterator[BaseException]:
    failures: list[BaseException] = []
    gate = threading.Barrier(threads)

    def work() -> None:
        try:
            gate.wait()
            watch.look()
        except BaseException as error:  # noqa: BLE001 (told by the test)
            failures.append(error)

    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    yield from failures


def test_a_sweep_looks_at_everybodys_budgets(application: Application) -> None:
    watches = [Watch(Desk(application)) for _ in range(3)]
    for watch in watches[:2]:
        watch.budget(100, alert_thresholds=["0.5"], forecast_alerts=False)
    for watch in watches:
        watch.spend(60)
    found = alerting.sweep(watches[0].desk.ctx)
    assert found.thresholds >= 2
    with application.storage.installation() as installation:
        told = {one.organization_id for one in installation.outbox.take(10_000) if one.event == THRESHOLD}
    assert told >= {watches[0].desk.org, watches[1].desk.org}
    assert watches[2].desk.org not in told


def test_only_who_may_write_budgets_has_them_looked_at(watch: Watch) -> None:
    reader = Principal(watch.desk.org, "key", frozenset({"budgets:read"}))
    with pytest.raises(Forbidden):
        alerting.evaluate(watch.desk.context(reader), watch.desk.org)
    with pytest.raises(Forbidden):
        alerting.sweep(watch.desk.context(Principal(watch.desk.org, "key", frozenset({"budgets:write"}))))
    other = Principal("org-else", "key", frozenset({"budgets:write"}))
    with pytest.raises(NotFound):
        alerting.evaluate(watch.desk.context(other), watch.desk.org)
    assert alerting.evaluate(watch.desk.context(OWNER), watch.desk.org).budgets == 0


def test_nobody_is_told_of_a_silenced_budget(watch: Watch) -> None:
    desk = watch.desk
    tools = desk.application.notification_tools()
    channels.add_channel(desk.ctx, tools, desk.org, ChannelKind.EMAIL, {"name": "Ana", "addresses": ["a@example.com"]})
    budget = watch.budget(100, alert_thresholds=["0.5", "0.9"], forecast_alerts=False)
    watch.save(budget, silenced_until=desk.now + timedelta(hours=1))
    watch.spend(60)
    watch.look()
    assert outbox.dispatch(desk.ctx, limit=10_000).deliveries == 0
    desk.now += timedelta(hours=1)
    watch.spend(35)
    watch.look()
    assert outbox.dispatch(desk.ctx, limit=10_000).deliveries == 1
