"""Budgets over HTTP: made, changed, ended; how they stand, and what they say of a call."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.api.running import OTHER, PRICE, USAGE, Server, still_server

SEED = {"organization_id": "org-123", "amount": 5000.00, "period": "monthly", "alert_thresholds": [0.50, 0.75, 0.90]}
FIVE = {"input_tokens": 500, "output_tokens": 0, "total_tokens": 500}  # half a cent


@pytest.fixture
def still(ledger: str) -> Iterator[Server]:
    """A server whose clock stands at noon on 25 November 2026, with the seed's price."""
    with still_server(ledger) as running:
        assert running.post("pricing", PRICE).status == 201
        yield running


def make(server: Server, **document: Any) -> dict[str, Any]:
    answer = server.post("budgets", {"amount": 1, **document})
    assert answer.status == 201, answer.text
    found: dict[str, Any] = answer.body["data"]
    return found


def use(server: Server, **fields: Any) -> None:
    assert server.post("usage", {**USAGE, **fields}).status == 201


def test_the_printed_request_makes_a_budget(any_server: Server) -> None:
    answer = any_server.post("budgets", SEED)
    assert answer.status == 201
    made = answer.body["data"]
    assert answer.headers["location"] == f"/api/v1/budgets/{made['budget_id']}"
    assert made["budget_id"].startswith("budget-")
    assert len(made["budget_id"]) == len("budget-") + 12
    told = {name: made[name] for name in ("organization_id", "amount", "currency", "period", "timezone", "enforcement")}
    assert told == {
        "organization_id": "org-123",
        "amount": 5000,
        "currency": "USD",
        "period": "monthly",
        "timezone": "UTC",
        "enforcement": "soft",
    }
    assert made["alert_thresholds"] == [Decimal("0.5"), Decimal("0.75"), Decimal("0.9")]
    assert (made["name"], made["scope"], made["version"]) == ("monthly budget", {}, 1)
    assert any_server.get(f"budgets/{made['budget_id']}").body["data"] == made
    assert any_server.get("budgets").body["data"] == [made]
    again = any_server.post("budgets", SEED)
    assert (again.status, again.error["details"]["budget_id"]) == (409, made["budget_id"])


def test_a_budget_knows_what_was_spent_before_it_and_after(any_server: Server) -> None:
    server = any_server
    assert server.post("pricing", PRICE).status == 201
    use(server, project_id="search")
    made = make(server, scope={"project": "search"})
    use(server, project_id="search")
    use(server, project_id="other")
    status = server.get(f"budgets/{made['budget_id']}/status").body["data"]
    assert (status["spent"], status["limit"], status["available"]) == (Decimal("0.05"), 1, Decimal("0.95"))
    assert (status["percent_used"], status["state"]) == (5, "ok")
    (listed,) = server.get("budgets/status").body["data"]
    assert listed["spent"] == status["spent"]


def test_a_status_tells_where_it_is_heading(still: Server) -> None:
    made = make(still, amount="0.1", period="monthly", timezone="Europe/Berlin", alert_thresholds=[0.25, 0.5, 1])
    for day in (19, 20, 21, 25):
        use(still, **FIVE, timestamp=f"2026-11-{day}T10:00:00Z")
    still.post("usage", {**USAGE, "model_id": "unheard-of"})
    use(still, timestamp="2026-10-31T23:00:00Z", **FIVE)  # midnight in Berlin
    use(still, timestamp="2026-10-31T22:59:59Z", **FIVE)
    status = still.get(f"budgets/{made['budget_id']}/status").body["data"]
    assert (status["period"], status["period_start"], status["period_end"]) == (
        "2026-11",
        "2026-10-31T23:00:00Z",
        "2026-11-30T23:00:00Z",
    )
    assert (status["spent"], status["percent_used"], status["state"]) == (Decimal("0.025"), 25, "warning")
    assert status["days_left"] == Decimal("5.4")
    assert status["rate_per_day"] == Decimal("0.0030767587"), "four half cents in six and a half days"
    assert status["projected_spend"] == Decimal("0.0417929064")
    assert status["projected_exceeded_at"] is None
    assert status["unpriced_requests"] == 1
    assert [(t["threshold"], t["amount"], t["reached"]) for t in status["thresholds"]] == [
        (Decimal("0.25"), Decimal("0.025"), True),
        (Decimal("0.5"), Decimal("0.05"), False),
        (1, Decimal("0.1"), False),
    ]
    october = still.get(f"budgets/{made['budget_id']}/status?at=2026-10-15T00:00:00Z")
    assert october.reasons == {("at", "out_of_range")}, "a new budget counts from the period that it is made in"
    texts = still.get(f"budgets/{made['budget_id']}/status?money=string").body["data"]
    assert (texts["spent"], texts["percent_used"]) == ("0.025", "25")


def test_usage_beyond_the_limit_is_recorded_and_told(still: Server) -> None:
    made = make(still, amount="0.03")
    for _ in range(2):
        use(still)
    status = still.get(f"budgets/{made['budget_id']}/status").body["data"]
    assert (status["state"], status["spent"], status["available"]) == ("exceeded", Decimal("0.05"), Decimal("-0.02"))
    assert status["percent_used"] == Decimal("166.66")
    assert status["projected_exceeded_at"] == "2026-11-25T12:00:30Z"


def test_a_tree_of_budgets_is_listed_with_its_depth(still: Server) -> None:
    top = make(still, name="all", amount=100)
    search = make(still, name="search", scope={"project": "search"}, parent_id=top["budget_id"])
    make(still, name="gpt-4", scope={"project": "search", "model": "gpt-4"}, parent_id=search["budget_id"])
    make(still, name="another")
    listed = still.get("budgets/status").body["data"]
    assert [(one["name"], one["depth"]) for one in listed] == [("all", 0), ("search", 1), ("gpt-4", 2), ("another", 0)]
    shown = still.get(f"budgets/{top['budget_id']}/status").body
    assert (shown["data"]["name"], [one["name"] for one in shown["children"]]) == ("all", ["search"])
    second = still.get("budgets/status?page=2&page_size=3").body
    assert [one["name"] for one in second["data"]] == ["another"]
    assert (second["pagination"]["total_items"], second["pagination"]["has_next"]) == (4, False)
    refused = still.ask("DELETE", f"budgets/{search['budget_id']}")
    assert refused.status == 409
    assert "1 budgets are below" in refused.error["message"]
    wider = still.ask("PATCH", f"budgets/{search['budget_id']}", json={"scope": {"project": "other"}})
    assert wider.reasons == {("scope", "outside_parent")}, "the budget below would not be within it"
    cycle = still.ask("PATCH", f"budgets/{top['budget_id']}", json={"parent_id": search["budget_id"]})
    assert (cycle.status, cycle.error["details"]["field"]) == (409, "parent_id")
    itself = still.ask("PATCH", f"budgets/{top['budget_id']}", json={"parent_id": top["budget_id"]})
    assert itself.status == 409


def test_a_budget_is_changed_and_keeps_what_it_knows(still: Server) -> None:
    made = make(still, scope={"project": "a"}, rollover="unused")
    use(still, project_id="a")
    use(still, project_id="b")
    where = f"budgets/{made['budget_id']}"
    dearer = still.ask("PATCH", where, json={"amount": 2, "version": 1}).body["data"]
    assert (dearer["amount"], dearer["version"], dearer["rollover"]["unused"]) == (2, 2, True)
    stale = still.ask("PATCH", where, json={"amount": 3, "version": 1})
    assert (stale.status, stale.error["details"]["version"]) == (409, 2)
    assert still.ask("PATCH", where, json={"amount": 3}, headers={"If-Match": '"1"'}).status == 409
    assert still.ask("PATCH", where, json={"amount": 3}, headers={"If-Match": "x"}).status == 400
    same = still.ask("PATCH", where, json={"amount": 2}, headers={"If-Match": '"2"'}).body["data"]
    assert same["version"] == 2, "nothing was changed"
    wider = still.ask("PATCH", where, json={"scope": None, "rollover": None}).body["data"]
    assert (wider["scope"], wider["rollover"]["unused"], wider["version"]) == ({}, False, 3)
    assert still.get(f"{where}/status").body["data"]["spent"] == Decimal("0.05")
    weekly = still.ask("PATCH", where, json={"period": "14 days", "anchor_date": "2026-11-23"}).body["data"]
    assert (weekly["period"], weekly["period_days"]) == ("days", 14)
    assert still.get(f"{where}/status").body["data"]["period"] == "2026-11-23 to 2026-12-06"
    assert still.ask("PATCH", where, json={"period": "monthly"}).body["data"]["period_days"] is None
    trail = still.get("audit?action=budgets.changed").body["data"]
    assert trail[-1]["detail"]["after"] == {"amount": "2"}


def test_a_budget_that_has_ended_is_gone(still: Server) -> None:
    made = make(still)
    where = f"budgets/{made['budget_id']}"
    ended = still.ask("DELETE", where).body["data"]
    assert ended["ended_at"] == "2026-11-25T12:00:30Z"
    assert still.get("budgets").body["data"] == []
    for path in (where, f"{where}/status", f"{where}/history", f"{where}/preview"):
        assert still.get(path).status == 404
    assert still.ask("DELETE", where).status == 404
    assert make(still)["name"] == made["name"], "its name is free again"
    (event,) = still.get("audit?action=budgets.removed").body["data"]
    assert event["detail"]["before"]["amount"] == "1"


def test_periods_that_are_over_are_told_as_they_ended(still: Server) -> None:
    still.ask("GET", "budgets")
    made = make(still, amount="0.1", effective_from="2026-09-15T00:00:00Z", rollover="both")
    for day in ("2026-09-14", "2026-09-15", "2026-10-20", "2026-11-02"):
        use(still, timestamp=f"{day}T10:00:00Z")
    use(still, timestamp="2026-10-21T10:00:00Z", input_tokens=10_000, output_tokens=0, total_tokens=10_000)
    found = still.get(f"budgets/{made['budget_id']}/history").body["data"]
    told = [(one["period"], one["carried_over"], one["limit"], one["spent"], one["percent_used"]) for one in found]
    assert told == [
        ("2026-11", Decimal("0.05"), Decimal("0.15"), Decimal("0.025"), Decimal("16.66")),
        ("2026-10", Decimal("0.075"), Decimal("0.175"), Decimal("0.125"), Decimal("71.42")),
        ("2026-09", 0, Decimal("0.1"), Decimal("0.025"), 25),
    ]
    assert len(still.get(f"budgets/{made['budget_id']}/history?periods=2").body["data"]) == 2
    october = still.get(f"budgets/{made['budget_id']}/status?at=2026-10-15T00:00:00Z").body["data"]
    assert (october["spent"], october["days_left"], october["rate_per_day"]) == (Decimal("0.125"), 0, None)


def test_a_budget_out_of_force_says_so(still: Server) -> None:
    future = make(still, name="future", effective_from="2027-01-15T00:00:00Z")
    status = still.get(f"budgets/{future['budget_id']}/status").body["data"]
    assert (status["state"], status["in_force"], status["period"]) == ("not_in_force", False, "2027-01")
    use(still)
    once = {"period": "once", "start_date": "2026-11-01T00:00:00Z", "end_date": "2026-11-20T00:00:00Z"}
    over = make(still, name="over", **once)
    use(still, timestamp="2026-11-10T00:00:00Z")
    status = still.get(f"budgets/{over['budget_id']}/status").body["data"]
    assert (status["state"], status["in_force"], status["spent"]) == ("ok", False, Decimal("0.025"))
    assert [one["period"] for one in still.get(f"budgets/{over['budget_id']}/history").body["data"]] == [
        "2026-11-01 to 2026-11-19"
    ]


def test_other_currencies_are_converted_or_named(still: Server) -> None:
    euros = {**PRICE, "model_id": "euros", "currency": "EUR"}
    assert still.post("pricing", euros).status == 201
    made = make(still)
    use(still)
    use(still, model_id="euros", timestamp="2026-11-09T10:00:00Z")
    where = f"budgets/{made['budget_id']}/status"
    before = still.get(where).body["data"]
    assert (before["spent"], before["not_converted"]) == (
        Decimal("0.025"),
        [{"currency": "EUR", "amount": Decimal("0.025")}],
    )
    rates = [{"date": "2026-11-09", "base": "EUR", "quote": "USD", "rate": "1.1"}]
    assert still.post("exchange-rates", {"source": "bank", "rates": rates}, key="admin").status == 201
    after = still.get(where).body["data"]
    assert (after["spent"], after["not_converted"]) == (Decimal("0.0525"), [])


def test_a_call_is_checked_without_holding_anything(still: Server) -> None:
    make(still, name="all", amount=100)
    make(still, name="search", amount="0.04", scope={"project": "search"}, enforcement="hard")
    use(still, project_id="search")
    question = "budgets/check?provider=openai&model_id=gpt-4&project_id=search"
    small = still.get(f"{question}&input_tokens=100&output_tokens=100").body["data"]
    assert (small["allowed"], small["amount"], small["currency"]) == (True, Decimal("0.004"), "USD")
    assert {one["name"] for one in small["budgets"]} == {"all", "search"}
    large = still.get(f"{question}&amount=0.02").body["data"]
    assert large["allowed"] is False
    first = large["budgets"][0]
    assert (first["name"], first["refuses"], first["available"]) == ("search", True, Decimal("0.015"))
    assert (first["held"], first["spent"]) == (0, Decimal("0.025"))
    elsewhere = still.get("budgets/check?project_id=other&amount=0.02&tag.env=prod").body["data"]
    assert [one["name"] for one in elsewhere["budgets"]] == ["all"]
    assert still.get("budgets/check").reasons == {("amount", "missing_required_field")}
    assert still.get("budgets/check?amount=lots").reasons == {("amount", "invalid_type")}
    assert still.get("budgets/check?model_id=unheard&provider=openai&input_tokens=1").status == 404


def test_a_preview_tells_what_would_have_fired(still: Server) -> None:
    for day in ("2026-09-01", "2026-09-11", "2026-10-05"):
        use(still, timestamp=f"{day}T10:00:00Z")
    document = {"amount": "0.04", "alert_thresholds": [0.5, 1]}
    preview = still.post("budgets/preview", document).body["data"]
    assert preview["alerts"] == 3
    told = {one["period"]: [(c["threshold"], c["on"]) for c in one["crossed"]] for one in preview["periods"]}
    half = Decimal("0.5")
    assert told["2026-09"] == [(half, "2026-09-01"), (1, "2026-09-11")]
    assert (told["2026-10"], told["2026-11"]) == ([(half, "2026-10-05")], [])
    assert list(told) == ["2026-11", "2026-10", "2026-09"], "the newest first, from the first usage on"
    made = make(still, **document)
    assert still.get(f"budgets/{made['budget_id']}/preview").body["data"] == preview
    assert still.get("budgets").body["pagination"]["total_items"] == 1, "nothing was made by looking"


FAULTS: list[tuple[dict[str, Any], set[tuple[str, str]]]] = [
    ({}, {("amount", "missing_required_field")}),
    ({"amount": 0}, {("amount", "out_of_range")}),
    ({"amount": -5}, {("amount", "out_of_range")}),
    ({"amount": "much"}, {("amount", "invalid_type")}),
    ({"amount": 10**30}, {("amount", "out_of_range")}),
    ({"amount": "0.00000000001"}, {("amount", "out_of_range")}),
    ({"amount": True}, {("amount", "invalid_type")}),
    ({"amount": 1, "alert_thresholds": [0.9, 0.5]}, {("alert_thresholds", "not_sorted")}),
    ({"amount": 1, "alert_thresholds": [0.5, 0.5]}, {("alert_thresholds", "not_sorted")}),
    ({"amount": 1, "alert_thresholds": [0.5, 75]}, {("alert_thresholds[1]", "out_of_range")}),
    ({"amount": 1, "alert_thresholds": [0, "x"]}, {("alert_thresholds[0]", "out_of_range"), ("alert_thresholds[1]", "invalid_type")}),
    ({"amount": 1, "alert_thresholds": 0.5}, {("alert_thresholds", "invalid_type")}),
    ({"amount": 1, "scope": {"planet": "mars"}}, {("scope.planet", "unknown_scope")}),
    ({"amount": 1, "scope": {"project": []}}, {("scope.project", "invalid_type")}),
    ({"amount": 1, "scope": {"project": ""}}, {("scope.project", "invalid_type")}),
    ({"amount": 1, "scope": ["project"]}, {("scope", "invalid_type")}),
    ({"amount": 1, "currency": "dollars"}, {("currency", "invalid_value")}),
    ({"amount": 1, "period": "fortnightly"}, {("period", "invalid_value")}),
    ({"amount": 1, "period": "once"}, {("start_date", "missing_required_field"), ("end_date", "missing_required_field")}),
    ({"amount": 1, "period": "days"}, {("period_days", "missing_required_field")}),
    ({"amount": 1, "timezone": "Mars/Olympus"}, {("timezone", "unknown_timezone")}),
    ({"amount": 1, "enforcement": "iron"}, {("enforcement", "invalid_value")}),
    ({"amount": 1, "parent_id": "budget-none"}, {("parent_id", "unknown_budget")}),
    ({"amount": 1, "rollover": "all"}, {("rollover", "invalid_type")}),
    ({"amount": 1, "rollover": {"limit": -1}}, {("rollover.limit", "out_of_range")}),
    ({"amount": 1, "phases": [{"start_date": "2026-13-01T00:00:00Z", "amount": 0}]}, {("phases[0].start_date", "invalid_date"), ("phases[0].amount", "out_of_range")}),
    ({"amount": 1, "effective_from": "2026-02-01T00:00:00Z", "effective_to": "2026-01-01T00:00:00Z"}, {("effective_to", "empty_range")}),
    ({"amount": 1, "effective_from": "2026-02-01"}, {("effective_from", "invalid_date_format")}),
    ({"amount": 1, "escalate_after_minutes": 0}, {("escalate_after_minutes", "out_of_range")}),
    ({"amount": 1, "forecast_alerts": "yes"}, {("forecast_alerts", "invalid_type")}),
    ({"amount": 1, "name": " "}, {("name", "invalid_value")}),
    ({"amount": 1, "colour": "red"}, {("colour", "unknown_field")}),
    ({"amount": 0, "currency": 5, "colour": 1, "organization_id": "!"}, {("amount", "out_of_range"), ("currency", "invalid_value"), ("colour", "unknown_field"), ("organization_id", "invalid_value")}),
]  # fmt: skip


@pytest.mark.parametrize(("document", "reasons"), FAULTS, ids=[str(one) for one, _ in FAULTS])
def test_what_is_wrong_with_a_budget_is_named(
    shared: Server, document: dict[str, Any], reasons: set[tuple[str, str]]
) -> None:
    answer = shared.post("budgets", document)
    assert (answer.status, answer.reasons) == (400, reasons)


@pytest.mark.parametrize("body", [b"[]", b"5", b"null", b'"x"'])
def test_a_body_that_is_no_object_is_refused(shared: Server, body: bytes) -> None:
    assert shared.post("budgets", body).status == 400
    assert shared.post("budgets/preview", body).status == 400
    assert shared.ask("PATCH", "budgets/x", content=body, headers={"Content-Type": "application/json"}).status == 400


def test_faults_of_a_change_are_named_together(still: Server) -> None:
    made = make(still)
    where = f"budgets/{made['budget_id']}"
    wrong = still.ask("PATCH", where, json={"amount": -1, "alert_thresholds": [2], "colour": 1, "version": 0})
    assert wrong.status == 400
    assert {field for field, _ in wrong.reasons} >= {"colour", "version"}
    wrong = still.ask("PATCH", where, json={"amount": None, "alert_thresholds": [2]})
    assert {field for field, _ in wrong.reasons} == {"amount", "alert_thresholds[0]"}
    assert still.get(where).body["data"] == made
    assert still.ask("PATCH", "budgets/budget-none", json={"amount": 1}).status == 404


def test_another_organization_s_budgets_do_not_exist(still: Server) -> None:
    made = make(still)
    where = f"budgets/{made['budget_id']}"
    for path in (where, f"{where}/status", f"{where}/history", f"{where}/preview"):
        assert still.get(path, key="other").status == 404
    assert still.ask("PATCH", where, json={"amount": 5}, key="other").status == 404
    assert still.ask("DELETE", where, key="other").status == 404
    assert still.get("budgets", key="other").body["data"] == []
    assert still.post("budgets", SEED, key="other").status == 404
    child = still.post("budgets", {"amount": 1, "parent_id": made["budget_id"]}, key="other")
    assert child.reasons == {("parent_id", "unknown_budget")}
    assert still.post("budgets", {**SEED, "organization_id": OTHER}, key="admin").status == 201
    assert still.post("budgets", {"amount": 1}, key="admin").reasons == {("organization_id", "missing_required_field")}
    nobody = still.post("budgets", {**SEED, "organization_id": "nobody"}, key="admin")
    assert nobody.status == 404


def test_a_key_of_one_project_sees_and_makes_its_own_budgets_only(still: Server) -> None:
    make(still, name="all", amount=100)
    mine = make(still, name="search", scope={"project": "search"})
    still.keys["bound"] = still.make_key("org-123", projects=["search"])
    assert [one["name"] for one in still.get("budgets", key="bound").body["data"]] == ["search"]
    assert [one["name"] for one in still.get("budgets/status", key="bound").body["data"]] == ["search"]
    (top, _) = still.get("budgets").body["data"]
    assert still.get(f"budgets/{top['budget_id']}", key="bound").status == 404
    assert still.post("budgets", {"amount": 1, "name": "mine"}, key="bound").status == 403
    assert still.post("budgets/preview", {"amount": 1}, key="bound").status == 403
    own = {"amount": 1, "name": "mine", "scope": {"project": "search", "model": "gpt-4"}}
    assert still.post("budgets", {**own, "parent_id": mine["budget_id"]}, key="bound").status == 201
    beyond = still.post("budgets", {**own, "name": "x", "parent_id": top["budget_id"]}, key="bound")
    assert beyond.reasons == {("parent_id", "unknown_budget")}
    widened = still.ask("PATCH", f"budgets/{mine['budget_id']}", json={"scope": None}, key="bound")
    assert widened.status == 403
    asked = still.get("budgets/check?amount=0.5", key="bound").body["data"]
    assert [one["name"] for one in asked["budgets"]] == ["search"], "the other counts too, and is not shown"
    assert still.get("budgets/check?amount=0.5&project_id=other", key="bound").status == 403


def test_who_may_not_is_refused(still: Server) -> None:
    still.keys["reader"] = still.make_key("org-123", permissions=["budgets:read"])
    made = make(still)
    where = f"budgets/{made['budget_id']}"
    assert still.get(where, key="reader").status == 200
    for answer in (
        still.post("budgets", SEED, key="reader"),
        still.ask("PATCH", where, json={"amount": 1}, key="reader"),
        still.ask("DELETE", where, key="reader"),
    ):
        assert (answer.status, answer.error["details"]["required_permission"]) == (403, "budgets:write")
