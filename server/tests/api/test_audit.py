"""The audit trail over HTTP: pages and filters, verification, and an export that anybody can check."""

import json
import threading
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest
from sqlalchemy import text

from cost_ops.api.routes import audit as routes
from cost_ops.domain.access import OWNER
from cost_ops.domain.audit import Action
from cost_ops.storage.database import Database
from tests.api.running import ORGANIZATION, OTHER, Server, add_keys, opened, serving
from tests.api.test_corrections import check_form

PATHS = ("audit", "audit/verify", "audit/export")


def write(server: Server, count: int, organization_id: str | None = ORGANIZATION, **fields: Any) -> None:
    ctx = server.application.context(OWNER, "req-1", fields.pop("address", "203.0.113.9"))
    with server.application.storage.installation() as installation:
        for n in range(count):
            about = {"detail": {"before": None, "after": {"é\U0001f600": ["1.5", n]}}, **fields}
            installation.audit.add(ctx.event(Action.ROLE_SAVED, f"role-{n}", organization_id=organization_id, **about))


def change(server: Server, statement: str) -> None:
    """What somebody with the database in their hands does."""
    storage = server.application.storage
    assert isinstance(storage, Database)
    with storage.transaction() as tx:
        tx.write(text(statement))


def lines(server: Server, path: str = "audit/export", **request: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in server.get(path, **request).text.splitlines()]


def test_pages_by_cursor_are_the_pages_by_number(any_server: Server) -> None:
    write(any_server, 25)
    answer = any_server.get("audit?page_size=10&action=roles.saved")
    check_form("get", "/api/v1/audit", answer)
    walked = list(answer.body["data"])
    numbered = [
        event
        for page in (1, 2, 3)
        for event in any_server.get(f"audit?page={page}&page_size=10&action=roles.saved").body["data"]
    ]
    while cursor := answer.body["pagination"]["next_cursor"]:
        answer = any_server.get("audit", params={"page_size": 10, "action": "roles.saved", "cursor": cursor})
        walked += answer.body["data"]
    assert walked == numbered
    assert len(walked) == 25
    assert answer.body["pagination"]["page"] == 3
    assert (walked[0]["address"], walked[0]["request_id"]) == ("203.0.113.9", "req-1")


def test_filters_narrow_the_trail(server: Server) -> None:
    write(server, 3)
    write(server, 2, address="2001:db8::1")
    newest = server.get("audit").body["data"][0]
    for query, count in (
        ({"address": "2001:db8::1"}, 2),
        ({"resource": "role-1"}, 2),
        ({"actor": "owner", "action": "roles.saved"}, 5),
        ({"actor": "user:nobody"}, 0),
        ({"start_date": newest["at"], "action": "roles.saved", "resource": "role-2"}, 0),
        ({"end_date": (datetime.now(UTC) + timedelta(days=1)).isoformat(), "action": "roles.saved"}, 5),
        ({"start_date": "2020-01-01T00:00:00Z", "end_date": "2020-02-01T00:00:00Z"}, 0),
    ):
        assert server.get("audit", params=query).body["pagination"]["total_items"] == count, query


def test_bad_questions_are_refused_with_every_problem(shared: Server) -> None:
    asked = "audit?action=nothing&page=0&start_date=2025-01-01&actor=&cursor=x&expect=1"
    assert shared.get(asked).reasons >= {
        ("action", "invalid_value"),
        ("page", "out_of_range"),
        ("actor", "empty"),
        ("expect", "unknown_parameter"),
    }
    start = {"start_date": "2025-02-01T00:00:00Z", "end_date": "2025-01-01T00:00:00Z"}
    assert shared.get("audit", params=start).reasons == {("end_date", "empty_range")}
    assert shared.get("audit?cursor=AAAA").reasons == {("cursor", "invalid_cursor")}
    for expected in ("x", "1:abc", f"1:{'g' * 64}", f"-1:{'a' * 64}"):
        assert shared.get("audit/verify", params={"expect": expected}).reasons == {("expect", "invalid_value")}
    wrong = shared.get("audit/verify", params={"expect": f"{OTHER}:1:{'a' * 64}"})
    assert wrong.reasons == {("expect", "other_chain")}


def test_a_cursor_is_good_for_its_own_question_only(server: Server) -> None:
    write(server, 3)
    write(server, 3, OTHER)
    cursor = server.get("audit?page_size=2").body["pagination"]["next_cursor"]
    assert server.get("audit", params={"cursor": cursor, "action": "roles.saved"}).status == 400
    assert server.get("audit", params={"cursor": cursor}, key="other").status == 400
    assert server.get("audit", params={"cursor": cursor, "page": 1}).reasons == {("cursor", "ambiguous")}


@pytest.mark.parametrize("path", PATHS)
def test_the_trail_of_others_is_not_there(shared: Server, path: str) -> None:
    assert shared.get(f"{path}?organization_id={OTHER}").status == 404
    assert shared.get(f"{path}?organization_id=never-there", key="admin").status == 404
    key = shared.make_key(ORGANIZATION, permissions=["usage:read"])
    refused = shared.get(path, key=key)
    assert (refused.status, refused.error["details"]["required_permission"]) == (403, "audit:read")
    assert shared.get(path, key=None).status == 401


def test_an_export_is_checked_by_whoever_knows_the_formula(any_server: Server) -> None:
    write(any_server, 12)
    write(any_server, 4, OTHER)
    write(any_server, 4, None)
    check_export(lines(any_server, key="admin"))
    own = lines(any_server)
    assert {event["chain"] for event in own} == {ORGANIZATION}
    check_export(own)
    own[3]["actor"] = "somebody"
    with pytest.raises(AssertionError, match="org-123 4"):
        check_export(own)


def check_export(events: list[dict[str, Any]]) -> None:
    """The check as the guide has it, in the standard library's words alone."""
    heads: dict[str, str] = {}
    for e in events:
        said = [e[name] for name in ("actor", "action", "resource", "request_id", "address", "detail")]
        content = json.dumps(
            [e["chain"], e["sequence"], e["previous_hash"], e["at_us"], *said], sort_keys=True, separators=(",", ":")
        )
        fits = sha256(content.encode()).hexdigest() == e["hash"] and heads.get(e["chain"], "") == e["previous_hash"]
        assert fits, f"{e['chain']} {e['sequence']}"
        assert datetime.fromisoformat(e["at"]) == datetime.fromtimestamp(0, UTC) + timedelta(microseconds=e["at_us"])
        heads[e["chain"]] = e["hash"]


def test_what_was_touched_is_told_and_stays_readable(any_server: Server) -> None:
    write(any_server, 9)
    clean = any_server.get("audit/verify")
    check_form("get", "/api/v1/audit/verify", clean)
    (verdict,) = clean.body["data"]
    assert (clean.body["whole"], verdict["chain"], verdict["faults"]) == (True, ORGANIZATION, [])
    last = verdict["events"]
    change(any_server, f"UPDATE audit_events SET actor = 'x' WHERE chain = '{ORGANIZATION}' AND sequence = {last - 3}")
    change(any_server, f"DELETE FROM audit_events WHERE chain = '{ORGANIZATION}' AND sequence = {last}")
    found = any_server.get("audit/verify", params={"expect": verdict["head"]})
    check_form("get", "/api/v1/audit/verify", found)
    (touched,) = found.body["data"]
    assert found.body["whole"] is False
    assert [(fault["kind"], fault["sequence"]) for fault in touched["faults"]] == [
        ("changed", last - 3),
        ("cut_off", last),
        ("anchor", last),
    ]
    assert any_server.get("audit/verify", key="admin").body["whole"] is False
    assert any_server.get("audit/verify", key="other").body["whole"] is True
    assert len(lines(any_server)) == last - 1


def test_rows_that_nobody_can_read_are_answered_all_the_same(server: Server) -> None:
    write(server, 3)
    change(server, "UPDATE audit_events SET at = 'never', detail = '{', actor = x'ff' WHERE resource = 'role-1'")
    for path in ("audit?resource=role-1", "audit"):
        event = next(e for e in server.get(path).body["data"] if e["resource"] == "role-1")
        assert (event["at"], event["detail"], event["unreadable"]) == (None, None, ["actor", "at", "detail"])
    exported = next(e for e in lines(server) if e["resource"] == "role-1")
    assert (exported["at_us"], exported["unreadable"]) == (None, ["actor", "at", "detail"])
    faults = server.get("audit/verify").body["data"][0]["faults"]
    assert "actor, at, detail cannot be read" in faults[0]["message"]


def test_only_a_few_verify_at_once(shared: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_verifications", threading.BoundedSemaphore(1))
    with routes._verifications:
        refused = shared.get("audit/verify")
        assert (refused.status, refused.headers["retry-after"]) == (503, "5")
    assert shared.get("audit/verify").status == 200


def test_a_refused_request_is_in_the_trail_with_who_and_from_where(ledger: str) -> None:
    application = opened(ledger)
    with serving(application) as running:
        add_keys(running)
        reader = running.make_key(ORGANIZATION, permissions=["usage:read"])
        for _ in range(5):
            assert running.get("costs", key=reader, headers={"X-Request-ID": "mine"}).status == 403
        assert running.get("costs", key="sk_live_00000000_" + "a" * 43).status == 401
        assert running.post("usage", {}, key=reader).status == 403
    with serving(application) as again:
        add_keys(again)
        events = again.get("audit?action=access.refused", key="admin").body["data"]
        own = again.get("audit?action=access.refused").body["data"]
        assert again.get("audit/verify", key="admin").body["whole"] is True
    application.close()
    by_resource = {event["resource"]: event for event in own}
    refused = by_resource["GET /api/v1/costs"]
    assert refused["actor"] == reader.split("_")[2]
    assert refused["address"] == "127.0.0.1"
    assert (refused["request_id"], refused["detail"]["count"]) == ("mine", 5)
    assert (refused["detail"]["status"], refused["detail"]["required_permission"]) == (403, "costs:read")
    assert by_resource["POST /api/v1/usage"]["detail"]["required_permission"] == "usage:write"
    (unknown,) = [event for event in events if event["organization_id"] is None]
    assert (unknown["actor"], unknown["resource"], unknown["detail"]["status"]) == ("unknown", "GET /api/v1/costs", 401)
    assert reader not in json.dumps(events, default=str)
