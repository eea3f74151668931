"""Files into the ledger: formats, faults, and counting once."""

import gzip
import json
from typing import Any

import pytest

from tests.cli.conftest import Shell, add_gpt4, usage


def lines(*records: Any) -> str:
    return "".join(json.dumps(r) + "\n" for r in records)


NESTED = {
    "id": "call-1",
    "timestamp": "2025-01-15T10:00:00Z",
    "provider": "openai",
    "model": {"name": "gpt-4"},
    "organization_id": "default",
    "prompt_tokens": 1000,
    "completion_tokens": 500,
    "total_tokens": 1500,
    "cached_tokens": None,
}
CSV = "organization_id,provider,model_id,input_tokens,output_tokens,tag.env\ndefault,openai,gpt-4,1000,500,prod\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("usage.json", json.dumps([usage()])),
        ("pretty.json", json.dumps([usage()], indent=2)),
        ("one.json", json.dumps(usage(), indent=2)),
        ("records.json", json.dumps({"records": [usage()]})),
        ("records-last.json", json.dumps({"version": 1, "records": [usage()]})),
        ("usage.jsonl", lines(usage())),
        ("lines.json", lines(usage())),
        ("bom.jsonl", "\ufeff" + lines(usage())),
        ("crlf.jsonl", "\r\n" + lines(usage()).replace("\n", "\r\n") + "\r\n"),
        ("nested.json", json.dumps([NESTED])),
        ("plain-model.json", json.dumps([{**NESTED, "model": "gpt-4"}])),
        ("usage.csv", CSV),
        ("crlf.csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("usage", CSV),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_every_form_of_a_file_gives_the_same_cost_and_counts_once(
    shell: Shell, name: str, content: str, packed: bool
) -> None:
    add_gpt4(shell)
    data = content.encode()
    path = shell.write(name + ".gz" if packed else name, gzip.compress(data) if packed else data)
    first = shell.json("ingest", "--file", path)
    assert (first["recorded"], first["already_there"], first["rejected"]) == (1, 0, 0)
    assert first["costs"] == [{"currency": "USD", "cost": "0.025"}]
    again = shell.json("ingest", "--file", path)
    assert (again["recorded"], again["already_there"]) == (0, 1)


def test_packed_and_unpacked_are_the_same_file(shell: Shell) -> None:
    text = lines(usage(), usage())
    assert shell.json("ingest", "--file", shell.write("a.jsonl", text))["recorded"] == 2
    again = shell.json("ingest", "--file", shell.write("b.jsonl.gz", gzip.compress(text.encode())))
    assert again["already_there"] == 2
    piped = shell.json("ingest", "--file", "-", input=gzip.compress(text.encode()))
    assert piped["already_there"] == 2


def test_bad_lines_are_named_with_every_reason_and_good_ones_kept(shell: Shell) -> None:
    text = "\n".join(
        [
            json.dumps(usage()),
            '{"organization_id": "default", ',
            json.dumps(usage(input_tokens=-1, output_tokens=1.5)),
            json.dumps({"organization_id": "default"}),
            json.dumps(usage(input_tokens="many")),
            '{"organization_id": "default", "provider": "p", "model_id": "m", "input_tokens": NaN}',
            json.dumps([1]),
            json.dumps(usage(timestamp="2025-02-31T00:00:00Z")),
            json.dumps(usage(modelid="x")),
            json.dumps(usage()),
        ]
    )
    result = shell("ingest", "--file", shell.write("u.jsonl", text), "--errors", "bad.jsonl", "-o", "json", code=1)
    found = json.loads(result.stdout)
    assert (found["recorded"], found["rejected"]) == (2, 8)
    told = result.stderr
    assert "line 2: not JSON" in told
    assert "input_tokens must not be negative, got -1; output_tokens must be a whole number" in told
    assert "provider is required; model_id is required" in told
    assert "NaN" in told
    assert "possible date" in told
    assert "'modelid' is not a field" in told
    written = [json.loads(line) for line in (shell.folder / "bad.jsonl").read_text().splitlines()]
    assert [w["place"] for w in written] == [2, 3, 4, 5, 6, 7, 8, 9]
    assert shell.json("query")["totals"][0]["requests"] == 2


def test_of_many_bad_lines_twenty_are_shown_and_the_rest_counted(shell: Shell) -> None:
    result = shell("ingest", "--file", shell.write("u.jsonl", "no\n" * 3 + "{}\n" * 40), "--format", "jsonl", code=1)
    assert result.stderr.count(", line ") == 20
    assert "23 more" in result.stderr


def test_a_broken_array_keeps_what_came_before(shell: Shell) -> None:
    text = json.dumps([usage(), usage()])[:-20]
    result = shell("ingest", "--file", shell.write("cut.json", text), "-o", "json", code=1)
    assert json.loads(result.stdout)["recorded"] == 1
    assert "record 2: not JSON" in result.stderr
    unclosed = shell("ingest", "--file", shell.write("open.json", json.dumps([usage()])[:-1]), code=1)
    assert "no end" in unclosed.stderr


def test_csv_columns_that_are_no_fields_are_all_named(shell: Shell) -> None:
    path = shell.write("u.csv", "provider,model_id,input_token,cost,input_token\nopenai,gpt-4,1,2,3\n")
    refused = shell("ingest", "--file", path, code=2)
    assert "'input_token' is no field of usage; did you mean input_tokens?" in refused.stderr
    assert "'cost' is no field" in refused.stderr
    assert "stands twice" in refused.stderr
    missing = shell("ingest", "--file", shell.write("v.csv", "input_tokens\n1\n"), code=2)
    assert "no column provider" in missing.stderr
    assert "no column model_id" in missing.stderr


def test_csv_cells_become_the_types_of_their_fields(shell: Shell) -> None:
    header = "model,input_tokens,output_tokens,tags,metadata,tag.env,reported_cost,user_id,timestamp"
    rows = ['gpt-4,10,5,"a:b,c","{""k"": 1}",prod,0.5,007,', "gpt-4,,5,,,,,,2025-01-15T10:00:00+01:00", "", ",,,,,,,,"]
    path = shell.write("u.csv", "\n".join([header, *rows]))
    found = shell.json("ingest", "--file", path, "--provider", "openai")
    assert (found["recorded"], found["rejected"]) == (2, 0)
    shell("export", "--output", "all.json", "--format", "json", "--all", "--quiet")
    old, new = json.loads((shell.folder / "all.json").read_text(), parse_float=str)
    assert new["tags"] == {"a": "b", "c": "true", "env": "prod"}
    assert (new["user_id"], new["reported_cost"], new["metadata"]) == ("007", "0.5", {"k": 1})
    assert old["timestamp"] == "2025-01-15T09:00:00Z"


def test_an_empty_file_is_no_error(shell: Shell) -> None:
    for name, content in (("e.json", ""), ("e.csv", "\n"), ("e.jsonl", "\n\n"), ("empty.json", "[]")):
        result = shell("ingest", "--file", shell.write(name, content), "-o", "json")
        assert json.loads(result.stdout)["recorded"] == 0


def test_a_missing_folder_or_damaged_file_is_told(shell: Shell) -> None:
    assert "There is no file nowhere.json" in shell("ingest", "--file", "nowhere.json", code=1).stderr
    assert "is a folder" in shell("ingest", "--file", ".", code=1).stderr
    path = shell.write("broken.gz", gzip.compress(lines(usage()).encode())[:-12])
    assert "damaged" in shell("ingest", "--file", path, code=1).stderr


def test_a_dry_run_writes_nothing_and_knows_the_cost(shell: Shell) -> None:
    add_gpt4(shell)
    path = shell.write("u.json", [usage(), usage(model_id="unknown")])
    found = shell.json("ingest", "--file", path, "--dry-run")
    assert (found["recorded"], found["unpriced"]) == (2, 1)
    assert found["costs"] == [{"currency": "USD", "cost": "0.025"}]
    assert shell.json("query")["totals"] == []


def test_a_default_price_counts_in_a_dry_run_as_it_does_later(shell: Shell) -> None:
    sent = usage(model_id="new", default_pricing={"input_price_per_1k": 0.01, "output_price_per_1k": 0.03})
    path = shell.write("u.json", [sent])
    foreseen = shell.json("ingest", "--file", path, "--dry-run")
    assert foreseen["costs"] == shell.json("ingest", "--file", path)["costs"] == [{"currency": "USD", "cost": "0.025"}]
    assert shell.json("query")["estimated"]["requests"] == 1


def test_the_same_key_with_another_payload_is_refused(shell: Shell) -> None:
    path = shell.write("u.jsonl", lines(usage(id="a"), usage(id="a"), usage(id="a", input_tokens=7)))
    result = shell("ingest", "--file", path, "-o", "json", code=1)
    found = json.loads(result.stdout)
    assert (found["recorded"], found["already_there"], found["rejected"]) == (1, 1, 1)
    assert "line 3: idempotency key 'a'" in result.stderr


def test_the_organisation_comes_from_record_flag_configuration_or_is_the_only_one(shell: Shell) -> None:
    record = {k: v for k, v in usage().items() if k != "organization_id"}
    assert shell.json("ingest", "--file", shell.write("a.json", [record]))["recorded"] == 1
    assert shell.json("query", "--organization", "default")["totals"][0]["requests"] == 1
    shell("ingest", "--file", shell.write("b.json", [record]), "--organization", "org-b")
    refused = shell("ingest", "--file", shell.write("c.json", [record]), code=1)
    assert "--organization" in refused.stderr
    shell("config", "set", "defaults.organization", "org-b")
    shell("ingest", "--file", "c.json")
    found = shell.json("query")
    assert (found["organization_id"], found["totals"][0]["requests"]) == ("org-b", 1)


def test_a_question_about_an_organisation_without_usage_creates_nothing(shell: Shell) -> None:
    result = shell("query", "--organization", "org-9")
    assert "nothing was recorded" in result.stdout
    assert "Known organisations: default" in result.stderr
    assert shell.json("query")["organization_id"] == "default"


def test_unicode_and_broken_bytes(shell: Shell) -> None:
    good = json.dumps(usage(user_id="Zoë 🦀", tags={"köy": "日本"}), ensure_ascii=False).encode()
    bad = json.dumps(usage(user_id="?")).encode().replace(b"?", b"\xff")
    result = shell("ingest", "--file", shell.write("u.jsonl", good + b"\n" + bad), "-o", "json", code=1)
    assert json.loads(result.stdout)["recorded"] == 1
    assert "line 2: user_id holds control characters or broken unicode" in result.stderr
    utf16 = "provider,model_id,input_tokens,user_id\nopenai,gpt-4,5,Zoë\n".encode("utf-16")
    assert shell.json("ingest", "--file", shell.write("excel.csv", utf16))["recorded"] == 1
    assert len(shell.json("query", "--user", "Zoë 🦀")["breakdown"]) == 1


def test_a_large_file_is_read_in_batches(any_shell: Shell) -> None:
    shell = any_shell
    add_gpt4(shell)
    text = "".join(json.dumps(usage(id=f"r{n}", input_tokens=n % 50 + 1)) + "\n" for n in range(5_000))
    found = shell.json("ingest", "--file", shell.write("u.jsonl", text), "--batch-size", "700")
    assert found["recorded"] == 5_000
    assert shell.json("ingest", "--file", "u.jsonl")["already_there"] == 5_000
    array = json.dumps([json.loads(line) for line in text.splitlines()])
    assert shell.json("ingest", "--file", shell.write("u.json", array))["already_there"] == 5_000
    assert shell.json("verify") == [{"organization_id": "default", "differences": [], "repaired": False}]
