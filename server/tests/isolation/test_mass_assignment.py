"""Fields that are nobody's to set: every body refuses what it does not know, by name, wherever it stands."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.running import migrated
from tests.isolation.answers import Answer, send
from tests.isolation.cases import Case, own_case
from tests.isolation.document import Operation, operations, resolved
from tests.isolation.worlds import World, opened_world

FOREIGN = (
    "owner",
    "is_admin",
    "admin",
    "role",
    "roles",
    "permissions",
    "scopes",
    "policies",
    "quota",
    "plan",
    "organization_id",
    "organization",
    "user_id",
    "key_id",
    "key",
    "id",
    "number",
    "created_by",
    "created_at",
    "revoked_at",
    "expires_at",
    "last_used_at",
    "password",
    "password_hash",
    "session_id",
    "projects",
    "cost",
    "cost_e10",
    "status",
    "__proto__",
    "constructor",
)
OPEN = {"POST /v1/traces"}
"""OTLP tells receivers to pass over fields that they do not know."""

WITH_BODIES = [o for o in operations() if "requestBody" in o.described]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened_world(migrated(tmp_path_factory.mktemp("world")), with_victim=True) as found:
        yield found


def schema_of(operation: Operation) -> dict[str, Any]:
    return resolved(operation.described["requestBody"]["content"]["application/json"]["schema"])


def ask(world: World, case: Case) -> Answer:
    """The answer to whoever may ask this: the organisation's admin, else the owner."""
    answer = send(world, case.request(world.asker), world.asker.bearer("admin"))
    if answer.status == 403:
        answer = send(world, case.request(world.asker), world.server.keys["owner"])
    return answer


def with_body(case: Case, body: Any) -> Case:
    return Case(case.operation, case.label, case.path, case.query, case.headers, body)


@pytest.mark.parametrize("operation", [o for o in WITH_BODIES if str(o) not in OPEN], ids=str)
def test_what_a_body_does_not_know_is_refused_by_name(world: World, operation: Operation) -> None:
    case = own_case(operation)
    foreign = [name for name in FOREIGN if name not in schema_of(operation).get("properties", {})]
    answer = ask(world, with_body(case, {**case.body, **dict.fromkeys(foreign, "admin:*")}))
    assert answer.status == 400, answer.text
    details = json.loads(answer.text)["error"]["details"]
    named = {problem["field"] for problem in details.get("errors", [details])}
    assert named >= set(foreign)


@pytest.mark.parametrize("operation", WITH_BODIES, ids=str)
def test_what_is_inside_a_body_is_as_strict(world: World, operation: Operation) -> None:
    case = own_case(operation)
    for name, inner in schema_of(operation).get("properties", {}).items():
        if not strict(inner) or name not in (case.body or {}):
            continue
        body = copy.deepcopy(case.body)
        if isinstance(body[name], list):
            body[name] = body[name][:1]
        target = body[name][0] if isinstance(body[name], list) else body[name]
        target["is_admin"] = True
        answer = ask(world, with_body(case, body))
        assert answer.status == 400, (name, answer.text)
        assert "is_admin" in answer.text or f"{name}[0]" in answer.text


def strict(schema: dict[str, Any]) -> bool:
    """Whether it holds objects with fields of a fixed set."""
    found = resolved(schema)
    found = resolved(found["items"]) if "items" in found else found
    return found.get("additionalProperties") is False
