"""Reserving, settling and releasing over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from cost_ops.domain.budget_documents import read_budget, same_names
from cost_ops.domain.errors import Unavailable
from cost_ops.services import leases
from tests.api.running import ORGANIZATION, OTHER, PRICE, Server, ready_server

AMOUNT = {"organization_id": ORGANIZATION, "amount": 1}
TOKENS = {
    "organization_id": ORGANIZATION,
    "provider": "openai",
    "model_id": "gpt-4",
    "input_tokens": 1000,
    "max_output_tokens": 500,
    "project_id": "search",
}


@pytest.fixture
def priced(any_server: Server) -> Server:
    """A server on each database with a price and a hard budget of 100 USD a month."""
    assert any_server.post("pricing", PRICE).status == 201
    budget(any_server)
    return any_server


def budget(server: Server, budget_id: str = "budget-all", **fields: Any) -> str:
    document = {"amount": 100, "enforcement": "hard", "name": budget_id, **fields}
    now = datetime.now(UTC)
    new = read_budget(document, organization_id=ORGANIZATION, budget_id=budget_id, by="test", now=now, names=same_names)
    with server.application.storage.ledger(ORGANIZATION) as ledger:
        ledger.budgets.add(new)
    return budget_id


def test_a_call_from_reservation_to_settlement(priced: Server) -> None:
    made = priced.post("budgets/reserve", TOKENS)
    assert made.status == 201
    lease = made.body["data"]
    assert lease["amount"] == Decimal("0.025")
    assert lease["status"] == "held"
    assert lease["budgets"][0]["available"] == 100

    settled = priced.post("budgets/settle", {"lease_id": lease["lease_id"], "input_tokens": 1000, "output_tokens": 100})
    assert settled.status == 201
    assert settled.body["estimated_cost"] == Decimal("0.013")
    assert settled.body["data"]["lease"] == {
        "lease_id": lease["lease_id"],
        "amount": Decimal("0.025"),
        "currency": "USD",
        "late": False,
        "over_lease": 0,
    }
    usage = priced.get(f"usage/{settled.body['usage_id']}").body["data"]
    assert (usage["project_id"], usage["model_id"]) == ("search", "gpt-4")
    found = priced.get(f"leases/{lease['lease_id']}").body["data"]
    assert (found["status"], found["usage_id"]) == ("settled", settled.body["usage_id"])
    again = priced.post("budgets/settle", {"lease_id": lease["lease_id"], "input_tokens": 1000, "output_tokens": 100})
    assert (again.status, again.body["usage_id"]) == (200, settled.body["usage_id"])


def test_a_refusal_says_which_budget_has_how_much_left(priced: Server) -> None:
    narrow = budget(priced, "budget-search", amount="0.50", scope={"project": "search"})
    refused = priced.post("budgets/reserve", {**AMOUNT, "project_id": "search"})
    assert refused.status == 409
    details = refused.error["details"]
    assert details["reason"] == "budget_exceeded"
    assert [(b["budget_id"], b["available"]) for b in details["budgets"]] == [(narrow, Decimal("0.5"))]
    assert "0.5 USD left" in refused.error["message"]
    assert priced.get("leases").body["pagination"]["total_items"] == 0


def test_released_by_either_path(priced: Server) -> None:
    first = priced.post("budgets/reserve", AMOUNT).body["data"]["lease_id"]
    second = priced.post("budgets/budget-all/reserve", AMOUNT).body["data"]["lease_id"]
    assert priced.post("budgets/release", {"lease_id": first}).body["data"]["status"] == "released"
    released = priced.post("budgets/budget-all/release", {"lease_id": second})
    assert released.body["data"]["status"] == "released"
    assert priced.post("budgets/other/release", {"lease_id": second}).status == 404
    refused = priced.post("budgets/settle", {"lease_id": first, "provider": "openai", "model_id": "gpt-4",
                                             "input_tokens": 1, "output_tokens": 1})  # fmt: skip
    assert refused.status == 409


def test_settled_by_the_path_of_its_budget(priced: Server) -> None:
    lease_id = priced.post("budgets/budget-all/reserve", TOKENS).body["data"]["lease_id"]
    settled = priced.post(
        "budgets/budget-all/settle", {"lease_id": lease_id, "input_tokens": 1000, "output_tokens": 500}
    )
    assert settled.status == 201
    assert settled.body["data"]["lease"]["over_lease"] == 0
    assert priced.post("budgets/budget-all/release", {"lease_id": lease_id}).status == 409


def test_larger_than_the_lease_is_recorded_and_said(priced: Server) -> None:
    lease_id = priced.post("budgets/reserve", TOKENS).body["data"]["lease_id"]
    settled = priced.post("budgets/settle", {"lease_id": lease_id, "input_tokens": 2000, "output_tokens": 500})
    assert settled.body["data"]["lease"]["over_lease"] == Decimal("0.01")


def test_another_organizations_lease_is_not_found(priced: Server) -> None:
    lease_id = priced.post("budgets/reserve", AMOUNT).body["data"]["lease_id"]
    for path, body in (
        ("budgets/settle", {"lease_id": lease_id, "input_tokens": 1, "output_tokens": 1}),
        ("budgets/release", {"lease_id": lease_id}),
        ("budgets/budget-all/settle", {"lease_id": lease_id}),
        ("budgets/budget-all/reserve", {"organization_id": OTHER, "amount": 1}),
    ):
        assert priced.post(path, body, key="other").status == 404, path
    assert priced.get(f"leases/{lease_id}", key="other").status == 404
    assert priced.post("budgets/reserve", AMOUNT, key="other").status == 404


def test_a_key_of_one_project_reserves_for_it_alone(priced: Server) -> None:
    budget(priced, "budget-search", scope={"project": "search"})
    bound = priced.make_key(ORGANIZATION, projects=["search"])
    made = priced.post("budgets/reserve", AMOUNT, key=bound).body["data"]
    assert {held["budget_id"] for held in made["holds"]} == {"budget-all", "budget-search"}
    assert {level["budget_id"] for level in made["budgets"]} == {"budget-search"}
    refused = priced.post("budgets/reserve", {**AMOUNT, "amount": 100, "project_id": "search"}, key=bound)
    assert (refused.status, [level["budget_id"] for level in refused.error["details"]["budgets"]]) == (
        409,
        ["budget-search"],
    )
    assert priced.post("budgets/reserve", {**AMOUNT, "project_id": "other"}, key=bound).status == 403


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("budgets/reserve", b"[]"),
        ("budgets/reserve", b"{"),
        ("budgets/reserve", b'{"organization_id": "org-123", "amount": 1e999}'),
        ("budgets/settle", b"[]"),
        ("budgets/settle", b"{}"),
        ("budgets/settle", b'{"lease_id": 7}'),
        ("budgets/release", b"{}"),
        ("budgets/release", b'{"lease_id": "x", "colour": 1}'),
    ],
)
def test_bad_bodies_are_refused(shared: Server, path: str, body: bytes) -> None:
    assert shared.post(path, body).status == 400


def test_a_key_that_may_only_read_reserves_nothing(shared: Server) -> None:
    reader = shared.make_key(ORGANIZATION, permissions=["budgets:read"])
    refused = shared.post("budgets/reserve", AMOUNT, key=reader)
    assert (refused.status, refused.error["details"]["required_permission"]) == (403, "usage:write")


def test_forty_callers_at_once_use_all_and_no_more(priced: Server) -> None:
    budget(priced, "budget-hot", amount=10, scope={"project": "hot"})

    def call(number: int) -> int:
        return priced.post("budgets/reserve", {**AMOUNT, "project_id": "hot", "user_id": f"u{number}"}).status

    with ThreadPoolExecutor(20) as pool:
        statuses = list(pool.map(call, range(40)))
    assert (statuses.count(201), statuses.count(409)) == (10, 30)


@pytest.mark.parametrize(("setting", "status"), [("refuse", 503), ("allow", 200)])
def test_what_becomes_of_calls_while_the_database_is_away_is_a_setting(
    ledger: str, monkeypatch: pytest.MonkeyPatch, setting: str, status: int
) -> None:
    with ready_server(ledger, budgets__when_unavailable=setting) as server:

        def away(*_: Any) -> Any:
            raise Unavailable("the database is away")

        monkeypatch.setattr(leases, "_reserve_once", away)
        for path in ("budgets/reserve", "budgets/budget-1/reserve"):
            answer = server.post(path, AMOUNT)
            assert answer.status == status
            if status == 200:
                assert (answer.body["data"]["lease_id"], answer.body["data"]["checked"]) == (None, False)
        if status == 200:
            assert "cost_ops_reserve_unchecked_total 2.0" in server.ask("GET", "/metrics", key=None).text


def test_a_key_of_one_project_lets_go_of_its_own_leases_only(priced: Server) -> None:
    bound = priced.make_key(ORGANIZATION, projects=["search"])
    mine = priced.post("budgets/reserve", AMOUNT, key=bound).body["data"]["lease_id"]
    others = priced.post("budgets/reserve", {**AMOUNT, "project_id": "other"}).body["data"]["lease_id"]
    assert priced.post("budgets/release", {"lease_id": mine}, key=bound).status == 200
    assert priced.post("budgets/release", {"lease_id": others}, key=bound).status == 403
    usage = {"provider": "openai", "model_id": "gpt-4", "input_tokens": 1, "output_tokens": 1}
    assert priced.post("budgets/settle", {"lease_id": others, **usage}, key=bound).status == 403


def test_what_budgets_stand_at_is_for_those_who_may_read_them(priced: Server) -> None:
    writer = priced.make_key(ORGANIZATION, permissions=["usage:write"])
    assert priced.post("budgets/reserve", AMOUNT, key=writer).body["data"]["budgets"] == []
    refused = priced.post("budgets/reserve", {**AMOUNT, "amount": 1000}, key=writer)
    assert (refused.status, refused.error["details"]) == (409, {"reason": "budget_exceeded", "budgets": []})
    assert "99" not in refused.error["message"]
