"""Webhooks and channels over HTTP: what is shown of them, what is refused, and a test that reaches a real server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.api.running import Answer, Server, migrated, ready_server
from tests.hook_server import Hook, hook_server

URL = "https://example.com/webhooks/llm-cost-ops"


@pytest.fixture(scope="module")
def near(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that may post to this machine."""
    with ready_server(
        migrated(tmp_path_factory.mktemp("near")), notifications__allow_private_addresses="true"
    ) as running:
        yield running


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hook_server() as made:
        yield made


def make(server: Server, path: str = "webhooks", **body: Any) -> dict[str, Any]:
    answer = server.post(path, body or {"url": URL})
    assert answer.status == 201, answer.body
    found: dict[str, Any] = answer.body["data"]
    return found


def fields(answer: Answer) -> set[str]:
    details = answer.body["error"]["details"]
    return {problem["field"] for problem in details.get("errors", [details])}


def test_a_webhook_s_secret_is_shown_once(any_server: Server) -> None:
    made = make(any_server, url=URL, description="the pager of the night shift")
    assert made["secret"].startswith("whsec_")
    assert (made["events"], made["enabled"]) == (["budget.threshold_exceeded"], True)
    path = f"webhooks/{made['webhook_id']}"
    for answer in (any_server.get(path), any_server.ask("PATCH", path, json={"name": "night"})):
        assert answer.status == 200
        assert answer.body["data"]["secret"] is None
    listed = any_server.get("webhooks")
    assert [one["name"] for one in listed.body["data"]] == ["night"]
    assert made["secret"] not in json.dumps(listed.body)
    assert made["secret"] not in json.dumps(any_server.get("audit").body)
    rotated = any_server.post(f"{path}/rotate-secret", {})
    assert rotated.body["data"]["secret"] not in (made["secret"], None)
    assert any_server.ask("DELETE", path).body == {"data": {"id": made["webhook_id"], "removed": True}}
    assert any_server.get(path).status == 404


def test_a_test_message_arrives_and_is_in_the_log(near: Server, hook: Hook) -> None:
    made = make(near, url=hook.url, routing={"min_threshold": 0.9, "budgets": ["budget-1"], "severity": "warning"})
    assert made["routing"] == {
        "budgets": ["budget-1"],
        "min_threshold": Decimal("0.9"),
        "severity": "warning",
        "escalation": "both",
    }
    path = f"webhooks/{made['webhook_id']}"
    found = near.post(f"{path}/test", None)
    assert found.status == 200
    tested = found.body["data"]
    assert (tested["status"], tested["attempts"][0]["status"]) == ("delivered", 200)
    got = hook.next()
    assert Webhook(made["secret"]).verify(got.body.decode(), got.headers)["delivery_id"] == tested["delivery_id"]
    listed = near.get(f"{path}/deliveries?status=delivered")
    assert [one["delivery_id"] for one in listed.body["data"]] == [tested["delivery_id"]]
    assert "data" not in listed.body["data"][0]
    assert near.get(f"{path}/deliveries?status=failed").body["data"] == []
    one = near.get(f"{path}/deliveries/{tested['delivery_id']}")
    assert one.body["data"]["data"]["channel_id"] == made["webhook_id"]
    again = near.post(f"{path}/deliveries/{tested['delivery_id']}/redeliver", None)
    assert again.status == 202
    assert (again.body["data"]["status"], again.body["data"]["redelivery_of"]) == ("pending", tested["delivery_id"])


def test_a_receiver_that_is_down_is_an_answer_that_says_so(near: Server, hook: Hook) -> None:
    hook.answer = lambda _: (500, "on fire")
    made = make(near, url=hook.url)
    found = near.post(f"webhooks/{made['webhook_id']}/test", None)
    assert found.status == 200
    attempt = found.body["data"]["attempts"][0]
    assert (found.body["data"]["status"], attempt["status"], attempt["answer"]) == ("failed", 500, "on fire")


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"url"}),
        ({"url": "http://example.com/"}, {"url"}),
        ({"url": "https://169.254.169.254/latest/meta-data/"}, {"url"}),
        ({"url": "https://2852039166/"}, {"url"}),
        ({"url": "https://user:password@example.com/"}, {"url"}),
        ({"url": 7, "events": ["x"], "secret": "y", "enabled": "z"}, {"url", "events", "secret", "enabled"}),
        ({"url": URL, "routing": {"min_threshold": "lots", "who": 1}}, {"routing.min_threshold", "routing.who"}),
        ({"url": URL, "kind": "email"}, {"kind"}),
        ([], {""}),
        ("x", {""}),
    ],
)
def test_bad_webhooks_are_refused_with_every_problem(shared: Server, body: Any, wrong: set[str]) -> None:
    answer = shared.post("webhooks", body)
    assert answer.status == 400
    assert fields(answer) == wrong
    assert "password@" not in json.dumps(answer.body)


@pytest.mark.parametrize(
    ("body", "wrong"),
    [
        ({}, {"kind"}),
        ({"kind": "webhook", "url": URL}, {"kind"}),
        ({"kind": "carrier pigeon"}, {"kind"}),
        ({"kind": "email"}, {"addresses"}),
        ({"kind": "email", "addresses": ["nobody"], "routing_key": "x"}, {"addresses", "routing_key"}),
        ({"kind": "slack"}, {"url"}),
        ({"kind": "slack", "url": "https://127.0.0.1/"}, {"url"}),
        ({"kind": "pagerduty", "routing_key": "short"}, {"routing_key"}),
    ],
)
def test_bad_channels_are_refused_with_every_problem(shared: Server, body: Any, wrong: set[str]) -> None:
    answer = shared.post("channels", body)
    assert answer.status == 400
    assert {field.partition("[")[0] for field in fields(answer)} == wrong


def test_a_channel_s_url_is_never_shown(any_server: Server) -> None:
    made = make(any_server, "channels", kind="slack", name="ops", url="https://hooks.slack.com/services/T0/B0/hidden")
    path = f"channels/{made['channel_id']}"
    changed = any_server.ask("PATCH", path, json={"routing": {"severity": "critical"}, "enabled": False})
    assert (changed.body["data"]["enabled"], changed.body["data"]["routing"]["severity"]) == (False, "critical")
    answers = [made, any_server.get("channels").body, any_server.get(path).body, any_server.get("audit").body]
    assert "hidden" not in json.dumps(answers)
    assert any_server.get(f"webhooks/{made['channel_id']}").status == 404
    assert any_server.get(f"{path}/deliveries").body["data"] == []
    assert any_server.ask("DELETE", path).status == 200


def test_a_webhook_s_secret_is_rotated_and_not_changed(shared: Server) -> None:
    made = make(shared)
    answer = shared.ask("PATCH", f"webhooks/{made['webhook_id']}", json={"secret": made["secret"]})
    assert answer.status == 400
    assert "rotate-secret" in answer.body["error"]["message"]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "webhooks/wh_nobody"),
        ("PATCH", "webhooks/wh_nobody"),
        ("DELETE", "webhooks/wh_nobody"),
        ("POST", "webhooks/wh_nobody/test"),
        ("POST", "webhooks/wh_nobody/rotate-secret"),
        ("GET", "webhooks/wh_nobody/deliveries"),
        ("GET", "webhooks/wh_nobody/deliveries/dlv_nobody"),
        ("POST", "webhooks/wh_nobody/deliveries/dlv_nobody/redeliver"),
        ("GET", "channels/ch_nobody"),
    ],
)
def test_what_is_not_there_is_not_found(shared: Server, method: str, path: str) -> None:
    body: dict[str, Any] | None = {} if method in ("POST", "PATCH") else None
    assert shared.ask(method, path, json=body).status == 404
