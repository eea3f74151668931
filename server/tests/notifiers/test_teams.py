"""Microsoft Teams: the shape of the card, its size, and what no name can do."""

from typing import Any

import pytest

from cost_ops.domain.errors import InvalidInput
from cost_ops.interfaces.notifications import Message
from cost_ops.notifiers.rendering import render
from cost_ops.notifiers.teams import MOST_BYTES, TeamsSender, payload
from tests.notifiers.receivers import HOSTILE, NOW, forty, message, receiver, target, texts_in, trial

ELEMENTS = {
    "Container": {"type", "style", "bleed", "items", "separator", "spacing"},
    "RichTextBlock": {"type", "inlines", "spacing"},
    "TextRun": {"type", "text", "weight", "size", "color", "isSubtle"},
    "ActionSet": {"type", "actions", "spacing"},
    "Action.OpenUrl": {"type", "title", "url"},
}


def elements_in(value: Any) -> list[dict[str, Any]]:
    if isinstance(value, list):
        return [found for item in value for found in elements_in(item)]
    if not isinstance(value, dict):
        return []
    return [value, *(found for item in value.values() for found in elements_in(item))]


def card_in(document: dict[str, Any]) -> dict[str, Any]:
    """The card, after a look at everything around and in it."""
    assert document["type"] == "message"
    (attachment,) = document["attachments"]
    assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
    card: dict[str, Any] = attachment["content"]
    assert (card["type"], card["version"]) == ("AdaptiveCard", "1.4")
    assert set(card["msteams"]) == {"width"}
    for element in elements_in([card["body"], card.get("actions", [])]):
        assert set(element) <= ELEMENTS[element["type"]], element
        if element["type"] == "RichTextBlock":
            assert {run["type"] for run in element["inlines"]} == {"TextRun"}
    return card


def test_an_alert_is_posted_as_an_adaptive_card() -> None:
    with receiver() as server:
        server.status = 202
        answer = TeamsSender(private=True).send(
            target("teams", secret={"url": server.url("/workflows/x/invoke?sig=secret")}),
            [message(url="https://costs.example.com/b")],
        )
    assert answer.ok
    (posted,) = server.posted
    assert posted.path == "/workflows/x/invoke?sig=secret"
    assert posted.document["summary"] == 'Budget "Research" has reached 75 % of 5,000.00 USD'
    card = card_in(posted.document)
    assert card["body"][0]["style"] == "warning"
    assert card["actions"] == [
        {"type": "Action.OpenUrl", "title": "Open in LLM Cost Ops", "url": "https://costs.example.com/b"}
    ]
    said = list(texts_in(card["body"]))
    assert "▓▓▓▓▓▓▓░░░ 76 %" in said
    assert "3,812.40 USD of 5,000.00 USD (76 %)" in said
    assert "Sent by LLM Cost Ops for Acme." in said


@pytest.mark.parametrize("name", HOSTILE)
def test_a_name_stands_only_where_nothing_is_read_as_markup(name: str) -> None:
    shown = name if name.startswith("@everyone") else ""
    document = payload(render([message(budget_name=name, scope={"tag": [name]})]))
    card = card_in(document)
    holding = [element for element in elements_in(card["body"]) if shown and shown in str(element.get("text", ""))]
    assert {element["type"] for element in holding} == ({"TextRun"} if shown else set())
    assert "entities" not in card["msteams"]


def test_forty_alerts_are_one_card_that_teams_takes() -> None:
    with receiver() as server:
        assert TeamsSender(private=True).send(target("teams", secret={"url": server.url()}), forty()).ok
    (posted,) = server.posted
    assert len(posted.body) <= MOST_BYTES
    card = card_in(posted.document)
    assert card["body"][0]["style"] == "attention"
    assert any(text.startswith("and 30 more") for text in texts_in(card))


def test_what_is_too_long_for_teams_is_left_out_from_the_end() -> None:
    long = [message(number=n, budget_name="🚀" * 80, comment="x", acknowledged_by="🚀" * 80) for n in range(40)]
    with receiver() as server:
        assert TeamsSender(private=True).send(target("teams", secret={"url": server.url()}), long).ok
        facts = Message("d", "export.completed", NOW, "o", "Acme", {f"fact_{n}": "🚀" * 300 for n in range(30)})
        assert TeamsSender(private=True).send(target("teams", secret={"url": server.url()}), [facts]).ok
    many, one = server.posted
    assert max(len(many.body), len(one.body)) <= MOST_BYTES
    shown = sum(element.get("separator") is True for element in elements_in(many.document))
    assert any(text.startswith(f"and {40 - shown} more") for text in texts_in(many.document))
    assert 0 < sum(text.startswith("Fact ") for text in texts_in(one.document)) < 20


def test_a_failure_is_an_answer() -> None:
    with receiver() as server:
        server.status, server.answer = 413, b"too large"
        answer = TeamsSender(private=True).send(target("teams", secret={"url": server.url()}), [trial()])
    assert (answer.ok, answer.status, answer.text) == (False, 413, "too large")


def test_the_address_is_the_secret() -> None:
    url = "https://prod-1.westeurope.logic.azure.com/workflows/x/triggers/manual/paths/invoke?sig=secret"
    checked = TeamsSender().check({"url": url})
    assert checked.config == {"host": "prod-1.westeurope.logic.azure.com"}
    assert checked.secret == {"url": url}
    with pytest.raises(InvalidInput, match="url is required"):
        TeamsSender().check({})
