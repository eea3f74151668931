"""How the command starts: light, helpful, and with exit codes that mean something."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rich_click as click

from cost_ops.cli.main import COMMANDS, cli
from tests.cli.conftest import Shell

HEAVY = ("sqlalchemy", "fastapi", "msgspec", "numpy", "genai_prices", "psycopg", "yaml", "uvicorn", "alembic")
SOURCE = Path(cli.callback.__code__.co_filename).parents[2]  # type: ignore[union-attr]


def python(*args: str, folder: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "PYTHONPATH": str(SOURCE)}
    return subprocess.run(
        [sys.executable, *args], cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.mark.parametrize("arguments", [["--help"], ["query", "--help"], ["pricing", "--help"], ["--version"]])
def test_help_loads_nothing_heavy(tmp_path: Path, arguments: list[str]) -> None:
    code = f"""
import sys
from cost_ops.cli.main import cli
cli({arguments!r}, standalone_mode=False)
print("LOADED", [m for m in {HEAVY!r} if m in sys.modules])
"""
    done = python("-c", code, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "LOADED []" in done.stdout


def every_command(group: click.Group, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        yield (*path, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))


@pytest.mark.parametrize("path", list(every_command(cli)), ids=" ".join)
def test_every_command_has_help_with_examples(empty_shell: Shell, path: tuple[str, ...]) -> None:
    text = empty_shell(*path, "--help").stdout
    assert "Examples:" in text
    assert "--organization" in text
    assert max(map(len, text.split("Examples:")[0].splitlines())) <= 80


def test_no_command_is_a_stub(empty_shell: Shell) -> None:
    assert set(COMMANDS).isdisjoint({"forecast", "report", "top"})
    assert "No such command" in empty_shell("forecast", "generate", code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["query"], 5, "cost-ops init"),
        (["query", "--rnge", "today"], 2, "No such option"),
        (["--database-url", "postgresql://nobody@127.0.0.1:1/none", "query"], 5, "Error:"),
        (["--api-url", "http://127.0.0.1:1", "query"], 4, "cannot be reached"),
        (["--api-url", "nonsense", "query"], 2, "http://localhost:8080"),
        (["--api-url", "http://x", "--database-url", "sqlite:x.db", "query"], 2, "not both"),
        (["--config", "nowhere.toml", "query"], 2, "does not exist"),
        (["ingest", "--file", "nowhere.json"], 1, "There is no file nowhere.json"),
    ],
)
def test_exit_codes_tell_the_kind_of_failure(empty_shell: Shell, arguments: list[str], code: int, says: str) -> None:
    assert says in empty_shell(*arguments, code=code).stderr


def test_the_process_ends_with_the_code(tmp_path: Path) -> None:
    assert python("-m", "cost_ops.cli.main", "query", folder=tmp_path).returncode == 5
    assert python("-m", "cost_ops.cli.main", "query", "--range", folder=tmp_path).returncode == 2
    assert python("-m", "cost_ops.cli.main", "--version", folder=tmp_path).stdout.startswith("cost-ops")
    assert list(tmp_path.iterdir()) == []


def test_global_options_stand_before_or_after_the_command(shell: Shell) -> None:
    before = shell("--output", "json", "--organization", "default", "query").stdout
    after = shell("query", "--organization", "default", "-o", "json").stdout
    assert '"organization_id": "default"' in before
    assert before.splitlines()[1] == after.splitlines()[1]
    assert shell("-o", "json", "pricing", "-o", "csv", "list", "-o", "yaml").stdout == "[]\n"


def test_an_older_or_empty_schema_is_told(empty_shell: Shell) -> None:
    import sqlite3

    connection = sqlite3.connect("cost-ops.db")
    connection.execute("CREATE TABLE something (x)")
    connection.close()
    assert "cost-ops init" in empty_shell("query", code=5).stderr


def test_every_wrong_setting_is_named(empty_shell: Shell) -> None:
    empty_shell.write("cost-ops.toml", '[database]\nurll = "x"\n[server]\nport = "many"\n')
    told = empty_shell("query", code=2).stderr
    assert "did you mean database.url?" in told
    assert "server.port must be a whole number" in told


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_completion_prints_a_script(empty_shell: Shell, name: str) -> None:
    assert "_COST_OPS_COMPLETE" in empty_shell("completion", name).stdout
