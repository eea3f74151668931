"""`cost-ops budget`, on the database and through a server."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cost_ops.cli.budget_bars import BAR, bar, draw, short
from tests.api.running import PRICE, ready_server
from tests.cli.conftest import Shell, add_gpt4, usage

AGES = ("--period", "once", "--start", "2020-01-01", "--end", "2090-01-01")


def spend(shell: Shell, *records: dict[str, Any]) -> None:
    shell("ingest", "--file", shell.write("u.json", [usage(**one) for one in records]))


def test_a_budget_is_made_listed_shown_changed_and_ended(any_shell: Shell) -> None:
    shell = any_shell
    thresholds = ("--threshold", "0.5", "--threshold", "75%")
    top = shell.json(
        "budget", "create", "--name", "all", "--amount", "5000", "--timezone", "Europe/Berlin", *thresholds
    )
    assert (top["amount"], top["period"], top["timezone"]) == (5000, "monthly", "Europe/Berlin")
    assert top["alert_thresholds"] == ["0.5", "0.75"]
    scope = ("--project", "search", "--model", "gpt-4o", "--model", "gpt-4", "--tag", "env=prod", "--key", "k1")
    more = ("--hard", "--rollover", "unused", "--rollover-limit", "10", "--phase", "2090-01-01=60", "--parent", "all")
    made = shell.json("budget", "create", "--name", "search", "--amount", "50.5", *scope, *more)
    assert made["scope"] == {
        "api_key": ["k1"],
        "model": ["gpt-4", "gpt-4o"],
        "project": ["search"],
        "tag:env": ["prod"],
    }
    assert (made["enforcement"], made["parent_id"]) == ("hard", top["budget_id"])
    assert made["rollover"] == {"unused": True, "overspent": False, "limit": 10}
    assert made["phases"] == [{"start_date": "2090-01-01T00:00:00Z", "amount": 60}]
    assert shell.json("budget", "list") == [top, made]
    assert shell.json("budget", "show", "search") == shell.json("budget", "show", made["budget_id"]) == made
    told = shell("budget", "show", "search").stdout
    assert "unused, at most 10" in told
    assert "60 from 2090-01-01" in told
    listed = shell("budget", "list").stdout
    assert "  search" in listed
    assert max(map(len, listed.splitlines())) <= 80
    changed = shell.json("budget", "update", "search", "--amount", "60", "--everything", "--soft", "--parent", "none")
    assert (changed["amount"], changed["scope"], changed["enforcement"]) == (60, {}, "soft")
    assert (changed["parent_id"], changed["version"]) == (None, 2)
    ended = shell.json("budget", "delete", "search")
    assert ended["ended_at"] is not None
    assert "all (budget-" in shell("budget", "delete", "all").stdout
    assert shell.json("budget", "list") == []
    assert "No budgets found." in shell("budget", "list").stdout
    assert "No budgets found." in shell("budget", "status").stdout


def test_a_status_shows_bars_and_the_numbers_of_the_api(any_shell: Shell) -> None:
    shell = any_shell
    add_gpt4(shell)
    shell("budget", "create", "--name", "all", "--amount", "0.1", *AGES)
    shell("budget", "create", "--name", "search", "--amount", "0.05", "--project", "search", "--parent", "all", *AGES)
    spend(shell, {"id": "a", "project_id": "search"}, {"id": "b", "project_id": "search"}, {"id": "c"})
    spend(shell, {"id": "d", "model_id": "unheard-of"})
    found = shell.json("budget", "status")
    assert [(one["name"], one["depth"], one["spent"], one["percent_used"], one["state"]) for one in found] == [
        ("all", 0, "0.075", 75, "warning"),
        ("search", 1, "0.05", 100, "exceeded"),
    ]
    lines = shell("budget", "status").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(line.startswith("all") and "75.0%" in line and "0.075 / 0.1 USD" in line for line in lines)
    assert any(line.startswith("  search") and line.endswith("exceeded") for line in lines)
    assert "all: 1 requests without a price are in no sum." in lines
    shown = shell("budget", "status", "all").stdout
    assert "all in 2020-01-01 to 2089-12-31: 0.025 USD available" in shown
    assert [one["name"] for one in shell.json("budget", "status", "all")] == ["all", "search"]
    (over,) = shell.json("budget", "status", "search")
    assert [t["reached"] for t in over["thresholds"]] == [True] * 4
    assert "--at" not in shell("budget", "status", "--at", "2025-01-01").stdout


def test_past_periods_are_listed(shell: Shell) -> None:
    add_gpt4(shell)
    shell("budget", "create", "--name", "b", "--amount", "10", "--rollover", "both", *AGES)
    spend(shell, {"id": "a"})
    (period,) = shell.json("budget", "history", "b")
    assert (period["period"], period["spent"], period["planned"]) == ("2020-01-01 to 2089-12-31", "0.025", 10)
    assert "0.25 %" in shell("budget", "history", "b").stdout
    shell("budget", "create", "--name", "later", "--amount", "10", "--effective-from", "2089-12-01")
    assert "not yet" in shell("budget", "status", "later").stdout


def test_a_check_says_yes_or_no_and_ends_so(any_shell: Shell) -> None:
    shell = any_shell
    add_gpt4(shell)
    shell("budget", "create", "--name", "search", "--amount", "0.05", "--project", "search", "--hard", *AGES)
    shell("budget", "create", "--name", "prod", "--amount", "1", "--tag", "env=prod", *AGES)
    call = ("budget", "check", "--project", "search", "--tag", "env=prod")
    yes = shell.json(*call, "--provider", "openai", "--model", "gpt-4", "--input-tokens", "1000")
    assert (yes["allowed"], yes["amount"], [one["name"] for one in yes["budgets"]]) == (
        True,
        "0.01",
        ["search", "prod"],
    )
    no = shell.json(*call, "--amount", "0.06", code=1)
    assert [(one["name"], one["refuses"]) for one in no["budgets"]] == [("search", True), ("prod", False)]
    told = shell(*call, "--amount", "0.06", code=1).stdout
    assert "0.06 USD would be refused." in told
    assert "It counts for no budget." in shell("budget", "check", "--amount", "9", "--user", "u").stdout
    assert "amount, or input_tokens" in shell("budget", "check", code=2).stderr


def test_a_preview_shows_what_would_have_been_told(shell: Shell) -> None:
    add_gpt4(shell)
    shell("budget", "create", "--name", "b", "--amount", "0.04", "--threshold", "0.5", *AGES)
    spend(shell, {"id": "a", "timestamp": "2025-03-01T10:00:00Z"})
    found = shell.json("budget", "preview", "b")
    assert (found["alerts"], found["periods"][0]["crossed"]) == (1, [{"threshold": "0.5", "on": "2025-03-01"}])
    assert "50 % on 2025-03-01" in shell("budget", "preview", "b").stdout
    same = shell.json("budget", "preview", "--amount", "0.04", "--threshold", "50%", *AGES)
    assert same["periods"] == found["periods"]
    assert [one["name"] for one in shell.json("budget", "list")] == ["b"]
    for wrong in ((), ("b", "--amount", "5")):
        assert "name a budget, or say what one would be" in shell("budget", "preview", *wrong, code=2).stderr


def test_what_is_wrong_is_said(shell: Shell) -> None:
    bad = ("--amount", "-1", "--threshold", "75", "--period", "x", "--timezone", "Mars", "--currency", "dollars")
    told = shell("budget", "create", *bad, code=2).stderr
    for word in ("amount must be above 0", "75 % is written 0.75", "period must be one of", "IANA name", "ISO 4217"):
        assert word in told
    assert "amount is required" in shell("budget", "create", code=2).stderr
    assert "is not KEY=VALUE" in shell("budget", "create", "--amount", "1", "--tag", "prod", code=2).stderr
    assert (
        "goes with --rollover"
        in shell(*("budget", "create", "--amount", "1", "--rollover", "none", "--rollover-limit", "1"), code=2).stderr
    )
    shell("budget", "create", "--amount", "1", "--name", "b")
    assert (
        "there is a budget named 'b' already"
        in shell("budget", "create", "--amount", "1", "--name", "b", code=1).stderr
    )
    assert "say what to change" in shell("budget", "update", "b", code=2).stderr
    assert "not both" in shell("budget", "update", "b", "--everything", "--project", "p", code=2).stderr
    assert "there is no budget 'nobody'" in shell("budget", "update", "b", "--parent", "nobody", code=2).stderr
    for command in ("show", "status", "delete", "history", "preview"):
        assert "No budget 'unknown'" in shell("budget", command, "unknown", code=1).stderr


def test_a_server_answers_the_same_as_a_database(empty_shell: Shell, tmp_path: Path, postgres_database: str) -> None:
    shell = empty_shell
    with ready_server(postgres_database) as server:
        assert server.post("pricing", PRICE).status == 201
        remote = ("--api-url", server.url, "--api-key", server.keys["org"])
        direct = ("--database-url", postgres_database, "--organization", "org-123")
        shell("budget", "create", "--name", "all", "--amount", "1e2", "--period", "14 days", "--soft", *remote)
        shell("budget", "create", "--name", "b", "--amount", "0.1", "--project", "p", "--parent", "all", *AGES, *remote)
        shell("ingest", "--file", shell.write("u.json", [usage(organization_id="org-123", project_id="p")]), *remote)
        questions: list[tuple[str, ...]] = [
            ("list",),
            ("show", "b"),
            ("history", "b"),
            ("preview", "b"),
            ("preview", "--amount", "0.02", *AGES),
            ("check", "--project", "p", "--tag", "a=b", "--amount", "0.01"),
        ]
        for question in questions:
            assert shell.json("budget", *question, *remote) == shell.json("budget", *question, *direct), question
        for question in (("status",), ("status", "all"), ("status", "b", "--at", "2025-01-01")):
            there, here = (shell.json("budget", *question, *way) for way in (remote, direct))
            moving = ("as_of", "rate_per_day", "projected_spend", "projected_exceeded_at", "days_left")
            assert [{k: v for k, v in one.items() if k not in moving} for one in there] == [
                {k: v for k, v in one.items() if k not in moving} for one in here
            ]
        changed = shell.json("budget", "update", "b", "--amount", "0.2", *remote)
        assert (changed["amount"], changed["version"]) == ("0.2", 2)
        assert "0.03 USD would be refused" not in shell("budget", "check", "--amount", "0.03", *remote).stdout
        assert "is below" in shell("budget", "delete", "all", *remote, code=4).stderr.replace("budgets are", "is")
        shell("budget", "delete", "b", *remote)
        assert [one["name"] for one in shell.json("budget", "list", *direct)] == ["all"]


def standing(**fields: Any) -> dict[str, Any]:
    """A budget that stands: a tenth of 100 spent."""
    return {
        "name": "search",
        "depth": 0,
        "limit": 100,
        "spent": 10,
        "held": 0,
        "currency": "USD",
        "percent_used": 10,
        "state": "ok",
        "days_left": "8.3",
        "period_start": "2026-11-01T00:00:00Z",
        "period_end": "2026-12-01T00:00:00Z",
        "as_of": "2026-11-22T00:00:00Z",
        "rate_per_day": "0.5",
        "projected_spend": 15,
        "projected_exceeded_at": None,
        "thresholds": [{"threshold": "0.5"}, {"threshold": "0.75"}, {"threshold": 1}],
        **fields,
    }


@pytest.mark.parametrize(
    ("fields", "drawn"),
    [
        ({"spent": 0}, "········│···│···"),
        ({"spent": "0.0001"}, "▏·······│···│···"),
        ({"spent": 50}, "████████│···│···"),
        ({"spent": 25, "held": 50}, "████▒▒▒▒│▒▒▒│···"),
        ({"spent": 100}, "████████│███│███"),
        ({"spent": 900, "held": 5}, "████████│███│███"),
        ({"spent": -5}, "········│···│···"),
        ({"spent": 5, "limit": 0}, "████████│███│███"),
        ({"spent": 0, "limit": 0}, "········│···│···"),
    ],
)
def test_a_bar_shows_what_is_spent_held_and_told(fields: dict[str, Any], drawn: str) -> None:
    assert bar(standing(**fields)).plain == drawn
    assert len(drawn) == BAR


def test_a_table_fits_its_width_and_cuts_names_only() -> None:
    found = [standing(name="a team with a very long name indeed"), standing(depth=3, spent=99_999_999, limit=10**8)]
    for width in (80, 120):
        lines = draw(found, width).plain.splitlines()
        assert max(map(len, lines)) <= width
    assert "a team with a very long name indeed"[:20] in draw(found, 120).plain
    assert "100.0M / 100.0M USD" in draw(found, 80).plain


def test_a_table_is_coloured_by_state() -> None:
    styles = {
        str(span.style).split()[0]
        for state in ("ok", "warning", "exceeded")
        for span in bar(standing(state=state)).spans
    }
    assert {"green", "yellow", "red"} <= styles


def test_the_end_of_a_period_is_told() -> None:
    full = draw([standing(projected_exceeded_at="2026-11-27T10:00:00Z")], 80).plain
    assert full.endswith("full 11-27")
    over = draw(
        [standing(as_of="2026-12-02T00:00:00Z", days_left=0, rate_per_day=None, projected_spend=None)], 80
    ).plain
    assert "over" in over
    assert over.endswith("–")


@pytest.mark.parametrize(
    ("amount", "told"),
    [
        ("0", "0"),
        (None, "–"),
        ("0.00421", "0.0042"),
        ("0.000001", "1.0e-6"),
        ("12.5", "12.50"),
        ("1712.4", "1,712"),
        ("48251", "48.3k"),
        ("-2100000", "-2.1M"),
        ("3000000000", "3.0G"),
    ],
)
def test_amounts_are_shortened(amount: str | None, told: str) -> None:
    assert short(None if amount is None else Decimal(amount)) == told
