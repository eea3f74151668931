"""The people of an organisation over HTTP: who may let whom in, as what."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.api.people_server import enrol, invite, log_in, peopled_server, token_of
from tests.api.running import Answer, Server, migrated

ROOT = "root@example.com"


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server whose org-123 has an admin, whose tokens are the key `root`."""
    with peopled_server(
        migrated(tmp_path_factory.mktemp("users")), auth__key_cache_secs=0, cache__enable="false"
    ) as running:
        enrol(running, ROOT, "admin", name="Root")
        running.keys["root"] = token_of(running, ROOT)
        yield running


def change(server: Server, user_id: str, body: dict[str, Any], key: str = "root") -> Answer:
    named = "?organization_id=org-123" if key == "admin" else ""
    return server.ask("PATCH", f"users/{user_id}{named}", json=body, key=key)


def test_an_admin_invites_lists_changes_and_removes(server: Server) -> None:
    made = invite(server, "Ana@Example.com", "engineer", key="root", name="Ana", projects=["shop"])
    assert made.status == 201
    data = made.body["data"]
    assert (data["email"], data["organization_id"], data["projects"]) == ("ana@example.com", "org-123", ["shop"])
    assert data["invitation"] == "not_sent"
    assert "link" not in data
    assert made.headers["location"] == f"/api/v1/users/{data['user_id']}"
    listed = server.get("users", key="root")
    assert [one["email"] for one in listed.body["data"]] == ["ana@example.com", ROOT]
    path = f"users/{data['user_id']}"
    assert server.get(path, key="root").body["data"]["name"] == "Ana"
    changed = change(server, data["user_id"], {"role": "analyst", "projects": []})
    assert (changed.body["data"]["role"], changed.body["data"]["projects"]) == ("analyst", [])
    assert server.ask("DELETE", path, key="root").status == 200
    assert server.get(path, key="root").status == 404
    actions = [e["action"] for e in server.get("audit", key="root").body["data"]]
    assert {"users.added", "users.changed", "users.removed"} <= set(actions)


def test_who_is_no_admin_manages_nobody(server: Server) -> None:
    enrol(server, "ana@example.com", "engineer")
    ana = token_of(server, "ana@example.com")
    root_id = server.get("auth/whoami", key="root").body["data"]["user"]["user_id"]
    for answer in (
        server.get("users", key=ana),
        invite(server, "friend@example.com", "admin", key=ana),
        change(server, root_id, {"role": "viewer"}, key=ana),
        server.ask("DELETE", f"users/{root_id}", key=ana),
        server.get("users", key="org"),
    ):
        assert (answer.status, answer.error["details"]["required_permission"]) == (403, "admin:*")


def test_another_organisations_people_are_not_there(server: Server) -> None:
    other = server.post(
        "users", {"organization_id": "org-456", "email": "eva@example.com", "role": "viewer"}, key="admin"
    )
    eva = other.body["data"]["user_id"]
    for answer in (
        server.get(f"users/{eva}", key="root"),
        change(server, eva, {"role": "admin"}),
        server.ask("DELETE", f"users/{eva}", key="root"),
        server.get("users?organization_id=org-456", key="root"),
        invite(server, "x@example.com", key="root", organization_id="org-456"),
    ):
        assert answer.status == 404
    assert "eva" not in server.get("users", key="root").text


def test_fields_that_are_not_the_callers_to_set_are_refused_by_name(server: Server) -> None:
    taken = {
        "permissions": ["admin:*"],
        "owner": True,
        "password": "x" * 20,
        "user_id": "usr_1",
        "created_by": "me",
        "disabled_at": None,
    }
    bad = invite(server, "ana@example.com", "viewer", key="root", **taken)
    assert bad.status == 400
    assert {field for field, reason in bad.reasons if reason == "unknown_field"} == {
        "permissions",
        "owner",
        "password",
        "user_id",
        "created_by",
    }
    root_id = server.get("auth/whoami", key="root").body["data"]["user"]["user_id"]
    for field in ("organization_id", "email", "permissions", "owner", "password"):
        assert change(server, root_id, {field: "x"}).reasons == {(field, "unknown_field")}


def test_every_fault_is_named_at_once(server: Server) -> None:
    bad = invite(server, "ana@example.com", "boss", key="root", teams=["nobody"], projects=["a\x00b"])
    assert {field for field, _ in bad.reasons} == {"role", "teams", "projects"}
    assert invite(server, "not an address", key="root").reasons == {("email", "invalid_value")}
    assert server.post("users", {"email": "a@b.example", "role": "viewer"}, key="admin").reasons == {
        ("organization_id", "missing_required_field")
    }


def test_a_member_twice_is_a_conflict(server: Server) -> None:
    assert invite(server, "ana@example.com", key="root").status == 201
    assert invite(server, "ANA@example.com", key="root").status == 409


def test_the_last_admin_stays(server: Server) -> None:
    root_id = server.get("auth/whoami", key="root").body["data"]["user"]["user_id"]
    for answer in (
        server.ask("DELETE", f"users/{root_id}", key="root"),
        change(server, root_id, {"role": "viewer"}),
        change(server, root_id, {"projects": ["shop"]}),
    ):
        assert answer.status == 409
    second = enrol(server, "second@example.com", "admin")
    assert change(server, root_id, {"role": "viewer"}).status == 200
    assert (
        change(server, second["user_id"], {"role": "viewer"}, key=token_of(server, "second@example.com")).status == 409
    )
    assert change(server, second["user_id"], {"role": "viewer"}, key="admin").status == 200


def test_only_the_installation_shuts_an_account(server: Server) -> None:
    ana = enrol(server, "ana@example.com")
    assert change(server, ana["user_id"], {"disabled": True}).status == 403
    assert change(server, ana["user_id"], {"disabled": True}, key="admin").status == 200
    assert log_in(server, "ana@example.com").status == 401
    assert change(server, ana["user_id"], {"disabled": False}, key="admin").status == 200
    assert log_in(server, "ana@example.com").status == 200


def test_only_the_installation_is_given_a_link_and_never_for_somebody_with_a_password(server: Server) -> None:
    assert "link" in invite(server, "ana@example.com", key="admin").body["data"]
    assert "link" not in invite(server, "ben@example.com", key="root").body["data"]
    known = server.post("users", {"organization_id": "org-456", "email": ROOT, "role": "viewer"}, key="admin")
    assert "link" not in known.body["data"]
