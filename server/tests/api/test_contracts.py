"""Contracts and multipliers over HTTP: what goes in comes out, and what a call then costs."""

from decimal import Decimal

from tests.api.running import OTHER, USAGE, Server

DISCOUNT = {"kind": "discount", "percent": "10", "provider": "OpenAI", "note": "enterprise agreement"}


def test_a_discount_is_what_usage_costs_from_then_on(any_server: Server) -> None:
    server = any_server
    price = {"provider": "openai", "model_id": "gpt-4", "input_price_per_1k": 0.01, "output_price_per_1k": 0.03}
    base = server.post("pricing", price, key="admin").body["data"]
    before = server.post("usage", USAGE).body["data"]
    added = server.post("contracts", DISCOUNT)
    assert added.status == 201
    contract = added.body["data"]
    assert (contract["provider"], contract["model_id"], contract["meters"]) == ("openai", "*", "all")
    assert server.get("contracts").body["data"] == [contract]
    after = server.post("usage", USAGE).body["data"]
    assert [u["cost"]["total_cost"] for u in (before, after)] == [Decimal("0.025"), Decimal("0.0225")]
    theirs = server.post("usage", {**USAGE, "organization_id": OTHER}, key="other").body["data"]
    assert theirs["cost"]["total_cost"] == Decimal("0.025")
    proof = server.get(f"usage/{after['usage_id']}/explain").body["data"]
    assert (proof["price"]["layer"], proof["price"]["base_price_id"]) == ("contract", base["price_id"])
    assert (proof["list_cost"], proof["agrees"]) == (Decimal("0.025"), True)
    assert proof["price"]["source"] == f"{contract['contract_id']}: 10 % off {base['price_id']}"
    assert [f["factor"] for f in proof["lines"][0]["factors"]] == ["0.9"]
    assert [one["won"] for one in proof["considered"]] == [True, False]
    assert proof["found_by"] == "exact id"
    assert server.get(f"usage/{before['usage_id']}/explain").body["data"]["list_cost"] is None
    effective = server.get("pricing/effective?provider=openai&model_id=gpt-4").body["data"]["price"]
    assert effective["price_id"] == proof["price"]["price_id"]


def test_ending_a_contract_brings_the_listed_price_back(server: Server) -> None:
    server.ask("DELETE", "pricing/price-1")
    server.post("pricing", {"provider": "openai", "model_id": "gpt-4", "input_price_per_1k": 1}, key="admin")
    contract = server.post("contracts", DISCOUNT).body["data"]["contract_id"]
    future = server.get("pricing/effective?provider=openai&model_id=gpt-4").body["data"]["price"]
    assert future["price_id"] == "price-2+contract", "it has a number from its first use on"
    assert server.ask("DELETE", f"contracts/{contract}", key="other").status == 404
    ended = server.ask("DELETE", f"contracts/{contract}")
    assert ended.body["data"]["end_date"] is not None
    assert server.get("contracts?current=true").body["data"] == []
    assert len(server.get("contracts").body["data"]) == 1
    assert server.get("pricing/effective?provider=openai&model_id=gpt-4").body["data"]["price"]["price_id"] == "price-2"


def test_a_margin_is_the_installation_s_to_set(server: Server) -> None:
    margin = {"kind": "margin", "percent": 5, "meters": ["input", "output"]}
    refused = server.post("contracts", margin)
    assert (refused.status, refused.error["details"]["required_permission"]) == (403, "admin:*")
    assert server.post("contracts", margin, key="admin").reasons == {("organization_id", "missing_required_field")}
    added = server.post("contracts", {**margin, "organization_id": "org-123"}, key="admin").body["data"]
    assert (added["percent"], added["meters"]) == ("5", ["input", "output"])
    assert server.post("usage", USAGE).body["estimated_cost"] == Decimal("0.02625"), "an own price too"
    assert server.ask("DELETE", f"contracts/{added['contract_id']}").status == 403
    assert len(server.get("contracts", key="admin").body["data"]) == 1
    assert server.get("contracts", key="other").body["data"] == []


def test_a_tie_is_a_409_and_every_fault_is_named(server: Server) -> None:
    first = server.post("contracts", DISCOUNT).body["data"]["contract_id"]
    tied = server.post("contracts", {**DISCOUNT, "percent": "20"})
    assert (tied.status, tied.error["details"]["conflicting_contract_id"]) == (409, first)
    bad = {"kind": "gift", "percent": "much", "meters": ["moonlight"], "effective_date": "2026-01-01", "model_id": ""}
    assert {field for field, _ in server.post("contracts", {**bad, "colour": 1}).reasons} == {
        *("kind", "percent", "meters", "effective_date", "model_id", "colour")
    }
    assert server.post("contracts", {"kind": "discount", "percent": 101}).reasons == {("percent", "out_of_range")}
    assert server.ask("DELETE", "contracts/contract-99").status == 404


def test_multipliers_go_in_and_come_out_and_count(server: Server) -> None:
    factor = {"factor": "1.1", "meters": "tokens", "when": {"region": "us"}, "note": "US-only inference"}
    body = {"provider": "anthropic", "model_id": "m", "input_price_per_million": 10, "multipliers": [factor]}
    added = server.post("pricing", body).body["data"]
    assert added["multipliers"] == [factor]
    million = {**USAGE, "provider": "anthropic", "model_id": "m", "input_tokens": 1_000_000, "output_tokens": 0}
    del million["total_tokens"]
    paid = [server.post("usage", {**million, "region": region}).body["estimated_cost"] for region in ("us", "eu")]
    assert paid == [11, 10]
    revised = server.ask("PUT", f"pricing/{added['price_id']}", json={"input_price_per_million": 20}).body["data"]
    assert revised["multipliers"] == [factor]
    without = server.ask("PUT", f"pricing/{revised['price_id']}", json={"multipliers": []}).body["data"]
    assert (without["multipliers"], without["input_price_per_million"]) == ([], 20)
    wrong = server.post("pricing", {**body, "model_id": "n", "multipliers": [{"factor": "x"}]})
    assert wrong.reasons == {("multipliers[0].factor", "invalid_type")}


TIERS = [{"from": 0, "discount": "0"}, {"from": 2000, "discount": "0.1"}]


def test_a_discount_by_volume_is_settled_and_shown_with_its_months(any_server: Server) -> None:
    server = any_server
    price = {"provider": "openai", "model_id": "gpt-4", "input_price_per_1k": 0.01, "output_price_per_1k": 0.03}
    server.post("pricing", price, key="admin")
    begin = {"effective_date": "2020-01-01T00:00:00Z"}
    added = server.post("contracts", {"model_id": "gpt-4", "volume": {"tiers": TIERS}, **begin})
    assert added.status == 201
    contract = added.body["data"]
    assert (contract["kind"], contract["percent"], contract["volume"]) == ("discount", None, {"tiers": TIERS})
    assert contract["months"] == []
    usage = {**USAGE, "timestamp": "2025-01-15T10:00:00Z"}
    ids = [server.post("usage", usage).body["data"]["usage_id"] for _ in range(2)]
    first = server.get(f"usage/{ids[0]}").body["data"]
    assert (first["cost"]["total_cost"], first["status"]) == (Decimal("0.025"), "estimated")
    shown = server.post("contracts/settle", {"dry_run": True}).body["data"]
    (month,) = shown["months"]
    after = {"month": "2025-01", "volume": 3000, "tier": TIERS[1], "settled": True}
    assert (shown["dry_run"], month["before"], month["after"], month["superseded_records"]) == (True, None, after, 0)
    settled = server.post("contracts/settle", {}).body["data"]
    assert [(m["contract_id"], m["superseded_records"]) for m in settled["months"]] == [(contract["contract_id"], 2)]
    first = server.get(f"usage/{ids[0]}").body["data"]
    assert (first["cost"]["total_cost"], first["status"]) == (Decimal("0.0225"), "computed")
    assert server.post("contracts/settle", {}).body["data"]["months"] == []
    (again,) = server.post("contracts/settle", {"month": "2025-01"}, key="admin").body["data"]["months"]
    assert (again["before"], again["after"], again["superseded_records"]) == (after, after, 0)
    assert server.get("contracts").body["data"][0]["months"] == [after]
    proof = server.get(f"usage/{ids[1]}/explain").body["data"]
    assert proof["price"]["source"].startswith(f"{contract['contract_id']}, volume of 2025-01: 10 % off price-")
    assert (proof["list_cost"], proof["agrees"]) == (Decimal("0.025"), True)


def test_what_is_wrong_with_tiers_and_months_is_named(server: Server) -> None:
    bad = {"volume": {"tiers": [{"from": 5, "discount": "1.5"}], "mode": "graduated"}, "percent": "10"}
    assert {field for field, _ in server.post("contracts", bad).reasons} == {
        *("percent", "volume.mode", "volume.tiers[0].discount")
    }
    assert server.post("contracts/settle", {"month": "November", "dry_run": 1}).reasons == {
        ("month", "invalid_date_format"),
        ("dry_run", "invalid_type"),
    }
    assert server.post("contracts/settle", {"month": "2999-01"}).reasons == {("month", "out_of_range")}
    assert server.post("contracts/settle", {"organization_id": OTHER}).status == 404
