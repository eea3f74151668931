"""What comes out: queries, summaries, proofs, exports, in every form."""

import csv
import gzip
import io
import json
import stat
from pathlib import Path

import pytest
import yaml

from tests.cli.conftest import Shell, add_gpt4, usage


@pytest.fixture
def filled(shell: Shell) -> Shell:
    """A ledger with three projects, two currencies and something unpriced."""
    add_gpt4(shell)
    shell("pricing", "add", "--provider", "mistral", "--model", "large", "--input-price", "2", "--currency", "EUR")
    records = [
        usage(id="a", project_id="web", user_id="ann", team_id="core", tags={"env": "prod"}),
        usage(id="b", project_id="web", user_id="bob", tags={"env": "dev"}, input_tokens=2_000_000, output_tokens=0),
        usage(id="c", project_id="ops", provider="mistral", model_id="large", output_tokens=0),
        usage(id="d", model_id="unknown"),
        usage(id="e", timestamp="2025-01-15T23:30:00Z"),
    ]
    shell("ingest", "--file", shell.write("u.json", records))
    return shell


def test_a_table_is_exact_and_fits_a_terminal(filled: Shell) -> None:
    text = filled("query", "--group-by", "model").stdout
    assert "20.035" not in text
    assert "20.025" in text
    assert "0.002" in text
    assert "EUR" in text
    assert "Unpriced: 1 request (25 %)" in text
    assert max(len(line) for line in text.splitlines() if not line.startswith(("Total", "Unpriced"))) <= 80


def test_currencies_are_never_added_up(filled: Shell) -> None:
    found = filled.json("query")
    assert found["total_cost"] is None
    assert {t["currency"]: t["cost"] for t in found["totals"] if t["currency"]} == {"USD": "20.025", "EUR": "0.002"}


@pytest.mark.parametrize(
    ("arguments", "requests"),
    [
        (["--project", "web"], 2),
        (["--project", "web", "--project", "ops"], 3),
        (["--provider", "OpenAI"], 3),
        (["--model", "gpt-4", "--user", "ann"], 1),
        (["--team", "core"], 1),
        (["--tag", "env=prod"], 1),
        (["--tag", "env=prod", "--tag", "env=dev"], 2),
        (["--start", "2025-01-15", "--end", "2025-01-16"], 1),
        (["--start", "2025-01-15", "--end", "2025-01-16", "--timezone", "Asia/Tokyo"], 0),
        (["--range", "last-90-days"], 4),
    ],
)
def test_filters_and_ranges_choose_the_records(filled: Shell, arguments: list[str], requests: int) -> None:
    assert sum(t["requests"] for t in filled.json("query", *arguments)["totals"]) == requests


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--range", "last-fortnight"], "last-7-days"),
        (["--group-by", "colour"], "'colour'"),
        (["--timezone", "Mars/Olympus"], "Europe/Berlin"),
        (["--start", "2025-02-31"], "not a possible date"),
        (["--start", "2025-02-02", "--end", "2025-02-01"], "must be after"),
        (["--range", "today", "--start", "2025-01-01"], "not both"),
        (["--tag", "env"], "KEY=VALUE"),
    ],
)
def test_a_wrong_question_is_a_usage_error_that_helps(filled: Shell, arguments: list[str], says: str) -> None:
    told = filled("query", *arguments, code=2).stderr
    assert says in " ".join(told.split())


def test_every_form_holds_the_same_exact_numbers(filled: Shell) -> None:
    asked = ("query", "--group-by", "project", "--model", "gpt-4")
    rows = list(csv.DictReader(io.StringIO(filled(*asked, "-o", "csv").stdout)))
    assert [(r["project"], r["cost"], r["requests"]) for r in rows] == [("web", "20.025", "2")]
    from_yaml = yaml.safe_load(filled(*asked, "-o", "yaml").stdout)
    from_json = json.loads(filled(*asked, "-o", "json").stdout)
    assert from_yaml["total_cost"] == from_json["total_cost"] == 20.025


def test_quiet_and_colourless_output_has_no_control_codes(filled: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert "\x1b[3" not in filled("query", "--no-color").stdout
    assert filled("pricing", "delete", "price-1", "--quiet").stderr == ""


def test_a_summary_compares_with_the_period_before(filled: Shell) -> None:
    found = filled.json("summary", "--period", "last-7-days")
    assert [row["project"] for row in found["projects"][:2]] == ["web", "ops"]
    assert found["previous"]["end_date"] == found["start_date"]
    assert "Providers" in filled("summary", "--period", "last-7-days").stdout
    filled("summary")


def test_explain_shows_the_way_from_tokens_to_amount(filled: Shell) -> None:
    filled("export", "--output", "all.jsonl", "--format", "jsonl", "--all")
    records = [json.loads(line) for line in Path("all.jsonl").read_text().splitlines()]
    priced = next(r for r in records if r["cost"] == 0.025)
    page = filled("explain", priced["usage_id"]).stdout
    for part in ("openai / gpt-4", "10 USD per million", "0.010", "0.015", "exact id", "Total: 0.025 USD", "yes"):
        assert part in page
    proof = filled.json("explain", priced["usage_id"])
    assert (proof["agrees"], proof["recomputed_cost"]) == (True, "0.025")
    assert [(x["meter"], x["amount"]) for x in proof["lines"]] == [("input", "0.01"), ("output", "0.015")]
    unpriced = next(r for r in records if r["cost"] is None)
    assert "no price is known" in filled("explain", unpriced["usage_id"]).stdout
    assert "No usage record" in filled("explain", "nonsense", code=1).stderr


def test_an_export_holds_every_record_in_every_format(filled: Shell) -> None:
    for form in ("csv", "json", "jsonl"):
        filled("export", "--output", f"all.{form}", "--format", form, "--all")
    rows = list(csv.DictReader(Path("all.csv").read_text().splitlines()))
    records = json.loads(Path("all.json").read_text(), parse_float=str)
    lines = [json.loads(line, parse_float=str) for line in Path("all.jsonl").read_text().splitlines()]
    assert len(rows) == 5
    assert records == lines
    assert [row["cost"] for row in rows] == ["" if r["cost"] is None else str(r["cost"]) for r in records]
    assert stat.S_IMODE(Path("all.csv").stat().st_mode) == 0o666 & ~_umask()
    assert [p.name for p in Path().iterdir() if p.name.startswith(".")] == []


def _umask() -> int:
    import os

    mask = os.umask(0)
    os.umask(mask)
    return mask


def test_an_export_can_be_packed_chosen_and_piped(filled: Shell) -> None:
    filled("export", "--output", "p.jsonl.gz", "--format", "jsonl", "--period", "today", "--compress")
    assert len(gzip.decompress(Path("p.jsonl.gz").read_bytes()).splitlines()) == 4
    piped = filled("export", "--output", "-", "--format", "csv", "--all", "--project", "web").stdout
    assert len(piped.splitlines()) == 3
    sums = filled("export", "--output", "-", "--group-by", "month,model", "--all").stdout
    assert "2025-01,gpt-4,USD,0.025" in sums
    assert "no folder" in filled("export", "--output", "no/x.csv", code=2).stderr
    assert "not both" in filled("export", "--output", "-", "--all", "--period", "today", code=2).stderr


def test_an_empty_export_has_its_header(shell: Shell) -> None:
    assert shell("export", "--output", "-", "--all").stdout.startswith("usage_id,organization_id,timestamp")
    assert json.loads(shell("export", "--output", "-", "--format", "json", "--all").stdout) == []


def test_a_spreadsheet_runs_nothing_that_was_exported(shell: Shell) -> None:
    evil = usage(project_id="=cmd|'/C calc'!A1", user_id="@SUM(1)", session_id="-1+1", model_id="+x")
    shell("ingest", "--file", shell.write("u.json", [evil]))
    (row,) = csv.DictReader(io.StringIO(shell("export", "--output", "-", "--all").stdout))
    assert row["project_id"] == "'=cmd|'/C calc'!A1"
    assert (row["user_id"], row["session_id"], row["model_id"]) == ("'@SUM(1)", "'-1+1", "'+x")
    assert "'=cmd" in shell("query", "--group-by", "project", "-o", "csv").stdout
