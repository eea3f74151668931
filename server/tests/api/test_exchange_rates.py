"""Exchange rates and answers in one currency over HTTP."""

from decimal import Decimal
from typing import Any

import pytest

from tests.api.running import PRICE, USAGE, Server

ECB: list[dict[str, Any]] = [
    {"date": "2025-03-14", "base": "EUR", "quote": "USD", "rate": "1.25"},
    {"date": "2025-03-14", "base": "EUR", "quote": "JPY", "rate": 160},
]
RANGE = "start_date=2025-03-01T00:00:00Z&end_date=2025-04-01T00:00:00Z"


@pytest.fixture
def rated(server: Server) -> Server:
    """Rates of a Friday, and usage in dollars on the Sunday after it and two weeks later."""
    assert server.post("exchange-rates", {"source": "ECB", "rates": ECB}, key="admin").status == 201
    for day in ("16", "29"):
        assert server.post("usage", {**USAGE, "timestamp": f"2025-03-{day}T12:00:00Z"}).status == 201
    return server


def test_totals_come_in_one_currency_with_the_originals_beside(rated: Server) -> None:
    found = rated.get(f"costs?{RANGE}&group_by=day&display_currency=EUR").body["data"]
    assert [(row["day"], row["currency"], row["cost"]) for row in found["breakdown"]] == [
        ("2025-03-16", "EUR", Decimal("0.02")),
        ("2025-03-29", "USD", Decimal("0.025")),
    ]
    assert [(t["currency"], t["cost"]) for t in found["totals"]] == [
        ("EUR", Decimal("0.02")),
        ("USD", Decimal("0.025")),
    ]
    assert found["total_cost"] is None, "what has no rate is in no sum with what was converted"
    display = found["display"]
    assert display["rates"] == [
        {"currency": "USD", "rate_date": "2025-03-14", "rate": "0.8", "source": "ECB", "via": None, "days": 1}
    ]
    assert display["not_converted"] == [
        {"currency": "USD", "first_date": "2025-03-29", "last_date": "2025-03-29", "days": 1}
    ]
    assert [(t["currency"], t["cost"]) for t in display["original_totals"]] == [("USD", Decimal("0.05"))]
    plain = rated.get(f"costs?{RANGE}").body["data"]
    assert (plain["display"], plain["total_cost"]) == (None, Decimal("0.05"))


def test_every_cost_question_takes_a_display_currency(rated: Server) -> None:
    span = {"start_date": "2025-03-16T00:00:00Z", "end_date": "2025-03-17T00:00:00Z"}
    query = "&".join(f"{name}={value}" for name, value in span.items())
    summary = rated.get(f"costs/summary?{query}&display_currency=JPY").body["data"]
    assert (summary["total_cost"], summary["currency"]) == (Decimal("3.2"), "JPY")
    assert summary["display"]["rates"][0]["via"] == "EUR"
    for path in ("costs/query", "costs/breakdown"):
        body = {**span, "group_by": ["model"], "display_currency": "EUR"}
        assert rated.post(path, body).body["data"]["total_cost"] == Decimal("0.02")
        bound = {**body, "filters": [{"metric": "cost", "op": "gt", "value": "0.021"}]}
        assert rated.post(path, bound).body["data"]["breakdown"] == []
        assert rated.post(path, {**body, "display_currency": "euro"}).reasons == {
            ("display_currency", "unknown_currency")
        }
    assert rated.get("costs?display_currency=eur").reasons == {("display_currency", "unknown_currency")}


def test_rates_are_listed_and_looked_up(rated: Server) -> None:
    page = rated.get("exchange-rates?base=EUR&page_size=1").body
    assert page["data"] == [{"date": "2025-03-14", "base": "EUR", "quote": "JPY", "rate": "160", "source": "ECB"}]
    assert page["pagination"]["total_items"] == 2
    assert rated.get("exchange-rates?quote=USD&first_date=2025-03-15").body["data"] == []
    effective = rated.get("exchange-rates/effective?base=USD&quote=JPY&date=2025-03-16").body["data"]
    assert effective == {
        **{"base": "USD", "quote": "JPY", "date": "2025-03-16", "rate_date": "2025-03-14"},
        **{"rate": "128", "source": "ECB", "via": "EUR"},
    }
    missing = rated.get("exchange-rates/effective?base=USD&quote=GBP&date=2025-03-16")
    assert (missing.status, missing.error["code"]) == (404, "NOT_FOUND")
    assert rated.get("exchange-rates/effective?base=USD").reasons == {("quote", "missing_required_field")}
    assert rated.get("exchange-rates?first_date=tomorrow").reasons == {("first_date", "invalid_value")}


def test_importing_is_the_owner_s_and_stored_rates_stand(rated: Server) -> None:
    assert rated.post("exchange-rates", {"rates": ECB}).status == 403
    again = rated.post("exchange-rates", {"rates": ECB}, key="admin").body["data"]
    assert (again["added"], again["unchanged"], again["kept"]) == (0, 2, [])
    other = {"rates": [{**ECB[0], "rate": "1.5"}]}
    kept = rated.post("exchange-rates", other, key="admin").body["data"]
    assert [(r["quote"], r["rate"], r["source"]) for r in kept["kept"]] == [("USD", "1.25", "ECB")]
    assert rated.post("exchange-rates", {**other, "replace": True}, key="admin").body["data"]["replaced"] == 1
    bad = {"rates": [{**ECB[0], "rate": "0", "base": "eur", "date": "2025-02-30"}], "colour": 1}
    assert rated.post("exchange-rates", bad, key="admin").reasons == {("colour", "unknown_field")}
    del bad["colour"]
    assert {field for field, _ in rated.post("exchange-rates", bad, key="admin").reasons} == {"rate", "base", "date"}
    many = rated.post("exchange-rates", {"rates": [{}] * 10_001}, key="admin")
    assert many.reasons == {("rates", "too_many")}
    assert rated.post("exchange-rates", {}, key="admin").reasons == {("rates", "invalid_type")}


def test_sums_in_several_currencies_become_one(rated: Server) -> None:
    rated.post("pricing", {**PRICE, "model_id": "yen", "currency": "JPY"})
    rated.post("usage", {**USAGE, "model_id": "yen", "timestamp": "2025-03-16T13:00:00Z"})
    span = "start_date=2025-03-16T00:00:00Z&end_date=2025-03-17T00:00:00Z"
    apart = rated.get(f"costs?{span}").body["data"]
    assert (apart["total_cost"], len(apart["totals"])) == (None, 2)
    found = rated.get(f"costs?{span}&display_currency=EUR&group_by=model").body["data"]
    assert found["total_cost"] == Decimal("0.02") + Decimal("0.00015625")
    assert found["total_cost"] == sum(row["cost"] for row in found["breakdown"])
    text = rated.get(f"costs?{span}&display_currency=EUR&money=string").body["data"]
    assert text["total_cost"] == "0.02015625"
