"""Re-pricing, corrections, erasure, retention and the audit trail from the command line."""

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Shell, add_gpt4, usage
from tests.cli.test_remote import Server, server  # noqa: F401 (a fixture)

RANGE = ("--start", "2025-01-01", "--end", "2025-02-01")


def fill(shell: Shell, *remote: str) -> None:
    """Three calls in January at 0.025; by today's prices the last would cost 0.05."""
    records = [
        usage(timestamp=f"2025-01-{day}T12:00:00Z", user_id="ada", tags={"email": "a@b.c"}) for day in (10, 11, 20)
    ]
    price = (
        "pricing",
        "add",
        "--provider",
        "openai",
        "--model",
        "gpt-4",
        "--input-price",
        "20",
        "--output-price",
        "60",
    )
    shell("ingest", "--file", shell.write("usage.json", records), *remote)
    shell(*price, "--effective-date", "2025-01-15T00:00:00Z", *remote)


@pytest.fixture
def filled(any_shell: Shell) -> Shell:
    add_gpt4(any_shell)
    fill(any_shell)
    return any_shell


def total(shell: Shell) -> Any:
    return shell.json("query", *RANGE)["total_cost"]


def test_a_dry_run_is_a_table_that_fits_and_changes_nothing(filled: Shell) -> None:
    shown = filled("reprice", *RANGE, "--dry-run").stdout
    assert "2025-01-20  openai/gpt-4        1   0.025   0.05       0.025" in shown
    assert "Looked at 3 records; 1 of them change." in shown
    assert "USD: 0.075 before, 0.10 after, difference 0.025" in shown
    assert max(map(len, shown.splitlines())) <= 80
    assert total(filled) == "0.075"


def test_a_dry_run_as_csv_and_json(filled: Shell) -> None:
    (row,) = csv.DictReader(io.StringIO(filled("reprice", *RANGE, "--dry-run", "-o", "csv").stdout))
    assert (row["day"], row["model_id"], row["records"], row["difference"]) == ("2025-01-20", "gpt-4", "1", "0.025")
    found = filled.json("reprice", *RANGE, "--dry-run")
    assert found["totals"] == [{"currency": "USD", "before": "0.075", "after": "0.1", "difference": "0.025"}]


def test_a_run_asks_first_and_a_second_one_has_nothing_to_do(filled: Shell) -> None:
    filled("reprice", *RANGE, input="n\n", code=1)
    assert total(filled) == "0.075"
    assert "Run 1 of default is finished" in filled("reprice", *RANGE, "--reason", "new list", input="y\n").stdout
    assert total(filled) == "0.1"
    assert "Nothing would change" in filled("reprice", *RANGE).stderr
    assert filled.json("reprice", *RANGE, "--yes")["changed_records"] == 0
    assert filled.json("reprice", "--resume", "1")["status"] == "finished"


def test_filters_and_a_range_are_taken(filled: Shell) -> None:
    assert filled.json("reprice", *RANGE, "--model", "other", "--dry-run")["examined_records"] == 0
    assert filled.json("reprice", *RANGE, "--status", "computed", "--dry-run")["examined_records"] == 3
    assert "say which usage" in filled("reprice", "--dry-run", code=2).stderr


def ids(shell: Shell) -> list[str]:
    shell("export", "--all", "--format", "json", "--output", "all.json")

    return [record["usage_id"] for record in json.loads((shell.folder / "all.json").read_text())]


def test_a_record_is_corrected_once(filled: Shell) -> None:
    first = ids(filled)[0]
    change = ("correct", first, "--set", "output_tokens=1000", "--set", "project_id=p", "--reason", "cut-off stream")
    assert "corrected, revision 1" in filled(*change).stdout
    assert "already so" in filled(*change).stdout
    found = filled.json("correct", first, "--set", "project_id=", "--reason", "moved")
    assert (found["data"]["cost"], found["data"]["project_id"], found["revision"]) == ("0.04", None, 2)
    assert total(filled) == "0.09"
    assert "is not FIELD=VALUE" in filled("correct", first, "--set", "x", "--reason", "r", code=2).stderr
    assert (
        "not correctable"
        not in filled("correct", first, "--set", "timestamp=2025-01-01T00:00:00Z", "--reason", "r", code=2).stdout
    )


def test_a_person_is_erased(filled: Shell) -> None:
    assert filled.json("erase", "--user", "ada", "--dry-run")["records"] == 3
    filled("erase", "--user", "ada", "--tag", "email", "--yes")
    (row,) = filled.json("query", *RANGE, "--group-by", "user,tag:email")["breakdown"]
    assert (row["user"], row["tag:email"], row["cost"]) == (None, None, "0.075")


def test_old_usage_is_removed_by_whole_months(filled: Shell) -> None:
    filled("ingest", "--file", filled.write("new.json", [usage()]))
    foreseen = filled.json("retention", "apply", "--older-than", "3m", "--dry-run")
    assert foreseen["months"] == [{"month": "2025-01", "organization_id": "default", "records": 3}]
    done = filled.json("retention", "apply", "--older-than", "90d", "--yes")
    assert (done["usage_records"], len(ids(filled))) == (3, 1)
    assert "kept for ever" in filled("retention", "apply", code=2).stderr
    assert "400d or 13m" in filled("retention", "apply", "--older-than", "x", code=2).stderr


def test_the_setting_says_how_long_usage_is_kept(filled: Shell) -> None:
    (Path(filled.folder) / "cost-ops.toml").write_text("[retention]\nusage_days = 90\n")
    assert filled.json("retention", "apply", "--dry-run")["usage_records"] == 3


def test_the_audit_trail_names_every_change(filled: Shell) -> None:
    filled("reprice", *RANGE, "--yes")
    actions = [event["action"] for event in filled.json("audit", "list")][:4]
    assert actions == ["costs.repriced", "costs.reprice_started", "prices.added", "prices.added"]
    shown = filled("audit", "list", "--action", "costs.repriced").stdout
    assert "reprice-run-1 (default)" in shown
    assert filled("audit", "list", "-o", "csv").stdout.count("prices.added") == 2


def test_the_same_commands_work_through_a_server(empty_shell: Shell, server: Server) -> None:  # noqa: F811
    remote = ("--api-url", server.url, "--api-key", server.key)
    empty_shell(
        "pricing",
        "add",
        "--provider",
        "openai",
        "--model",
        "gpt-4",
        "--input-price",
        "10",
        "--output-price",
        "30",
        *remote,
    )
    fill(empty_shell, *remote)
    assert empty_shell.json("reprice", *RANGE, "--dry-run", *remote)["changed_records"] == 1
    run = empty_shell.json("reprice", *RANGE, "--yes", *remote)
    assert (run["status"], run["changed_records"]) == ("finished", 1)
    assert empty_shell.json("reprice", "--resume", str(run["number"]), *remote)["status"] == "finished"
    empty_shell("export", "--all", "--format", "json", "--output", "all.json", *remote)

    first = json.loads((empty_shell.folder / "all.json").read_text())[0]["usage_id"]
    found = empty_shell.json("correct", first, "--set", "output_tokens=1000", "--reason", "r", *remote)
    assert (found["data"]["cost"], found["changed"]) == ("0.04", True)
    admin = ("--api-url", server.url, "--api-key", server.admin_key, "--organization", "default")
    assert empty_shell.json("erase", "--user", "ada", "--yes", *admin)["records"] == 3
    assert [e["action"] for e in empty_shell.json("audit", "list", *remote)][:2] == ["usage.erased", "usage.corrected"]
