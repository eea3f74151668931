"""The worked amounts, through HTTP, on both databases: prices posted, usage posted, amounts read back."""

from decimal import Decimal
from typing import Any

from tests.api.running import ORGANIZATION, Server

Cases = list[tuple[int, dict[str, Any], list[tuple[dict[str, Any], str]]]]


def flat(input_price: str, output_price: str, **more: Any) -> dict[str, Any]:
    return {"input_price_per_million": input_price, "output_price_per_million": output_price, **more}


def rate(meter: str, price: str, **more: Any) -> dict[str, Any]:
    return {"meter": meter, "price": price, **more}


def used(input_tokens: int, output_tokens: int, **more: Any) -> dict[str, Any]:
    return {"input_tokens": input_tokens, "output_tokens": output_tokens, **more}


GEMINI = [
    rate("input", "1.25"),
    rate("input", "2.50", when={"context_tokens": {"gt": 200_000}}),
    rate("output", "10"),
    rate("output", "15", when={"context_tokens": {"gt": 200_000}}),
]
CLAUDE = [
    rate("input", "3"),
    rate("input_cache_read", "0.30"),
    rate("input_cache_write_5m", "3.75"),
    rate("output", "15"),
]
BY_REQUEST = [rate("requests", "0.01", per=1), rate("total_tokens", "5", included=2000)]
ANTHROPIC_COUNTS = used(100, 50, cached_tokens=10_000, cache_write_tokens=2000, counting="exclusive")

CASES: Cases = [
    (1, {"input_price_per_1k": 0.01, "output_price_per_1k": 0.03}, [(used(1000, 500), "0.025")]),
    (2, flat("10", "30"), [(used(1500, 800), "0.039")]),
    (3, flat("10", "30"), [(used(1, 1), "0.00004")]),
    (5, flat("10", "30", cached_input_fraction="0.1"), [(used(1000, 500, cached_tokens=500), "0.0205")]),
    (6, flat("3", "15", cached_input_fraction="0.1"), [(used(5000, 2000, cached_tokens=2000), "0.0396")]),
    (7, flat("30", "60", cached_input_fraction="0.5"), [(used(10**6, 500_000, cached_tokens=500_000), "52.5")]),
    (8, {"rates": CLAUDE}, [(ANTHROPIC_COUNTS, "0.01155")]),
    (9, {"rates": GEMINI}, [(used(200_000, 0), "0.25"), (used(200_001, 0), "0.5000025")]),
    (10, {"rates": BY_REQUEST}, [(used(1000, 500), "0.01"), (used(2000, 1000), "0.015")]),
    (11, flat("0", "0"), [(used(1000, 500), "0")]),
    (12, flat("1000", "1000"), [(used(10**9, 10**9), "2000000")]),
    (13, flat("0.000001", "0.000001"), [(used(1, 1), "0")]),
]


def price(server: Server, model: str, fields: dict[str, Any]) -> None:
    body = {"provider": "custom", "model_id": model, "currency": "USD", **fields}
    assert server.post("pricing", body).status == 201


def record(server: Server, model: str, usage: dict[str, Any]) -> dict[str, Any]:
    answer = server.post("usage", {"organization_id": ORGANIZATION, "provider": "custom", "model_id": model, **usage})
    assert answer.status == 201, answer.text
    data: dict[str, Any] = answer.body["data"]
    return data


def amount(server: Server, model: str, usage: dict[str, Any]) -> Decimal:
    """The amount that was answered, which the proof must come to again."""
    data = record(server, model, usage)
    assert data["status"] == "computed"
    proof = server.get(f"usage/{data['usage_id']}/explain").body["data"]
    assert proof["agrees"] is True
    assert proof["recomputed_cost"] == data["cost"]["total_cost"]
    return Decimal(data["cost"]["total_cost"])


def total(server: Server, **parameters: Any) -> Decimal:
    params = {"start_date": "2024-01-01T00:00:00Z", "end_date": "2027-12-31T00:00:00Z", **parameters}
    return Decimal(server.get("costs", params=params).body["data"]["total_cost"])


def test_every_plain_case(any_server: Server) -> None:
    for case, fields, expected in CASES:
        model = f"case-{case}"
        price(any_server, model, fields)
        found = [amount(any_server, model, usage) for usage, _ in expected]
        assert found == [Decimal(e) for _, e in expected], f"case {case}"
    everything = sum(Decimal(e) for _, _, expected in CASES for _, e in expected)
    assert total(any_server) == everything


def test_case_4_a_newer_price_holds_from_its_instant(any_server: Server) -> None:
    change = "2025-02-01T00:00:00Z"
    price(any_server, "m", flat("10", "30"))
    price(any_server, "m", {**flat("5", "15"), "effective_date": change})
    before = amount(any_server, "m", used(1000, 500, timestamp="2025-01-31T23:59:59.999999Z"))
    after = amount(any_server, "m", used(1000, 500, timestamp=change))
    assert (before, after) == (Decimal("0.025"), Decimal("0.0125"))


def test_case_14_a_million_tokens_before_and_after_the_change(any_server: Server) -> None:
    price(any_server, "o3", flat("10", "40"))
    price(any_server, "o3", {**flat("2", "8"), "effective_date": "2025-06-10T00:00:00Z"})
    million = used(10**6, 0)
    before = amount(any_server, "o3", {**million, "timestamp": "2025-06-09T23:59:59Z"})
    after = amount(any_server, "o3", {**million, "timestamp": "2025-06-10T00:00:00Z"})
    assert (before, after) == (Decimal(10), Decimal(2))


def test_case_15_five_records_of_two_models(any_server: Server) -> None:
    price(any_server, "a", flat("10", "30"))
    price(any_server, "b", flat("3", "15"))
    for model in ("a", "a", "a", "b", "b"):
        record(any_server, model, used(1000, 500))
    assert total(any_server) == total(any_server, group_by="model") == Decimal("0.096")


def test_case_16_sums_of_a_tiny_amount_stay_exact(any_server: Server) -> None:
    """Five thousand rows of 0.0000139578 here; the storage suite and `domain/test_money.py` hold the arithmetic."""
    price(any_server, "tiny", flat("13.9578", "0"))
    one = {
        "organization_id": ORGANIZATION,
        "provider": "custom",
        "model_id": "tiny",
        "input_tokens": 1,
        "output_tokens": 0,
    }
    answer = any_server.post("usage/batch", {"records": [one] * 5000})
    assert answer.body["data"]["accepted"] == 5000
    assert total(any_server) == Decimal("0.069789")
    assert total(any_server, group_by="day") == Decimal("0.069789")
