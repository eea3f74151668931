"""Webhooks as receivers check them: by hand as documented, and with the library of Standard Webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
import time_machine
from standardwebhooks import Webhook, WebhookVerificationError

from cost_ops.domain.webhooks import body_of, headers_of, new_secret, secret_fault

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECRET, OTHER = new_secret(bytes(range(32))), new_secret(bytes(32))
DATA = {
    "budget_id": "budget-123",
    "threshold": Decimal("0.75"),
    "current_spend": Decimal("3750.00"),
    "least": Decimal("1E-10"),
}
BODY = body_of(event="budget.threshold_exceeded", at=NOW, delivery_id="dlv_1", data=DATA)


@pytest.fixture(autouse=True)
def clock() -> Iterator[None]:
    """The library that verifies asks for the time: it is that of the messages."""
    with time_machine.travel(NOW, tick=False):
        yield


def headers(*secrets: str, now: datetime = NOW, body: bytes = BODY) -> dict[str, str]:
    return headers_of(event="budget.threshold_exceeded", delivery_id="dlv_1", body=body, secrets=secrets, now=now)


def test_the_body_has_the_printed_form_and_plain_exact_numbers() -> None:
    told = json.loads(BODY, parse_float=Decimal)
    assert list(told) == ["event", "timestamp", "delivery_id", "data"]
    assert told["data"] == DATA
    assert b'"current_spend": 3750, ' in BODY
    assert b'"least": 0.0000000001' in BODY


def test_the_documented_signature_is_that_of_the_raw_body() -> None:
    sent = headers(SECRET, OTHER)
    expected = hmac.new(SECRET.encode(), BODY, hashlib.sha256).hexdigest()
    assert sent["X-LLM-CostOps-Signature"] == f"sha256={expected}"
    assert sent["X-LLM-CostOps-Event"] == "budget.threshold_exceeded"
    assert sent["X-LLM-CostOps-Delivery-ID"] == sent["webhook-id"] == "dlv_1"
    assert sent["X-LLM-CostOps-Timestamp"] == sent["webhook-timestamp"] == str(int(NOW.timestamp()))


def test_an_independent_library_verifies_it() -> None:
    assert Webhook(SECRET).verify(BODY.decode(), headers(SECRET))["delivery_id"] == "dlv_1"


def test_while_a_secret_is_replaced_both_verify() -> None:
    sent = headers(SECRET, OTHER)
    assert sent["webhook-signature"].count("v1,") == 2
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(BODY.decode(), sent)["event"] == "budget.threshold_exceeded"


@pytest.mark.parametrize(
    ("body", "sent", "secret"),
    [
        (BODY.replace(b"3750", b"3751"), headers(SECRET), SECRET),
        (BODY, headers(SECRET), OTHER),
        (BODY, headers(SECRET, now=NOW - timedelta(minutes=6)), SECRET),
        (BODY, headers(SECRET) | {"webhook-id": "dlv_2"}, SECRET),
    ],
)
def test_what_was_changed_or_is_old_does_not_verify(body: bytes, sent: dict[str, str], secret: str) -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(secret).verify(body.decode(), sent)


def encoded(size: int) -> str:
    return "whsec_" + b64encode(bytes(size)).decode()


@pytest.mark.parametrize("secret", [SECRET, encoded(24), encoded(64)])
def test_secrets_of_the_standard_s_form_are_taken(secret: str) -> None:
    assert secret_fault(secret) is None


@pytest.mark.parametrize(
    "secret", [None, 7, "", "whsec_", "hunter2", encoded(23), encoded(65), "whsec_not base64!", "whsec_äö"]
)
def test_others_are_refused_without_repeating_them(secret: Any) -> None:
    problem = secret_fault(secret)
    assert problem is not None
    assert problem.field == "secret"
    assert "hunter2" not in problem.message
