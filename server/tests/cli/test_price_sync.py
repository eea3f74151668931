"""`cost-ops pricing sync-latest`, `review`, `history` and `unpriced`: what a person sees, and what a program gets."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.api.running import migrated, ready_server
from tests.cli.conftest import Shell, usage

FIXTURES = Path(__file__).parents[3] / "contracts" / "fixtures" / "prices"
LITELLM, MODELS_DEV = str(FIXTURES / "litellm.json"), str(FIXTURES / "models-dev.json")
BOTH = ("--source", LITELLM, "--source", MODELS_DEV)


def sync(shell: Shell, *args: str, **more: Any) -> str:
    return shell("pricing", "sync-latest", *args, **more).stdout


def prices(shell: Shell, **inputs: str) -> str:
    rates = {m: [{"meter": "input", "price": p}, {"meter": "output", "price": "9"}] for m, p in inputs.items()}
    return shell.write("list.json", [{"provider": "acme", "model_id": m, "rates": r} for m, r in rates.items()])


def narrow(text: str) -> bool:
    return max(map(len, text.splitlines())) <= 80


def test_two_sources_are_compared_and_the_table_fits_a_terminal(shell: Shell) -> None:
    told = sync(shell, *BOTH, "--dry-run")
    assert "12 prices would be added" in told
    assert "4 models confirmed, 1 in disagreement, 7 known to one source only" in told
    assert "deepseek-chat  output 0.42 or 0.55" in told
    assert all(narrow(line) for line in told.splitlines() if line.startswith(" "))
    assert shell.json("pricing", "list") == []


def test_a_sync_again_changes_nothing(shell: Shell) -> None:
    first = shell.json("pricing", "sync-latest", *BOTH)
    assert (len(first["added_rows"]), first["reviews"]["raised"]) == (12, 1)
    again = shell.json("pricing", "sync-latest", "--source", MODELS_DEV, "--source", LITELLM)
    assert (again["added_rows"], again["ended"], again["reviews"]["raised"]) == ([], [], 0)


def test_confidence_is_shown_with_its_sources(shell: Shell) -> None:
    sync(shell, *BOTH)
    shown = shell("pricing", "get", "--provider", "openai", "--model", "gpt-4o").stdout
    assert "confirmed; models.dev prices in models-dev.json agrees" in shown
    listed = shell("pricing", "list").stdout
    assert "sure" in listed
    assert narrow(listed)
    found = {p["model_id"]: p["confidence"] for p in shell.json("pricing", "list")}
    assert (found["gpt-4o"], found["deepseek-chat"]) == ("confirmed", "provisional")


def test_the_diff_as_csv_has_one_line_a_price(shell: Shell) -> None:
    rows = list(csv.DictReader(io.StringIO(sync(shell, *BOTH, "--output", "csv"))))
    states = [row["state"] for row in rows]
    assert (states.count("added"), states.count("disagreement")) == (12, 2)
    gpt4o = next(row for row in rows if row["model_id"] == "gpt-4o")
    assert (gpt4o["input_price_per_million"], gpt4o["confidence"]) == ("2.5", "confirmed")


def test_a_change_shows_what_it_was(shell: Shell) -> None:
    sync(shell, "--source", prices(shell, m="2"))
    assert "2 → 2.5" in sync(shell, "--source", prices(shell, m="2.5"))


def test_large_changes_wait_and_are_accepted_by_model(shell: Shell) -> None:
    sync(shell, "--source", prices(shell, m="2", n="2"))
    file = prices(shell, m="9", n="0")
    told = sync(shell, "--source", file)
    assert "input 2 → 9" in told
    assert "2 held back, for they change by more than half or to zero" in told
    assert [r["kind"] for r in shell.json("pricing", "review", "list")] == ["jump", "zero"]
    sync(shell, "--source", file, "--accept", "acme/m")
    assert shell.json("pricing", "get", "--provider", "acme", "--model", "m")["rates"][0]["price"] == "9"
    assert shell.json("pricing", "get", "--provider", "acme", "--model", "n")["rates"][0]["price"] == "2"
    sync(shell, "--source", file, "--accept", "all")
    assert shell.json("pricing", "get", "--provider", "acme", "--model", "n")["rates"][0]["price"] == "0"
    assert shell("pricing", "review", "list").stdout.strip() == "No price waits."


def test_a_review_is_shown_side_by_side_and_accepted(shell: Shell) -> None:
    sync(shell, *BOTH)
    listed = shell("pricing", "review", "list").stdout
    assert "disagreement" in listed
    shown = shell("pricing", "review", "show", "1").stdout
    assert "0.42 USD per million" in shown
    assert "0.55 USD per million" in shown
    assert "1 (holds)" in shown
    accepted = shell("pricing", "review", "accept", "review-1")
    assert "holds from" in accepted.stderr
    price = shell.json("pricing", "get", "--provider", "deepseek", "--model", "deepseek-chat")
    assert (price["output_price_per_million"], price["confidence"]) == ("0.55", "confirmed")
    again = shell("pricing", "review", "accept", "1", code=1)
    assert "review-1 is accepted already" in again.stderr
    assert shell.json("pricing", "sync-latest", *BOTH)["added_rows"] == []


def test_a_dismissed_review_leaves_the_price_and_is_not_raised_again(shell: Shell) -> None:
    sync(shell, *BOTH)
    assert shell.json("pricing", "review", "dismiss", "1")["status"] == "dismissed"
    assert shell.json("pricing", "sync-latest", *BOTH)["reviews"]["raised"] == 0
    rows = list(csv.DictReader(io.StringIO(shell("pricing", "review", "list", "--status", "all", "-o", "csv").stdout)))
    assert [(r["id"], r["status"], r["decided_by"]) for r in rows] == [("review-1", "dismissed", "owner")]


def test_a_source_is_held_to_its_hash_and_its_kind(shell: Shell) -> None:
    digest = hashlib.sha256(Path(LITELLM).read_bytes()).hexdigest()
    sync(shell, "--source", f"litellm={LITELLM}", "--sha256", digest, "--dry-run")
    refused = shell("pricing", "sync-latest", "--source", LITELLM, "--sha256", "0" * 64, code=2)
    assert f"has the sha256 {digest}" in refused.stderr
    refused = shell("pricing", "sync-latest", "--source", f"models.dev={LITELLM}", code=2)
    assert "is litellm by its content" in refused.stderr
    assert shell("pricing", "sync-latest", "--sha256", digest, code=2).stderr
    assert shell.json("pricing", "list") == []


def test_the_installed_package_is_a_source_beside_a_file(shell: Shell) -> None:
    found = shell.json(
        "pricing", "sync-latest", "--source", "genai-prices", "--source", LITELLM, "--provider", "openai"
    )
    assert {row["provider"] for row in found["added_rows"]} == {"openai"}
    sources = found["sources"]
    assert (sources[0].startswith("genai-prices"), sources[1]) == (True, "LiteLLM prices in litellm.json")
    gpt4o = shell.json("pricing", "get", "--provider", "openai", "--model", "gpt-4o")
    assert gpt4o["confidence"] == "confirmed"


def test_noise_is_told_and_listed(shell: Shell) -> None:
    found = shell.json("pricing", "sync-latest", "--source", LITELLM)
    [noise] = found["normalised"]
    assert (noise["written"], noise["taken"]) == ("0.000010000000000000001", "0.00001")


def test_the_history_of_a_price_is_drawn_inside_80_columns(shell: Shell) -> None:
    add = ("pricing", "add", "--provider", "acme", "--model", "m")
    shell(*add, "--input-price", "10", "--output-price", "30")
    shell(*add, "--input-price", "2.5", "--output-price", "30", "--effective-date", "2025-02-01")
    shell(*add, "--input-price", "5", "--output-price", "40", "--effective-date", "2026-01-01")
    drawn = shell("pricing", "history", "m").stdout
    assert narrow(drawn)
    chart = [line for line in drawn.splitlines() if "┤" in line][:7]
    assert chart[0].startswith(" 10 ┤────┐")
    assert chart[-1].startswith("2.5 ┤    └")
    assert "→" in chart[4]
    assert "2025-02-01" in drawn
    assert "2026-01-01" in drawn
    rows = list(csv.DictReader(io.StringIO(shell("pricing", "history", "m", "-o", "csv").stdout)))
    assert [(r["holds_from"], r["holds_to"], r["input_per_million"]) for r in rows] == [
        ("", "2025-02-01T00:00:00Z", "10"),
        ("2025-02-01T00:00:00Z", "2026-01-01T00:00:00Z", "2.5"),
        ("2026-01-01T00:00:00Z", "", "5"),
    ]
    assert [s["source"] for s in shell.json("pricing", "history", "m")] == ["manual"] * 3
    assert "holds_from: null" in shell("pricing", "history", "m", "-o", "yaml").stdout


def test_the_history_of_an_organisation_has_its_contracts_in_it(shell: Shell) -> None:
    sync(shell, *BOTH)
    who = ("--organization", "default")
    shell("contracts", "add", "--provider", "openai", "--discount", "10", *who)
    before, after = shell.json("pricing", "history", "gpt-4o", *who)
    assert (before["per_million"]["input"], after["per_million"]["input"]) == ("2.5", "2.25")
    assert after["price_id"] == before["price_id"]


def test_the_history_of_one_meter_and_of_nothing(shell: Shell) -> None:
    sync(shell, *BOTH)
    one = shell("pricing", "history", "claude-sonnet-4-5", "--meter", "input_cache_read").stdout
    assert "input_cache_read, USD per million tokens: anthropic / claude-sonnet-4-5" in one
    assert "--meter must be one of" in shell("pricing", "history", "gpt-4o", "--meter", "x", code=2).stderr
    assert "No pricing found for model: nothing" in shell("pricing", "history", "nothing", code=1).stderr


def test_unpriced_usage_is_listed_with_a_band_and_likely_names(shell: Shell) -> None:
    sync(shell, *BOTH)
    sent = [usage(id="a", provider="openai", model_id="gpt-4o-min"), usage(id="b", provider="nobody", model_id="zz-9")]
    shell("ingest", "--file", shell.write("u.json", sent))
    told = shell("pricing", "unpriced").stdout
    assert "did you mean gpt-4o-mini" in told
    assert "the gpt models of openai (3)" in told
    assert "estimate from comparable models, in no total" in told
    found = {m["model_id"]: m for m in shell.json("pricing", "unpriced")}
    assert found["zz-9"]["estimate"]["basis"] == "all models of all providers"
    rows = list(csv.DictReader(io.StringIO(shell("pricing", "unpriced", "-o", "csv").stdout)))
    assert {r["model_id"]: r["similar"] for r in rows}["gpt-4o-min"].startswith("gpt-4o-mini")
    assert json.loads(shell("query", "-o", "json").stdout)["unpriced"]["requests"] == 2


@pytest.mark.parametrize("arguments", [("--accept",), ("--accept", "all")])
def test_accept_without_a_name_means_every_model(shell: Shell, arguments: tuple[str, ...]) -> None:
    sync(shell, "--source", prices(shell, m="2"))
    sync(shell, "--source", prices(shell, m="9"), *arguments)
    assert shell.json("pricing", "get", "--provider", "acme", "--model", "m")["rates"][0]["price"] == "9"


@pytest.fixture
def remote(empty_shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """A shell that talks to a server of its own, with an admin key."""
    folder = tmp_path / "server"
    folder.mkdir()
    with ready_server(migrated(folder), pricing__allow_private_sources=True) as server:
        monkeypatch.setenv("COST_OPS_API_URL", server.url)
        monkeypatch.setenv("COST_OPS_API_KEY", server.keys["admin"])
        yield empty_shell


@pytest.fixture
def site() -> Iterator[str]:
    handler = partial(_Quiet, directory=str(FIXTURES))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args: Any) -> None:
        """Say nothing."""


def test_a_server_is_asked_for_the_same(remote: Shell, site: str) -> None:
    both = ("--source", f"litellm={site}/litellm.json", "--source", f"{site}/models-dev.json")
    assert "4 models confirmed, 1 in disagreement" in sync(remote, *both)
    assert "deepseek-chat" in remote("pricing", "review", "list").stdout
    accepted = remote("pricing", "review", "accept", "review-1")
    assert "holds from" in accepted.stderr
    assert remote.json("pricing", "review", "show", "review-1")["status"] == "accepted"
    drawn = remote("pricing", "history", "deepseek-chat").stdout
    assert "0.55 ┤" in drawn
    assert "confirmed" in remote("pricing", "get", "--provider", "openai", "--model", "gpt-4o").stdout
    refused = remote("pricing", "sync-latest", "--source", "litellm.json", code=4)
    assert "is no http(s) URL" in refused.stderr
    assert remote("pricing", "review", "dismiss", "review-1", code=4).stderr
