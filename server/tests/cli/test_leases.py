"""`cost-ops budget reserve|settle|release|leases`, on the database and through a server."""

from pathlib import Path

import pytest

from tests.api.running import ready_server
from tests.cli.conftest import Shell, add_gpt4

CALL = ("--provider", "openai", "--model", "gpt-4", "--project", "search")
TOKENS = ("--input-tokens", "1000", "--max-output-tokens", "500")


def walk(shell: Shell) -> None:
    """From a reservation to a settlement, a refusal and a release."""
    shell("budget", "create", "--name", "search", "--amount", "0.03", "--project", "search", "--hard")
    lease = shell.json("budget", "reserve", *CALL, *TOKENS, "--tag", "env=prod", "--ttl", "60")
    assert (lease["amount"], lease["status"], lease["usage"]["tags"]) == ("0.025", "held", {"env": "prod"})
    assert [held["name"] for held in lease["holds"]] == ["search"]
    refused = shell("budget", "reserve", *CALL, *TOKENS, code=1 if shell.folder.name != "remote" else 4)
    assert "0.005 USD left" in refused.stderr

    settled = shell.json("budget", "settle", lease["lease_id"], "--input-tokens", "1000", "--output-tokens", "100")
    assert (settled["cost"], settled["lease"]["over_lease"], settled["lease"]["late"]) == ("0.013", 0, False)

    second = shell.json("budget", "reserve", "--amount", "0.01", "--project", "search")
    assert f"{second['lease_id']} is released" in shell("budget", "release", second["lease_id"]).stdout
    assert [one["status"] for one in shell.json("budget", "leases")] == ["released", "settled"]
    assert [one["lease_id"] for one in shell.json("budget", "leases", "--status", "settled")] == [lease["lease_id"]]
    listed = shell("budget", "leases").stdout
    assert max(map(len, listed.splitlines())) <= 80


def test_leases_on_the_database(any_shell: Shell) -> None:
    add_gpt4(any_shell)
    walk(any_shell)


def test_leases_through_a_server(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    add_gpt4(shell)
    remote = Shell(shell.folder / "remote")
    remote.folder.mkdir()
    with ready_server(f"sqlite:{Path(shell.folder) / 'cost-ops.db'}") as server:
        monkeypatch.setenv("COST_OPS_API_URL", server.url)
        monkeypatch.setenv("COST_OPS_API_KEY", server.make_key("default"))
        walk(remote)


def test_more_than_was_held_and_too_late_are_said(shell: Shell) -> None:
    add_gpt4(shell)
    lease_id = shell.json("budget", "reserve", *CALL, "--amount", "0.001")["lease_id"]
    said = shell("budget", "settle", lease_id, "--input-tokens", "1000", "--output-tokens", "0").stdout
    assert "0.01 USD" in said
    assert "0.009 USD more than was held" in said.replace("\n", " ")
    assert "No lease" in shell("budget", "settle", "lease_none", "--input-tokens", "1", code=1).stderr
