"""Nobody gives what they do not hold: who is no admin cannot make one, and an organisation's admin makes no owner."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.running import migrated
from tests.isolation.answers import Answer, send
from tests.isolation.cases import own_case
from tests.isolation.document import Operation, operations
from tests.isolation.rows import snapshot
from tests.isolation.worlds import World, opened_world

FOR_ADMINS = [o for o in operations() if "Permission: `admin:*`" in o.described.get("description", "")]
NO_ADMINS = ("live", "reader", "project", "engineer", "bound")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened_world(migrated(tmp_path_factory.mktemp("world")), with_victim=False) as found:
        yield found


def ask(world: World, kind: str, method: str, path: str, body: Any = None) -> Answer:
    tenant = world.asker
    answer = tenant.server.ask(method, path, key=tenant.bearer(kind), **({} if body is None else {"json": body}))
    return Answer(answer.status, dict(answer.headers), answer.text)


@pytest.mark.parametrize("operation", FOR_ADMINS, ids=str)
def test_what_takes_an_admin_is_refused_to_all_others(world: World, operation: Operation) -> None:
    bearers = {kind: world.asker.bearer(kind) for kind in NO_ADMINS}
    before = snapshot(world.url)
    for kind in NO_ADMINS:
        answer = send(world, own_case(operation).request(world.asker, fresh=False), bearers[kind])
        assert answer.status == 403, (kind, answer.text)
        assert json.loads(answer.text)["error"]["details"]["required_permission"] == "admin:*"
    after = snapshot(world.url)
    assert [table for table in before if before[table] != after[table]] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "auth/keys", {"name": "x", "kind": "admin"}),
        ("POST", "auth/keys", {"name": "x", "kind": "admin", "organization_id": "acme-labs"}),
        ("POST", "auth/keys", {"name": "x", "organization_id": "acme-labs", "permissions": ["admin:*"]}),
        ("POST", "auth/keys", {"name": "x", "organization_id": "acme-labs", "permissions": ["*"]}),
        ("POST", "roles", {"name": "king", "permissions": ["admin:*"]}),
        ("POST", "roles", {"name": "king", "permissions": ["*"]}),
        ("POST", "roles", {"name": "admin", "permissions": ["costs:read"]}),
        ("PATCH", "roles/viewer", {"permissions": ["usage:write"]}),
        ("POST", "policies", {"name": "x", "effect": "allow", "subjects": ["*"], "actions": ["admin:*"]}),
        ("POST", "users", {"email": "x@example.com", "role": "owner"}),
        ("POST", "users", {"email": "x@example.com", "role": "admin:*"}),
        ("POST", "users", {"email": "x@example.com", "role": "viewer", "permissions": ["admin:*"]}),
        ("POST", "pricing", {"provider": "openai", "model_id": "m", "input_price_per_1k": 1, "layer": "catalog"}),
        ("POST", "contracts", {"kind": "margin", "percent": "1"}),
        ("PATCH", "organizations/acme-labs", {"plan": "enterprise"}),
    ],
)
def test_an_admin_of_an_organisation_makes_nobody_more_than_that(
    world: World, method: str, path: str, body: dict[str, Any]
) -> None:
    tables = ("api_keys", "roles", "policies", "memberships", "organizations", "prices", "contracts")
    world.asker.bearer("admin")
    before = snapshot(world.url)
    answer = ask(world, "admin", method, path, body)
    assert answer.status in (400, 403, 404, 409), answer.text
    after = snapshot(world.url)
    assert [table for table in tables if before[table] != after[table]] == []


def test_an_admin_s_own_price_is_the_organisation_s(world: World) -> None:
    body = {"provider": "openai", "model_id": "granting", "input_price_per_1k": 1}
    answer = ask(world, "admin", "POST", "pricing", body)
    assert answer.status == 201
    assert json.loads(answer.text)["data"]["organization_id"] == "acme-labs"


def test_an_engineer_cannot_make_themselves_admin(world: World) -> None:
    me = json.loads(ask(world, "engineer", "GET", "auth/whoami").text)["data"]["user"]["user_id"]
    for kind in ("engineer", "live"):
        assert ask(world, kind, "PATCH", f"users/{me}", {"role": "admin"}).status == 403
    who = json.loads(ask(world, "engineer", "GET", "auth/whoami").text)["data"]
    assert (who["user"]["role"], "admin:*" in who["permissions"]) == ("engineer", False)
