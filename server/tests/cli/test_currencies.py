"""`cost-ops currencies`, and `query --currency`."""

from pathlib import Path

from tests.api.running import ready_server
from tests.cli.conftest import Shell, add_gpt4, usage

ECB = "Date,USD,JPY,\n2025-03-14,1.25,160,\n2025-03-13,1.2431,N/A,\n"
MARCH = ("--start", "2025-03-01", "--end", "2025-04-01")


def test_the_ecb_s_file_is_imported_once_listed_and_shown(any_shell: Shell) -> None:
    shell = any_shell
    path = shell.write("eurofxref-hist.csv", ECB)
    assert shell.json("currencies", "import", path) == {"added": 3, "unchanged": 0, "replaced": 0, "kept": []}
    assert shell.json("currencies", "import", path)["unchanged"] == 3
    listed = shell.json("currencies", "list", "--quote", "USD")
    assert [(r["date"], r["rate"], r["source"]) for r in listed] == [
        ("2025-03-14", "1.25", "European Central Bank"),
        ("2025-03-13", "1.2431", "European Central Bank"),
    ]
    assert "2 of 3 rates" in shell("currencies", "list", "--limit", "2").stdout
    assert "No exchange rates found." in shell("currencies", "list", "--start", "2025-03-15").stdout
    told = shell("currencies", "show", "USD", "JPY", "--date", "2025-03-16").stdout
    assert "1 USD is 128 JPY" in told
    assert "2025-03-14" in told
    assert "over" in told
    assert "No exchange rate from USD to GBP" in shell("currencies", "show", "USD", "GBP", code=1).stderr


def test_costs_are_told_in_the_currency_asked_for(any_shell: Shell) -> None:
    shell = any_shell
    add_gpt4(shell)
    shell("currencies", "import", shell.write("rates.csv", ECB))
    records = [usage(id=str(d), timestamp=f"2025-03-{d}T12:00:00Z") for d in (13, 15, 29)]
    shell("ingest", "--file", shell.write("u.json", records))
    found = shell.json("query", *MARCH, "--currency", "EUR", "--group-by", "day")
    assert [(row["day"], row["cost"], row["currency"]) for row in found["breakdown"]] == [
        ("2025-03-13", "0.0201110128", "EUR"),
        ("2025-03-15", "0.02", "EUR"),
        ("2025-03-29", "0.025", "USD"),
    ]
    assert [(t["cost"], t["currency"]) for t in found["display"]["original_totals"]] == [("0.075", "USD")]
    told = shell("query", *MARCH, "--currency", "EUR").stdout
    assert "Total: 0.0401110128 EUR" in told
    assert "Converted: 0.075 USD in all, by rates of 2025-03-13 to 2025-03-14 (European Central Bank)" in told
    assert "Not converted: USD of 2025-03-29" in told
    assert "Converted" not in shell("query", *MARCH).stdout
    assert "no ISO 4217 code" in shell("query", "--currency", "euro", code=2).stderr


def test_a_summary_is_in_one_currency_too(shell: Shell) -> None:
    add_gpt4(shell)
    shell("ingest", "--file", shell.write("u.json", [usage()]))
    told = shell("summary", "--currency", "EUR").stdout
    assert "Not converted: USD" in told
    assert shell.json("summary", "--currency", "USD")["display"]["rates"] == []


def test_a_rate_that_contradicts_a_stored_one_is_told_and_not_taken(shell: Shell) -> None:
    shell("currencies", "import", shell.write("a.csv", "date,base,quote,rate\n2025-03-14,EUR,USD,1.25\n"))
    other = shell.write("b.csv", "date,base,quote,rate\n2025-03-14,EUR,USD,1.30\n")
    told = shell("currencies", "import", other)
    assert "EUR/USD of 2025-03-14 (1.25)" in told.stderr
    assert shell.json("currencies", "list")[0]["rate"] == "1.25"
    assert shell.json("currencies", "import", other, "--replace", "--source", "treasury")["replaced"] == 1
    assert shell.json("currencies", "list")[0] | {"date": ""} == {
        **{"date": "", "base": "EUR", "quote": "USD", "rate": "1.3", "source": "treasury"}
    }


def test_files_that_are_none_are_refused(shell: Shell) -> None:
    assert "cannot be read" in shell("currencies", "import", "nowhere.csv", code=1).stderr
    assert "not text in UTF-8" in shell("currencies", "import", shell.write("x.zip", b"PK\xff\xfe"), code=1).stderr
    bad = shell("currencies", "import", shell.write("x.csv", "Date,USD\n2025-02-30,one\n"), code=2).stderr
    assert "line 2: '2025-02-30' is no day" in bad
    assert "line 2: 'one' is no positive rate" in bad
    assert "is no day" in shell("currencies", "list", "--start", "yesterday", code=2).stderr


def test_a_server_takes_the_same_commands(empty_shell: Shell, postgres_database: str, tmp_path: Path) -> None:
    with ready_server(postgres_database) as server:
        remote = ("--api-url", server.url, "--api-key", server.keys["admin"])
        path = empty_shell.write("rates.csv", ECB)
        assert empty_shell.json("currencies", "import", path, *remote)["added"] == 3
        assert len(empty_shell.json("currencies", "list", *remote)) == 3
        shown = empty_shell.json("currencies", "show", "USD", "EUR", "--date", "2025-03-14", *remote)
        assert (shown["rate"], shown["rate_date"]) == ("0.8", "2025-03-14")
        assert empty_shell.json("query", "--currency", "EUR", *remote)["display"]["currency"] == "EUR"
