"""Every command that the FAQ and the troubleshooting guide print, as printed."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Shell, usage


def test_the_quick_start_gives_the_exact_cost(empty_shell: Shell) -> None:
    shell = empty_shell
    made = shell("init", "--database-url", "sqlite:cost-ops.db")
    assert "sk_live_" in made.stdout
    assert made.stdout.count("\n  cost-ops ") == 3
    price = "pricing add --provider openai --model gpt-4 --input-price 10.0 --output-price 30.0"
    shell(*price.split())
    shell.write("usage.json", [usage(organization_id="org-123", total_tokens=1500)])
    shell("ingest", "--file", "usage.json")
    answer = shell("query", "--range", "last-7-days")
    assert "0.025 USD" in answer.stdout
    assert "gpt-4" in answer.stdout
    found = shell.json("query", "--organization", "org-123", "--range", "last-30-days")
    assert found["total_cost"] == "0.025"
    assert "all 2 organisations: default, org-123" in answer.stdout

    azure = "pricing add --provider azure --model gpt-4-turbo --input-price 10.0 --output-price 30.0"
    shell(*azure.split())
    shell("ingest", "--file", shell.write("azure-usage.json", [usage(provider="azure", model_id="gpt-4-turbo")]))
    custom = "pricing add --provider custom --model my-local-llm --input-price 0.0 --output-price 0.0"
    shell(*custom.split())
    shell("ingest", "--file", shell.write("custom.json", [usage(provider="custom", model_id="my-local-llm")]))
    found = shell.json("query", "--organization", "default", "--range", "last-30-days")
    assert found["total_cost"] == "0.025"
    assert found["unpriced"]["requests"] == 0

    shell(*["export", "--output", "full-export.csv", "--format", "csv", "--all"])
    lines = Path("full-export.csv").read_text().splitlines()
    assert len(lines) == 4
    shell("pricing", "sync-latest")


def test_init_again_changes_nothing_and_makes_no_second_key(shell: Shell) -> None:
    shell("ingest", "--file", shell.write("u.json", [usage()]))
    again = shell.json("init", "--no-catalogue")
    assert again["key"] is None
    assert any("key_" in text for text in again["found"])
    assert len(shell.json("auth", "list-keys")) == 1
    assert shell.json("query")["totals"][0]["requests"] == 1


def test_keys_are_made_described_changed_and_revoked_as_printed(shell: Shell) -> None:
    key = shell.json("auth", "create-key", "--organization", "org-123", "--name", "New Key")
    assert key["key"].startswith("sk_live_")
    assert key["organization_id"] == "org-123"
    reader = shell.json("auth", "create-key", "--name", "r", "--organization", "org-123", "--permissions", "usage:read")
    changed = shell.json("auth", "update-key", reader["id"], "--add-permissions", "usage:write,costs:read")
    assert changed["permissions"] == ["costs:read", "usage:read", "usage:write"]
    assert shell.json("auth", "describe-key", reader["id"])["permissions"] == changed["permissions"]
    shell("auth", "revoke-key", reader["id"])
    assert "revoked" in shell("auth", "list-keys").stdout
    missing = shell("auth", "describe-key", "key_123", code=1)
    assert "list-keys" in missing.stderr
    assert "sk_live_" not in shell("auth", "list-keys", "-o", "json").stdout


def test_migrate_brings_a_postgresql_database_up_to_date(empty_shell: Shell, postgres_database: str) -> None:
    done = empty_shell("migrate", "--database-url", postgres_database)
    assert "revision" in done.stdout
    assert json.loads(empty_shell("migrate", "--database-url", postgres_database, "-o", "json").stdout)["revision"]


@pytest.mark.parametrize("url", ["postgres://localhost/costops", "mysql://localhost/x", "nonsense"])
def test_a_wrong_database_url_is_refused_with_the_right_form(empty_shell: Shell, url: str) -> None:
    refused = empty_shell("migrate", "--database-url", url, code=2)
    assert "postgresql://" in refused.stderr


def test_sample_data_is_believable_and_recorded_once(empty_shell: Shell) -> None:
    shell = empty_shell
    shell("init", "--seed", "--quiet")
    found = shell.json("query", "--range", "last-90-days")
    total = found["totals"][0]
    assert 15_000 < total["requests"] < 40_000
    assert 0 < found["unpriced"]["requests"] < total["requests"] * 0.1
    assert len({row["provider"] for row in found["breakdown"]}) >= 7
    days = {row["day"]: float(row["cost"]) for row in shell.json("query", "--group-by", "day")["breakdown"]}
    middle = sorted(days.values())[len(days) // 2]
    assert max(days.values()) > 4 * middle
    again = shell.json("init", "--seed")
    assert any("no sample data" in text for text in again["found"])
