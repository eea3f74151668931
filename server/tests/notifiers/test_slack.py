"""Slack: the shape of what is posted, held to the documented limits, and what no name can do."""

import re
from typing import Any

import pytest

from cost_ops.domain.errors import InvalidInput
from cost_ops.notifiers.rendering import render
from cost_ops.notifiers.slack import SlackSender, escaped, payload
from tests.notifiers.receivers import HOSTILE, forty, message, receiver, target, texts_in, trial

LIMITS = {"header": 150, "section": 3000, "context": 2000}


def hold_to_limits(document: dict[str, Any]) -> None:
    assert set(document) == {"text", "blocks", "unfurl_links", "unfurl_media"}
    assert 0 < len(document["text"]) <= 3000
    assert 1 <= len(document["blocks"]) <= 50
    for block in document["blocks"]:
        texts = [block["text"]] if "text" in block else block["elements"]
        assert set(block) <= {"type", "text", "fields", "elements"}
        assert len(texts) <= 10
        assert len(block.get("fields", [])) <= 10
        for text in texts:
            assert 0 < len(text["text"]) <= LIMITS[block["type"]]
        for field in block.get("fields", []):
            assert field["type"] == "plain_text"
            assert 0 < len(field["text"]) <= 2000


def test_an_alert_is_posted_as_blocks_with_the_same_as_text() -> None:
    with receiver() as server:
        answer = SlackSender(private=True).send(
            target("slack", secret={"url": server.url("/services/T0/B0/secret")}),
            [message(url="https://costs.example.com/budgets?a=1&b=2")],
        )
    assert answer.ok
    (posted,) = server.posted
    assert posted.path == "/services/T0/B0/secret"
    assert posted.headers["content-type"] == "application/json; charset=utf-8"
    document = posted.document
    hold_to_limits(document)
    header, section, link, footer = document["blocks"]
    assert header["text"]["text"] == '🟠 Budget "Research" has reached 75 % of 5,000.00 USD'
    assert section["text"]["text"].startswith('▓▓▓▓▓▓▓░░░ 76 %\nBudget "Research" has used 76 %')
    assert {"type": "plain_text", "text": "Spent:\n3,812.40 USD of 5,000.00 USD (76 %)", "emoji": False} in section[
        "fields"
    ]
    assert link["elements"][0]["text"] == "<https://costs.example.com/budgets?a=1&amp;b=2|Open in LLM Cost Ops>"
    assert footer["elements"][0]["text"] == "Sent by LLM Cost Ops for Acme."
    assert "at this rate 100 % on the 28th" in document["text"]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_name_calls_on_people_or_becomes_a_link(name: str) -> None:
    document = payload(render([message(budget_name=name, scope={"tag": [name]}), message(number=2, budget_name=name)]))
    hold_to_limits(document)
    for text in texts_in(document):
        assert not re.search(r"[<>]|&(?!amp;|lt;|gt;)", text), text
    for block in document["blocks"]:
        texts = [block["text"]] if "text" in block else block["elements"]
        assert {text["type"] for text in texts} == {"plain_text"}


def test_an_address_that_would_end_its_link_does_not() -> None:
    document = payload(render([message(url="https://x.example/a|b>c<!channel>")]))
    (link,) = [text for text in texts_in(document) if "x.example" in text]
    assert link == "<https://x.example/a%7Cb&gt;c&lt;!channel&gt;|Open in LLM Cost Ops>"


def test_forty_alerts_are_one_post() -> None:
    with receiver() as server:
        assert SlackSender(private=True).send(target("slack", secret={"url": server.url()}), forty()).ok
    (posted,) = server.posted
    hold_to_limits(posted.document)
    assert "and 30 more" in posted.document["blocks"][-1]["elements"][0]["text"]
    assert len(posted.document["blocks"]) == 12


def test_text_is_cut_where_it_fits_when_it_is_escaped() -> None:
    for limit in range(2, 40):
        cut = escaped("a&<b>&" * 10, limit)
        assert len(cut) <= limit
        assert re.fullmatch(r"(a|b|&amp;|&lt;|&gt;)*…", cut)


def test_what_slack_says_is_kept() -> None:
    with receiver() as server:
        server.status, server.answer = 400, b"invalid_blocks"
        answer = SlackSender(private=True).send(target("slack", secret={"url": server.url("/secret-path")}), [trial()])
        server.status, server.location = 302, "http://169.254.169.254/"
        moved = SlackSender(private=True).send(target("slack", secret={"url": server.url()}), [trial()])
    assert (answer.ok, answer.status, answer.text) == (False, 400, "invalid_blocks")
    assert "secret-path" not in answer.error
    assert not moved.ok
    assert "redirects" in moved.error
    assert len(server.posted) == 2


def test_private_addresses_are_refused_when_sending_too() -> None:
    with receiver() as server:
        answer = SlackSender().send(target("slack", secret={"url": server.url()}), [trial()])
        assert not answer.ok
        assert server.posted == []


def test_the_address_is_the_secret_and_only_its_host_is_shown() -> None:
    url = "https://hooks.slack.com/services/T0/B0/secret"
    checked = SlackSender().check({"url": url, "name": "x"})
    assert checked.config == {"host": "hooks.slack.com"}
    assert checked.secret == {"url": url}
    assert SlackSender().check({**checked.config, **checked.secret}) == checked
    assert "secret" not in repr(checked).replace("secret=", "")


@pytest.mark.parametrize(
    "url",
    [None, "", 5, "hooks.slack.com/x", "http://hooks.slack.com/x", "https://127.0.0.1/x", "https://169.254.169.254/"],
)
def test_an_address_that_cannot_be_one_is_refused(url: object) -> None:
    with pytest.raises(InvalidInput) as refused:
        SlackSender().check({"url": url})
    assert [problem.field for problem in refused.value.problems] == ["url"]
