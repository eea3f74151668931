"""`cost-ops contracts`, on the database and through a server."""

from pathlib import Path

from tests.api.running import ready_server
from tests.cli.conftest import Shell, add_gpt4, usage

ORG = ("--organization", "default")


def test_a_contract_is_added_listed_and_ended(any_shell: Shell) -> None:
    shell = any_shell
    add_gpt4(shell)
    (added,) = shell.json("contracts", "add", *ORG, "--discount", "10", "--provider", "openai", "--note", "deal")
    assert (added["kind"], added["percent"], added["note"]) == ("discount", "10", "deal")
    shell("ingest", "--file", shell.write("u.json", [usage(id="a")]))
    assert shell.json("query")["total_cost"] == "0.0225"
    assert shell.json("contracts", "list") == [added]
    told = shell("contracts", "list").stdout
    assert "10 % off" in told
    assert "openai / *" in told
    (ended,) = shell.json("contracts", "end", added["contract_id"])
    assert ended["end_date"] is not None
    assert shell.json("contracts", "list") == []
    assert "No contracts found." in shell("contracts", "list").stdout
    assert [c["contract_id"] for c in shell.json("contracts", "list", "--all")] == [added["contract_id"]]


def test_explain_names_the_contract_and_the_cost_without_it(shell: Shell) -> None:
    add_gpt4(shell)
    shell("contracts", "add", *ORG, "--discount", "10", "--model", "gpt-4*", "--meters", "input, output")
    shell("contracts", "add", *ORG, "--margin", "5", "--effective-date", "2020-01-01")
    shell("ingest", "--file", shell.write("u.json", [usage(id="a")]))
    shell("export", "--output", "out.json", "--format", "json", "--all")
    (usage_id,) = [line for line in (shell.folder / "out.json").read_text().split('"') if line.count("-") == 4]
    told = shell("explain", usage_id).stdout
    assert "contract-1: 10 % off" in told
    assert "contract-2: 5 % on top" in told
    assert "Without the organisation's contracts: 0.025 USD" in told
    assert "0.023625 USD" in told
    assert shell.json("explain", usage_id)["list_cost"] == "0.025"


def test_what_is_wrong_is_said(shell: Shell) -> None:
    for options in ((), ("--discount", "1", "--margin", "2")):
        assert (
            "either --discount or --margin, or volume tiers" in shell("contracts", "add", *ORG, *options, code=2).stderr
        )
    assert "organization_id is required" in shell("contracts", "add", "--discount", "5", code=2).stderr
    bad = shell("contracts", "add", *ORG, "--discount", "ten", "--meters", "moon", code=2).stderr
    assert "percent must be a decimal number" in bad
    assert "meters must be" in bad
    assert "No contract with id" in shell("contracts", "end", "contract-9", code=1).stderr


def test_tiers_are_given_shown_and_settled(any_shell: Shell) -> None:
    shell = any_shell
    add_gpt4(shell)
    tiers = ("--tier", "0:0", "--tier", "2_000:12.5%", "--effective-date", "2020-01-01")
    (added,) = shell.json("contracts", "add", *ORG, "--model", "gpt-4*", *tiers)
    assert added["volume"] == {"tiers": [{"from": 0, "discount": "0"}, {"from": 2000, "discount": "0.125"}]}
    assert (added["percent"], added["months"]) == (None, [])
    january = [usage(id=name, timestamp="2025-01-15T10:00:00Z") for name in "ab"]
    shell("ingest", "--file", shell.write("u.json", january))
    shown = shell("contracts", "settle", "--dry-run").stdout
    assert "Nothing was changed" in shown
    assert "3,000" in shown
    settled = shell.json("contracts", "settle")
    assert [(m["after"]["settled"], m["superseded_records"]) for m in settled["months"]] == [(True, 2)]
    assert "No month to settle." in shell("contracts", "settle").stdout
    again = shell("contracts", "settle", "--month", "2025-01").stdout
    assert "12.5 % off" in again
    assert shell.json("query", "--start", "2025-01-01", "--end", "2025-02-01")["total_cost"] == "0.04375"
    told = " ".join(shell("contracts", "list").stdout.split())
    assert "2025-01 3,000 12.5 % off settled" in told
    (listed,) = shell.json("contracts", "list")
    assert listed["months"] == [settled["months"][0]["after"]]


def test_what_is_wrong_with_a_tier_is_said(shell: Shell) -> None:
    for text in ("much:10%", "5", "5:ten", ":"):
        assert "a tier is TOKENS:PERCENT" in shell("contracts", "add", *ORG, "--tier", text, code=2).stderr
    assert "must begin with a tier from 0" in shell("contracts", "add", *ORG, "--tier", "5:5%", code=2).stderr
    assert "must be a month such as" in shell("contracts", "settle", "--month", "now", code=2).stderr


def test_a_server_takes_the_same_commands(empty_shell: Shell, postgres_database: str, tmp_path: Path) -> None:
    with ready_server(postgres_database) as server:
        remote = ("--api-url", server.url, "--api-key", server.keys["org"])
        (added,) = empty_shell.json(*("contracts", "add", "--discount", "12.5", *remote))
        assert (added["organization_id"], added["percent"]) == ("org-123", "12.5")
        assert empty_shell.json("contracts", "list", *remote) == [added]
        (ended,) = empty_shell.json("contracts", "end", added["contract_id"], "--at", "2099-01-01", *remote)
        assert ended["end_date"] == "2099-01-01T00:00:00Z"
        (tiered,) = empty_shell.json("contracts", "add", "--tier", "0:5%", "--model", "m", *remote)
        assert tiered["volume"]["tiers"] == [{"from": 0, "discount": "0.05"}]
        assert empty_shell.json("contracts", "settle", "--month", "2026-01", *remote) == {
            "dry_run": False,
            "months": [],
        }


def test_rates_from_a_file_may_have_multipliers_beside_them(shell: Shell) -> None:
    rates = [{"meter": "seconds", "price": "0.04", "per": 3600, "minimum_quantity": 10}]
    factors = [{"factor": "1.1", "when": {"region": "us"}, "meters": ["seconds"], "note": "US only"}]
    path = shell.write("rates.json", {"rates": rates, "multipliers": factors})
    shell("pricing", "add", "--provider", "groq", "--model", "w", "--rates", path)
    told = shell("pricing", "get", "--provider", "groq", "--model", "w").stdout
    assert "at least 10 a call" in told
    assert "× 1.1" in told
    assert "US only" in told
