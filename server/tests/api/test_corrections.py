"""Correcting usage, its earlier forms, erasing a person and the audit trail over HTTP."""

import json
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest

from cost_ops.api.openapi import document
from tests.api.running import ORGANIZATION, OTHER, PRICE, USAGE, Answer, Server


@pytest.fixture
def server(any_server: Server) -> Server:
    assert any_server.post("pricing", PRICE).status == 201
    return any_server


def recorded(server: Server, **fields: Any) -> str:
    return str(server.post("usage", {**USAGE, **fields}).body["usage_id"])


def put(server: Server, usage_id: str, body: Any, **request: Any) -> Answer:
    return server.ask("PUT", f"usage/{usage_id}", json=body, **request)


def check_form(method: str, path: str, answer: Answer) -> None:
    described = document()["paths"][path][method]["responses"][str(answer.status)]["content"]["application/json"]
    schema = {**described["schema"], "components": document()["components"]}
    jsonschema_rs.validator_for(schema).validate(json.loads(answer.text))


def test_a_record_is_corrected_once_and_shows_its_revisions(server: Server) -> None:
    usage_id = recorded(server, user_id="u", metadata={"ratio": 0.5})
    assert server.get(f"usage/{usage_id}").body["data"]["revision"] == 0
    body = {"output_tokens": 1000, "metadata": {"ratio": 0.25}, "reason": "the stream was cut off"}
    first, again = put(server, usage_id, body), put(server, usage_id, body)
    assert (first.status, first.body["changed"], again.body["changed"]) == (200, True, False)
    check_form("put", "/api/v1/usage/{usage_id}", first)
    assert first.body["data"]["cost"]["total_cost"] == Decimal("0.04")
    found = server.get(f"usage/{usage_id}")
    check_form("get", "/api/v1/usage/{usage_id}", found)
    assert (found.body["data"]["revision"], found.body["data"]["output_tokens"]) == (1, 1000)
    assert found.body["data"]["metadata"] == {"ratio": Decimal("0.25")}
    earlier = server.get(f"usage/{usage_id}/revisions")
    check_form("get", "/api/v1/usage/{usage_id}/revisions", earlier)
    (form,) = earlier.body["data"]
    assert (form["revision"], form["reason"], form["cost"]) == (1, "the stream was cut off", Decimal("0.025"))
    assert form["record"]["quantities"] == {"input": 1000, "output": 500}
    assert server.get("costs?range=today").body["data"]["total_cost"] == Decimal("0.04")


def test_a_provider_payload_replaces_the_counts(server: Server) -> None:
    usage_id = recorded(server)
    usage = {
        "prompt_tokens": 100,
        "completion_tokens": 10,
        "total_tokens": 110,
        "prompt_tokens_details": {"cached_tokens": 40},
    }
    found = put(server, usage_id, {"usage": usage, "reason": "from the provider"}).body["data"]
    assert found["quantities"] == {"input": 60, "input_cache_read": 40, "output": 10}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"output_tokens": 5}, ("reason", "missing_required_field")),
        ({"output_tokens": -5, "reason": "r"}, ("output_tokens", "negative")),
        ({"outputtokens": 5, "reason": "r"}, ("outputtokens", "unknown_field")),
        ({"timestamp": "2025-01-01T00:00:00Z", "reason": "r"}, ("timestamp", "not_correctable")),
        ([], ("", "invalid_type")),
    ],
)
def test_what_cannot_be_corrected_is_refused(server: Server, body: Any, reason: tuple[str, str]) -> None:
    answer = put(server, recorded(server), body)
    assert answer.status == 400
    assert reason in answer.reasons


def test_records_of_others_are_not_there(server: Server) -> None:
    usage_id = recorded(server)
    for answer in (
        put(server, usage_id, {"output_tokens": 5, "reason": "r"}, key="other"),
        server.get(f"usage/{usage_id}/revisions", key="other"),
        put(server, "no-such-id", {"output_tokens": 5, "reason": "r"}),
    ):
        assert answer.status == 404
    reader = server.make_key(ORGANIZATION, permissions=["usage:read"])
    assert put(server, usage_id, {"output_tokens": 5, "reason": "r"}, key=reader).status == 403
    assert put(server, usage_id, {"output_tokens": 5, "reason": "r"}, key="admin").status == 200


def test_a_person_is_erased_by_an_admin_key_only(server: Server) -> None:
    usage_id = recorded(server, user_id="ada", session_id="s", tags={"email": "ada@example.org", "env": "prod"})
    body = {"organization_id": ORGANIZATION, "user_id": "ada", "tags": ["email"]}
    assert server.post("users/erase", body).status == 403
    foreseen = server.post("users/erase", {**body, "dry_run": True}, key="admin")
    check_form("post", "/api/v1/users/erase", foreseen)
    assert foreseen.body["data"] == {"organization_id": ORGANIZATION, "records": 1, "earlier_forms": 0, "dry_run": True}
    maybe = server.post("users/erase", {**body, "dry_run": None}, key="admin")
    assert (maybe.status, maybe.reasons) == (400, {("dry_run", "invalid_type")})
    assert server.post("users/erase", body, key="admin").body["data"]["records"] == 1
    found = server.get(f"usage/{usage_id}").body["data"]
    assert (found["user_id"], found["session_id"], found["tags"]) == (None, None, {"env": "prod"})
    by_user = server.get("costs?range=today&group_by=user").body["data"]["breakdown"]
    assert [(row["user"], row["cost"]) for row in by_user] == [(None, Decimal("0.025"))]


def test_changes_are_in_the_audit_trail_with_who_and_which_request(server: Server) -> None:
    usage_id = recorded(server)
    put(server, usage_id, {"output_tokens": 1, "reason": "r"}, headers={"X-Request-ID": "my-request"})
    server.post("users/erase", {"organization_id": ORGANIZATION, "user_id": "nobody"}, key="admin")
    answer = server.get("audit")
    check_form("get", "/api/v1/audit", answer)
    events = [e for e in answer.body["data"] if not e["action"].startswith(("keys.", "organizations."))]
    assert [e["action"] for e in events] == ["usage.erased", "usage.corrected", "prices.added"]
    corrected = events[1]
    key_id = server.keys["org"].split("_")[2]
    assert (corrected["actor"], corrected["request_id"], corrected["resource"]) == (key_id, "my-request", usage_id)
    assert [e["action"] for e in server.get("audit?action=prices.added").body["data"]] == ["prices.added"]
    of_other = server.get("audit", key="other").body["data"]
    assert {e["organization_id"] for e in of_other} == {OTHER}
    assert of_other == server.get(f"audit?organization_id={OTHER}", key="admin").body["data"]
    seen_by_owner = server.get("audit?page_size=100", key="admin").body["data"]
    assert {e["number"] for e in seen_by_owner} >= {e["number"] for e in (*answer.body["data"], *of_other)}
    page = server.get("audit?page_size=2").body["pagination"]
    assert (page["total_items"], page["has_next"]) == (len(answer.body["data"]), True)
    assert server.get("audit", key=server.make_key(ORGANIZATION, permissions=["usage:read"])).status == 403
