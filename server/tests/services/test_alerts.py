"""Alerts as people deal with them: each sees those of budgets in reach, answers them once, and may have quiet."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from cost_ops.domain.access import Principal
from cost_ops.domain.alerts import Alert, AlertStatus
from cost_ops.domain.audit import AuditEvent
from cost_ops.domain.errors import Forbidden, InvalidInput, NotFound
from cost_ops.domain.periods import format_instant
from cost_ops.domain.scopes import Scope, of_projects
from cost_ops.services import alerting, alerts
from cost_ops.services.alerts import AlertQuery
from tests.services.conftest import Desk
from tests.services.test_alerting import Watch


@pytest.fixture
def watch(desk: Desk) -> Watch:
    return Watch(desk)


@pytest.fixture
def fired(watch: Watch) -> list[Alert]:
    """Two budgets of projects, three alerts of each; newest and highest first."""
    for project in ("shop", "search"):
        watch.budget(100, f"budget-{project}", scope={"project": project}, escalate_after_minutes=60, **_ALL)
        watch.spend(95, project_id=project)
    watch.look()
    watch.take()
    return alerts.page(watch.desk.ctx, watch.desk.org, AlertQuery())[0]


_ALL = {"alert_thresholds": ["0.5", "0.75", "0.9"], "forecast_alerts": False}


def _events(watch: Watch, action: str) -> list[AuditEvent]:
    with watch.desk.application.storage.ledger(watch.desk.org) as ledger:
        return ledger.audit.page(action=action)[0]


def test_alerts_are_found_by_budget_status_and_time(watch: Watch, fired: list[Alert]) -> None:
    ctx, org = watch.desk.ctx, watch.desk.org
    assert [(one.budget_id, one.threshold) for one in fired] == [
        (budget_id, Decimal(threshold))
        for budget_id in ("budget-search", "budget-shop")
        for threshold in ("0.9", "0.75", "0.5")
    ]
    assert all(one.status is AlertStatus.OPEN and one.spend_e10 == 95 * 10**10 for one in fired)
    second, total = alerts.page(ctx, org, AlertQuery(page=2, page_size=4))
    assert (second, total) == (fired[4:], 6)
    assert alerts.page(ctx, org, AlertQuery(budget_id="budget-shop"))[1] == 3
    assert alerts.page(ctx, org, AlertQuery(since=watch.desk.now))[1] == 6
    assert alerts.page(ctx, org, AlertQuery(since=watch.desk.now + timedelta(seconds=1)))[1] == 0
    alerts.acknowledge(ctx, org, fired[0].alert_id)
    assert alerts.page(ctx, org, AlertQuery(status=AlertStatus.OPEN))[1] == 3
    assert alerts.page(ctx, org, AlertQuery(status=AlertStatus.ACKNOWLEDGED))[1] == 3
    assert alerts.page(ctx, org, AlertQuery(status=AlertStatus.RECOVERED)) == ([], 0)
    with pytest.raises(NotFound, match="No budget 'budget-9'"):
        alerts.page(ctx, org, AlertQuery(budget_id="budget-9"))


def test_answering_an_alert_answers_the_lower_ones_and_stops_their_escalation(watch: Watch, fired: list[Alert]) -> None:
    ctx, org = watch.desk.ctx, watch.desk.org
    middle = fired[1]
    watch.desk.now += timedelta(minutes=5)
    answered = alerts.acknowledge(ctx, org, middle.alert_id, "batch job, ends today")
    assert (answered.status, answered.acknowledged_by) == (AlertStatus.ACKNOWLEDGED, "owner")
    assert (answered.acknowledged_at, answered.comment) == (watch.desk.now, "batch job, ends today")
    (event,) = watch.take()
    assert event.event == "budget.acknowledged"
    assert event.data == {
        **middle.detail,
        "fired_at": format_instant(middle.fired_at),
        "acknowledged_at": format_instant(watch.desk.now),
        "acknowledged_by": "owner",
        "comment": "batch job, ends today",
    }
    assert alerts.acknowledge(ctx, org, middle.alert_id, "again") == answered
    assert alerts.get(ctx, org, fired[2].alert_id).status is AlertStatus.ACKNOWLEDGED
    (audited,) = _events(watch, "alerts.acknowledged")
    assert (audited.resource, (audited.detail or {})["with"]) == (middle.alert_id, [fired[2].alert_id])
    watch.desk.now += timedelta(hours=1)
    assert alerting.escalate(ctx, org).escalated == 4
    told = [(one.data["budget_id"], one.data["threshold"]) for one in watch.take()]
    assert told == [
        ("budget-search", Decimal("0.9")),
        ("budget-shop", Decimal("0.5")),
        ("budget-shop", Decimal("0.75")),
        ("budget-shop", Decimal("0.9")),
    ]


def test_silence_is_kept_in_the_audit_trail_and_ends(watch: Watch, fired: list[Alert]) -> None:
    ctx, org = watch.desk.ctx, watch.desk.org
    until = watch.desk.now + timedelta(hours=2)
    assert alerts.silence(ctx, org, "budget-shop", until=until, reason="load test").silenced_until == until
    watch.spend(10, project_id="search")
    alerts.acknowledge(ctx, org, fired[3].alert_id)
    assert [one.data["silenced"] for one in watch.take()] == [True]
    assert alerts.unsilence(ctx, org, "budget-shop").silenced_until is None
    assert alerts.unsilence(ctx, org, "budget-shop").silenced_until is None
    (begun,), (ended,) = _events(watch, "budgets.silenced"), _events(watch, "budgets.unsilenced")
    assert begun.detail == {
        "before": {"silenced_until": None},
        "after": {"silenced_until": until.isoformat()},
        "reason": "load test",
    }
    assert ended.detail == {"before": {"silenced_until": until.isoformat()}, "after": {"silenced_until": None}}


@pytest.mark.parametrize("wrong", [datetime(2020, 1, 1, tzinfo=UTC), datetime(2199, 1, 1, tzinfo=UTC)])
def test_silence_lies_ahead_and_ends(watch: Watch, fired: list[Alert], wrong: datetime) -> None:
    with pytest.raises(InvalidInput, match="must lie ahead"):
        alerts.silence(watch.desk.ctx, watch.desk.org, fired[0].budget_id, until=wrong)
    with pytest.raises(NotFound):
        alerts.silence(watch.desk.ctx, watch.desk.org, "budget-9", until=watch.desk.now + timedelta(hours=1))


@pytest.mark.parametrize("scope", [of_projects(["shop"]), Scope(never=(("project", frozenset({"search"})),))])
def test_who_sees_a_part_sees_the_alerts_of_budgets_within(watch: Watch, fired: list[Alert], scope: Scope) -> None:
    org = watch.desk.org
    watch.budget(10, "budget-all", **_ALL)
    watch.look()
    both = frozenset({"budgets:read", "budgets:write"})
    ctx = watch.desk.context(Principal(org, "key", both, scope=scope))
    found, total = alerts.page(ctx, org, AlertQuery())
    assert ({one.budget_id for one in found}, total) == ({"budget-shop"}, 3)
    for hidden in ("budget-search", "budget-all"):
        with pytest.raises(NotFound):
            alerts.page(ctx, org, AlertQuery(budget_id=hidden))
        with pytest.raises(NotFound):
            alerts.silence(ctx, org, hidden, until=watch.desk.now + timedelta(hours=1))
    with pytest.raises(NotFound):
        alerts.get(ctx, org, fired[0].alert_id)
    with pytest.raises(NotFound):
        alerts.acknowledge(ctx, org, fired[0].alert_id)
    assert alerts.acknowledge(ctx, org, fired[3].alert_id).acknowledged_by == "key"


def test_strangers_and_readers_change_nothing(watch: Watch, fired: list[Alert]) -> None:
    stranger = Desk(watch.desk.application)
    both = frozenset({"budgets:read", "budgets:write"})
    theirs = watch.desk.context(Principal(stranger.org, "key", both))
    with pytest.raises(NotFound):
        alerts.get(theirs, stranger.org, fired[0].alert_id)
    with pytest.raises(NotFound):
        alerts.acknowledge(theirs, watch.desk.org, fired[0].alert_id)
    assert alerts.page(theirs, None, AlertQuery()) == ([], 0)
    reader = watch.desk.context(Principal(watch.desk.org, "key", frozenset({"budgets:read"})))
    with pytest.raises(Forbidden):
        alerts.acknowledge(reader, None, fired[0].alert_id)
    with pytest.raises(InvalidInput, match="organization_id is required"):
        alerts.page(watch.desk.ctx, None, AlertQuery())


def test_alerts_stay_when_their_budget_ends(watch: Watch, fired: list[Alert]) -> None:
    with watch.desk.application.storage.ledger(watch.desk.org) as ledger:
        old = ledger.budgets.get("budget-shop")
    assert old is not None
    watch.save(old, ended_at=watch.desk.now)
    assert alerts.page(watch.desk.ctx, watch.desk.org, AlertQuery(budget_id="budget-shop"))[1] == 3
    watch.desk.now += timedelta(days=1)
    assert alerting.escalate(watch.desk.ctx, watch.desk.org).escalated == 3
    assert alerts.acknowledge(watch.desk.ctx, watch.desk.org, fired[3].alert_id).acknowledged_at == watch.desk.now
