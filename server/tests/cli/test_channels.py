"""`cost-ops webhooks` and `cost-ops channels`, on the database and through a server."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator

import pytest
from standardwebhooks import Webhook

from tests.api.running import migrated, ready_server
from tests.cli.conftest import Shell
from tests.hook_server import Hook, hook_server

ALLOWED = "COST_OPS_NOTIFICATIONS_ALLOW_PRIVATE_ADDRESSES"


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hook_server() as made:
        yield made


@pytest.fixture(params=["database", "server"])
def near(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell that may post to this machine: beside a database, or in front of a server."""
    if request.param == "database":
        beside: Shell = request.getfixturevalue("shell")
        monkeypatch.setenv(ALLOWED, "true")
        yield beside
        return
    found: Shell = request.getfixturevalue("empty_shell")
    url = migrated(found.folder)
    with ready_server(url, notifications__allow_private_addresses="true") as server:
        monkeypatch.setenv("COST_OPS_DEFAULTS_API_URL", server.url)
        monkeypatch.setenv("COST_OPS_DEFAULTS_API_KEY", server.keys["org"])
        yield found


def test_a_webhook_from_its_making_to_its_end(near: Shell, hook: Hook) -> None:
    made = near.json("webhooks", "create", "--url", hook.url, "--min-threshold", "0.9", "--budget", "b1")
    webhook = made["webhook_id"]
    assert made["secret"].startswith("whsec_")
    assert (made["routing"]["budgets"], made["routing"]["min_threshold"]) == (["b1"], "0.9")
    tested = near("webhooks", "test", webhook).stdout
    assert "delivered" in tested
    got = hook.next()
    assert Webhook(made["secret"]).verify(got.body.decode(), got.headers)
    (delivery,) = near.json("webhooks", "deliveries", webhook)
    assert "webhook.test" in near("webhooks", "deliveries", webhook).stdout
    one = near.json("webhooks", "deliveries", webhook, delivery["delivery_id"])
    assert one["data"]["channel_id"] == webhook
    again = near.json("webhooks", "redeliver", webhook, delivery["delivery_id"])
    assert again["redelivery_of"] == delivery["delivery_id"]
    rotated = near("webhooks", "rotate-secret", webhook).stdout
    assert "whsec_" in rotated
    assert made["secret"] not in rotated
    changed = near.json("webhooks", "update", webhook, "--disable", "--severity", "critical", "--name", "night")
    assert (changed["enabled"], changed["secret"], changed["name"]) == (False, None, "night")
    assert changed["routing"]["budgets"] == []  # routing is changed as a whole
    shown = near("webhooks", "show", webhook).stdout
    assert "critical or worse" in shown
    assert "off: turned off by hand" in shown
    assert "night" in near("webhooks", "list").stdout
    near("webhooks", "delete", webhook)
    assert "There are no webhooks." in near("webhooks", "list").stdout


def test_a_webhook_that_fails_says_so_and_exits_with_one(near: Shell, hook: Hook) -> None:
    hook.answer = lambda _: (500, "on fire")
    webhook = near.json("webhooks", "create", "--url", hook.url)["webhook_id"]
    assert "it answers 500" in near("webhooks", "test", webhook, code=1).stdout


def test_a_channel_s_secret_is_asked_for_and_never_shown(near: Shell, hook: Hook) -> None:
    url = f"{hook.url}/services/hidden"
    made = near("channels", "create", "slack", "--url", "-", "--name", "ops", "--output", "json", input=f"{url}\n")
    channel = json.loads(made.stdout[made.stdout.index("{") :])["channel_id"]
    tested = near.json("channels", "test", channel)
    assert hook.next().path == "/services/hidden"
    assert tested["status"] == "delivered"
    near("channels", "update", channel, "--escalation", "escalated", "--events", "budget.escalated")
    told = [made.stdout, near("channels", "show", channel).stdout, near("channels", "list").stdout]
    assert "hidden" not in "".join(told)
    assert "escalated alerts" in told[1]
    (delivery,) = near.json("channels", "deliveries", channel, "--status", "delivered")
    assert near.json("channels", "deliveries", channel, delivery["delivery_id"])["status"] == "delivered"
    assert near.json("channels", "redeliver", channel, delivery["delivery_id"])["status"] == "pending"
    near("channels", "delete", channel)
    assert "There are no channels." in near("channels", "list").stdout


def test_what_is_wrong_is_said(shell: Shell) -> None:
    wrong = shell("webhooks", "create", "--url", "https://169.254.169.254/", "--events", "moon.rises", code=2).stderr
    assert "not public" in wrong
    assert "moon.rises" in wrong
    assert "say what is to change" in shell("webhooks", "update", "wh_1", code=2).stderr
    assert "No webhook with id" in shell("webhooks", "show", "wh_1", code=1).stderr
    assert "addresses" in shell("channels", "create", "email", code=2).stderr


def test_the_doctor_says_where_secrets_lie_open_and_where_they_cannot_be_read(
    shell: Shell, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found() -> str | None:
        checks = shell("doctor", "--output", "json").stdout
        return next((one["level"] for one in json.loads(checks) if one["name"] == "channel secrets"), None)

    assert found() is None
    shell("channels", "create", "slack", "--url", "https://hooks.invalid/x")
    assert found() == "warn"
    monkeypatch.setenv("COST_OPS_NOTIFICATIONS_SECRET_KEY", b64encode(bytes(32)).decode())
    shell("channels", "create", "slack", "--url", "https://hooks.invalid/y")
    assert found() is None
    monkeypatch.delenv("COST_OPS_NOTIFICATIONS_SECRET_KEY")
    assert "notifications.secret_key is not set" in shell("doctor", code=1).stdout
    monkeypatch.setenv("COST_OPS_NOTIFICATIONS_SECRET_KEY", "hunter2")
    assert "openssl rand -base64 32" in shell("channels", "list", code=2).stderr
