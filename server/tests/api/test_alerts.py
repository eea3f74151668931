"""Alerts over HTTP: listed, acknowledged, silenced; each only by whoever may, and bad questions with every problem."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from cost_ops.domain.access import OWNER
from cost_ops.services import alerting
from tests.api.running import NOON, ORGANIZATION, OTHER, Server, still_server
from tests.api.test_corrections import check_form

PRICE = {"provider": "openai", "model_id": "m", "input_price_per_1k": 1, "output_price_per_1k": 0}
BUDGET = {"amount": 100, "alert_thresholds": [0.5, 0.75], "forecast_alerts": False}
_PAST = {"effective_date": "2020-01-01T00:00:00Z"}


@pytest.fixture(params=["sqlite", "postgres"])
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    url = request.getfixturevalue("ledger" if request.param == "sqlite" else "postgres_database")
    with still_server(url) as running:
        assert running.post("pricing", {**PRICE, **_PAST}).status == 201
        yield running


def fire(server: Server, amount: int = 80, **budget: Any) -> list[dict[str, Any]]:
    """A budget, usage of its project, and the alerts that follow, newest and highest first."""
    body = {"organization_id": ORGANIZATION, **BUDGET, "scope": {"project": "shop"}, **budget}
    budget_id = _made(server, body)
    project = body["scope"]["project"]
    usage = {"organization_id": ORGANIZATION, "provider": "openai", "model_id": "m", "project_id": project}
    assert server.post("usage", {**usage, "input_tokens": amount * 1000, "output_tokens": 0}).status == 201
    alerting.evaluate(server.application.context(OWNER), ORGANIZATION)
    found: list[dict[str, Any]] = server.get("alerts", params={"budget_id": budget_id}).body["data"]
    return found


def _made(server: Server, body: Any) -> str:
    answer = server.post("budgets", body)
    assert answer.status == 201, answer.text
    return str(answer.body["data"]["budget_id"])


def test_alerts_say_what_happened(server: Server) -> None:
    high, low = fire(server, name="Shop")
    answer = server.get("alerts")
    check_form("get", "/api/v1/alerts", answer)
    assert answer.body["data"] == [high, low]
    assert answer.body["pagination"]["total_items"] == 2
    wanted = {
        "budget_name": "Shop",
        "kind": "threshold",
        "threshold": Decimal("0.75"),
        "status": "open",
        "fired_at": NOON.isoformat().replace("+00:00", "Z"),
        "period_label": "2026-11",
        "current_spend": 80,
        "limit": 100,
        "currency": "USD",
        "percent_used": 80,
        "late": False,
        "silenced": False,
        "acknowledged_by": None,
    }
    assert {name: high[name] for name in wanted} == wanted
    one = server.get(f"alerts/{high['alert_id']}?money=string")
    check_form("get", "/api/v1/alerts/{alert_id}", one)
    assert (one.body["data"]["current_spend"], one.body["data"]["threshold"]) == ("80", "0.75")
    assert server.get("alerts?status=open&page_size=1").body["pagination"]["has_next"] is True
    assert server.get("alerts", params={"since": "2026-11-26T00:00:00Z"}).body["data"] == []


def test_an_alert_is_acknowledged_once(server: Server) -> None:
    high, low = fire(server)
    path = f"alerts/{high['alert_id']}/acknowledge"
    answer = server.post(path, {"comment": "batch job, ends today"})
    check_form("post", "/api/v1/alerts/{alert_id}/acknowledge", answer)
    found = answer.body["data"]
    assert (found["status"], found["comment"]) == ("acknowledged", "batch job, ends today")
    assert found["acknowledged_by"] == server.keys["org"].split("_")[2]
    assert server.post(path, {"comment": "again"}).body["data"] == found
    assert server.get(f"alerts/{low['alert_id']}").body["data"]["status"] == "acknowledged"
    assert server.get("alerts?status=open").body["data"] == []


def test_a_budget_is_silent_for_a_while(server: Server) -> None:
    budget_id = _made(server, {"organization_id": ORGANIZATION, **BUDGET})
    path = f"budgets/{budget_id}/silence"
    answer = server.post(path, {"minutes": 60, "reason": "load test"})
    check_form("post", "/api/v1/budgets/{budget_id}/silence", answer)
    assert answer.body["data"] == {"budget_id": budget_id, "silenced_until": "2026-11-25T13:00:30Z"}
    until = server.post(path, {"until": "2026-12-01T00:00:00+01:00"})
    assert until.body["data"]["silenced_until"] == "2026-11-30T23:00:00Z"
    ended = server.ask("DELETE", path)
    check_form("delete", "/api/v1/budgets/{budget_id}/silence", ended)
    assert ended.body["data"]["silenced_until"] is None
    actions = {event["action"] for event in server.get("audit?resource=" + budget_id).body["data"]}
    assert actions >= {"budgets.silenced", "budgets.unsilenced"}


@pytest.mark.parametrize(
    ("path", "body", "reasons"),
    [
        ("alerts?status=gone&page=0&since=yesterday&x=1", None, {"status", "page", "since", "x"}),
        ("alerts/{alert}/acknowledge", {"comment": "", "note": "x"}, {"comment", "note"}),
        ("alerts/{alert}/acknowledge", {"comment": 5}, {"comment"}),
        ("alerts/{alert}/acknowledge", [], {""}),
        ("budgets/{budget}/silence", {}, {"until"}),
        ("budgets/{budget}/silence", {"until": "2026-12-01", "minutes": 0}, {"until", "minutes"}),
        ("budgets/{budget}/silence", {"until": "2027-01-01T00:00:00Z", "minutes": 5}, {"minutes"}),
        ("budgets/{budget}/silence", {"until": "2026-11-25T12:00:30Z"}, {"until"}),
        ("budgets/{budget}/silence", {"until": "2028-12-01T00:00:00Z"}, {"until"}),
        ("budgets/{budget}/silence", {"minutes": 10**30, "reason": "\x00"}, {"minutes", "reason"}),
    ],
)
def test_bad_questions_are_refused_with_every_problem(server: Server, path: str, body: Any, reasons: set[str]) -> None:
    high, _ = fire(server)
    path = path.format(alert=high["alert_id"], budget=high["budget_id"])
    answer = server.get(path) if body is None else server.post(path, body)
    assert answer.status == 400, answer.text
    assert {field for field, _ in answer.reasons} == reasons


def test_what_is_not_there_and_what_is_others_is_not_found(server: Server) -> None:
    high, _ = fire(server)
    alert, budget = f"alerts/{high['alert_id']}", f"budgets/{high['budget_id']}"
    for path, key in ((alert, "other"), (f"{alert}x", "org"), (f"{alert}?organization_id={OTHER}", "org")):
        assert server.get(path, key=key).status == 404, path
    assert server.post(f"{alert}/acknowledge", {}, key="other").status == 404
    assert server.post(f"{budget}/silence", {"minutes": 5}, key="other").status == 404
    assert server.ask("DELETE", f"{budget}/silence", key="other").status == 404
    assert server.get(f"alerts?budget_id={high['budget_id']}", key="other").status == 404
    assert server.get("alerts", key="other").body["data"] == []
    assert server.get("alerts", key="admin").reasons == {("organization_id", "missing_required_field")}
    assert server.get(f"alerts?organization_id={ORGANIZATION}", key="admin").body["data"][0] == high


def test_a_key_of_a_project_sees_the_alerts_of_its_budgets(server: Server) -> None:
    shop, _ = fire(server)
    search, _ = fire(server, scope={"project": "search"}, name="Search")
    key = server.make_key(ORGANIZATION, projects=["shop"])
    assert {one["budget_id"] for one in server.get("alerts", key=key).body["data"]} == {shop["budget_id"]}
    assert server.get(f"alerts/{search['alert_id']}", key=key).status == 404
    assert server.post(f"alerts/{search['alert_id']}/acknowledge", {}, key=key).status == 404
    assert server.post(f"budgets/{search['budget_id']}/silence", {"minutes": 5}, key=key).status == 404
    assert server.post(f"alerts/{shop['alert_id']}/acknowledge", {}, key=key).status == 200
    reader = server.make_key(ORGANIZATION, permissions=["budgets:read"])
    refused = server.post(f"alerts/{shop['alert_id']}/acknowledge", {}, key=reader)
    assert (refused.status, refused.error["details"]["required_permission"]) == (403, "budgets:write")
