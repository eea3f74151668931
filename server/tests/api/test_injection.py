"""Text that means something to an interpreter means nothing here: it goes in, is found by itself alone, and comes out."""

import pytest

from tests.api.running import PRICE, USAGE, Server

HOSTILE = (
    "' OR '1'='1",
    "'; DROP TABLE usage_records; --",
    '" OR ""="',
    "x') UNION SELECT secret_hash FROM api_keys --",
    "%",
    "_",
    "\\",
    "$.a",
    "a.b",
    '"quoted"',
    "{0}%s:name",
    "$(id)`id`",
    "=1+1",
    "<script>alert(1)</script>",
    "${jndi:ldap://localhost}",
    "../../etc/passwd",
    "ünïcödé ☃",
)


@pytest.fixture
def hostile_server(any_server: Server) -> Server:
    """One record for each hostile text, as project, user, session, tag key and tag value."""
    assert any_server.post("pricing", PRICE).status == 201
    records = [
        {
            **USAGE,
            "project_id": text,
            "user_id": text,
            "session_id": text,
            "tags": {text: text},
            "metadata": {text: text},
        }
        for text in HOSTILE
    ]
    answer = any_server.post("usage/batch", {"records": records})
    assert (answer.status, answer.body["data"]["accepted"]) == (201, len(HOSTILE)), answer.text
    return any_server


def test_hostile_texts_are_values_and_nothing_else_on_both_databases(hostile_server: Server) -> None:
    for text in HOSTILE:
        for name in ("project_id", "user_id", "session_id", f"tag.{text}"):
            found = hostile_server.get("usage/history", params={name: text})
            assert found.status == 200, found.text
            assert [r["project_id"] for r in found.body["data"]] == [text], name
        costs = hostile_server.get("costs", params={"project_id": text, "group_by": f"project,tag:{text}"})
        if "," not in text:
            assert costs.status == 200, costs.text
            assert [row["project"] for row in costs.body["data"]["breakdown"]] == [text]
    everything = hostile_server.get("costs", params={"group_by": "project"})
    assert {row["project"] for row in everything.body["data"]["breakdown"]} == set(HOSTILE)


def test_hostile_texts_in_places_of_names_are_refused_or_find_nothing(hostile_server: Server) -> None:
    for text in HOSTILE:
        for params in ({"group_by": text}, {"order_by": text}, {"timezone": text}, {"cursor": text}, {"range": text}):
            assert hostile_server.get("costs", params=params).status in (200, 400)
        for dimension in (text, f"tag:{text}"):
            asked = {"filters": [{"dimension": dimension, "op": "contains", "value": text}], "range": "last-24-hours"}
            answer = hostile_server.post("costs/query", asked)
            assert answer.status in (200, 400), answer.text
        assert hostile_server.get(f"usage/{text.replace('/', '%2F').replace('%', '%25')}").status in (400, 404)
    assert hostile_server.get("usage/history").body["pagination"]["total_items"] == len(HOSTILE)
