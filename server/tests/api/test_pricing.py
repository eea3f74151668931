"""Prices over HTTP: whose they are, versions, ends, conflicts."""

from decimal import Decimal

from tests.api.running import PRICE, USAGE, Server


def test_an_overlapping_price_is_a_409(server: Server) -> None:
    dated = {**PRICE, "model_id": "m", "effective_date": "2025-01-01T00:00:00Z"}
    assert server.post("pricing", dated).status == 201
    same = server.post("pricing", dated)
    assert (same.status, same.error["code"], same.error["details"]["conflicting_price_id"]) == (
        409,
        "CONFLICT",
        "price-2",
    )
    assert "price-2" in same.error["message"]
    early = {**dated, "effective_date": "2024-01-01T00:00:00Z", "end_date": "2025-06-01T00:00:00Z"}
    assert server.post("pricing", early).status == 409


def test_a_key_s_price_is_its_organization_s_own(server: Server) -> None:
    mine = server.get("pricing/price-1").body["data"]
    assert (mine["layer"], mine["organization_id"]) == ("organization", "org-123")
    assert server.get("pricing/price-1", key="other").status == 404
    assert server.ask("DELETE", "pricing/price-1", key="other").status == 404
    general = server.post("pricing", {**PRICE, "input_price_per_1k": 1}, key="admin").body["data"]
    assert (general["layer"], general["organization_id"]) == ("installation", None)
    assert server.get(f"pricing/{general['price_id']}", key="other").status == 200
    forbidden = server.ask("DELETE", f"pricing/{general['price_id']}")
    assert (forbidden.status, forbidden.error["details"]["required_permission"]) == (403, "admin:*")
    assert server.post("usage", USAGE).body["estimated_cost"] == Decimal("0.025")
    theirs = server.post("usage", {**USAGE, "organization_id": "org-456"}, key="other")
    assert theirs.body["estimated_cost"] == Decimal("1.015")


def test_put_makes_a_new_version_and_delete_ends_it(server: Server) -> None:
    revised = server.ask("PUT", "pricing/price-1", json={"input_price_per_1k": "0.02", "output_price_per_1k": "0.06"})
    assert revised.status == 200
    new = revised.body["data"]
    assert (revised.body["ended_price_id"], new["model_id"], new["currency"]) == ("price-1", "gpt-4", "USD")
    assert new["effective_date"] == server.get("pricing/price-1").body["data"]["end_date"]
    assert server.post("usage", USAGE).body["estimated_cost"] == Decimal("0.05")
    assert len(server.get("pricing?model_id=gpt-4").body["data"]) == 2
    assert len(server.get("pricing?model_id=gpt-4&current=true").body["data"]) == 1
    for body in ({}, {"model_id": "other", "input_price_per_1k": 1}):
        assert server.ask("PUT", "pricing/price-1", json=body).status == 400
    ended = server.ask("DELETE", f"pricing/{new['price_id']}")
    assert ended.body["data"]["end_date"] is not None
    assert server.post("usage", USAGE).body["data"]["status"] == "unpriced"
    for method in ("GET", "DELETE"):
        for price_id in ("price-99", "nonsense", "price-%00"):
            assert server.ask(method, f"pricing/{price_id}").status == 404


def test_full_rates_go_in_and_come_out(server: Server) -> None:
    rates = [
        {"meter": "input", "price": "3.00", "per": 1000000},
        {"meter": "input", "price": 6.00, "per": 1000000, "when": {"context_tokens": {"gt": 200000}}},
        {"meter": "web_searches", "price": "10.00", "per": 1000},
    ]
    data = server.post("pricing", {"provider": "anthropic", "model_id": "m", "rates": rates}).body["data"]
    assert data["rates"] == [
        {"meter": "input", "price": "3", "per": 1000000},
        {"meter": "input", "price": "6", "per": 1000000, "when": {"context_tokens": {"gt": 200000}}},
        {"meter": "web_searches", "price": "10", "per": 1000},
    ]
    assert (data["input_price_per_million"], data["output_price_per_million"]) == (3, None)


def test_a_tie_between_rates_is_refused(server: Server) -> None:
    rates = [{"meter": "input", "price": "1"}, {"meter": "input", "price": "2"}]
    answer = server.post("pricing", {"provider": "x", "model_id": "y", "rates": rates})
    assert (answer.status, answer.error["details"]["reason"]) == (400, "tie")


def test_the_effective_price_says_how_it_is_found(server: Server) -> None:
    data = server.get("pricing/effective?provider=OpenAI&model_id=GPT-4&at=2024-06-01T00:00:00Z").body["data"]
    assert (data["found_by"], data["price"]["price_id"]) == ("exact id, ignoring case", "price-1")
    assert (data["holds_from"], data["holds_to"]) == (None, None)


def test_a_sync_shows_its_diff_first(server: Server) -> None:
    assert server.post("pricing/sync", {"dry_run": True}).status == 403
    look = server.post("pricing/sync", {"dry_run": True}, key="admin").body["data"]
    assert look["applied"] is False
    assert len(look["diff"]["added_rows"]) > 500
    assert server.get("pricing?layer=catalog").body["data"] == []
    done = server.post("pricing/sync", {}, key="admin").body["data"]
    assert done["applied"] is True
    again = server.post("pricing/sync", {"dry_run": True}, key="admin").body["data"]
    assert again["diff"]["added_rows"] == []
    assert server.post("pricing/sync", {"source": "/etc/passwd"}, key="admin").status == 400
