"""Limits over HTTP: what answers say, what is refused, and how plans are given."""

import http.client
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from cost_ops.api.operations import Routes
from cost_ops.api.routes import OPERATIONS
from cost_ops.domain.plans import PLANS
from tests.api.running import NOON, ORGANIZATION, OTHER, USAGE, Answer, Server, migrated, still_server
from tests.redis_server import running_redis

NO_LIMIT = 2147483647
NAMES = ("limit", "remaining", "reset", "window")


END_OF_HOUR = int(NOON.replace(hour=13, second=0).timestamp())


@pytest.fixture
def limited(tmp_path: Path) -> Iterator[Server]:
    """A server on which strangers have five requests."""
    with still_server(migrated(tmp_path), limits__anonymous_per_hour=5) as running:
        yield running


def told(answer: Answer) -> dict[str, int]:
    return {name: int(answer.headers[f"X-RateLimit-{name}"]) for name in NAMES}


def set_limits(server: Server, organization: str = ORGANIZATION, **limits: Any) -> Answer:
    nothing = {"requests_per_hour": None, "burst": None, "concurrency": None}
    answer = server.ask("PATCH", f"organizations/{organization}", json={"limits": nothing | limits}, key="admin")
    assert answer.status == 200, answer.text
    return answer


def test_every_answer_tells_what_is_left(limited: Server) -> None:
    for method, path, key in (
        ("GET", "pricing", "org"),
        ("HEAD", "costs", "org"),
        ("POST", "usage", "org"),
        ("GET", "organizations", "org"),
        ("GET", "organizations", "admin"),
        ("PUT", "usage", "org"),
    ):
        answer = limited.ask(method, path, key=key, **({"json": USAGE} if method == "POST" else {}))
        found = told(answer)
        assert found.pop("reset") == END_OF_HOUR, (method, path)
        if answer.status != 405:
            assert found == {"limit": NO_LIMIT, "remaining": NO_LIMIT, "window": 3600}, (method, path)


def test_probes_and_metrics_are_never_limited_and_tell_nothing(limited: Server) -> None:
    for path in ("/health", "/live", "/ready", "/metrics"):
        answers = [limited.ask("GET", path, key=None) for _ in range(8)]
        assert {answer.status for answer in answers} == {200}
        assert not [name for answer in answers for name in answer.headers if name.startswith("x-ratelimit")]


def test_the_faq_sees_a_limit_without_a_key(tmp_path: Path) -> None:
    with still_server(migrated(tmp_path)) as server:
        answer = server.ask("HEAD", "costs", key=None)
        assert answer.status == 401
        assert told(answer) == {"limit": 1000, "remaining": 999, "reset": END_OF_HOUR, "window": 3600}
        assert told(server.ask("HEAD", "costs", key="sk_live_00000000_wrong"))["remaining"] == 998


def test_without_a_valid_key_the_address_is_held_to_a_limit_and_valid_keys_are_not(limited: Server) -> None:
    for left in (4, 3, 2, 1, 0):
        answer = limited.ask("GET", "costs", key=None)
        assert (answer.status, told(answer)["remaining"]) == (401, left)
    answer = limited.ask("POST", "usage", key="nonsense", json=USAGE)
    assert answer.status == 429
    assert told(answer)["remaining"] == 0
    assert answer.error["details"]["limit"] == "anonymous_per_hour"
    assert limited.get("pricing").status == 200


def test_beyond_the_limit_there_is_a_429_that_says_when_to_come_back(limited: Server) -> None:
    set_limits(limited, requests_per_hour=2)
    assert [told(limited.get("pricing"))["remaining"] for _ in range(2)] == [1, 0]
    for method, path in (("GET", "pricing"), ("HEAD", "costs"), ("POST", "usage"), ("POST", "usage/batch")):
        answer = limited.ask(method, path)
        assert answer.status == 429, path
        assert answer.headers["Retry-After"] == "3570"
        assert told(answer) == {"limit": 2, "remaining": 0, "reset": END_OF_HOUR, "window": 3600}
        if method != "HEAD":
            error = answer.error
            assert (error["code"], error["message"]) == ("RATE_LIMIT_EXCEEDED", "Too many requests")
            assert error["retry_after"] == int(answer.headers["Retry-After"])
            expected = {"limit": "requests_per_hour", "maximum": 2, "reset_at": "2026-11-25T13:00:00Z"}
            assert error["details"] == expected
    assert limited.get("pricing", key="other").status == 200


def test_a_refused_request_is_not_read(limited: Server) -> None:
    set_limits(limited, requests_per_hour=1)
    limited.get("pricing")
    connection = http.client.HTTPConnection(urlsplit(limited.url).netloc, timeout=60)
    connection.putrequest("POST", "/api/v1/usage")
    connection.putheader("Authorization", f"Bearer {limited.keys['org']}")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", "100000")
    connection.endheaders()
    assert connection.getresponse().status == 429  # nothing of the body was sent
    connection.close()


def test_a_permission_that_lacks_is_told_and_counts(limited: Server) -> None:
    set_limits(limited, requests_per_hour=3)
    reader = limited.make_key(ORGANIZATION, permissions=["costs:read"])
    answer = limited.get("pricing", key=reader)
    assert (answer.status, told(answer)["remaining"]) == (403, 2)


def test_a_plan_is_given_and_shown(limited: Server) -> None:
    one = limited.get(f"organizations/{ORGANIZATION}", key="admin").body["data"]
    assert (one["plan"], one["limits_from"]) == ("enterprise", "plan")
    assert one["limits"] == {"requests_per_hour": None, "burst": None, "concurrency": None}
    changed = limited.ask("PATCH", f"organizations/{ORGANIZATION}", json={"plan": "developer"}, key="admin")
    assert changed.body["data"]["limits"] == PLANS["developer"].limits.to_json()
    assert changed.body["data"]["features"] == ["exports"]
    assert told(limited.get("pricing"))["limit"] == 1000
    set_limits(limited, requests_per_hour=7)
    assert told(limited.get("pricing"))["limit"] == 7
    body = {"limits": None, "name": "Example"}
    back = limited.ask("PATCH", f"organizations/{ORGANIZATION}", json=body, key="admin").body["data"]
    assert (back["limits_from"], back["name"], back["plan"]) == ("plan", "Example", "developer")
    listed = limited.get("organizations", key="admin").body["data"]
    assert [o["plan"] for o in listed if o["organization_id"] == ORGANIZATION] == ["developer"]


def test_an_organisation_is_made_with_a_plan(limited: Server) -> None:
    body = {"organization_id": "org-new", "plan": "free", "limits": {"burst": 50}}
    made = limited.post("organizations", body, key="admin")
    assert made.status == 201
    assert made.body["data"]["limits"] == {"requests_per_hour": 100, "burst": 50, "concurrency": 5}
    assert limited.post("organizations", body, key="admin").status == 200


def test_limits_and_their_use_are_shown_to_whoever_belongs_to_it(limited: Server) -> None:
    set_limits(limited, requests_per_hour=10, burst=8)
    key = limited.make_key(ORGANIZATION, permissions=["usage:write"])
    found = limited.get(f"organizations/{ORGANIZATION}/limits", key=key).body["data"]
    assert found["limits"] == {"requests_per_hour": 10, "burst": 8, "concurrency": None}
    assert [(w["limit"], w["maximum"], w["used"], w["remaining"], w["window_seconds"]) for w in found["windows"]] == [
        ("requests_per_hour", 10, 1, 9, 3600),
        ("burst", 8, 1, 7, 60),
    ]
    assert [w["resets_at"] for w in found["windows"]] == ["2026-11-25T13:00:00Z", "2026-11-25T12:01:00Z"]
    assert limited.get(f"organizations/{OTHER}/limits", key=key).status == 404
    assert limited.get("organizations/no-such/limits", key=key).status == 404
    assert limited.get(f"organizations/{OTHER}/limits", key="admin").body["data"]["windows"] == []


@pytest.mark.parametrize(("method", "path"), [("PATCH", f"organizations/{ORGANIZATION}"), ("POST", "organizations")])
def test_nobody_gives_their_own_organisation_a_plan(server: Server, method: str, path: str) -> None:
    answer = server.ask(method, path, json={"plan": "enterprise", "organization_id": "org-new"})
    assert (answer.status, answer.error["details"]["required_permission"]) == (403, "admin:*")


def test_all_that_is_wrong_with_a_change_is_told(server: Server) -> None:
    body = {"name": "", "plan": "gold", "limits": {"burst": 0, "per_day": 1}, "colour": "red"}
    answer = server.ask("PATCH", f"organizations/{ORGANIZATION}", json=body, key="admin")
    assert answer.status == 400
    assert answer.reasons == {
        ("name", "empty"),
        ("plan", "unknown_plan"),
        ("limits.burst", "out_of_range"),
        ("limits.per_day", "unknown_field"),
        ("colour", "unknown_field"),
    }
    bodies: list[Any] = [{"limits": 5}, {"limits": "none"}, {"limits": {"burst": "5"}}, {"plan": 5}, [], "x"]
    for wrong in bodies:
        answer = server.ask("PATCH", f"organizations/{ORGANIZATION}", json=wrong, key="admin")
        assert answer.status == 400, wrong
    assert server.ask("PATCH", "organizations/no-such", json={"plan": "free"}, key="admin").status == 404


def test_more_at_once_than_the_plan_allows_is_refused(limited: Server) -> None:
    set_limits(limited, concurrency=1)
    headers = {"Authorization": f"Bearer {limited.keys['org']}", "Content-Type": "application/json"}
    refused: list[Answer] = []

    def slow_body() -> Iterator[bytes]:
        yield b"{"
        answers = (limited.get("pricing") for _ in range(50))
        refused[:] = islice((answer for answer in answers if answer.status == 429), 1)
        yield b"}"

    status = 429
    while status == 429:  # where one of the others was let in before the first
        with httpx2.Client(timeout=60) as client:
            status = client.post(f"{limited.url}/api/v1/usage", content=slow_body(), headers=headers).status_code
    assert status == 400
    (answer,) = refused
    assert answer.error["details"] == {"limit": "concurrency", "maximum": 1}
    assert answer.error["retry_after"] == int(answer.headers["Retry-After"]) == 1
    assert told(answer)["limit"] == NO_LIMIT
    assert limited.get("pricing").status == 200


@pytest.mark.parametrize(
    ("permission", "refused_by", "required"),
    [
        ("export:read", ["free"], "developer"),
        ("forecast:read", ["free", "developer"], "professional"),
        ("reports:read", ["free", "developer"], "professional"),
    ],
)
def test_a_plan_without_a_feature_refuses_and_names_the_plan_that_has_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, permission: str, refused_by: list[str], required: str
) -> None:
    probes = Routes("Probe")
    probes.add("GET", "/api/v1/probe", summary="takes a permission", answer=str, permission=permission)(lambda _: {})
    monkeypatch.setattr("cost_ops.api.app.OPERATIONS", (*OPERATIONS, *probes.operations))
    with still_server(migrated(tmp_path)) as server:
        for plan in PLANS:
            server.ask("PATCH", f"organizations/{ORGANIZATION}", json={"plan": plan}, key="admin")
            answer = server.get("probe")
            if plan not in refused_by:
                assert answer.status == 200, plan
                continue
            assert answer.status == 403, plan
            details = answer.error["details"]
            assert (details["required_permission"], details["required_plan"]) == (permission, required)
            assert plan in details["reason"]
            assert required in details["reason"]
        assert server.get("probe", key="admin").status == 200


@pytest.mark.parametrize(("wanted", "status"), [("allow", 200), ("refuse", 503)])
def test_what_becomes_of_requests_while_redis_is_away_is_a_choice(tmp_path: Path, wanted: str, status: int) -> None:
    settings = {"limits__when_unavailable": wanted}
    with running_redis() as redis, still_server(migrated(tmp_path), limits__redis_url=redis.url, **settings) as server:
        set_limits(server, requests_per_hour=1)
        assert [server.get("pricing").status for _ in range(2)] == [200, 429]
        set_limits(server, requests_per_hour=2)
        redis.stop()
        answer = server.get("pricing")
        assert answer.status == status
        if status == 503:
            assert answer.error["code"] == "SERVICE_UNAVAILABLE"
            assert int(answer.headers["Retry-After"]) >= 1
        else:
            assert told(answer)["limit"] == NO_LIMIT
        assert server.get("pricing", key="other").status == 200
        assert server.get(f"organizations/{ORGANIZATION}/limits", key="admin").status == 503
        metrics = server.ask("GET", "/metrics", key=None).text
        assert 'cost_ops_limit_takes_total{outcome="failed"} 1.0' in metrics
