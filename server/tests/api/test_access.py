"""Bound keys, policies, roles, projects and teams over HTTP: what is outside is refused with a reason, or not there."""

from __future__ import annotations

from typing import Any

import pytest

from cost_ops.api.routes import OPERATIONS
from tests.api import test_cloud_events, test_otlp
from tests.api.running import PRICE, USAGE, Answer, Server, ready_server

PERMISSIONS = ["usage:read", "usage:write", "costs:read", "analytics:read", "pricing:read", "pricing:write"]
YEAR = "start_date=2020-01-01T00:00:00Z&end_date=2030-01-01T00:00:00Z"


@pytest.fixture
def bound(server: Server) -> Server:
    """A server with usage of two projects and of none, and a key bound to one of them."""
    for project in ("alpha", "beta", None):
        sent = {**USAGE, "model_id": "gpt-4", **({"project_id": project} if project else {})}
        server.keys[f"usage {project}"] = server.post("usage", sent).body["usage_id"]
    server.keys["alpha"] = server.make_key("org-123", permissions=PERMISSIONS, projects=["alpha"])
    return server


def _reason(answer: Answer) -> str:
    assert answer.status == 403, answer.text
    reason: str = answer.error["details"]["reason"]
    return reason


def test_a_bound_key_reads_its_project_alone(bound: Server) -> None:
    mine, other, none = (bound.keys[f"usage {name}"] for name in ("alpha", "beta", None))
    history = bound.get("usage/history", key="alpha").body
    assert [record["usage_id"] for record in history["data"]] == [mine]
    assert history["pagination"]["total_items"] == 1
    assert mine in bound.get(f"usage/stream?{YEAR}", key="alpha").text
    assert other not in bound.get(f"usage/stream?{YEAR}", key="alpha").text
    for path in ("", "/explain", "/revisions"):
        assert bound.get(f"usage/{mine}{path}", key="alpha").status == 200
        for hidden in (other, none):
            refused, missing = (bound.get(f"usage/{i}{path}", key="alpha") for i in (hidden, other[:-1] + "0"))
            assert refused.status == missing.status == 404
            assert refused.error["message"].replace(hidden, "") == missing.error["message"].replace(
                other[:-1] + "0", ""
            )
    for path in (f"costs?{YEAR}", f"costs?{YEAR}&group_by=project", f"analytics?{YEAR}&dimensions=project"):
        answer = bound.get(path, key="alpha")
        assert answer.status == 200
        assert "beta" not in answer.text
    body = {"start_date": "2020-01-01T00:00:00Z", "end_date": "2030-01-01T00:00:00Z", "group_by": ["project"]}
    rows = bound.post("costs/query", body, key="alpha").body["data"]["breakdown"]
    assert [row["project"] for row in rows] == ["alpha"]


def test_naming_another_project_is_refused_with_the_reason(bound: Server) -> None:
    expected = "project 'beta' is outside what this credential may see"
    for path in (f"costs?{YEAR}&project_id=beta", "usage/history?project_id=beta", f"analytics?{YEAR}&project_id=beta"):
        assert _reason(bound.get(path, key="alpha")) == expected
    asked = {"range": "this-year", "filters": [{"dimension": "project", "op": "in", "values": ["alpha", "beta"]}]}
    assert _reason(bound.post("costs/query", asked, key="alpha")) == expected


def test_a_bound_key_records_into_its_project_alone(bound: Server) -> None:
    unnamed = bound.post("usage", {**USAGE, "idempotency_key": "a"}, key="alpha")
    assert unnamed.status == 201
    assert bound.get(f"usage/{unnamed.body['usage_id']}").body["data"]["project_id"] == "alpha"
    refused = bound.post("usage", {**USAGE, "project_id": "beta"}, key="alpha")
    assert "project 'beta' is outside what this credential may write" in _reason(refused)
    assert refused.error["details"]["required_permission"] == "usage:write"
    records = [{**USAGE, "project_id": name} for name in ("alpha", "beta")]
    results = bound.post("usage/batch", {"records": records}, key="alpha").body["data"]
    assert (results["accepted"], results["rejected"]) == (1, 1)
    assert "project 'beta'" in results["results"][1]["error"]["details"]["reason"]
    whole = bound.post("usage/batch", {"records": records[1:] * 2}, key="alpha")
    assert "project 'beta'" in _reason(whole)
    assert [problem["field"] for problem in whole.error["details"]["errors"]] == ["records[0]", "records[1]"]
    atomic = bound.post("usage/batch?atomic=true", {"records": records}, key="alpha")
    assert "project 'beta'" in _reason(atomic)
    assert bound.get("usage/history", key="alpha").body["pagination"]["total_items"] == 3


def test_spans_and_events_of_a_bound_key_stay_inside_too(bound: Server) -> None:
    calls = [
        test_otlp.span({**test_otlp.CHAT, "cost_ops.project_id": name}, n) for n, name in ((1, "alpha"), (2, "beta"))
    ]
    told = test_otlp.send(bound, test_otlp.request(*calls), key="alpha")
    assert told.status == 200
    assert "project 'beta' is outside what this credential may write" in str(told)
    event = {**test_cloud_events.EVENT, "data": {**test_cloud_events.DATA, "project_id": "beta"}}
    assert "project 'beta'" in _reason(test_cloud_events.structured(bound, event, key="alpha"))
    assert test_cloud_events.structured(bound, test_cloud_events.EVENT, key="alpha").status == 201
    projects = [record["project_id"] for record in bound.get("usage/history").body["data"]]
    assert sorted(map(str, projects)) == ["None", "alpha", "alpha", "alpha", "beta"]


def test_corrections_stay_inside_the_project(bound: Server) -> None:
    mine, other = bound.keys["usage alpha"], bound.keys["usage beta"]
    correction = {"user_id": "ana", "reason": "found out"}
    assert bound.ask("PUT", f"usage/{mine}", json=correction, key="alpha").status == 200
    assert bound.ask("PUT", f"usage/{other}", json=correction, key="alpha").status == 404
    moved = bound.ask("PUT", f"usage/{mine}", json={"project_id": "beta", "reason": "x"}, key="alpha")
    assert "outside what this credential may write" in _reason(moved)


def test_what_cannot_be_narrowed_is_refused_to_a_bound_key(bound: Server) -> None:
    for method, path, body in (
        ("GET", "pricing/unpriced", None),
        ("POST", "pricing", {**PRICE, "model_id": "new"}),
        ("POST", "costs/reprice", {"range": "this-year"}),
    ):
        assert "narrow" in _reason(bound.ask(method, path, key="alpha", json=body))
    assert bound.get("pricing", key="alpha").status == 200


def test_every_route_says_whether_it_heeds_scopes() -> None:
    """A new route is refused to bound keys until somebody thought about it; this list is that thought."""
    narrowed = {"usage:read", "usage:write", "costs:read", "analytics:read"}
    unscoped = {(o.methods[0], o.path) for o in OPERATIONS if o.permission in narrowed and not o.scoped}
    assert unscoped <= {("POST", "/api/v1/contracts/settle")}
    scoped_otherwise = {o.path for o in OPERATIONS if o.scoped and o.permission not in (*narrowed, None)}
    assert scoped_otherwise <= {
        "/api/v1/organizations",
        "/api/v1/organizations/{organization_id}",
        "/api/v1/pricing",
        "/api/v1/pricing/effective",
        "/api/v1/pricing/history",
        "/api/v1/pricing/{price_id}",
        "/api/v1/contracts",
        "/api/v1/alerts",
        "/api/v1/alerts/{alert_id}",
        "/api/v1/alerts/{alert_id}/acknowledge",
        "/api/v1/budgets",
        "/api/v1/budgets/check",
        "/api/v1/budgets/preview",
        "/api/v1/budgets/status",
        "/api/v1/budgets/{budget_id}",
        "/api/v1/budgets/{budget_id}/history",
        "/api/v1/budgets/{budget_id}/preview",
        "/api/v1/budgets/{budget_id}/silence",
        "/api/v1/budgets/{budget_id}/status",
        "/api/v1/jobs",
        "/api/v1/jobs/run",
        "/api/v1/jobs/{job_id}",
        "/api/v1/jobs/{job_id}/retry",
    }


def test_a_policy_holds_over_http_and_its_refusal_names_it(ledger: str) -> None:
    with ready_server(ledger, auth__key_cache_secs=0) as server:
        policy = {"organization_id": "org-123", "name": "no prices", "effect": "deny", "actions": ["pricing:*"]}
        made = server.post("policies", policy, key="admin")
        assert made.status == 201
        refused = server.get("pricing")
        assert refused.error["details"] == {
            "required_permission": "pricing:read",
            "reason": "the policy 'no prices' denies it",
            "policy": "no prices",
        }
        path = f"policies/{made.body['data']['policy_id']}?organization_id=org-123"
        elsewhere = {"conditions": {"addresses": ["203.0.113.0/24"]}}
        assert server.ask("PATCH", path, json=elsewhere, key="admin").status == 200
        assert server.get("pricing").status == 200
        hidden = {"actions": ["usage:read"], "conditions": {"projects": ["alpha"]}}
        assert server.ask("PATCH", path, json=hidden, key="admin").status == 200
        assert server.post("usage", {**USAGE, "project_id": "alpha"}).status == 201
        assert server.get("usage/history").body["data"] == []
        assert server.ask("DELETE", path, key="admin").status == 200
        assert len(server.get("usage/history").body["data"]) == 1


def test_a_custom_role_and_its_faults(shared: Server) -> None:
    role = {"organization_id": "org-123", "name": "auditor", "permissions": ["costs:read"]}
    assert shared.post("roles", role, key="admin").status == 201
    assert shared.post("roles", role, key="admin").status == 409
    path = "roles/auditor?organization_id=org-123"
    changed = shared.ask("PATCH", path, json={"permissions": ["audit:read"]}, key="admin")
    assert changed.body["data"]["permissions"] == ["audit:read"]
    names = [r["name"] for r in shared.get("roles?organization_id=org-123", key="admin").body["data"]]
    assert names == ["viewer", "analyst", "engineer", "billing_admin", "admin", "auditor"]
    wrong = shared.post("roles", {"name": "admin", "permissions": ["admin:*"], "owner": True, "x": 1}, key="admin")
    assert {field for field, _ in wrong.reasons} == {"owner", "x"}
    assert shared.post("roles", {**role, "name": "A"}, key="admin").reasons == {("name", "invalid_value")}
    assert shared.get("roles", key="admin").reasons == {("organization_id", "missing_required_field")}
    assert shared.get(path).error["details"] == {"required_permission": "admin:*"}
    assert shared.ask("DELETE", path, key="admin").body["data"] == {"id": "auditor", "removed": True}
    assert shared.ask("DELETE", path, key="admin").status == 404
    assert shared.ask("DELETE", "roles/viewer?organization_id=org-123", key="admin").status == 409


def test_projects_and_teams_over_http(shared: Server) -> None:
    org = {"organization_id": "org-123"}
    assert shared.post("teams", {**org, "team_id": "t", "name": "Team"}, key="admin").status == 201
    assert shared.post("projects", {**org, "project_id": "p", "team_id": "t"}, key="admin").status == 201
    assert shared.post("projects", {**org, "project_id": "q", "team_id": "none"}, key="admin").status == 400
    query = "?organization_id=org-123"
    assert shared.get(f"teams/t{query}", key="admin").body["data"]["projects"] == ["p"]
    assert shared.ask("DELETE", f"teams/t{query}", key="admin").status == 409
    moved = shared.ask("PATCH", f"projects/p{query}", json={"team_id": "", "archived": True}, key="admin").body["data"]
    assert (moved["team_id"], moved["archived"]) == (None, True)
    assert shared.ask("PATCH", f"teams/t{query}", json={"name": "T"}, key="admin").body["data"]["name"] == "T"
    assert shared.ask("DELETE", f"teams/t{query}", key="admin").status == 200
    for path in ("projects/nothing", "teams/nothing", "policies/nothing", "roles/nothing"):
        assert shared.get(f"{path}{query}", key="admin").status == 404


def test_a_policy_with_faults_names_them_all(shared: Server) -> None:
    wrong: dict[str, Any] = {"name": "", "effect": "x", "actions": ["fly"], "conditions": {"moon": 1}, "id": "p"}
    assert {field for field, _ in shared.post("policies", wrong, key="admin").reasons} == {
        "name",
        "effect",
        "actions",
        "conditions.moon",
        "id",
    }


def test_a_rotated_key_works_on(shared: Server) -> None:
    key = shared.make_key("org-123", permissions=["costs:read"])
    rotated = shared.post(f"auth/keys/{key.split('_')[2]}/rotate", {"overlap_seconds": 3600}, key="admin")
    assert rotated.status == 201
    assert rotated.headers["cache-control"] == "no-store"
    for one in (key, rotated.body["data"]["key"]):
        assert shared.get("costs", key=one).status == 200
    again = shared.post(f"auth/keys/{key.split('_')[2]}/rotate", {}, key="admin")
    assert again.status == 409
    wrong = shared.post(f"auth/keys/{key.split('_')[2]}/rotate", {"overlap_seconds": -1, "overlap": "1h"}, key="admin")
    assert {field for field, _ in wrong.reasons} == {"overlap_seconds", "overlap"}


def test_access_is_explained_over_http(bound: Server) -> None:
    key_id = bound.keys["alpha"].split("_")[2]
    own = bound.get("access/explain?permission=costs:read&project=beta", key="alpha").body["data"]
    assert (own["allowed"], own["covered"], own["usage"]["only"]) == (False, False, {"project": ["alpha"]})
    assert own["reason"] == "costs:read holds for the usage of project alpha, and this lies outside"
    asked = f"access/explain?permission=export:read&key=key_{key_id}"
    found = bound.get(f"{asked}&address=192.0.2.1&at=2026-03-01T00:00:00Z&tag.env=prod", key="admin").body["data"]
    assert (found["allowed"], found["address"], found["asked"]) == (False, "192.0.2.1", {"tag:env": "prod"})
    assert found["to_change"] == [f"grant it: `cost-ops auth update-key key_{key_id} --add-permissions export:read`"]
    assert bound.get(asked, key="alpha").status == 403
    assert bound.get(asked, key=None).status == 401
    whole = bound.get(f"access/explain?permission=costs:read&key={bound.keys['alpha']}", key="admin")
    assert whole.reasons == {("key", "secret_in_address")}
    assert bound.keys["alpha"].split("_")[3] not in whole.text
    faults = bound.get("access/explain?permission=fly&address=x&user=a@b&key=c&projct=d", key="admin")
    assert {field for field, _ in faults.reasons} == {"permission", "address", "projct"}
