"""Recording over HTTP: replays, conflicts, batches, tenants, amounts."""

import threading
from decimal import Decimal
from typing import Any

import pytest

from tests.api.running import PRICE, USAGE, Server, ready_server


def total(server: Server, **params: Any) -> dict[str, Any]:
    found: dict[str, Any] = server.get("costs", params={"range": "last-7-days", **params}).body["data"]
    return found


def stored(server: Server, key: str = "org") -> int:
    count: int = server.get("usage/history", key=key).body["pagination"]["total_items"]
    return count


def test_a_replay_is_a_200_with_the_first_answer(any_server: Server) -> None:
    any_server.post("pricing", PRICE)
    for how in ({"idempotency_key": "k1"}, {"request_id": "k2"}):
        first = any_server.post("usage", {**USAGE, **how})
        again = any_server.post("usage", {**USAGE, **how})
        assert (first.status, again.status) == (201, 200)
        assert first.body == again.body
    by_header = [any_server.post("usage", USAGE, headers={"Idempotency-Key": "k1"}) for _ in range(2)]
    assert [a.status for a in by_header] == [200, 200]
    assert stored(any_server) == 2


def test_another_payload_under_a_key_is_a_409(any_server: Server) -> None:
    first = any_server.post("usage", {**USAGE, "idempotency_key": "k"})
    answer = any_server.post("usage", {**USAGE, "total_tokens": 1501, "output_tokens": 501, "idempotency_key": "k"})
    assert (answer.status, answer.error["code"]) == (409, "CONFLICT")
    assert answer.error["details"]["usage_id"] == first.body["usage_id"]
    assert stored(any_server) == 1


def test_a_key_sent_by_many_at_once_is_one_record(any_server: Server) -> None:
    answers = []

    def send() -> None:
        answers.append(any_server.post("usage", {**USAGE, "idempotency_key": "same"}))

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a.status for a in answers) == [200] * 15 + [201]
    assert len({a.text for a in answers}) == 1
    assert stored(any_server) == 1


def test_the_header_key_must_be_a_short_text(server: Server) -> None:
    for key in ("x" * 257, "a\tb"):
        answer = server.post("usage", USAGE, headers={"Idempotency-Key": key})
        assert (answer.status, answer.error["details"]["field"]) == (400, "Idempotency-Key")


def test_a_batch_keeps_the_good_and_names_the_bad(server: Server) -> None:
    bad = {**USAGE, "input_tokens": -1}
    foreign = {**USAGE, "organization_id": "org-456"}
    answer = server.post("usage/batch", {"records": [USAGE, bad, {**USAGE, "idempotency_key": "a"}, foreign]})
    data = answer.body["data"]
    assert (answer.status, data["accepted"], data["replayed"], data["rejected"]) == (201, 2, 0, 2)
    results = data["results"]
    assert [r["index"] for r in results] == [0, 1, 2, 3]
    assert results[0]["cost"] == Decimal("0.025")
    assert results[1]["error"]["details"]["field"] == "records[1].input_tokens"
    assert results[3]["error"]["code"] == "NOT_FOUND"
    again = server.post("usage/batch", {"records": [{**USAGE, "idempotency_key": "a"}]})
    assert (again.status, again.body["data"]["replayed"]) == (200, 1)
    assert again.body["data"]["results"][0]["usage_id"] == results[2]["usage_id"]
    assert stored(server) == 2


def test_an_atomic_batch_is_all_or_nothing(any_server: Server) -> None:
    records = [{**USAGE, "idempotency_key": f"k{i}"} for i in range(3)]
    bad = [{**USAGE, "input_tokens": -1}, {**USAGE, "provider": ""}]
    answer = any_server.post("usage/batch?atomic=true", {"records": [*records, *bad]})
    assert answer.status == 400
    assert ("records[3].input_tokens", "negative") in answer.reasons
    assert ("records[4].provider", "missing_required_field") in answer.reasons
    assert stored(any_server) == 0
    assert any_server.post("usage/batch?atomic=true", {"records": records}).status == 201
    clash = [{**USAGE, "idempotency_key": "new"}, {**records[0], "project_id": "other"}]
    refused = any_server.post("usage/batch?atomic=true", {"records": clash})
    assert (refused.status, refused.error["code"]) == (409, "CONFLICT")
    assert refused.error["details"]["field"] == "records[1]"
    assert stored(any_server) == 3
    assert any_server.post("usage/batch?atomic=true", {"records": records}).status == 200


def test_a_batch_with_a_header_key_can_be_sent_again(server: Server) -> None:
    records = [USAGE, USAGE, {**USAGE, "project_id": "p"}]
    statuses = [
        server.post("usage/batch", {"records": records}, headers={"Idempotency-Key": "b1"}).status for _ in range(2)
    ]
    assert statuses == [201, 200]
    assert stored(server) == 3


def test_the_largest_batch_is_taken(server: Server) -> None:
    answer = server.post("usage/batch", {"records": [USAGE] * 10_000})
    assert (answer.status, answer.body["data"]["accepted"]) == (201, 10_000)
    assert total(server)["total_cost"] == 250


def test_organizations_do_not_see_each_other(any_server: Server) -> None:
    mine = any_server.post("usage", USAGE).body["usage_id"]
    theirs = any_server.post("usage", {**USAGE, "organization_id": "org-456"}, key="other")
    assert theirs.status == 201
    for path in (
        f"usage/{mine}",
        f"usage/{mine}/explain",
        "usage/history?organization_id=org-123",
        "usage/stream?organization_id=org-123",
        "costs?organization_id=org-123",
        "costs?organization_id=nobody",
        "pricing?organization_id=org-123",
    ):
        answer = any_server.get(path, key="other")
        assert (answer.status, answer.error["code"]) == (404, "NOT_FOUND")
    assert any_server.post("usage", USAGE, key="other").status == 404
    assert any_server.post("costs/query", {"organization_id": "org-123"}, key="other").status == 404
    assert stored(any_server, "other") == 1
    for path in ("organizations", "auth/keys"):
        answer = any_server.get(path)
        assert (answer.status, answer.error["details"]["required_permission"]) == (403, "admin:*")


def test_an_unknown_organization_is_created_only_by_an_admin(server: Server) -> None:
    record = {**USAGE, "organization_id": "brand-new"}
    answer = server.post("usage", record)
    assert (answer.status, "No organization" in answer.error["message"]) == (404, True)
    assert server.post("usage", record, key="admin").status == 201
    names = [o["organization_id"] for o in server.get("organizations", key="admin").body["data"]]
    assert names == ["brand-new", "org-123", "org-456"]


def test_callers_of_one_group_keep_their_own_rights(server: Server) -> None:
    statuses: dict[str, int] = {}

    def send(key: str) -> None:
        statuses[key] = server.post("usage", {**USAGE, "organization_id": "org-123"}, key=key).status

    threads = [threading.Thread(target=send, args=(key,)) for key in ("org", "admin", "other")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert statuses == {"org": 201, "admin": 201, "other": 404}


def test_usage_without_a_price_is_kept_and_priced_later(any_server: Server) -> None:
    first = any_server.post("usage", USAGE)
    assert first.status == 201
    assert (first.body["data"]["status"], first.body["data"]["cost"], first.body["data"]["currency"]) == (
        "unpriced",
        None,
        None,
    )
    before = total(any_server)
    assert (before["total_cost"], before["unpriced"]["requests"], before["unpriced"]["share"]) == (None, 1, "1")
    waiting = any_server.get("pricing/unpriced").body["data"]
    assert [(m["model_id"], m["requests"]) for m in waiting] == [("gpt-4", 1)]
    assert any_server.post("pricing", PRICE).body["priced_records"] == 1
    after = total(any_server)
    assert (after["total_cost"], after["unpriced"]["requests"]) == (Decimal("0.025"), 0)


def test_strict_installations_refuse_what_has_no_price(ledger: str) -> None:
    with ready_server(ledger, ingest__strict=True) as server:
        answer = server.post("usage", {**USAGE, "model_id": "gpt-5"})
        assert (answer.status, answer.error["message"]) == (404, "No pricing found for model: gpt-5")
        batch = server.post("usage/batch", {"records": [{**USAGE, "model_id": "gpt-5"}] * 2})
        assert batch.status == 404
        server.post("pricing", PRICE)
        assert server.post("usage", USAGE).status == 201


def test_the_same_record_is_the_same_by_either_way_in(server: Server) -> None:
    body = {**USAGE, "idempotency_key": "k", "metadata": {"temperature": 0.7}, "tags": {"share": 0.5}}
    assert server.post("usage", body).status == 201
    assert server.post("usage", {**body, "seconds": 0}).status == 200


CASES: list[tuple[str, dict[str, Any], dict[str, Any], str]] = [
    (
        "1",
        {"input_price_per_million": 10, "output_price_per_million": 30},
        {"input_tokens": 1000, "output_tokens": 500},
        "0.025",
    ),
    (
        "2",
        {"input_price_per_1k": 0.01, "output_price_per_1k": 0.03},
        {"input_tokens": 1500, "output_tokens": 800},
        "0.039",
    ),
    (
        "3",
        {"input_price_per_1k": 0.01, "output_price_per_1k": 0.03},
        {"input_tokens": 1, "output_tokens": 1},
        "0.00004",
    ),
    (
        "5",
        {"input_price_per_million": 10, "output_price_per_million": 30, "cached_input_fraction": 0.1},
        {"input_tokens": 1000, "output_tokens": 500, "cached_tokens": 500},
        "0.0205",
    ),
    (
        "6",
        {"input_price_per_million": 3, "output_price_per_million": 15, "cached_input_fraction": 0.1},
        {"input_tokens": 5000, "output_tokens": 2000, "cached_tokens": 2000},
        "0.0396",
    ),
    (
        "7",
        {"input_price_per_million": 30, "output_price_per_million": 60, "cached_input_fraction": 0.5},
        {"input_tokens": 1_000_000, "output_tokens": 500_000, "cached_tokens": 500_000},
        "52.5",
    ),
    (
        "8",
        {
            "input_price_per_million": 3,
            "output_price_per_million": 15,
            "cached_input_price_per_million": "0.30",
            "cache_write_price_per_million": "3.75",
        },
        {
            "counting": "exclusive",
            "input_tokens": 100,
            "cached_tokens": 10_000,
            "cache_write_tokens": 2000,
            "output_tokens": 50,
        },
        "0.01155",
    ),
    (
        "9",
        {
            "rates": [
                {"meter": "input", "price": "1.25"},
                {"meter": "input", "price": "2.50", "when": {"context_tokens": {"gt": 200_000}}},
                {"meter": "output", "price": "10"},
            ]
        },
        {"input_tokens": 200_001, "output_tokens": 0},
        "0.5000025",
    ),
    (
        "11",
        {"input_price_per_million": 0, "output_price_per_million": 0},
        {"input_tokens": 1000, "output_tokens": 500},
        "0",
    ),
    (
        "12",
        {"input_price_per_million": 1000, "output_price_per_million": 1000},
        {"input_tokens": 10**9, "output_tokens": 10**9},
        "2000000",
    ),
    (
        "13",
        {"input_price_per_million": "0.000001", "output_price_per_million": "0.000001"},
        {"input_tokens": 1, "output_tokens": 1},
        "0",
    ),
]


def test_worked_amounts_are_exact_on_both_databases(any_server: Server) -> None:
    for name, price, counts, expected in CASES:
        model = {"provider": "custom", "model_id": f"case-{name}"}
        assert any_server.post("pricing", {**model, **price}).status == 201
        answer = any_server.post("usage", {"organization_id": "org-123", **model, **counts})
        assert answer.body["data"]["status"] == "computed", name
        assert f'"total_cost":{expected},' in answer.text, name
        explained = any_server.get(f"usage/{answer.body['usage_id']}/explain").body["data"]
        assert explained["agrees"], name
        assert sum(line["amount"] for line in explained["lines"]) == Decimal(expected), name


def test_parts_add_up_and_cache_is_part_of_input(server: Server) -> None:
    server.post(
        "pricing",
        {
            "provider": "x",
            "model_id": "y",
            "input_price_per_million": 10,
            "output_price_per_million": 30,
            "cached_input_fraction": 0.1,
        },
    )
    record = {**USAGE, "provider": "x", "model_id": "y", "cached_tokens": 500}
    cost = server.post("usage", record).body["data"]["cost"]
    assert cost == {
        "total_cost": Decimal("0.0205"),
        "input_cost": Decimal("0.0055"),
        "output_cost": Decimal("0.015"),
        "cache_cost": Decimal("0.0005"),
        "other_cost": 0,
    }


@pytest.mark.parametrize(
    ("path", "body", "name"), [("usage", USAGE, "total_cost"), ("usage/batch", {"records": [USAGE]}, "cost")]
)
def test_money_can_be_text(server: Server, path: str, body: dict[str, Any], name: str) -> None:
    assert f'"{name}":"0.025"' in server.post(f"{path}?money=string", body).text
    assert f'"{name}":0.025' in server.post(path, body).text
