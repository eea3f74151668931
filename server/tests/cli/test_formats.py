"""Files of other systems into the ledger: worked amounts, counted once, and what is left out is said."""

import gzip
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cost_ops.cli.usage import FORMATS as CHOICES
from cost_ops.domain.formats.known import FORMATS
from tests.cli.conftest import Shell
from tests.cli.test_remote import remote, server

__all__ = ["remote", "server"]

FILES = Path(__file__).parents[3] / "contracts" / "fixtures" / "files"

RATES: dict[tuple[str, str], dict[str, str]] = {
    ("openai", "gpt-4o*"): {"input": "2.5", "input_cache_read": "1.25", "output": "10"},
    ("anthropic", "claude-sonnet-4-5"): {
        "input": "3",
        "input_cache_read": "0.3",
        "input_cache_write_5m": "3.75",
        "output": "15",
    },
    ("google", "gemini-2.5-flash"): {"input": "0.3", "output": "2.5"},
    ("openai", "gpt-5.1-codex"): {"input": "1.25", "input_cache_read": "0.125", "output": "10"},
}
HALF = [
    {"meter": "input", "price": "1.25", "per": 1_000_000, "when": {"processing": "batch"}},
    {"meter": "output", "price": "5", "per": 1_000_000, "when": {"processing": "batch"}},
]


@pytest.fixture
def priced(shell: Shell) -> Shell:
    """A ledger that knows the prices of four models; those of OpenAI's are half in a batch."""
    add_prices(shell)
    return shell


def add_prices(shell: Shell) -> None:
    for (provider, model), rates in RATES.items():
        listed: list[dict[str, Any]] = [{"meter": m, "price": p, "per": 1_000_000} for m, p in rates.items()]
        path = shell.write("rates.json", listed + (HALF if model == "gpt-4o*" else []))
        shell("pricing", "add", "--provider", provider, "--model", model, "--rates", path)


def asked(shell: Shell, *options: str) -> Any:
    """An answer over the time of the fixtures, and of responses that name no time."""
    return shell.json("query", "--start", "2026-03-01", "--end", "2126-01-01", *options)


def total(shell: Shell) -> str:
    """What the whole ledger costs."""
    (found,) = asked(shell)["totals"]
    return str(found["cost"])


def fixture(name: str) -> str:
    return str(FILES / name)


# What a file comes to, worked by hand: (file, options, format, recorded, skipped, cost).
# gpt-4o, 200 fresh + 1,000 cached + 300 out: 0.0005 + 0.00125 + 0.003 = 0.00475
# claude-sonnet-4-5, 500 fresh + 3,000 cached + 1,500 written + 200 out: 0.0015 + 0.0009 + 0.005625 + 0.003 = 0.011025
# gemini-2.5-flash, 1,000 in + 400 out: 0.0003 + 0.001 = 0.0013; gpt-4o, 1,000 in + 100 out: 0.0025 + 0.001 = 0.0035
WORKED = [
    ("litellm/spend-logs.jsonl", (), "litellm", 4, 1, "0.017075"),
    ("litellm/spend-logs.csv", (), "litellm", 4, 1, "0.017075"),
    ("litellm/callbacks.jsonl", (), "litellm", 1, 0, "0.0035"),
    ("langfuse/observations.json", (), "langfuse", 4, 1, "0.024025"),  # 2 × 0.00475 + 0.011025 + 0.0035
    ("langfuse/observations.jsonl", (), "langfuse", 2, 0, "0.015775"),
    ("langfuse/export.csv", (), "langfuse", 2, 0, "0.015775"),
    # In a batch, 1,000 in + 200 out: 0.00125 + 0.001; 2,000 in + 100 out: 0.0025 + 0.0005
    ("openai-batch/output.jsonl", (), "openai-batch", 2, 2, "0.00525"),
    ("responses/openai.jsonl", ("--provider", "openai"), "responses", 2, 0, "0.00825"),  # 0.00475 + 0.0035
    ("responses/openai-stream.sse", ("--provider", "openai"), "responses", 1, 0, "0.0035"),
    ("responses/anthropic-stream.json", ("--provider", "anthropic"), "responses", 1, 0, "0.011025"),
    ("responses/anthropic-stream.sse", ("--provider", "anthropic"), "responses", 1, 0, "0.011025"),
    ("responses/gemini-stream.json", ("--provider", "google"), "responses", 1, 0, "0.0013"),
    # A: 10 + 2,000 written + 150 out = 0.00978. B: 5 + 2,000 read + 400 written + 300 out = 0.006615
    # C: 100 + 50 out = 0.00105. D: 20 + 2,400 read + 10 out = 0.00093
    ("claude-code/projects", (), "claude-code", 4, 4, "0.018375"),
    # 10,000 + 500 out = 0.0175; 3,000 + 9,000 cached + 700 out = 0.011875; 2,000 + 6,000 cached + 300 out = 0.00625
    # After the fork 500 + 500 cached + 100 out = 0.0016875. With a record 3,000 + 1,000 cached + 250 out = 0.006375
    ("codex/sessions", (), "codex", 5, 3, "0.0436875"),
]


@pytest.mark.parametrize(("name", "options", "form", "recorded", "skipped", "cost"), WORKED, ids=[w[0] for w in WORKED])
def test_a_file_comes_to_its_worked_amount_and_counts_once(
    priced: Shell, name: str, options: tuple[str, ...], form: str, recorded: int, skipped: int, cost: str
) -> None:
    first = priced.json("ingest", "--file", fixture(name), *options)
    assert (first["format"], first["recorded"], first["rejected"], first["unpriced"]) == (form, recorded, 0, 0)
    assert sum(s["count"] for s in first["skipped"]) == skipped
    assert first["costs"] == [{"currency": "USD", "cost": cost}]
    assert total(priced) == cost
    again = priced.json("ingest", "--file", fixture(name), "--format", form, *options)
    assert (again["recorded"], again["rejected"]) == (0, 0)
    assert again["already_there"] >= recorded
    assert total(priced) == cost


@pytest.mark.parametrize(("name", "options", "form", "recorded", "skipped", "cost"), WORKED, ids=[w[0] for w in WORKED])
def test_a_dry_run_foresees_the_same_and_writes_nothing(
    priced: Shell, name: str, options: tuple[str, ...], form: str, recorded: int, skipped: int, cost: str
) -> None:
    found = priced.json("ingest", "--file", fixture(name), *options, "--dry-run")
    assert (found["rejected"], found["unpriced"]) == (0, 0)
    assert found["recorded"] >= recorded
    assert asked(priced)["totals"] == []


@pytest.mark.parametrize("packed", [False, True])
def test_standard_input_is_recognised_too(priced: Shell, packed: bool) -> None:
    data = (FILES / "litellm/spend-logs.jsonl").read_bytes()
    found = priced.json("ingest", "--file", "-", input=gzip.compress(data) if packed else data)
    assert (found["format"], found["recorded"]) == ("litellm", 4)


@pytest.mark.parametrize(
    ("first", "second", "known"),
    [
        ("litellm/spend-logs.jsonl", "litellm/spend-logs.csv", 4),
        ("langfuse/observations.json", "langfuse/export.csv", 2),
        ("responses/anthropic-stream.sse", "responses/anthropic-stream.json", 1),
    ],
)
def test_the_same_calls_in_another_file_count_once(priced: Shell, first: str, second: str, known: int) -> None:
    options = ("--provider", "anthropic") if first.startswith("responses") else ()
    priced("ingest", "--file", fixture(first), *options)
    before = total(priced)
    again = priced.json("ingest", "--file", fixture(second), *options)
    assert (again["recorded"], again["already_there"], again["rejected"]) == (0, known, 0)
    assert total(priced) == before


def test_a_session_that_grew_adds_only_what_is_new(priced: Shell) -> None:
    lines = next((FILES / "claude-code/projects/-srv-shop").glob("*0001*.jsonl")).read_text().splitlines(keepends=True)
    path = priced.write("session.jsonl", "".join(lines[:4]))
    first = priced.json("ingest", "--file", path)
    assert (first["recorded"], first["costs"]) == (1, [{"currency": "USD", "cost": "0.00978"}])
    priced.write("session.jsonl", "".join(lines))
    grown = priced.json("ingest", "--file", path)
    assert (grown["recorded"], grown["already_there"], grown["rejected"]) == (1, 1, 0)
    assert grown["costs"] == [{"currency": "USD", "cost": "0.006615"}]


def test_files_of_a_folder_one_by_one_come_to_the_same_as_the_folder(priced: Shell) -> None:
    for folder, cost in (("claude-code", "0.018375"), ("codex", "0.0620625")):
        for path in sorted((FILES / folder).rglob("*.jsonl")):
            assert priced.json("ingest", "--file", str(path))["rejected"] == 0
        assert total(priced) == cost
        assert priced.json("ingest", "--file", fixture(folder))["recorded"] == 0


def test_an_answer_out_of_a_gateways_cache_costs_nothing_and_is_counted(priced: Shell) -> None:
    priced("ingest", "--file", fixture("litellm/spend-logs.jsonl"))
    found = asked(priced, "--provider", "litellm")["totals"][0]
    assert (found["requests"], str(found["cost"])) == (1, "0")
    assert len(asked(priced, "--group-by", "tag:cache_hit")["breakdown"]) == 2


def test_litellms_own_sum_is_kept_beside_ours(priced: Shell) -> None:
    priced("ingest", "--file", fixture("litellm/spend-logs.jsonl"))
    priced("export", "--output", "all.json", "--format", "json", "--all", "--quiet")
    records = json.loads((priced.folder / "all.json").read_text(), parse_float=str)
    by_model = {r["model_id"]: r for r in records if r["provider"] != "litellm"}
    claude = by_model["claude-sonnet-4-5"]
    assert (claude["cost"], claude["metadata"]["litellm_spend"]) == ("0.011025", "0.025500000000000002")


def test_bad_lines_of_another_system_are_named_and_good_ones_kept(priced: Shell) -> None:
    good = (FILES / "litellm/spend-logs.jsonl").read_text().splitlines()[:2]
    row = json.loads(good[0])
    bad = [
        "{broken",
        json.dumps({**row, "request_id": "bad-count-1", "metadata": {}, "prompt_tokens": -5}),
        json.dumps({**row, "request_id": "bad-model-1", "model": ""}),
        json.dumps({**row, "request_id": "bad-host-1", "model": "llama-3-70b", "custom_llm_provider": ""}),
        json.dumps({**row, "request_id": "bad-time-1", "startTime": "2026-02-31 00:00:00"}),
        json.dumps(
            {
                **row,
                "request_id": "image-call-1",
                "metadata": {},
                "prompt_tokens": 0,
                "completion_tokens": 0,
                "total_tokens": 0,
                "spend": 0.04,
            }
        ),
        "[1]",
    ]
    path = priced.write("logs.jsonl", "\n".join([good[0], *bad, good[1]]))
    result = priced("ingest", "--file", path, "--errors", "bad.jsonl", "-o", "json", code=1)
    found = json.loads(result.stdout)
    assert (found["format"], found["recorded"], found["rejected"]) == ("litellm", 2, 7)
    told = result.stderr
    assert "line 2: not JSON" in told
    assert "line 3: input_tokens must not be negative, got -5" in told
    assert "line 4: the model is not named" in told
    assert "line 5: nothing tells who served 'llama-3-70b': name the provider with --provider" in told
    assert "line 6: timestamp is not a possible date" in told
    assert "line 7: nothing is counted, though LiteLLM says that it cost 0.04" in told
    assert "line 8: not a JSON object" in told
    assert [json.loads(line)["place"] for line in (priced.folder / "bad.jsonl").read_text().splitlines()] == [
        2,
        3,
        4,
        5,
        6,
        7,
        8,
    ]


def test_faults_in_a_folder_name_the_file(priced: Shell) -> None:
    shutil.copytree(FILES / "codex", priced.folder / "logs")
    (priced.folder / "logs" / "rollout-broken.jsonl").write_text(
        '{"timestamp":"2026-03-02T09:00:00Z","type":"session_meta","payload":{"id":"x"}}\n{"type":\n'
    )
    result = priced("ingest", "--file", "logs", "--errors", "bad.jsonl", code=1)
    assert "rollout-broken.jsonl, line 2: not JSON" in result.stderr
    assert "Read as Codex's session logs (--format codex)." in result.stderr
    assert "skipped: history of the session" in result.stdout
    (written,) = [json.loads(line) for line in (priced.folder / "bad.jsonl").read_text().splitlines()]
    assert (written["file"], written["place"]) == ("rollout-broken.jsonl", 2)


def test_a_folder_is_read_only_where_it_holds_session_logs(priced: Shell) -> None:
    (priced.folder / "plain").mkdir()
    priced.write("plain/usage.jsonl", '{"model_id": "gpt-4o", "provider": "openai", "input_tokens": 1}\n')
    assert "holds no session logs" in priced("ingest", "--file", "plain", code=1).stderr
    assert "reads single files" in priced("ingest", "--file", "plain", "--format", "litellm", code=1).stderr
    (priced.folder / "empty").mkdir()
    assert "is a folder without .jsonl files" in priced("ingest", "--file", "empty", code=1).stderr


def test_what_was_refused_before_is_not_forgotten_for_a_file_that_is_not_there(shell: Shell) -> None:
    shell.write("bad.jsonl", "kept")
    assert "There is no file" in shell("ingest", "--file", "nowhere", "--errors", "bad.jsonl", code=1).stderr
    assert (shell.folder / "bad.jsonl").read_text() == "kept"


def test_raw_responses_need_a_provider(shell: Shell) -> None:
    refused = shell("ingest", "--file", fixture("responses/openai.jsonl"), code=2)
    assert "name it with --provider" in refused.stderr


def test_a_response_that_names_no_model_needs_one(shell: Shell) -> None:
    converse = {
        "output": {},
        "stopReason": "end_turn",
        "usage": {"inputTokens": 1000, "outputTokens": 0, "totalTokens": 1000},
    }
    path = shell.write("converse.jsonl", json.dumps(converse) + "\n")
    assert "model_id is required" in shell("ingest", "--file", path, "--provider", "bedrock", code=1).stderr
    shell("pricing", "add", "--provider", "aws", "--model", "nova", "--input-price", "2", "--output-price", "8")
    found = shell.json("ingest", "--file", path, "--provider", "bedrock", "--model", "nova")
    assert found["costs"] == [{"currency": "USD", "cost": "0.002"}]


def test_columns_need_no_model_where_it_is_named_beside_them(shell: Shell) -> None:
    path = shell.write("u.csv", "input_tokens,output_tokens\n10,5\n")
    assert "no column model_id" in shell("ingest", "--file", path, "--provider", "openai", code=2).stderr
    assert shell.json("ingest", "--file", path, "--provider", "openai", "--model", "gpt-4")["recorded"] == 1


def test_what_was_recognised_is_said_and_can_be_overruled(priced: Shell) -> None:
    result = priced("ingest", "--file", fixture("langfuse/observations.json"))
    assert "Read as Langfuse observations (--format langfuse)." in result.stderr
    plain = priced("ingest", "--file", fixture("langfuse/observations.jsonl"), "--format", "jsonl", code=1)
    assert "'traceId' is not a field of a usage record" in plain.stderr


def test_a_provider_named_by_the_user_is_taken_where_the_log_names_none(priced: Shell) -> None:
    priced("ingest", "--file", fixture("langfuse/observations.json"), "--provider", "azure")
    found = asked(priced, "--group-by", "provider")["breakdown"]
    # `openai/gpt-4o` names its own.
    assert sorted((row["provider"], row["requests"]) for row in found) == [("azure", 3), ("openai", 1)]


def test_every_format_can_be_named() -> None:
    assert set(FORMATS) == set(CHOICES) - {"auto", "json", "jsonl", "csv"}


def test_through_a_server_the_same_is_recorded(remote: Shell) -> None:
    for provider, model in RATES:
        remote("pricing", "add", "--provider", provider, "--model", model, "--input-price", "1", "--output-price", "1")
    for name, options, form, recorded, _, _ in WORKED:
        known = {"litellm/spend-logs.csv": 4, "langfuse/observations.jsonl": 2, "langfuse/export.csv": 2}.get(name, 0)
        foreseen = remote.json("ingest", "--file", fixture(name), *options, "--dry-run")
        assert (foreseen["format"], foreseen["rejected"]) == (form, 0)
        sent = remote.json("ingest", "--file", fixture(name), *options)
        assert sent["rejected"] == 0
        assert sent["recorded"] == (recorded - known if name != "responses/anthropic-stream.sse" else 0)
        assert remote.json("ingest", "--file", fixture(name), *options)["recorded"] == 0


def test_large_responses_are_sent_in_batches_that_a_server_takes(remote: Shell) -> None:
    parts = [{"type": "output_text", "text": "x" * 250} for _ in range(240)]
    answer = {
        "object": "response",
        "model": "gpt-4o",
        "output": parts,
        "usage": {"input_tokens": 5, "output_tokens": 5},
    }
    lines = "".join(json.dumps({**answer, "id": f"resp_large{n:06d}"}) + "\n" for n in range(190))
    assert len(lines) > 12_000_000
    path = remote.write("large.jsonl", lines)
    assert remote.json("ingest", "--file", path, "--provider", "openai")["recorded"] == 190


@pytest.mark.parametrize("name", ["litellm/spend-logs.csv", "claude-code/projects", "codex/sessions"])
def test_both_databases_come_to_the_same(any_shell: Shell, name: str) -> None:
    add_prices(any_shell)
    worked = next(row for row in WORKED if row[0] == name)
    found = any_shell.json("ingest", "--file", fixture(name))
    assert (found["recorded"], found["rejected"]) == (worked[3], 0)
    assert total(any_shell) == worked[5]
    assert any_shell.json("ingest", "--file", fixture(name))["recorded"] == 0
    assert any_shell.json("verify") == [{"organization_id": "default", "differences": [], "repaired": False}]
