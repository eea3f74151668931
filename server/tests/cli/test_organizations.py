"""`cost-ops organizations`, on the database and through a server."""

import os
from pathlib import Path

import pytest

from tests.api.running import migrated, ready_server, still_server
from tests.cli.conftest import Shell
from tests.redis_server import RedisServer


@pytest.fixture(params=["database", "server"])
def either_shell(request: pytest.FixtureRequest, empty_shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A shell that works on a database, then one that asks a server of it."""
    url = migrated(tmp_path)
    if request.param == "database":
        monkeypatch.setenv("COST_OPS_DATABASE_URL", url)
        yield empty_shell
        return
    with ready_server(url) as server:
        monkeypatch.setenv("COST_OPS_API_URL", server.url)
        monkeypatch.setenv("COST_OPS_API_KEY", server.keys["admin"])
        yield empty_shell


def asks_a_server() -> bool:
    return "COST_OPS_API_URL" in os.environ


def test_an_organisation_is_added_changed_and_shown(either_shell: Shell) -> None:
    shell = either_shell
    made = shell.json("organizations", "add", "org-1", "--plan", "developer", "--burst", "200", "--name", "One")
    assert (made["organization_id"], made["name"], made["plan"]) == ("org-1", "One", "developer")
    assert made["limits"] == {"requests_per_hour": 1000, "burst": 200, "concurrency": 20}
    assert made in shell.json("organizations", "list")
    changed = shell.json("organizations", "update", "org-1", "--requests-per-hour", "none", "--concurrency", "7")
    assert changed["limits"] == {"requests_per_hour": None, "burst": 200, "concurrency": 7}
    assert changed["limits_from"] == "organization"
    shown = shell.json("organizations", "show", "org-1")
    assert [(w["limit"], w["used"], w["remaining"]) for w in shown["windows"]] == [("burst", 0, 200)]
    back = shell.json("organizations", "update", "org-1", "--plan", "free", "--plan-limits")
    assert (back["plan"], back["limits_from"]) == ("free", "plan")
    assert back["limits"] == {"requests_per_hour": 100, "burst": 20, "concurrency": 5}


def test_tables_name_what_there_is(either_shell: Shell) -> None:
    shell = either_shell
    shell("organizations", "add", "org-1", "--plan", "free", "--quiet")
    line = next(line for line in shell("organizations", "list").stdout.splitlines() if "org-1" in line)
    assert line.split() == ["org-1", "org-1", "free", "100", "20", "5", "plan"]
    told = shell("organizations", "show", "--organization", "org-1").stdout
    assert "requests a minute     0    20" in told
    shell("organizations", "add", "org-2")
    assert "No limit." in shell("organizations", "show", "org-2").stdout


def test_one_that_exists_stays_as_it_is(either_shell: Shell) -> None:
    either_shell("organizations", "add", "org-1", "--plan", "free")
    again = either_shell("organizations", "add", "org-1", "--plan", "developer")
    assert "org-1 exists; `cost-ops organizations update` changes it." in again.stderr
    assert "developer" not in again.stdout


def test_what_is_wrong_is_told(either_shell: Shell) -> None:
    shell = either_shell
    shell("organizations", "add", "org-1")
    assert "say what to change" in shell("organizations", "update", "org-1", code=2).stderr
    both = ("--plan-limits", "--burst", "5")
    assert "either --plan-limits or limits" in shell("organizations", "update", "org-1", *both, code=2).stderr
    told = shell("organizations", "update", "org-1", "--burst", "few", code=2).stderr
    assert "'--burst': must be a whole number or none, got 'few'" in told
    wrong = ("organizations", "update", "org-1", "--plan", "gold", "--burst", "0")
    told = shell(*wrong, code=4 if asks_a_server() else 2).stderr
    assert "'gold' is no plan; known are free, developer, professional, enterprise" in told
    assert "limits.burst must be a whole number above 0" in told


def test_an_unknown_organisation_is_told(either_shell: Shell) -> None:
    for command in (("show", "no-such"), ("update", "no-such", "--plan", "free")):
        result = either_shell("organizations", *command, code=4 if asks_a_server() else 1)
        assert "No organization 'no-such'" in result.stderr


def test_without_a_name_the_only_organisation_is_shown(shell: Shell) -> None:
    assert shell.json("organizations", "show")["organization_id"] == "default"
    shell("organizations", "add", "org-2")
    assert "say which organisation" in shell("organizations", "show", code=2).stderr


def test_a_member_sees_their_limits_and_may_not_change_them(
    empty_shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ready_server(migrated(tmp_path)) as server:
        monkeypatch.setenv("COST_OPS_API_URL", server.url)
        monkeypatch.setenv("COST_OPS_API_KEY", server.keys["org"])
        assert empty_shell.json("organizations", "show")["plan"] == "enterprise"
        told = empty_shell("organizations", "update", "org-123", "--plan", "free", code=3).stderr
        assert "Insufficient permissions" in told


def test_beyond_the_limit_a_command_says_when_to_come_back(
    empty_shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with still_server(migrated(tmp_path)) as server:
        limits = {"requests_per_hour": 1, "burst": None, "concurrency": None}
        server.ask("PATCH", "organizations/org-123", json={"limits": limits}, key="admin")
        monkeypatch.setenv("COST_OPS_API_URL", server.url)
        monkeypatch.setenv("COST_OPS_API_KEY", server.keys["org"])
        monkeypatch.setattr("cost_ops.cli.remote.client.LONGEST_PATIENCE_SECONDS", -1.0)
        empty_shell("pricing", "list")
        assert "Too many requests; come back in " in empty_shell("pricing", "list", code=4).stderr


def test_doctor_says_where_requests_are_counted(
    shell: Shell, redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def found(code: int = 0) -> dict[str, str]:
        return next(check for check in shell.json("doctor", code=code) if check["name"] == "limits")

    assert found()["found"] == "requests are counted in the database (sqlite)"
    monkeypatch.setenv("COST_OPS_LIMITS_REDIS_URL", redis_server.url)
    assert found()["found"].startswith("requests are counted in Redis ")
    monkeypatch.setenv("COST_OPS_LIMITS_REDIS_URL", "redis://127.0.0.1:1/0")
    broken = found(code=1)
    assert (broken["level"], broken["found"]) == ("fail", "not kept: requests are let in without counting")
    assert "redis://127.0.0.1:1/0 does not work" in broken["advice"]
    monkeypatch.setenv("COST_OPS_LIMITS_ENABLED", "false")
    assert found()["level"] == "warn"


def test_an_impossible_redis_url_is_told(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COST_OPS_LIMITS_REDIS_URL", "localhost:6379")
    assert "limits.redis_url must be like redis://" in shell("organizations", "list", code=2).stderr
