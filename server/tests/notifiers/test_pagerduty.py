"""PagerDuty: one incident for a budget and period, from trigger to resolve, in the shape of Events API v2."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cost_ops.domain.errors import InvalidInput
from cost_ops.interfaces.notifications import Answer, Message
from cost_ops.notifiers.pagerduty import SERVERS, PagerDutySender
from tests.notifiers.receivers import HOSTILE, NOW, Receiver, message, receiver, target, trial

KEY = "0123456789abcdef0123456789abcdef"
TARGET = target("pagerduty", config={"region": "us"}, secret={"routing_key": KEY})


def send(server: Receiver, *messages: Message) -> Answer:
    server.status = 202
    return PagerDutySender({"us": server.url("")}, private=True).send(TARGET, messages)


def events_in(server: Receiver) -> list[dict[str, Any]]:
    """What was posted, after a look at its shape."""
    events = [posted.document for posted in server.posted]
    for posted, event in zip(server.posted, events, strict=True):
        assert posted.path == "/v2/enqueue"
        assert event["routing_key"] == KEY
        assert event["event_action"] in ("trigger", "acknowledge", "resolve")
        assert 0 < len(event["dedup_key"]) <= 255
        assert len(posted.body) < 512 * 1024
        if event["event_action"] == "trigger":
            payload = event["payload"]
            assert 0 < len(payload["summary"]) <= 1024
            assert payload["source"]
            assert payload["severity"] in ("critical", "error", "warning", "info")
        else:
            assert set(event) == {"routing_key", "event_action", "dedup_key"}
    return events


def test_an_alert_triggers_an_incident() -> None:
    with receiver() as server:
        assert send(server, message(url="https://costs.example.com/b")).ok
    (event,) = events_in(server)
    assert event["payload"]["summary"] == 'Budget "Research" has reached 75 % of 5,000.00 USD (Acme)'
    assert event["payload"]["severity"] == "warning"
    assert event["payload"]["timestamp"] == "2026-11-21T14:03:00Z"
    assert event["payload"]["class"] == "budget.threshold_exceeded"
    assert event["payload"]["custom_details"]["Spent"] == "3,812.40 USD of 5,000.00 USD (76 %)"
    assert event["links"] == [{"href": "https://costs.example.com/b", "text": "Open in LLM Cost Ops"}]


def test_a_budget_and_period_is_one_incident_that_ends_when_it_recovers() -> None:
    with receiver() as server:
        for one in (
            message(),
            message(threshold=Decimal(1), current_spend=Decimal(5000)),
            message("budget.escalated"),
            message("budget.acknowledged"),
            message("budget.recovered"),
        ):
            assert send(server, one).ok
        assert send(server, message(period_start="2026-12-01T00:00:00Z")).ok
        assert send(server, message(number=2)).ok
    events = events_in(server)
    assert [event["event_action"] for event in events[:5]] == [
        "trigger",
        "trigger",
        "trigger",
        "acknowledge",
        "resolve",
    ]
    assert events[1]["payload"]["severity"] == "critical"
    assert len({event["dedup_key"] for event in events[:5]}) == 1
    assert len({event["dedup_key"] for event in events}) == 3


def test_the_same_delivery_again_is_the_same_incident() -> None:
    with receiver() as server:
        send(server, message())
        send(server, message())
        send(server, trial())
        send(server, trial())
    first, again, test, test_again = (event["dedup_key"] for event in events_in(server))
    assert first == again
    assert test == test_again
    assert first != test


def test_several_at_once_are_an_event_for_each_budget_that_says_how_it_ended() -> None:
    later = NOW + timedelta(minutes=1)
    with receiver() as server:
        assert send(server, message(), message(number=2), message("budget.recovered", at=later)).ok
    assert [event["event_action"] for event in events_in(server)] == ["resolve", "trigger"]


@pytest.mark.parametrize("name", HOSTILE)
def test_names_fit_whatever_they_are(name: str) -> None:
    with receiver() as server:
        hostile = message(budget_name=name, budget_id=name)
        assert send(server, Message("d", hostile.event, hostile.at, "org_1", name, hostile.data)).ok
    assert len(events_in(server)) == 1


def test_a_refusal_ends_the_matter_and_is_told_without_the_key() -> None:
    with receiver() as server:
        sender = PagerDutySender({"us": server.url("")}, private=True)
        server.status, server.answer = 400, b'{"status":"invalid event"}'
        answer = sender.send(TARGET, [message(), message(number=2)])
    assert (answer.ok, answer.status) == (False, 400)
    assert KEY not in answer.error + answer.text
    assert len(server.posted) == 1


def test_europe_has_servers_of_its_own() -> None:
    with receiver() as us, receiver() as eu:
        sender = PagerDutySender({"us": us.url(""), "eu": eu.url("")}, private=True)
        sender.send(target("pagerduty", config={"region": "eu"}, secret={"routing_key": KEY}), [message()])
    assert (len(us.posted), len(eu.posted)) == (0, 1)
    assert all(url.startswith("https://events.") and url.endswith("pagerduty.com") for url in SERVERS.values())


def test_the_key_is_secret_and_its_end_is_shown() -> None:
    checked = PagerDutySender().check({"routing_key": KEY, "region": "eu"})
    assert checked.config == {"region": "eu", "key_ends": "cdef"}
    assert checked.secret == {"routing_key": KEY}
    assert PagerDutySender().check({**checked.config, **checked.secret}) == checked
    assert PagerDutySender().check({"routing_key": KEY}).config["region"] == "us"


@pytest.mark.parametrize(
    ("document", "fields"),
    [
        ({}, ["routing_key"]),
        ({"routing_key": "short", "region": "mars"}, ["routing_key", "region"]),
        ({"routing_key": 5}, ["routing_key"]),
        ({"routing_key": KEY, "region": ["us"]}, ["region"]),
    ],
)
def test_every_problem_is_named_and_the_key_is_not_repeated(document: dict, fields: list[str]) -> None:
    with pytest.raises(InvalidInput) as refused:
        PagerDutySender().check(document)
    assert [problem.field for problem in refused.value.problems] == fields
    assert "short" not in str(refused.value.problems)
