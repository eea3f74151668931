"""The commands and requests that were promised in public, as they were printed but for the host and the key's id."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from tests.docs.conftest import LEDGER, FilledLedger, equipped
from tests.docs.samples import Sample, Shell
from tests.postgres_server import fresh_database

USAGE = [
    {
        "id": "one",
        "timestamp": "2025-01-15T09:30:00Z",
        "provider": "openai",
        "model": {"name": "gpt-4"},
        "organization_id": "org-123",
        "prompt_tokens": 1500,
        "completion_tokens": 800,
        "total_tokens": 2300,
        "cached_tokens": 0,
    }
]
AZURE_USAGE = [
    {
        "organization_id": "org-123",
        "provider": "azure",
        "model_id": "gpt-4-turbo",
        "input_tokens": 1000,
        "output_tokens": 500,
        "total_tokens": 1500,
    }
]


@pytest.fixture(scope="module")
def shell(programs: Path, filled_ledger: FilledLedger, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A reader's terminal, with a server running and the files that the commands name."""
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("promises")
        found = equipped(stack, programs, filled_ledger, folder, served=True)
        (folder / "usage.json").write_text(json.dumps(USAGE), encoding="utf-8")
        (folder / "azure-usage.json").write_text(json.dumps(AZURE_USAGE), encoding="utf-8")
        found.replacements = {**found.replacements, "key_123": f"key_{filled_ledger.key.split('_')[2]}"}
        yield found


def run(shell: Shell, command: str, *, exit_code: int = 0) -> str:
    """What a command writes."""
    return shell.run(Sample(line=0, commands=(command,), outputs=(None,), exit_code=exit_code))[0]


class Promise(NamedTuple):
    """A command as printed, and words that its output has to have."""

    command: str
    words: tuple[str, ...]


QUESTIONS = {
    "quick start: initialise": Promise("cost-ops init --database-url sqlite:cost-ops.db", ("ready",)),
    "quick start: price": Promise(
        "cost-ops pricing add --provider openai --model gpt-4 --input-price 10.0 --output-price 30.0",
        ("openai / gpt-4", "10 USD per million", "30 USD per million"),
    ),
    "quick start: ingest": Promise("cost-ops ingest --file usage.json", ("recorded",)),
    "quick start: query": Promise("cost-ops query --range last-7-days", ("Costs of", "Total")),
    "azure": Promise(
        """cost-ops pricing add \\
  --provider azure \\
  --model gpt-4-turbo \\
  --input-price 10.0 \\
  --output-price 30.0

# Submit usage
cost-ops ingest --file azure-usage.json
""",
        ("azure / gpt-4-turbo", "0.025"),
    ),
    "custom model": Promise(
        """cost-ops pricing add \\
  --provider custom \\
  --model my-local-llm \\
  --input-price 0.0 \\
  --output-price 0.0
""",
        ("custom / my-local-llm",),
    ),
    "multi-tenancy": Promise("cost-ops query --organization org-123 --range last-30-days", ("org-123",)),
    "backup": Promise('sqlite3 cost-ops.db ".backup backup.db" && ls backup.db', ("backup.db",)),
    "export": Promise(
        "cost-ops export --output full-export.csv --format csv --all && head -1 full-export.csv", ("usage_id,", "cost")
    ),
    "rate limits": Promise(
        "curl -I http://localhost:8080/api/v1/costs",
        ("401 Unauthorized", "x-api-version: v1", "x-ratelimit-limit: 1000", "x-ratelimit-remaining: "),
    ),
}

TROUBLE = {
    "no key": Promise(
        "curl -X GET https://api.llm-cost-ops.dev/api/v1/costs", ("UNAUTHORIZED", "Invalid or missing API key")
    ),
    "no Bearer": Promise(
        'curl -X GET https://api.llm-cost-ops.dev/api/v1/costs -H "Authorization: YOUR_API_KEY"',
        ("UNAUTHORIZED", "Invalid or missing API key"),
    ),
    "key": Promise(
        """curl -X GET https://api.llm-cost-ops.dev/api/v1/costs \\
     -H "Authorization: Bearer YOUR_API_KEY"
""",
        ('"total_cost"',),
    ),
    "new key": Promise('cost-ops auth create-key --organization org-123 --name "New Key"', ("sk_live_", "org-123")),
    "describe key": Promise("cost-ops auth describe-key key_123", ("usage:read", "org-123")),
    "update key": Promise(
        """cost-ops auth update-key key_123 \\
     --add-permissions "usage:write,costs:read"
""",
        ("usage:write", "costs:read"),
    ),
    "missing field": Promise(
        """curl -X POST https://api.llm-cost-ops.dev/api/v1/usage \\
     -H "Content-Type: application/json" \\
     -H "Authorization: Bearer $API_KEY" \\
     -d '{
       "provider": "openai",
       "model_id": "gpt-4",
       "input_tokens": 1000,
       "output_tokens": 500
     }'
""",
        ('"INVALID_REQUEST"', '"organization_id is required"', '"missing_required_field"'),
    ),
    "all fields": Promise(
        """curl -X POST https://api.llm-cost-ops.dev/api/v1/usage \\
     -H "Content-Type: application/json" \\
     -H "Authorization: Bearer $API_KEY" \\
     -d '{
       "organization_id": "org-123",
       "provider": "openai",
       "model_id": "gpt-4",
       "input_tokens": 1000,
       "output_tokens": 500,
       "total_tokens": 1500
     }'
""",
        ('"usage_id"', '"status":"computed"'),
    ),
    "list prices": Promise(
        """curl -X GET "https://api.llm-cost-ops.dev/api/v1/pricing?provider=openai" \\
     -H "Authorization: Bearer $API_KEY"
""",
        ('"input_price_per_1k"', '"pagination"'),
    ),
    "health": Promise("curl -X GET https://api.llm-cost-ops.dev/health", ('"status":"ok"',)),
    "price of a model": Promise(
        """curl -X GET "https://api.llm-cost-ops.dev/api/v1/pricing?provider=openai&model_id=gpt-4" \\
     -H "Authorization: Bearer $API_KEY"
""",
        ('"model_id":"gpt-4"',),
    ),
    "history": Promise(
        """curl -X GET "https://api.llm-cost-ops.dev/api/v1/usage/history?organization_id=org-123&start_date=2025-01-15T00:00:00Z&end_date=2025-01-15T23:59:59Z" \\
     -H "Authorization: Bearer $API_KEY"
""",
        ('"data"', '"has_next"'),
    ),
    "add a missing price": Promise(
        """curl -X POST https://api.llm-cost-ops.dev/api/v1/pricing \\
     -H "Content-Type: application/json" \\
     -H "Authorization: Bearer $API_KEY" \\
     -d '{
       "provider": "openai",
       "model_id": "gpt-4-turbo",
       "input_price_per_1k": 0.01,
       "output_price_per_1k": 0.03,
       "currency": "USD"
     }'
""",
        ('"input_price_per_1k":0.01', '"output_price_per_million":30'),
    ),
    "latest prices": Promise("cost-ops pricing sync-latest", ("0 prices added", "unchanged")),
    "response time": Promise(
        """curl -w "\\nTime: %{time_total}s\\n" \\
     -X GET "https://api.llm-cost-ops.dev/api/v1/costs?organization_id=org-123" \\
     -H "Authorization: Bearer $API_KEY"
""",
        ('"total_cost"', "Time: "),
    ),
}

ADD_PRICE = """curl -X POST https://api.llm-cost-ops.dev/api/v1/pricing \\
     -H "Content-Type: application/json" \\
     -H "Authorization: Bearer $API_KEY" \\
     -d '{
       "provider": "openai",
       "model_id": "gpt-4",
       "input_price_per_1k": %s,
       "output_price_per_1k": %s,
       "currency": "USD"%s
     }'
"""


@pytest.mark.parametrize("name", QUESTIONS)
def test_commands_of_the_questions_work_as_printed(name: str, shell: Shell):
    _keep(QUESTIONS[name], shell)


@pytest.mark.parametrize("name", TROUBLE)
def test_commands_of_the_troubleshooting_guide_work_as_printed(name: str, shell: Shell):
    _keep(TROUBLE[name], shell)


def _keep(promise: Promise, shell: Shell) -> None:
    output = run(shell, promise.command)
    assert [word for word in promise.words if word not in output] == [], output


def test_the_quick_start_begins_with_nothing_and_ends_with_a_table(programs: Path, shell: Shell, tmp_path: Path):
    fresh = Shell(tmp_path, shell.environment)
    (tmp_path / "usage.json").write_text(json.dumps(USAGE), encoding="utf-8")
    run(fresh, "cost-ops init --database-url sqlite:cost-ops.db")
    run(fresh, "cost-ops pricing add --provider openai --model gpt-4 --input-price 10.0 --output-price 30.0")
    assert "0.039" in run(fresh, "cost-ops ingest --file usage.json")
    assert "0.039" in run(fresh, "cost-ops query --start 2025-01-15 --end 2025-01-16")
    run(fresh, "cost-ops ingest --file usage.json")
    assert "0.039 USD for 1 request" in run(fresh, "cost-ops query --start 2025-01-15 --end 2025-01-16")


def test_a_price_posted_with_a_date_ends_the_older_one(shell: Shell):
    first = json.loads(run(shell, ADD_PRICE % ("0.01", "0.03", "")))
    assert first["data"]["effective_date"] is None
    dated = json.loads(run(shell, ADD_PRICE % ("0.01", "0.03", ', "effective_date": "2025-01-01T00:00:00Z"')))
    assert dated["ended_price_id"] == first["data"]["price_id"]
    later = json.loads(run(shell, ADD_PRICE % ("0.005", "0.015", ', "effective_date": "2025-02-01T00:00:00Z"')))
    assert later["ended_price_id"] == dated["data"]["price_id"]


@pytest.mark.parametrize(
    "fields",
    [
        {"input_tokens": 1500, "output_tokens": 800, "total_tokens": 2300},
        {"total_tokens": 42},
    ],
    ids=["integration by requests", "streaming totals"],
)
def test_usage_is_taken_in_the_forms_of_the_questions(fields: dict[str, int], shell: Shell):
    body = json.dumps({"organization_id": "org-123", "provider": "openai", "model_id": "gpt-4", **fields})
    headers = (
        '-H "Authorization: Bearer $API_KEY" -H "Content-Type: application/json" -H "Accept-Encoding: gzip, deflate"'
    )
    command = f"curl -s https://api.llm-cost-ops.example.com/api/v1/usage {headers} -d '{body}'"
    answer = json.loads(run(shell, command))
    assert answer["data"]["status"] == ("computed" if "input_tokens" in fields else "estimated")
    assert answer["usage_id"] == answer["data"]["usage_id"]


@pytest.mark.parametrize(
    ("field", "text"),
    [("input_tokens", '"input_tokens": -100'), ("timestamp", '"input_tokens": 1, "timestamp": "2025-01-01"')],
)
def test_invalid_values_are_named(field: str, text: str, shell: Shell):
    body = f'{{"organization_id": "org-123", "provider": "openai", "model_id": "gpt-4", "output_tokens": 1, {text}}}'
    command = f"curl -s http://localhost:8080/api/v1/usage -H 'Authorization: Bearer YOUR_API_KEY' -d '{body}'"
    error = json.loads(run(shell, command))["error"]
    assert (error["code"], error["details"]["field"]) == ("INVALID_REQUEST", field)


def test_a_model_without_a_price_is_named(shell: Shell):
    url = "http://localhost:8080/api/v1/pricing/effective?provider=openai&model_id=gpt-5-that-is-not-there"
    error = json.loads(run(shell, f"curl -s '{url}' -H 'Authorization: Bearer YOUR_API_KEY'"))["error"]
    assert error["code"] == "NOT_FOUND"
    assert error["message"] == "No pricing found for model: gpt-5-that-is-not-there"


def test_a_backup_is_restored_by_copying_it(shell: Shell, tmp_path: Path):
    run(shell, f'sqlite3 {LEDGER} ".backup {tmp_path}/backup.db" && cp {tmp_path}/backup.db {tmp_path}/{LEDGER}')
    assert "Costs of" in run(Shell(tmp_path, shell.environment), "cost-ops query --range last-year")


INDEXES = """
CREATE INDEX idx_usage_org_time ON usage_records(organization_id, timestamp DESC);
CREATE INDEX idx_usage_provider ON usage_records(provider);
CREATE INDEX idx_usage_org_timestamp
ON usage_records(organization_id, timestamp);
CREATE INDEX idx_usage_provider_model
ON usage_records(provider, model_id);
ANALYZE usage_records;
ANALYZE cost_records;
"""
PARTITION = """
CREATE TABLE usage_records_2025_11 PARTITION OF usage_records
FOR VALUES FROM ('2025-11-01') TO ('2025-12-01');
"""


def test_the_sql_of_the_guides_works_on_sqlite(filled_ledger: FilledLedger, tmp_path: Path):
    with closing(sqlite3.connect(filled_ledger.path)) as source, closing(sqlite3.connect(tmp_path / LEDGER)) as copy:
        source.backup(copy)
        copy.executescript(INDEXES)
        names = {name for (name,) in copy.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")}
    assert {"idx_usage_org_time", "idx_usage_provider", "idx_usage_org_timestamp", "idx_usage_provider_model"} <= names


def test_the_sql_of_the_guides_works_on_postgresql(shell: Shell, postgres_database: str):
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        connection.execute(PARTITION)
        connection.execute(INDEXES)
    usage = json.dumps([{**USAGE[0], "timestamp": f"2025-{day}T12:00:00Z", "id": day} for day in ("11-15", "12-01")])
    command = f"echo '{usage}' | cost-ops ingest --file - --database-url '{postgres_database}' --output json"
    assert json.loads(run(shell, command))["recorded"] == 2


def test_postgresql_is_migrated_from_its_url(shell: Shell, postgres_url: str):
    with fresh_database(postgres_url) as url:
        assert "revision" in run(shell, f"cost-ops migrate --database-url '{url}'")
        assert "Total" in run(shell, f"DATABASE_URL='{url}' cost-ops query --range last-7-days")


def test_the_wrong_form_of_a_database_url_is_answered_with_the_right_one(shell: Shell):
    output = run(
        shell, "DATABASE_URL=postgres://localhost/costops cost-ops query --range last-7-days 2>&1", exit_code=2
    )
    assert "postgresql://user:password@localhost:5432/costops" in output


def test_postgresql_is_backed_up_and_restored_as_printed(shell: Shell, postgres_url: str, postgres_database: str):
    parts = urlsplit(postgres_database)
    place = {name: values[0] for name, values in parse_qs(parts.query).items()}
    server = f"PGHOST='{place.get('host', parts.hostname)}' PGPORT={place.get('port', parts.port or 5432)}"
    name = parts.path.removeprefix("/")
    user = parts.username or "postgres"
    run(shell, f"cost-ops ingest --file usage.json --database-url '{postgres_database}'")
    run(shell, f"export {server}\npg_dump -U {user} {name} > backup.sql")
    with fresh_database(postgres_url) as url:
        target = urlsplit(url).path.removeprefix("/")
        run(shell, f"export {server}\npsql -q -v ON_ERROR_STOP=1 -U {user} {target} < backup.sql")
        assert "1 request" in run(shell, f"cost-ops query --start 2025-01-15 --end 2025-01-16 --database-url '{url}'")
        assert "agree" in run(shell, f"cost-ops verify --database-url '{url}'")


def test_the_statement_for_current_costs_works_on_both_databases(shell: Shell, postgres_database: str):
    page = (Path(__file__).parents[3] / "docs" / "reference" / "database.md").read_text(encoding="utf-8")
    statement = page.partition("<<'SQL'\n")[2].partition("\nSQL\n")[0]
    usage = json.dumps({"organization_id": "org-123", "provider": "custom", "model_id": "later", "input_tokens": 1000})
    found = []
    for url in (f"sqlite:{LEDGER}", postgres_database):
        options = f"--database-url '{url}' --quiet"
        run(shell, f"echo '{usage}' | cost-ops ingest --file - {options}")
        run(shell, f"cost-ops pricing add --provider custom --model later --input-price 1 --output-price 1 {options}")
    with closing(sqlite3.connect(shell.folder / LEDGER)) as sqlite, psycopg.connect(postgres_database) as postgres:
        found = [next(row for row in c.execute(statement).fetchall() if row[1] == "later") for c in (sqlite, postgres)]
    assert [(row[2], row[3], float(row[4])) for row in found] == [("USD", 1, 0.001)] * 2
