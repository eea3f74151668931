"""Keys, roles, policies, projects and teams at the command line, on the database and through a server."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.api.running import ready_server
from tests.cli.conftest import Shell, usage

ORG = ("--organization", "default")
Run = Callable[..., Any]


@pytest.fixture(params=["direct", "remote"])
def run(request: pytest.FixtureRequest, shell: Shell) -> Any:
    """Runs a command on the database, or through a server with an admin key."""
    if request.param == "direct":
        yield shell
        return
    with ready_server(f"sqlite:{shell.folder / 'cost-ops.db'}") as server:
        remote = ("--api-url", server.url, "--api-key", server.keys["admin"])
        yield lambda *args, **how: shell(*args, *remote, *ORG, **how)


def _json(run: Run, *args: str) -> Any:
    return json.loads(run(*args, "--output", "json").stdout)


def test_a_key_is_bound_to_projects_rotated_and_shown(run: Run) -> None:
    args = ("--permissions", "costs:read,usage:write", "--projects", "alpha, beta")
    made = _json(run, "auth", "create-key", *ORG, "--name", "k", *args)
    assert (made["projects"], made["permissions"]) == (["alpha", "beta"], ["costs:read", "usage:write"])
    assert _json(run, "auth", "update-key", made["id"], "--projects", "gamma")["projects"] == ["gamma"]
    assert _json(run, "auth", "update-key", made["id"], "--all-projects")["projects"] == []
    heir = _json(run, "auth", "rotate-key", made["id"], "--overlap", "2h")
    assert heir["key"].startswith("sk_live_")
    assert heir["permissions"] == made["permissions"]
    old = _json(run, "auth", "describe-key", made["id"])
    assert (old["replaced_by"], old["revoked_at"]) == (heir["id"], None)
    assert old["expires_at"] is not None
    table = run("auth", "list-keys").stdout
    assert "ends soon" in table
    assert "never" in table
    assert max(map(len, table.splitlines())) <= 80
    last = _json(run, "auth", "rotate-key", heir["id"], "--overlap", "0")
    assert "replaced" in run("auth", "describe-key", heir["id"]).stdout
    assert last["key"] not in run("auth", "describe-key", last["id"]).stdout
    assert "number with s, m, h or d" in run("auth", "rotate-key", last["id"], "--overlap", "soon", code=2).stderr


def test_roles_are_kept(run: Run) -> None:
    assert [role["name"] for role in _json(run, "roles", "list")] == [
        "viewer",
        "analyst",
        "engineer",
        "billing_admin",
        "admin",
    ]
    run("roles", "create", "auditor", "--permissions", "costs:read", "--description", "reads the books")
    changed = _json(run, "roles", "update", "auditor", "--add-permissions", "audit:read,usage:read")
    assert changed["permissions"] == ["audit:read", "costs:read", "usage:read"]
    changed = _json(run, "roles", "update", "auditor", "--remove-permissions", "usage:read")
    assert changed == _json(run, "roles", "show", "auditor")
    assert "reads the books" in run("roles", "list").stdout
    run("roles", "delete", "auditor")
    assert len(_json(run, "roles", "list")) == 5


def test_policies_are_kept(run: Run, shell: Shell) -> None:
    made = _json(
        run,
        *("policies", "create", "--deny", "usage:*,costs:read", "--name", "no merger", "--for", "role:viewer"),
        *("--project", "merger", "--hours", "18:00-08:00", "--weekdays", "1,2", "--timezone", "Europe/Berlin"),
        *("--address", "10.0.0.0/8", "--from", "2026-01-01", "--until", "2027-01-01"),
    )
    assert made["conditions"] == {
        "projects": ["merger"],
        "hours": {"start": "18:00", "end": "08:00", "timezone": "Europe/Berlin", "weekdays": [1, 2]},
        "not_before": "2026-01-01T00:00:00Z",
        "not_after": "2027-01-01T00:00:00Z",
        "addresses": ["10.0.0.0/8"],
    }
    shown = run("policies", "show", "no merger").stdout
    assert made["policy_id"] in shown
    assert "Europe/Berlin" in shown
    file = shell.write("policy.json", {"conditions": {"tags": {"env": ["prod"]}}})
    changed = _json(run, "policies", "update", "no merger", "--file", file)
    assert (changed["conditions"], changed["name"]) == ({"tags": {"env": ["prod"]}}, "no merger")
    assert "no merger" in run("policies", "list").stdout
    run("policies", "delete", made["policy_id"])
    assert "There are no policies" in run("policies", "list").stdout
    assert "either --allow or --deny" in run("policies", "create", "--name", "x", code=2).stderr


def test_projects_and_teams_are_kept(run: Run, shell: Shell) -> None:
    shell("ingest", "--file", shell.write("u.json", [usage(id="a", project_id="seen")]))
    run("teams", "create", "support", "--name", "Customer support")
    run("projects", "create", "chatbot", "--name", "Support chatbot", "--team", "support")
    listed = run("projects", "list").stdout
    assert "seen in usage" in listed
    assert "declared, no usage yet" in listed
    assert _json(run, "teams", "list")[0]["projects"] == ["chatbot"]
    (moved,) = _json(run, "projects", "update", "chatbot", "--no-team", "--name", "Chat")
    assert (moved["team_id"], moved["name"]) == (None, "Chat")
    run("projects", "archive", "seen")
    assert [p["project_id"] for p in _json(run, "projects", "list")] == ["chatbot"]
    assert len(_json(run, "projects", "list", "--all")) == 2
    run("projects", "archive", "seen", "--undo")
    assert _json(run, "teams", "update", "support", "--name", "Support")[0]["name"] == "Support"
    run("teams", "delete", "support")
    assert "There are no teams" in run("teams", "list").stdout


def test_access_is_explained(run: Run) -> None:
    key = _json(run, "auth", "create-key", *ORG, "--name", "k", "--permissions", "costs:read", "--projects", "alpha")
    told = run("access", "explain", "costs:read", "--key", key["id"], "--project", "beta", code=1).stdout
    assert "costs:read: REFUSED" in told
    assert "bound to project alpha" in told
    assert f"cost-ops auth update-key {key['id']} --projects A,B" in " ".join(told.split())
    allowed = run("access", "explain", "costs:read", "--key", key["id"], "--project", "alpha").stdout
    assert "costs:read: allowed" in allowed
    run("policies", "create", "--deny", "costs:read", "--name", "closed", "--for", f"key:{key['id']}", "--tag", "env=x")
    tagged = ("--project", "alpha", "--tag", "env=x")
    found = json.loads(
        run("access", "explain", "costs:read", "--key", key["id"], *tagged, "--output", "json", code=1).stdout
    )
    assert found["usage"]["text"] == "project alpha and not tag:env x"
    assert [step["verdict"] for step in found["steps"]] == ["allows", "denies"]
    assert found["to_change"][0] == "change or remove the policy closed: `cost-ops policies show 'closed'`"


def test_troubleshooting_works_as_printed(shell: Shell) -> None:
    """`cost-ops auth describe-key` and `update-key --add-permissions` of the guide, with this ledger's key."""
    key = shell.json("auth", "create-key", *ORG, "--name", "New Key", "--permissions", "usage:read")
    assert "usage:read" in shell("auth", "describe-key", key["id"]).stdout
    changed = shell("auth", "update-key", key["id"], "--add-permissions", "usage:write,costs:read").stdout
    assert "costs:read, usage:read, usage:write" in " ".join(changed.split())
    assert Path(shell.folder / "cost-ops.db").exists()
