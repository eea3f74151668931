"""`cost-ops pricing`: adding, finding, changing and ending prices."""

import json

from tests.cli.conftest import Shell, add_gpt4, usage

GPT4 = ("--provider", "openai", "--model", "gpt-4")


def test_prices_are_per_million_and_exact(shell: Shell) -> None:
    price = shell.json("pricing", "add", *GPT4, "--input-price", "0.1234567891", "--output-price", "30")
    assert price["input_price_per_million"] == "0.1234567891"
    assert price["input_price_per_1k"] == "0.0001234567891"
    assert (price["layer"], price["effective_date"]) == ("installation", None)
    found = shell.json("pricing", "get", *GPT4)
    assert (found["id"], found["found_by"]) == (price["id"], "exact id")
    assert "0.1234567891 USD per million" in shell("pricing", "get", price["id"]).stdout


def test_a_new_price_prices_what_waited(any_shell: Shell) -> None:
    shell = any_shell
    shell("ingest", "--file", shell.write("u.json", [usage(id="a"), usage(id="b")]))
    assert shell.json("query")["unpriced"] == {"requests": 2, "share": 1}
    told = shell("query").stdout
    assert "Unpriced: 2 requests (100 %)" in told
    assert [m["requests"] for m in shell.json("pricing", "unpriced")] == [2]
    assert shell.json("pricing", "add", *GPT4, "--input-price", "10", "--output-price", "30")["priced_records"] == 2
    found = shell.json("query")
    assert (found["total_cost"], found["unpriced"]["requests"]) == ("0.05", 0)
    assert shell("pricing", "unpriced").stdout.strip() == "All usage has a price."


def test_a_second_price_begins_at_its_date_and_ends_the_first(shell: Shell) -> None:
    add_gpt4(shell)
    new = shell.json(
        *("pricing", "add", *GPT4, "--input-price", "5", "--output-price", "15", "--effective-date", "2025-02-01")
    )
    assert new["effective_date"] == "2025-02-01T00:00:00Z"
    old = shell.json("pricing", "get", *GPT4, "--at", "2025-01-31T23:59:59Z")
    assert (old["id"], old["end_date"]) == (new["ended"], "2025-02-01T00:00:00Z")
    assert len(shell.json("pricing", "list", "--provider", "openai")) == 1
    assert len(shell.json("pricing", "list", "--all")) == 2
    conflict = shell("pricing", "add", *GPT4, "--input-price", "6", "--effective-date", "2025-02-01", code=1)
    assert "choose another effective_date" in conflict.stderr


def test_update_makes_a_new_version_and_delete_ends_it(shell: Shell) -> None:
    add_gpt4(shell)
    (old,) = shell.json("pricing", "list")
    new = shell.json("pricing", "update", old["id"], "--input-price", "8", "--output-price", "24")
    assert (new["ended"], new["input_price_per_million"]) == (old["id"], 8)
    ended = shell.json("pricing", "delete", new["id"])
    assert ended["end_date"] is not None
    assert "No pricing found for model: gpt-4" in shell("pricing", "get", *GPT4, code=1).stderr
    assert "No price with id" in shell("pricing", "get", "price-99", code=1).stderr


def test_all_faults_of_a_price_are_named(shell: Shell) -> None:
    told = shell("pricing", "add", *GPT4, "--input-price", "ten", "--output-price", "-1", "--end-date", "x", code=2)
    assert "--input-price must be a decimal number, got 'ten'" in told.stderr
    assert "--output-price must not be negative, got -1" in told.stderr
    assert "end_date must be" in told.stderr
    assert "--input-price and --output-price" in shell("pricing", "add", *GPT4, code=2).stderr
    assert "--currency" not in shell("pricing", "add", *GPT4, "--input-price", "1", "--currency", "usd", code=2).stdout


def test_rates_come_from_a_file_too(shell: Shell) -> None:
    rates = [
        {"meter": "input", "price": "3.00", "per": 1000000},
        {"meter": "input", "price": "6.00", "per": 1000000, "when": {"context_tokens": {"gt": 200000}}},
        {"meter": "output", "price": "15.00", "per": 1000000},
    ]
    path = shell.write("rates.json", {"rates": rates})
    shell("pricing", "add", "--provider", "p", "--model", "m", "--rates", path)
    shown = shell("pricing", "get", "--provider", "p", "--model", "m").stdout
    assert "context tokens: gt 200000" in shown
    broken = shell("pricing", "add", "--provider", "p", "--model", "n", "--rates", shell.write("x", "{"), code=1)
    assert "is not JSON" in broken.stderr


def test_an_organisation_has_prices_of_its_own(shell: Shell) -> None:
    add_gpt4(shell)
    own = shell.json("pricing", "add", *GPT4, "--input-price", "1", "--output-price", "1", "--organization", "org-b")
    assert (own["layer"], own["organization_id"]) == ("organization", "org-b")
    assert shell.json("pricing", "get", *GPT4, "--organization", "org-b")["id"] == own["id"]
    assert shell.json("pricing", "get", *GPT4)["layer"] == "installation"


def test_a_sync_shows_its_diff_and_writes_only_when_asked(shell: Shell) -> None:
    price = {
        "provider": "openai",
        "model_id": "gpt-4",
        "rates": [{"meter": "input", "price": "30"}, {"meter": "output", "price": "60"}],
    }
    path = shell.write("prices.json", [price])
    assert "1 prices would be added" in shell("pricing", "sync-latest", "--file", path, "--dry-run").stdout
    assert shell.json("pricing", "list") == []
    assert shell.json("pricing", "sync-latest", "--file", path)["applied"] is True
    assert shell.json("pricing", "get", *GPT4)["layer"] == "catalog"
    price["rates"] = [{"meter": "input", "price": "3"}, {"meter": "output", "price": "6"}]  # ten times less
    drastic = shell("pricing", "sync-latest", "--file", shell.write("prices.json", [price]))
    assert "held back" in drastic.stdout
    assert shell.json("pricing", "get", *GPT4)["rates"][0]["price"] == "30"
    shell("pricing", "sync-latest", "--file", path, "--accept")
    assert shell.json("pricing", "get", *GPT4)["rates"][0]["price"] == "3"


def test_the_bundled_catalogue_is_imported_once(shell: Shell) -> None:
    first = json.loads(shell("pricing", "sync-latest", "-o", "json").stdout)
    assert len(first["added_rows"]) > 1000
    again = json.loads(shell("pricing", "sync-latest", "-o", "json").stdout)
    assert (again["added_rows"], again["ended"]) == ([], [])
    table = shell("pricing", "list", "--provider", "openai", "--limit", "5").stdout
    assert max(map(len, table.splitlines())) <= 80
