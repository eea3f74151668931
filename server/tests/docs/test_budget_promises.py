"""What was promised in public about budgets and webhooks, as it was printed, with a receiver on this machine."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from tests.docs.conftest import FilledLedger, equipped
from tests.docs.samples import Shell
from tests.docs.test_promises import run
from tests.hook_server import Hook, Received, hook_server

GUIDE = Path(__file__).parents[3] / "docs" / "guides" / "notifications.md"
BUDGET = """curl -X POST https://api.llm-cost-ops.example.com/api/v1/budgets \\
  -H "Authorization: Bearer sk_live_..." \\
  -d '{
    "organization_id": "org-123",
    "amount": 5000.00,
    "period": "monthly",
    "alert_thresholds": [0.50, 0.75, 0.90]
  }'
"""
WEBHOOK = """{
  "event": "budget.threshold_exceeded",
  "data": {
    "budget_id": "budget-123",
    "threshold": 0.75,
    "current_spend": 3750.00
  }
}"""
RECEIVER = """# Receive real-time cost notifications
@app.route('/webhooks/llm-cost-ops', methods=['POST'])
def webhook():
    event = request.json
    if event['event'] == 'budget.threshold_exceeded':
        send_alert(event['data'])
"""


class Told(NamedTuple):
    """What became of the promised budget: the answer, its webhook's secret, and what was posted, in order."""

    budget: dict[str, Any]
    secret: str
    posted: list[Received]

    @property
    def at_three_quarters(self) -> Received:
        """What was posted of the threshold in the promise."""
        return next(one for one in self.posted if _event(one)["data"]["threshold"] == Decimal("0.75"))


@pytest.fixture(scope="module")
def told(programs: Path, filled_ledger: FilledLedger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    """The budget made as printed, a webhook made beside it, and 3,750 of 5,000 spent."""
    with ExitStack() as stack:
        hook = stack.enter_context(hook_server())
        settings = {"notifications.allow_private_addresses": True}
        folder = tmp_path_factory.mktemp("budgets")
        shell = equipped(stack, programs, filled_ledger, folder, served=True, settings=settings)
        shell.replacements = {**shell.replacements, "sk_live_...": filled_ledger.key}
        yield _told(shell, hook)


def _told(shell: Shell, hook: Hook) -> Told:
    budget = _answer(shell, BUDGET)
    secret = _posted(shell, "webhooks", {"url": f"{hook.url}/webhooks/your-endpoint"})["data"]["secret"]
    price = {"provider": "custom", "model_id": "even", "input_price_per_1k": 1, "output_price_per_1k": 1}
    _posted(shell, "pricing", price)
    usage = {"organization_id": "org-123", "provider": "custom", "model_id": "even", "input_tokens": 3_750_000}
    _posted(shell, "usage", {**usage, "output_tokens": 0})
    return Told(budget, secret, [hook.next(), hook.next()])


def _answer(shell: Shell, command: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(shell, command), parse_float=Decimal)
    return found


def _posted(shell: Shell, path: str, body: dict[str, Any]) -> dict[str, Any]:
    url = f"https://api.llm-cost-ops.example.com/api/v1/{path}"
    return _answer(shell, f"curl -s {url} -H 'Authorization: Bearer sk_live_...' -d '{json.dumps(body)}'")


def _event(received: Received) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(received.body, parse_float=Decimal)
    return found


def _snippet(name: str) -> dict[str, Any]:
    """What a file defines that the guide writes."""
    text = GUIDE.read_text(encoding="utf-8").partition(f"cat > {name} <<'END'\n")[2].partition("\nEND\n")[0]
    assert text
    names: dict[str, Any] = {}
    exec(text, names)
    return names


def test_a_budget_is_made_by_the_request_as_printed(told: Told):
    made = told.budget["data"]
    assert (made["organization_id"], made["amount"], made["currency"]) == ("org-123", 5000, "USD")
    assert (made["period"], made["scope"], made["enforcement"]) == ("monthly", {}, "soft")
    assert made["alert_thresholds"] == [Decimal("0.5"), Decimal("0.75"), Decimal("0.9")]


def test_the_webhook_has_the_form_as_printed(told: Told):
    printed, posted = json.loads(WEBHOOK, parse_float=Decimal), _event(told.at_three_quarters)
    assert told.at_three_quarters.path == "/webhooks/your-endpoint"
    assert list(posted) == ["event", "timestamp", "delivery_id", "data"]
    assert posted["event"] == printed["event"]
    assert list(posted["data"])[: len(printed["data"])] == list(printed["data"])
    assert posted["data"] | printed["data"] | {"budget_id": told.budget["data"]["budget_id"]} == posted["data"]


def test_every_threshold_that_was_reached_is_told_once(told: Told):
    thresholds = sorted(_event(one)["data"]["threshold"] for one in told.posted)
    assert thresholds == [Decimal("0.5"), Decimal("0.75")]
    assert len({_event(one)["delivery_id"] for one in told.posted}) == len(told.posted)


def test_an_independent_library_believes_the_signature(told: Told):
    received = told.at_three_quarters
    event = Webhook(told.secret).verify(received.body, received.headers)
    assert event["data"]["threshold"] == 0.75
    with pytest.raises(WebhookVerificationError):
        Webhook(told.secret).verify(received.body.replace(b"3750", b"3751"), received.headers)


def test_the_ways_to_verify_that_the_guide_prints_tell_ours_from_others(told: Told):
    received = told.at_three_quarters
    verified: Callable[..., Any] = _snippet("verify.py")["verified"]
    is_ours: Callable[..., bool] = _snippet("by_hand.py")["is_ours"]
    assert verified(told.secret, received.body, received.headers)["event"] == "budget.threshold_exceeded"
    assert is_ours(told.secret, received.body, received.headers)
    assert not is_ours(told.secret, received.body + b" ", received.headers)
    old = {**received.headers, "webhook-timestamp": "1700000000"}
    assert not is_ours(told.secret, received.body, old)


def test_the_receiver_as_printed_is_handed_the_alert(told: Told):
    alerts: list[dict[str, Any]] = []
    routes: dict[str, Callable[[], object]] = {}

    class App:
        """What the snippet needs of a web framework."""

        def route(self, path: str, methods: list[str]) -> Callable[[Callable[[], object]], Callable[[], object]]:
            assert methods == ["POST"]
            return lambda view: routes.setdefault(path, view)

    class Request:
        """The request that came."""

        json = _event(told.at_three_quarters)

    exec(RECEIVER, {"app": App(), "request": Request(), "send_alert": alerts.append})
    routes["/webhooks/llm-cost-ops"]()
    assert [alert["current_spend"] for alert in alerts] == [3750]
