"""Every HTTP request and error that the FAQ and the troubleshooting guide print, as printed."""

import subprocess
from decimal import Decimal

import pytest

from tests.api.running import PRICE, USAGE, Server


def test_usage_with_everything_required_is_recorded_and_priced(server: Server) -> None:
    answer = server.post("usage", USAGE)
    assert answer.status == 201
    data = answer.body["data"]
    assert data["cost"]["total_cost"] == answer.body["estimated_cost"] == Decimal("0.025")
    assert data["usage_id"] == answer.body["usage_id"]
    assert (data["status"], data["currency"], data["organization_id"]) == ("computed", "USD", "org-123")
    assert data["processed_at"].endswith("Z")


def test_a_missing_organization_is_said_as_printed(shared: Server) -> None:
    answer = shared.post("usage", {k: v for k, v in USAGE.items() if k != "organization_id"})
    assert answer.status == 400
    request_id = answer.headers["x-request-id"]
    assert answer.error == {
        "code": "INVALID_REQUEST",
        "message": "organization_id is required",
        "details": {"field": "organization_id", "reason": "missing_required_field"},
        "request_id": request_id,
    }


@pytest.mark.parametrize(
    "authorization", [None, "sk_live_ab12cd34_abcdefghijklmnopqrstuvwxyz", "Bearer", "Bearer nonsense", "Basic eDp5"]
)
def test_no_valid_key_is_one_and_the_same_401(shared: Server, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}
    for method, path in (("GET", "costs"), ("POST", "usage"), ("GET", "usage/history")):
        answer = shared.ask(method, path, key=None, headers=headers)
        assert answer.status == 401
        assert answer.headers["www-authenticate"] == "Bearer"
        assert (answer.error["code"], answer.error["message"]) == ("UNAUTHORIZED", "Invalid or missing API key")
        assert "details" not in answer.error


def test_a_key_with_a_space_too_many_is_refused(shared: Server) -> None:
    for key in (f" {shared.keys['org']}", f"{shared.keys['org']}x"):
        assert shared.get("costs", key=key).status == 401


def test_a_lacking_permission_is_a_403_that_names_it(shared: Server) -> None:
    shared.keys["reader"] = shared.make_key("org-123", permissions=["costs:read"])
    answer = shared.post("usage", USAGE, key="reader")
    assert answer.status == 403
    assert (answer.error["code"], answer.error["message"]) == ("FORBIDDEN", "Insufficient permissions")
    assert answer.error["details"] == {"required_permission": "usage:write"}
    assert shared.get("costs", key="reader").status == 200
    assert shared.get("usage/history", key="reader").status == 403


def test_a_bare_date_is_a_400_that_says_so(shared: Server) -> None:
    answer = shared.get("costs", params={"start_date": "2025-01-01"})
    assert answer.status == 400
    assert "2025-01-01T00:00:00Z, not a bare date" in answer.error["message"]
    assert shared.get("costs", params={"start_date": "2025-01-01T00:00:00Z"}).status == 200
    assert shared.get("costs", params={"start_date": "2025-02-31T00:00:00Z"}).reasons == {
        ("start_date", "invalid_date")
    }


def test_no_price_for_a_model_is_the_printed_404(shared: Server) -> None:
    answer = shared.get("pricing/effective", params={"provider": "openai", "model_id": "gpt-5"})
    assert answer.status == 404
    assert (answer.error["code"], answer.error["message"]) == ("NOT_FOUND", "No pricing found for model: gpt-5")


def test_a_later_price_ends_the_older_one(server: Server) -> None:
    body = {
        **PRICE,
        "input_price_per_1k": 0.005,
        "output_price_per_1k": 0.015,
        "effective_date": "2025-02-01T00:00:00Z",
    }
    added = server.post("pricing", body)
    assert (added.status, added.body["ended_price_id"]) == (201, "price-1")
    old = server.get("pricing/price-1").body["data"]
    assert (old["effective_date"], old["end_date"]) == (None, "2025-02-01T00:00:00Z")
    costs = [
        server.post("usage", {**USAGE, "timestamp": moment}).body["estimated_cost"]
        for moment in ("2025-01-31T23:59:59.999999Z", "2025-02-01T00:00:00Z")
    ]
    assert costs == [Decimal("0.025"), Decimal("0.0125")]


def test_prices_are_listed_by_provider_and_model(shared: Server) -> None:
    listed = shared.get("pricing?provider=openai").body
    assert [p["model_id"] for p in listed["data"]] == ["gpt-4"]
    price = shared.get("pricing?provider=openai&model_id=gpt-4").body["data"][0]
    assert price["input_price_per_1k"] == Decimal("0.01")
    assert price["input_price_per_million"] == 10
    assert price["output_price_per_1k"] == Decimal("0.03")
    assert price["output_price_per_million"] == 30
    assert shared.get("pricing?provider=nobody").body["data"] == []


def test_history_of_a_day_as_printed(server: Server) -> None:
    server.post("usage", {**USAGE, "timestamp": "2025-01-15T12:00:00Z"})
    server.post("usage", {**USAGE, "timestamp": "2025-01-16T12:00:00Z"})
    query = "organization_id=org-123&start_date=2025-01-15T00:00:00Z&end_date=2025-01-15T23:59:59Z"
    found = server.get(f"usage/history?{query}").body
    assert [r["timestamp"] for r in found["data"]] == ["2025-01-15T12:00:00Z"]
    assert found["pagination"]["total_items"] == 1


def test_costs_of_an_organization(server: Server) -> None:
    server.post("usage", USAGE)
    data = server.get("costs?organization_id=org-123").body["data"]
    assert (data["total_cost"], data["currency"], data["range"]) == (Decimal("0.025"), "USD", "last-30-days")


def test_health_without_a_key(shared: Server) -> None:
    for path in ("/health", "/live", "/ready", "/health/live", "/health/ready"):
        assert shared.get(path, key=None).status == 200
    assert shared.get("/health", key=None).body["status"] == "ok"


def test_head_of_costs_has_headers_and_no_body(shared: Server) -> None:
    answer = shared.ask("HEAD", "costs")
    assert (answer.status, answer.text) == (200, "")
    assert int(answer.headers["content-length"]) > 100
    assert shared.ask("HEAD", "costs", key=None).status == 401


def test_curl_without_a_content_type_is_understood(server: Server) -> None:
    body = '{"organization_id": "org-123", "provider": "openai", "model_id": "gpt-4", "input_tokens": 1000, "output_tokens": 500}'
    command = ["curl", "-s", "-X", "POST", f"{server.url}/api/v1/usage", "-d", body]
    command += ["-H", f"Authorization: Bearer {server.keys['org']}"]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert '"total_cost":0.025' in done.stdout


def test_only_a_total_counts_as_output_and_is_estimated(server: Server) -> None:
    body = {"organization_id": "org-123", "provider": "openai", "model_id": "gpt-4", "total_tokens": 100}
    data = server.post("usage", body).body["data"]
    assert (data["status"], data["cost"]["output_cost"]) == ("estimated", Decimal("0.003"))


def test_a_default_price_sent_along_is_used(server: Server) -> None:
    price = {"input_price_per_1k": 0.01, "output_price_per_1k": 0.03}
    data = server.post("usage", {**USAGE, "model_id": "unheard-of", "default_pricing": price}).body["data"]
    assert (data["status"], data["cost"]["total_cost"]) == ("estimated", Decimal("0.025"))
