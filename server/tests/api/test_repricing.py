"""Re-pricing over HTTP: a dry run in the answer, a real run on the server's own thread, to be watched and resumed."""

import json
import time
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from typing import Any

import jsonschema_rs
import pytest

from cost_ops.api.openapi import document
from cost_ops.domain.access import OWNER
from cost_ops.domain.periods import TimeRange
from cost_ops.domain.reprice_runs import RepriceRequest
from cost_ops.services import repricing
from tests.api.running import ORGANIZATION, PRICE, USAGE, Answer, Server, opened, serving

JANUARY = {"start_date": "2025-01-01T00:00:00Z", "end_date": "2025-02-01T00:00:00Z"}
SECOND = {**PRICE, "input_price_per_1k": 0.02, "output_price_per_1k": 0.06, "effective_date": "2025-01-15T00:00:00Z"}


@pytest.fixture
def prepared(any_server: Server) -> Server:
    """Ten calls in January at 0.025, four of which would cost 0.05 by today's prices."""
    assert any_server.post("pricing", PRICE).status == 201
    for day in (1, 2, 3, 4, 5, 6, 20, 21, 22, 23):
        assert any_server.post("usage", {**USAGE, "timestamp": f"2025-01-{day:02d}T12:00:00Z"}).status == 201
    assert any_server.post("pricing", SECOND).status == 201
    return any_server


def finished(server: Server, number: int) -> dict[str, Any]:
    """The run once it is over."""
    while True:
        run: dict[str, Any] = server.get(f"costs/reprice/{number}").body["data"]
        if run["status"] != "running":
            return run
        time.sleep(0.01)


def check_form(method: str, path: str, answer: Answer) -> None:
    described = document()["paths"][path][method]["responses"][str(answer.status)]["content"]["application/json"]
    schema = {**described["schema"], "components": document()["components"]}
    jsonschema_rs.validator_for(schema).validate(json.loads(answer.text))


def test_without_being_told_otherwise_nothing_is_changed(prepared: Server) -> None:
    answer = prepared.post("costs/reprice", JANUARY)
    assert answer.status == 200
    check_form("post", "/api/v1/costs/reprice", answer)
    found = answer.body["data"]
    assert (found["dry_run"], found["examined_records"], found["changed_records"], found["change_count"]) == (
        True,
        10,
        4,
        4,
    )
    assert found["totals"] == [
        {"currency": "USD", "before": Decimal("0.25"), "after": Decimal("0.35"), "difference": Decimal("0.1")}
    ]
    assert found["changes"][0] == {
        "day": "2025-01-20",
        "provider": "openai",
        "model_id": "gpt-4",
        "currency": "USD",
        "records": 1,
        "before": Decimal("0.025"),
        "after": Decimal("0.05"),
        "difference": Decimal("0.025"),
    }
    assert prepared.get("costs/reprice").body["data"] == []


def test_a_run_is_begun_watched_and_changes_the_costs(prepared: Server) -> None:
    answer = prepared.post("costs/reprice", {**JANUARY, "dry_run": False, "reason": "the new list"})
    assert answer.status == 202
    check_form("post", "/api/v1/costs/reprice", answer)
    number = answer.body["data"]["number"]
    assert answer.headers["location"] == f"/api/v1/costs/reprice/{number}"
    run = finished(prepared, number)
    assert (run["status"], run["progress"], run["changed_records"], run["request"]["reason"]) == (
        "finished",
        1,
        4,
        "the new list",
    )
    check_form("get", "/api/v1/costs/reprice/{number}", prepared.get(f"costs/reprice/{number}"))
    start, end = JANUARY.values()
    costs = prepared.get(f"costs?start_date={start}&end_date={end}").body["data"]
    assert costs["total_cost"] == Decimal("0.35")
    assert [r["number"] for r in prepared.get("costs/reprice").body["data"]] == [number]
    again = prepared.post("costs/reprice", {**JANUARY, "dry_run": False})
    assert finished(prepared, again.body["data"]["number"])["changed_records"] == 0


def test_filters_limit_it(prepared: Server) -> None:
    for fields, examined in (
        ({"model_id": ["gpt-4"]}, 10),
        ({"model_id": ["other"]}, 0),
        ({"provider": ["open-ai"]}, 10),
        ({"status": ["reported", "unpriced"]}, 0),
        ({"project_id": ["p"]}, 0),
    ):
        found = prepared.post("costs/reprice", {**JANUARY, **fields})
        assert found.body["data"]["examined_records"] == examined, fields


def test_every_fault_of_a_request_is_named(shared: Server) -> None:
    answer = shared.post("costs/reprice", {"status": ["paid"], "model_id": "gpt-4", "dry_run": 1, "reson": "x"})
    assert answer.status == 400
    assert answer.reasons == {
        ("start_date", "missing_required_field"),
        ("status", "invalid_value"),
        ("model_id", "invalid_type"),
        ("dry_run", "invalid_type"),
        ("reson", "unknown_field"),
    }
    assert shared.get("costs/reprice/seven").status == 404
    assert shared.get("costs/reprice/999999").status == 404


def test_a_second_run_is_a_conflict_and_a_stopped_one_is_resumed(prepared: Server) -> None:
    ctx = prepared.application.context(OWNER)
    span = TimeRange(*map(datetime.fromisoformat, JANUARY.values()))
    begun = repricing.start(ctx, ORGANIZATION, RepriceRequest(span))
    refused = prepared.post("costs/reprice", {**JANUARY, "dry_run": False})
    assert (refused.status, refused.error["code"]) == (409, "CONFLICT")
    assert f"run {begun.number} is at work" in refused.error["message"]
    assert prepared.ask("POST", f"costs/reprice/{begun.number}/resume", key="other").status == 404
    resumed = prepared.ask("POST", f"costs/reprice/{begun.number}/resume")
    assert (resumed.status, resumed.body["data"]["number"]) == (202, begun.number)
    assert finished(prepared, begun.number)["changed_records"] == 4


def test_a_server_that_ends_stops_its_run_to_be_resumed(prepared: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repricing, "PAGE_SIZE", 1)
    with closing(opened(prepared.application.settings.database.url)) as application, serving(application) as second:
        second.keys = prepared.keys
        number = second.post("costs/reprice", {**JANUARY, "dry_run": False}).body["data"]["number"]
    left = prepared.get(f"costs/reprice/{number}").body["data"]
    assert left["status"] in ("stopped", "finished")
    prepared.ask("POST", f"costs/reprice/{number}/resume")
    assert finished(prepared, number)["changed_records"] == 4


def test_repricing_needs_its_permission(shared: Server) -> None:
    key = shared.make_key(ORGANIZATION, permissions=["costs:read", "pricing:read"])
    answer = shared.post("costs/reprice", JANUARY, key=key)
    assert (answer.status, answer.error["details"]["required_permission"]) == (403, "pricing:write")
