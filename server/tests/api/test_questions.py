"""Questions over HTTP: costs, history, pages, cursors, streams, explanations, analytics."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from tests.api.running import PRICE, USAGE, Server, migrated, ready_server

RECORDS = [
    {
        **USAGE,
        "timestamp": f"2025-03-{1 + i % 28:02d}T{i % 24:02d}:30:00Z",
        "project_id": f"p{i % 3}",
        "model_id": ("gpt-4", "unpriced-model")[i % 5 == 0],
        "tags": {"env": ("prod", "test")[i % 2]},
        "session_id": f"s{i % 4}",
    }
    for i in range(50)
]
MARCH = {"start_date": "2025-03-01T00:00:00Z", "end_date": "2025-04-01T00:00:00Z"}
EACH = Decimal("0.025")


@pytest.fixture(scope="module")
def march(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Fifty records of March 2025, ten of them without a price."""
    with ready_server(migrated(tmp_path_factory.mktemp("march"))) as running:
        running.post("pricing", PRICE)
        assert running.post("usage/batch", {"records": RECORDS}).status == 201
        running.post(
            "usage", {**USAGE, "organization_id": "org-456", "timestamp": RECORDS[0]["timestamp"]}, key="other"
        )
        yield running


def costs(server: Server, **params: Any) -> dict[str, Any]:
    answer = server.get("costs", params={**MARCH, **params})
    assert answer.status == 200, answer.text
    found: dict[str, Any] = answer.body["data"]
    return found


def test_totals_and_what_has_no_price(march: Server) -> None:
    data = costs(march)
    assert (data["total_cost"], data["currency"], data["requests"]) == (40 * EACH, "USD", 50)
    assert data["unpriced"] == {"requests": 10, "share": "0.2"}
    assert (data["start_date"], data["end_date"], data["timezone"], data["range"]) == (*MARCH.values(), "UTC", None)
    assert data["breakdown"] == []
    assert data["total_tokens"] == 50 * 1500


@pytest.mark.parametrize(
    "group", ["model", "project", "day", "week", "month", "tag:env", "session", "project,day", "hour,model"]
)
def test_a_breakdown_adds_up(march: Server, group: str) -> None:
    data = costs(march, group_by=group)
    names = group.split(",")
    assert data["group_by"] == names
    assert data["row_count"] == len(data["breakdown"])
    assert sum(row["cost"] or 0 for row in data["breakdown"]) == data["total_cost"] == 40 * EACH
    assert sum(row["requests"] for row in data["breakdown"]) == 50
    assert sum(row["unpriced_requests"] for row in data["breakdown"]) == 10
    assert all(list(row)[: len(names)] == names for row in data["breakdown"])


def test_group_by_may_be_repeated_and_named_as_fields_are(march: Server) -> None:
    answer = march.get("costs?group_by=project_id&group_by=model_id", params=None)
    assert answer.body["data"]["group_by"] == ["project", "model"]


def test_filters_narrow(march: Server) -> None:
    assert costs(march, project_id="p0")["requests"] == 17
    assert march.get("costs?project_id=p0&project_id=p1", params=MARCH).status == 200
    assert costs(march, **{"tag.env": "prod"})["requests"] == 25
    assert costs(march, status="unpriced")["requests"] == 10
    assert costs(march, provider="OpenAI", model_id="gpt-4")["requests"] == 40
    assert costs(march, provider="nobody")["total_cost"] == 0


def test_order_and_limit(march: Server) -> None:
    rows = costs(march, group_by="project", order_by="requests", order="asc", limit=2)
    assert [row["requests"] for row in rows["breakdown"]] == [16, 17]
    assert rows["row_count"] == 3


def test_zones_move_the_days(march: Server) -> None:
    utc = costs(march, group_by="day")["breakdown"]
    tokyo = costs(march, group_by="day", timezone="Asia/Tokyo")
    assert tokyo["timezone"] == "Asia/Tokyo"
    assert tokyo["breakdown"] != utc
    assert tokyo["total_cost"] == 40 * EACH


def test_an_offset_with_a_plus_that_was_not_escaped_is_understood(march: Server) -> None:
    answer = march.get("costs?start_date=2025-03-01T01:00:00+01:00&end_date=2025-04-01T00:00:00Z")
    assert answer.body["data"]["start_date"] == "2025-03-01T00:00:00Z"


def test_money_as_text(march: Server) -> None:
    assert costs(march, money="string")["total_cost"] == "1"
    row = costs(march, money="string", group_by="model")["breakdown"][0]
    assert row["cost"] == "1"


def test_an_owner_asks_about_all_or_one(march: Server) -> None:
    everything = march.get("costs", params=MARCH, key="admin").body["data"]
    assert (everything["requests"], everything["organization_id"]) == (51, None)
    one = march.get("costs", params={**MARCH, "organization_id": "org-456"}, key="admin").body["data"]
    assert one["requests"] == 1
    assert march.get("usage/history", key="admin").error["details"]["field"] == "organization_id"


def test_summary_takes_presets(march: Server) -> None:
    data = march.get("costs/summary?period=last-7-days").body["data"]
    assert (data["range"], data["group_by"]) == ("last-7-days", ["provider", "model"])
    assert march.get("costs/summary").body["data"]["range"] == "this-month"


def test_the_filter_language(march: Server) -> None:
    question = {
        **MARCH,
        "group_by": ["project", "day"],
        "filters": [
            {"dimension": "provider", "op": "in", "values": ["OpenAI"]},
            {"dimension": "model_id", "op": "contains", "value": "GPT"},
            {"metric": "cost", "op": "gte", "value": "0.02"},
        ],
        "order_by": "cost",
        "limit": 5,
    }
    data = march.post("costs/query", question).body["data"]
    assert 0 < len(data["breakdown"]) <= 5
    assert all(row["cost"] >= Decimal("0.02") for row in data["breakdown"])
    assert march.post("costs/breakdown", question).body["data"] == data
    assert march.post("costs/breakdown", MARCH).reasons == {("group_by", "missing_required_field")}


def test_faults_of_a_question_are_named_at_once(march: Server) -> None:
    question = {
        "start_date": "2025-03-01",
        "group_by": ["colour"],
        "filters": [
            {"dimension": "provider", "op": "like", "values": ["x"]},
            {"metric": "cost", "op": "in", "value": "x"},
            {"op": "eq"},
            5,
        ],
        "order_by": "joy",
        "limit": 0,
        "fliters": [],
    }
    fields = {f for f, _ in march.post("costs/query", question).reasons}
    assert fields == {
        "fliters",
        "start_date",
        "group_by",
        "filters[0].op",
        "filters[1].op",
        "filters[1].value",
        "filters[2]",
        "filters[3]",
        "order_by",
        "limit",
    }


def test_pages_hold_everything_once(march: Server) -> None:
    seen: list[str] = []
    about: dict[str, Any] = {}
    for page in (1, 2, 3):
        body = march.get(f"usage/history?page={page}&page_size=20").body
        seen += [r["usage_id"] for r in body["data"]]
        about = body["pagination"]
        assert (about["page"], about["page_size"], about["total_items"], about["total_pages"]) == (page, 20, 50, 3)
        assert (about["has_next"], about["has_previous"]) == (page < 3, page > 1)
    assert about["next_cursor"] is None
    assert len(set(seen)) == 50
    assert march.get("usage/history?page=9").body["data"] == []


def test_cursors_hold_everything_once_and_refuse_to_be_bent(march: Server) -> None:
    query = "usage/history?page_size=7&tag.env=prod"
    seen: list[str] = []
    last = ""
    cursor: str | None = ""
    page = 0
    while cursor is not None:
        body = march.get(query + (f"&cursor={cursor}" if cursor else "")).body
        page += 1
        assert body["pagination"]["page"] == page
        assert body["pagination"]["total_items"] == 25
        seen += [r["timestamp"] for r in body["data"]]
        last, cursor = cursor, body["pagination"]["next_cursor"]
    assert len(seen) == 25
    assert seen == sorted(seen, reverse=True)
    bent = ("B" if last[0] != "B" else "C") + last[1:]
    assert march.get(f"{query}&cursor={bent}").reasons == {("cursor", "invalid_cursor")}
    other = march.get(f"usage/history?page_size=7&tag.env=test&cursor={last}")
    assert other.reasons == {("cursor", "invalid_cursor")}


def test_the_stream_has_every_record_oldest_first(march: Server) -> None:
    answer = march.get("usage/stream", params=MARCH)
    assert answer.headers["content-type"] == "application/jsonl"
    lines = [json.loads(line) for line in answer.text.splitlines()]
    assert len(lines) == 50
    assert [r["timestamp"] for r in lines] == sorted(r["timestamp"] for r in lines)
    page = json.loads(march.get("usage/history?page_size=1").text)["data"]
    assert lines[-1] == page[0]
    assert march.get("usage/stream?range=today").text == ""


def test_one_record_and_its_proof(march: Server) -> None:
    record = march.get("usage/history?model_id=gpt-4&page_size=1").body["data"][0]
    assert march.get(f"usage/{record['usage_id']}").body["data"] == {**record, "revision": 0}
    data = march.get(f"usage/{record['usage_id']}/explain").body["data"]
    assert data["usage"] == record
    assert data["price"]["price_id"] == record["price_id"] == "price-1"
    assert sum(line["amount"] for line in data["lines"]) == data["recomputed_cost"] == EACH
    assert (data["agrees"], data["found_by"]) == (True, "exact id")
    assert [(x["meter"], x["quantity"], x["rate_price"], x["rate_per"]) for x in data["lines"]] == [
        ("input", 1000, Decimal("0.01"), 1000),
        ("output", 500, Decimal("0.03"), 1000),
    ]
    waiting = march.get("usage/history?status=unpriced&page_size=1").body["data"][0]
    assert (waiting["cost"], waiting["currency"]) == (None, None)
    assert "no price is known" in march.get(f"usage/{waiting['usage_id']}/explain").body["data"]["reason"]


def test_analytics_are_series_over_time(march: Server) -> None:
    params = {**MARCH, "metrics": "cost,requests", "dimensions": "project", "interval": "week"}
    data = march.get("analytics", params=params).body["data"]
    assert {s["dimensions"]["project"] for s in data["series"]} == {"p0", "p1", "p2"}
    assert sum(p["requests"] for s in data["series"] for p in s["points"]) == 50
    assert sum(p["cost"] or 0 for s in data["series"] for p in s["points"]) == 40 * EACH
    march.keys["analyst"] = march.make_key("org-123", permissions=["analytics:read"])
    assert march.get("analytics", params=params, key="analyst").body["data"] == data
    assert march.get("costs", key="analyst").status == 403


def test_currencies_are_never_mixed(server: Server) -> None:
    server.post("pricing", {**PRICE, "model_id": "euro", "currency": "EUR"})
    server.post("usage/batch", {"records": [USAGE, {**USAGE, "model_id": "euro"}]})
    data = server.get("costs").body["data"]
    assert (data["total_cost"], data["currency"]) == (None, None)
    assert {t["currency"]: t["cost"] for t in data["totals"]} == {"USD": EACH, "EUR": EACH}
