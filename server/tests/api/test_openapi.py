"""The OpenAPI document is complete, valid and true."""

import json
import re
from typing import Any

import jsonschema_rs
import pytest

from cost_ops.api.openapi import document
from cost_ops.api.routes import OPERATIONS
from tests.api.running import USAGE, Server

DOCUMENT = document()


def test_it_is_served_and_says_what_it_is(shared: Server) -> None:
    served = shared.get("/openapi.json", key=None)
    assert json.loads(served.text) == json.loads(json.dumps(DOCUMENT))
    assert DOCUMENT["openapi"].startswith("3.1")


def test_every_route_is_in_it_with_what_it_can_answer() -> None:
    for operation in OPERATIONS:
        for method in operation.methods:
            described = DOCUMENT["paths"][operation.path][method.lower()]
            statuses = set(described["responses"])
            assert statuses >= {str(s) for s in operation.answers}
            if operation.permission is not None:
                assert statuses >= {"400", "401", "403", "404", "503"}
                assert described["security"] == [{"key": []}]
            if operation.body is not None:
                assert statuses >= {"413", "415"}
                assert described["requestBody"]["content"]["application/json"]["examples"]


def test_names_are_unique_and_references_lead_somewhere() -> None:
    ids = [o["operationId"] for path in DOCUMENT["paths"].values() for o in path.values()]
    assert len(ids) == len(set(ids))
    names = set(re.findall(r"#/components/schemas/(\w+)", json.dumps(DOCUMENT)))
    assert names <= set(DOCUMENT["components"]["schemas"])


def schema_of(path: str, method: str, status: int) -> dict[str, Any]:
    response = DOCUMENT["paths"][path][method]["responses"][str(status)]
    schema: dict[str, Any] = next(iter(response["content"].values()))["schema"]
    return {**schema, "components": DOCUMENT["components"]}


@pytest.mark.parametrize("money", ["number", "string"])
def test_answers_have_the_described_form(server: Server, money: str) -> None:
    query = f"?money={money}"
    record = server.post(f"usage{query}", USAGE)
    usage_id = record.body["usage_id"]
    bad = {**USAGE, "provider": None}
    checks = [
        ("/api/v1/usage", "post", record),
        ("/api/v1/usage", "post", server.post(f"usage{query}", {**USAGE, "model_id": "unpriced"})),
        ("/api/v1/usage", "post", server.post("usage", bad)),
        ("/api/v1/usage/batch", "post", server.post(f"usage/batch{query}", {"records": [USAGE, bad]})),
        ("/api/v1/usage/history", "get", server.get(f"usage/history{query}")),
        ("/api/v1/usage/{usage_id}", "get", server.get(f"usage/{usage_id}{query}")),
        ("/api/v1/usage/{usage_id}/explain", "get", server.get(f"usage/{usage_id}/explain{query}")),
        ("/api/v1/costs", "get", server.get(f"costs{query}&group_by=model,day")),
        ("/api/v1/analytics", "get", server.get(f"analytics{query}&dimensions=model")),
        ("/api/v1/pricing", "get", server.get(f"pricing{query}")),
        ("/api/v1/pricing/effective", "get", server.get(f"pricing/effective{query}&provider=openai&model_id=gpt-4")),
        ("/api/v1/pricing/unpriced", "get", server.get(f"pricing/unpriced{query}")),
        ("/api/v1/organizations", "get", server.get("organizations", key="admin")),
        ("/api/v1/auth/keys", "get", server.get("auth/keys", key="admin")),
        ("/ready", "get", server.get("/ready", key=None)),
        ("/api/v1/costs", "get", server.get("costs", key=None)),
    ]
    for path, method, answer in checks:
        schema = schema_of(path, method, answer.status)
        jsonschema_rs.validator_for(schema).validate(json.loads(answer.text))
