"""Keys over HTTP: made, shown once, changed, revoked within seconds, and quick once known."""

import time
from datetime import UTC, datetime, timedelta

from tests.api.running import USAGE, Server, ready_server


def metric(server: Server, name: str) -> float:
    lines = server.get("/metrics", key=None).text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def test_a_key_is_made_used_changed_and_revoked(server: Server) -> None:
    body = {"organization_id": "org-123", "name": "ci", "permissions": ["costs:read"]}
    made = server.post("auth/keys", body, key="admin")
    assert made.status == 201
    data = made.body["data"]
    assert data["key"].startswith(f"sk_live_{data['key_id']}_")
    server.keys["ci"] = data["key"]
    assert server.get("costs", key="ci").status == 200
    assert server.post("usage", USAGE, key="ci").status == 403
    path = f"auth/keys/{data['key_id']}"
    changed = server.ask("PATCH", path, json={"add_permissions": ["usage:write"], "name": "ci-2"}, key="admin")
    assert (changed.body["data"]["name"], changed.body["data"]["permissions"]) == (
        "ci-2",
        ["costs:read", "usage:write"],
    )
    shown = server.get(f"auth/keys/key_{data['key_id']}", key="admin")
    assert "key" not in shown.body["data"]
    assert data["key"] not in server.get("auth/keys", key="admin").text
    assert server.ask("DELETE", path, key="admin").body["data"]["revoked_at"]
    assert server.ask("DELETE", path, key="admin").status == 200


def test_faults_of_a_key_are_named(shared: Server) -> None:
    body = {"organization_id": "a b", "permissions": ["fly"], "expires_at": "2025-01-01", "nmae": "x"}
    fields = {f for f, _ in shared.post("auth/keys", body, key="admin").reasons}
    assert fields == {"name", "organization_id", "expires_at", "nmae"}
    unknown = shared.post("auth/keys", {"organization_id": "org-123", "name": "x", "permissions": ["fly"]}, key="admin")
    assert unknown.reasons == {("permissions", "unknown_permission")}
    for path in ("auth/keys/zzzzzzzz", "auth/keys/%00", "auth/keys/sk_live"):
        assert shared.get(path, key="admin").status == 404


def test_a_revoked_key_stops_within_the_promised_time(ledger: str) -> None:
    with ready_server(ledger, auth__key_cache_secs=1) as server:
        assert server.get("costs").status == 200
        key_id = server.keys["org"].split("_")[2]
        assert server.ask("DELETE", f"auth/keys/{key_id}", key="admin").status == 200
        revoked_at = time.monotonic()
        while server.get("costs").status == 200:
            assert time.monotonic() - revoked_at < 5
            time.sleep(0.05)
        assert server.post("usage", USAGE).status == 401
        assert server.get("costs").status == 401


def test_granted_permissions_arrive_within_the_promised_time(ledger: str) -> None:
    with ready_server(ledger, auth__key_cache_secs=0) as server:
        server.keys["small"] = server.make_key("org-123", permissions=["costs:read"])
        assert server.get("usage/history", key="small").status == 403
        path = f"auth/keys/{server.keys['small'].split('_')[2]}"
        server.ask("PATCH", path, json={"add_permissions": ["usage:read"]}, key="admin")
        assert server.get("usage/history", key="small").status == 200


def test_a_known_key_is_not_derived_again(ledger: str) -> None:
    with ready_server(ledger, auth__key_cache_secs=0) as server:
        for _ in range(20):
            assert server.get("costs").status == 200
        assert metric(server, 'cost_ops_key_checks_total{outcome="derived"}') == 1
        assert metric(server, 'cost_ops_key_checks_total{outcome="refreshed"}') >= 19


def test_an_expired_key_is_refused_at_once(server: Server) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=1.5)
    server.keys["brief"] = server.make_key("org-123", expires_at=soon)
    assert server.get("costs", key="brief").status == 200
    time.sleep(1.6)
    assert server.get("costs", key="brief").status == 401


def test_organizations_are_made_once(server: Server) -> None:
    first = server.post("organizations", {"organization_id": "acme", "name": "Acme"}, key="admin")
    again = server.post("organizations", {"organization_id": "acme", "name": "Other"}, key="admin")
    assert (first.status, again.status) == (201, 200)
    assert again.body["data"]["name"] == "Acme"
    listed = server.get("organizations?page_size=1&page=2", key="admin").body
    assert listed["pagination"]["total_items"] == 3
    assert len(listed["data"]) == 1
