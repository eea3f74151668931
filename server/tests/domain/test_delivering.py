"""Which channel is told what, when a delivery is tried again, and when people are left alone."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.channel_documents import channel_json, read_common, read_routing, routing_json
from cost_ops.domain.delivering import (
    PEOPLE_REST,
    RETRY_AFTER,
    after_attempt,
    default_events,
    delivery_of,
    is_told,
    rest_until,
    severity_of,
)
from cost_ops.domain.errors import Problem
from cost_ops.domain.event_data import data_of, stored_data
from cost_ops.domain.notifications import (
    BUDGET_EVENTS,
    EVENTS,
    SPEND_MOVED,
    Channel,
    ChannelKind,
    Delivery,
    DeliveryStatus,
    Escalation,
    OutboxEvent,
    Routing,
    Severity,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
THRESHOLD = "budget.threshold_exceeded"
WAIT = timedelta(seconds=10)


ALL = Routing()


def channel(kind: ChannelKind = ChannelKind.WEBHOOK, routing: Routing = ALL, **more: Any) -> Channel:
    made = Channel("c", "acme", kind, "n", (THRESHOLD,), routing, {}, None, NOW, "me", NOW)
    return replace(made, **more)


def delivery(**more: Any) -> Delivery:
    made = Delivery("d", "acme", "c", THRESHOLD, NOW, {}, DeliveryStatus.PENDING, 0, NOW)
    return replace(made, **more)


def data(threshold: str = "0.75", **more: Any) -> dict[str, Any]:
    return {"budget_id": "b1", "threshold": Decimal(threshold), **more}


def test_a_week_of_failures_is_seven_attempts_and_then_the_end() -> None:
    now, found = NOW, []
    for attempts in range(7):
        told = after_attempt(delivery(attempts=attempts), ok=False, gone=False, now=now)
        if told.next_attempt_at is None:
            found.append(told.status.value)
            break
        found.append(str(told.next_attempt_at - now))
        now = told.next_attempt_at
    assert found == ["0:00:05", "0:00:30", "0:05:00", "0:30:00", "2:00:00", "6:00:00", "failed"]
    assert len(RETRY_AFTER) == 6


def test_what_arrived_is_at_its_end_and_what_is_gone_is_not_tried_again() -> None:
    assert after_attempt(delivery(), ok=True, gone=False, now=NOW) == (DeliveryStatus.DELIVERED, None)
    assert after_attempt(delivery(), ok=False, gone=True, now=NOW) == (DeliveryStatus.FAILED, None)
    assert after_attempt(delivery(event="webhook.test"), ok=False, gone=False, now=NOW) == (DeliveryStatus.FAILED, None)


@pytest.mark.parametrize(
    ("routing", "event", "about", "told"),
    [
        (Routing(), THRESHOLD, data(), True),
        (Routing(), "budget.recovered", data(), False),  # not among its events
        (Routing(budgets=("b1", "b2")), THRESHOLD, data(), True),
        (Routing(budgets=("b2",)), THRESHOLD, data(), False),
        (Routing(min_threshold=Decimal("0.75")), THRESHOLD, data(), True),
        (Routing(min_threshold=Decimal("0.9")), THRESHOLD, data(), False),
        (Routing(severity=Severity.WARNING), THRESHOLD, data(), True),
        (Routing(severity=Severity.CRITICAL), THRESHOLD, data(), False),
        (Routing(severity=Severity.CRITICAL), THRESHOLD, data("1"), True),
        (Routing(escalation=Escalation.FIRST), THRESHOLD, data(), True),
        (Routing(escalation=Escalation.ESCALATED), THRESHOLD, data(), False),
    ],
)
def test_routing_says_who_gets_what(routing: Routing, event: str, about: dict[str, Any], told: bool) -> None:
    assert is_told(channel(routing=routing), event, about) is told


@pytest.mark.parametrize(
    ("escalation", "told"), [(Escalation.FIRST, False), (Escalation.ESCALATED, True), (Escalation.BOTH, True)]
)
def test_an_escalation_goes_to_those_it_is_for(escalation: Escalation, told: bool) -> None:
    listening = channel(routing=Routing(escalation=escalation), events=("budget.escalated", "export.completed"))
    assert is_told(listening, "budget.escalated", data()) is told
    assert is_told(listening, "export.completed", {})  # what is not about budgets is not routed by them


def test_routing_by_budget_does_not_concern_events_that_have_none() -> None:
    narrow = Routing(budgets=("b2",), min_threshold=Decimal("0.9"))
    assert is_told(channel(routing=narrow, events=("export.completed",)), "export.completed", {"export_id": "e"})


def test_nobody_is_told_what_is_internal_or_while_turned_off() -> None:
    assert not is_told(channel(events=(*EVENTS, SPEND_MOVED)), SPEND_MOVED, {})
    assert not is_told(channel(disabled_at=NOW), THRESHOLD, data())


def test_without_a_choice_a_webhook_hears_of_thresholds_and_people_of_all_about_budgets() -> None:
    for kind in ChannelKind:
        told = [event for event in EVENTS if is_told(channel(kind, events=()), event, data())]
        assert told == list(default_events(kind))
    assert default_events(ChannelKind.WEBHOOK) == (THRESHOLD,)
    assert default_events(ChannelKind.EMAIL) == BUDGET_EVENTS


@pytest.mark.parametrize(
    ("event", "about", "severity"),
    [
        (THRESHOLD, data("0.5"), "info"),
        (THRESHOLD, data("0.75"), "warning"),
        (THRESHOLD, data("1"), "critical"),
        (THRESHOLD, data("0.9", enforcement="hard", current_spend=Decimal(5), limit=Decimal(5)), "critical"),
        (THRESHOLD, data("0.9", enforcement="soft", current_spend=Decimal(5), limit=Decimal(5)), "warning"),
        (THRESHOLD, {}, "info"),
        ("budget.forecast_exceeded", data("1"), "warning"),
        ("budget.escalated", data("0.5"), "warning"),
        ("budget.recovered", data("1"), "info"),
        ("budget.acknowledged", data("1"), "info"),
        ("export.completed", {}, "info"),
    ],
)
def test_how_much_an_event_matters(event: str, about: dict[str, Any], severity: str) -> None:
    assert severity_of(event, about) == severity


def test_machines_are_told_at_once_and_people_after_a_wait() -> None:
    event = OutboxEvent(7, "acme", THRESHOLD, NOW, data())
    at_once = delivery_of(event, channel(), delivery_id="d", now=NOW, group_wait=WAIT)
    later = delivery_of(event, channel(ChannelKind.EMAIL), delivery_id="d", now=NOW, group_wait=WAIT)
    pager = delivery_of(event, channel(ChannelKind.PAGERDUTY), delivery_id="d", now=NOW, group_wait=WAIT)
    assert [one.next_attempt_at for one in (at_once, later, pager)] == [NOW, NOW + WAIT, NOW]
    assert (later.event_number, later.data, later.status) == (7, data(), DeliveryStatus.PENDING)


def test_people_rest_after_a_message() -> None:
    mail, lately = channel(ChannelKind.EMAIL), NOW - timedelta(minutes=1)
    plain = [delivery(data=data("0.5"))]
    assert rest_until(mail, plain, None, NOW) is None
    assert rest_until(mail, plain, lately, NOW) == lately + PEOPLE_REST
    assert rest_until(mail, plain, NOW - PEOPLE_REST, NOW) is None
    assert rest_until(channel(), plain, lately, NOW) is None  # a webhook is no person


@pytest.mark.parametrize(
    "urgent",
    [{"data": data("1")}, {"event": "webhook.test"}, {"redelivery_of": "d0"}, {"attempts": 1}],
)
def test_what_is_urgent_does_not_wait(urgent: dict[str, Any]) -> None:
    due = [delivery(data=data("0.5")), delivery(**urgent)]
    assert rest_until(channel(ChannelKind.SLACK), due, NOW, NOW + timedelta(seconds=1)) is None


def test_a_clock_that_was_set_back_makes_nobody_wait_for_days() -> None:
    assert rest_until(channel(ChannelKind.EMAIL), [delivery()], NOW + timedelta(days=2), NOW) is None


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
    | st.decimals(allow_nan=False, allow_infinity=False, places=10),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=5), _values, max_size=4))
def test_data_comes_back_exactly(about: dict[str, Any]) -> None:
    assert data_of(stored_data(about)) == about


def test_instants_become_text_and_what_no_database_holds_is_left_out() -> None:
    assert data_of(stored_data({"at": NOW, "name": "a\x00b"})) == {"at": "2026-11-22T12:00:00Z", "name": "ab"}


BAD = {
    "name": "",
    "events": ["budget.exploded", "spend.moved"],
    "routing": {"budgets": "b1", "min_threshold": 0, "severity": "loud", "escalation": "never", "who": "me"},
    "enabled": "yes",
    "colour": "red",
}


def test_every_problem_of_a_document_is_named() -> None:
    problems: list[Problem] = []
    read_common(BAD, ["url"], problems)
    assert [problem.field for problem in problems] == [
        "colour",
        "enabled",
        "name",
        "events",
        "events",
        "routing.who",
        "routing.budgets",
        "routing.min_threshold",
        "routing.severity",
        "routing.escalation",
    ]


@pytest.mark.parametrize("given", [[], "x", 7, True])
def test_routing_that_is_no_object_is_a_problem(given: Any) -> None:
    problems: list[Problem] = []
    assert read_routing(given, problems) == Routing()
    assert [problem.field for problem in problems] == ["routing"]


def test_routing_can_be_given_back_as_it_is_shown() -> None:
    problems: list[Problem] = []
    wanted = Routing(("b1",), Decimal("0.9"), Severity.WARNING, Escalation.FIRST)
    assert read_routing(routing_json(wanted), problems) == wanted
    assert read_routing(routing_json(Routing()), problems) == Routing()
    assert problems == []


def test_a_channel_is_shown_without_its_secret() -> None:
    assert "secret" not in channel_json(channel(secret=b"x", config={"url": "https://a.example"}))
