"""Every other resource of the client, on a real ledger."""

from __future__ import annotations

from datetime import datetime, timezone
from decimal import Decimal

import pytest

from ledgers import YEARS, Ledger
from llm_cost_ops import CostOpsClient
from llm_cost_ops.exceptions import (
    AuthenticationError,
    BudgetExceededError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
)

CALL = {"provider": "openai", "model_id": "gpt-4o", "input_tokens": 1_000_000, "output_tokens": 50_000}
COST = Decimal(3)


@pytest.fixture
def client(ledger: Ledger):
    with ledger.client() as client:
        yield client


@pytest.fixture
def admin(ledger: Ledger):
    key = ledger.server.make_key(ledger.organization_id, kind="admin")
    with ledger.client(api_key=key, organization_id=None) as client:
        yield client


def test_costs_are_summed_broken_down_and_asked_for_in_every_way(client: CostOpsClient) -> None:
    client.usage.submit(**CALL, project_id="search", tags={"env": "prod"})
    client.usage.submit(**CALL, project_id="shop")
    costs = client.costs.get(**YEARS, group_by=["project", "tag:env"], order_by="cost", limit=5)
    assert (costs.total_cost, costs.currency, costs.requests) == (2 * COST, "USD", 2)
    assert {(row.project, row["tag:env"], row.cost) for row in costs.breakdown} == {
        ("search", "prod", COST),
        ("shop", None, COST),
    }
    assert (costs.unpriced.requests, costs.unpriced.share) == (0, Decimal(0))
    assert isinstance(costs.start_date, datetime)
    asked = client.costs.query(
        **YEARS,
        group_by=["project"],
        filters=[
            {"dimension": "project", "op": "eq", "value": "shop"},
            {"metric": "cost", "op": "gte", "value": Decimal("0.5")},
        ],
    )
    assert [row.project for row in asked.breakdown] == ["shop"]
    assert client.costs.breakdown(**YEARS, group_by=["model"]).breakdown[0].model == "gpt-4o"
    assert client.costs.summary(range="last-7-days").total_cost == 2 * COST
    series = client.costs.analytics(**YEARS, metrics=["cost"], dimensions="project", interval="month").series
    assert {(one.dimensions["project"], one.points[0].cost) for one in series} == {("search", COST), ("shop", COST)}


def test_several_currencies_have_no_total(client: CostOpsClient) -> None:
    client.usage.submit(**CALL)
    client.usage.submit(
        **{**CALL, "provider": "custom", "model_id": "mine"}, reported_cost=Decimal("1.25"), currency="EUR"
    )
    costs = client.costs.get(**YEARS)
    assert costs.total_cost is None
    assert {(total.currency, total.cost) for total in costs.totals} == {("USD", COST), ("EUR", Decimal("1.25"))}


def test_repricing_shows_first_and_then_runs(client: CostOpsClient) -> None:
    client.usage.submit(**CALL)
    dry = client.costs.reprice(**YEARS)
    assert (dry.dry_run, dry.examined_records, dry.changed_records, dry.totals[0].difference) == (True, 1, 0, 0)
    run = client.costs.reprice(**YEARS, dry_run=False, reason="new list")
    assert run.number in [one.number for one in client.costs.repricings()]
    assert client.costs.repricing(run.number).organization_id == client.settings.organization_id


def test_prices_are_added_found_versioned_and_ended(client: CostOpsClient) -> None:
    waiting = {"provider": "custom", "model_id": "mine", "input_tokens": 1000, "output_tokens": 1000}
    client.usage.submit(**waiting)
    [unpriced] = client.pricing.unpriced()
    assert (unpriced.model_id, unpriced.requests) == ("mine", 1)
    with pytest.raises(NotFoundError, match="No pricing found for model"):
        client.pricing.effective("custom", "mine")
    added = client.pricing.add(
        provider="custom", model_id="mine", input_price_per_1k=Decimal("0.01"), output_price_per_1k=0.03
    )
    assert (added.input_price_per_1k, added.output_price_per_million, added.priced_records) == (Decimal("0.01"), 30, 1)
    assert added.rates[0].price == Decimal("0.01")
    later = client.pricing.update(
        added.price_id,
        input_price_per_1k="0.02",
        output_price_per_1k="0.06",
        effective_date=datetime(2099, 1, 1, tzinfo=timezone.utc),
    )
    assert later.ended_price_id == added.price_id
    assert client.pricing.get(later.price_id) == client.pricing.get(later.price_id)
    assert client.pricing.effective("custom", "mine", at="2099-02-01T00:00:00Z").price.price_id == later.price_id
    assert [one.price.price_id for one in client.pricing.history("mine", provider="custom")] == [
        added.price_id,
        later.price_id,
    ]
    assert {price.price_id for price in client.pricing.list(layer="organization")} == {added.price_id, later.price_id}
    assert client.pricing.delete(later.price_id, end_date="2099-06-01T00:00:00Z").end_date == datetime(
        2099, 6, 1, tzinfo=timezone.utc
    )
    with pytest.raises(ConflictError):
        client.pricing.add(
            provider="custom",
            model_id="mine",
            input_price_per_1k=1,
            output_price_per_1k=1,
            effective_date="2099-01-01T00:00:00Z",
        )


def test_the_catalogue_is_compared_by_an_admin_alone(client: CostOpsClient, admin: CostOpsClient) -> None:
    assert admin.pricing.sync(dry_run=True, provider="openai").applied is False
    with pytest.raises(PermissionDeniedError):
        client.pricing.sync(dry_run=True)


def test_a_budget_is_made_watched_reserved_from_and_ended(client: CostOpsClient) -> None:
    budget = client.budgets.create(
        name="search",
        amount=Decimal("10.00"),
        enforcement="hard",
        scope={"project": "search"},
        alert_thresholds=[0.5, Decimal("0.9")],
    )
    assert (budget.amount, budget.alert_thresholds) == (Decimal(10), [Decimal("0.5"), Decimal("0.9")])
    assert client.budgets.update(budget.budget_id, amount=12, version=budget.version).amount == 12
    client.usage.submit(**CALL, project_id="search")
    status = client.budgets.status(budget.budget_id)
    assert (status.spent, status.available, status.thresholds[0].reached) == (COST, 9, False)
    assert [one.name for one in client.budgets.status_of_all()] == ["search"]
    assert client.budgets.history(budget.budget_id, periods=2)[0].spent == COST
    assert client.budgets.preview(budget.budget_id).name == "search"
    assert client.budgets.preview(amount=4, scope={"project": "search"}).alerts >= 1
    assert not client.budgets.check(project_id="search", amount=10).allowed
    lease = client.budgets.reserve(
        project_id="search", provider="openai", model_id="gpt-4o", input_tokens=1000, max_output_tokens=100
    )
    assert (lease.status, lease.holds[0].budget_id, lease.amount) == ("held", budget.budget_id, Decimal("0.0035"))
    settled = client.budgets.settle(lease.lease_id, input_tokens=1000, output_tokens=10)
    assert client.budgets.settle(lease.lease_id, input_tokens=1000, output_tokens=10).usage_id == settled.usage_id
    assert (settled.cost.total_cost, settled.lease.late) == (Decimal("0.0026"), False)
    other = client.budgets.reserve(budget.budget_id, amount="0.5", ttl_seconds=60)
    assert client.budgets.release(other.lease_id).status == "released"
    assert {one.status for one in client.budgets.leases()} == {"settled", "released"}
    assert client.budgets.lease(lease.lease_id).usage_id == settled.usage_id
    with pytest.raises(BudgetExceededError) as caught:
        client.budgets.reserve(project_id="search", amount=1000)
    assert caught.value.details["budgets"][0]["name"] == "search"
    assert client.budgets.silence(budget.budget_id, minutes=5, reason="load test").silenced_until
    assert client.budgets.unsilence(budget.budget_id).silenced_until is None
    assert client.budgets.delete(budget.budget_id).ended_at
    assert list(client.budgets.list()) == []


def test_a_budget_is_made_from_the_seed_s_body(client: CostOpsClient) -> None:
    body = {"amount": 5000.00, "period": "monthly", "alert_thresholds": [0.50, 0.75, 0.90]}
    budget = client.budgets.create(organization_id=client.settings.organization_id, **body)
    assert client.budgets.get(budget.budget_id).amount == 5000


def test_webhooks_and_channels_are_made_changed_and_removed(client: CostOpsClient) -> None:
    hook = client.webhooks.create(name="billing", url="https://example.com/costs", events=["budget.recovered"])
    assert hook.secret.startswith("whsec_")
    assert hook.secret not in repr(hook)
    assert client.webhooks.get(hook.webhook_id).secret is None
    assert client.webhooks.update(hook.webhook_id, enabled=False).enabled is False
    assert client.webhooks.rotate_secret(hook.webhook_id).secret != hook.secret
    assert client.webhooks.deliveries(hook.webhook_id).data == []
    assert [one.name for one in client.webhooks.list()] == ["billing"]
    assert client.webhooks.delete(hook.webhook_id).id == hook.webhook_id
    channel = client.channels.create(kind="slack", name="ops", url="https://example.com/slack")
    assert client.channels.update(channel.channel_id, name="people").name == "people"
    assert [one.kind for one in client.channels.list()] == ["slack"]
    assert client.channels.get(channel.channel_id).routing.escalation == "both"
    assert client.channels.delete(channel.channel_id).id == channel.channel_id
    with pytest.raises(InvalidRequestError) as caught:
        client.webhooks.create(url="ftp://example.com/x")
    assert caught.value.details["reason"] == "invalid_url"


def test_alerts_are_listed(client: CostOpsClient) -> None:
    assert client.alerts.list(status="open", since="2026-01-01T00:00:00Z").data == []
    with pytest.raises(NotFoundError):
        client.alerts.get("alert_1x0c2p5q8m3k7d9a")
    with pytest.raises(NotFoundError):
        client.alerts.acknowledge("alert_1x0c2p5q8m3k7d9a", comment="seen")


def test_jobs_take_an_admin_key(client: CostOpsClient, admin: CostOpsClient) -> None:
    job = admin.jobs.run("rollups.verify")
    assert (job.status, job.kind) == ("queued", "rollups.verify")
    assert job.job_id in [one.job_id for one in admin.jobs.list(kind="rollups.verify")]
    assert admin.jobs.get(job.job_id).max_attempts > 0
    assert admin.jobs.retry(job.job_id).job_id == job.job_id
    with pytest.raises(PermissionDeniedError) as caught:
        client.jobs.run("rollups.verify")
    assert caught.value.details["required_permission"] == "admin:*"


def test_health_and_who_asks(client: CostOpsClient) -> None:
    assert client.health.check().status == "ok"
    assert client.health.ready().ready
    assert client.health.ready().checks["database"].ok
    who = client.health.whoami()
    assert (who.organization_id, "usage:write" in who.permissions) == (client.settings.organization_id, True)


def test_what_this_server_does_not_have_yet_is_said_plainly(client: CostOpsClient) -> None:
    for ask in (client.forecasts.get, client.forecasts.anomalies, client.forecasts.budget, client.forecasts.what_if):
        with pytest.raises(NotFoundError, match="this server has no forecasts"):
            ask()
    with pytest.raises(NotFoundError, match="this server has no exports"):
        client.exports.create(format="csv")
    with pytest.raises(NotFoundError, match="this server has no exports"):
        client.exports.get("export-1")


def test_routes_without_a_method_are_asked_by_name(client: CostOpsClient) -> None:
    assert client.request("GET", "audit", params={"page_size": 1})["pagination"]["page"] == 1


def test_a_wrong_key_is_an_authentication_error_that_does_not_show_it(ledger: Ledger) -> None:
    wrong = "sk_live_nobody_0123456789abcdef"
    with ledger.client(api_key=wrong) as client, pytest.raises(AuthenticationError) as caught:
        client.usage.get_history()
    assert "Invalid or missing API key" in str(caught.value)
    assert "0123456789abcdef" not in f"{caught.value}{client!r}{client.settings!r}"
