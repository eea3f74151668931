"""The real command, in a folder of its own with a fresh ledger."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from cost_ops.cli.main import cli


@dataclass(frozen=True)
class Shell:
    """Runs `cost-ops` as a user would, in the current folder."""

    folder: Path

    def __call__(self, *args: str, code: int = 0, input: str | bytes | None = None) -> Result:
        result = CliRunner().invoke(cli, args, input=input, prog_name="cost-ops")
        assert result.exit_code == code, f"exit {result.exit_code}\n{result.stdout}\n{result.stderr}"
        return result

    def json(self, *args: str, code: int = 0, input: str | bytes | None = None) -> Any:
        return json.loads(self(*args, "--output", "json", code=code, input=input).stdout, parse_float=str)

    def write(self, name: str, content: Any) -> str:
        if not isinstance(content, bytes):
            content = (content if isinstance(content, str) else json.dumps(content)).encode()
        (self.folder / name).write_bytes(content)
        return name


@pytest.fixture
def empty_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """A shell in an empty folder, without anybody's settings."""
    for name in [n for n in os.environ if n.startswith("COST_OPS_") or n in ("DATABASE_URL", "NO_COLOR")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    return Shell(tmp_path)


@pytest.fixture(scope="session")
def ready_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger after `init`, to copy from."""
    path = tmp_path_factory.mktemp("ledger") / "cost-ops.db"
    result = CliRunner().invoke(cli, ["init", "--no-catalogue", "--database-url", f"sqlite:{path}"])
    assert result.exit_code == 0, result.output
    return path


@pytest.fixture
def shell(empty_shell: Shell, ready_ledger: Path) -> Shell:
    """A shell beside a ledger that was made with `init`: organisation `default`, no prices."""
    shutil.copy(ready_ledger, empty_shell.folder / "cost-ops.db")
    return empty_shell


@pytest.fixture(params=["sqlite", "postgresql"])
def any_shell(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Shell]:
    """The same on each database."""
    if request.param == "sqlite":
        yield request.getfixturevalue("shell")
        return
    found: Shell = request.getfixturevalue("empty_shell")
    monkeypatch.setenv("COST_OPS_DATABASE_URL", request.getfixturevalue("postgres_database"))
    found("init", "--no-catalogue")
    yield found


def usage(**fields: Any) -> dict[str, Any]:
    """A record: 1,000 and 500 tokens of gpt-4 for the organisation `default`."""
    return {
        "organization_id": "default",
        "provider": "openai",
        "model_id": "gpt-4",
        "input_tokens": 1000,
        "output_tokens": 500,
        **fields,
    }


@pytest.fixture
def gpt4(shell: Shell) -> Callable[..., dict[str, Any]]:
    """Prices gpt-4 at 10 and 30 per million, and gives the maker of records."""
    add_gpt4(shell)
    return usage


def add_gpt4(shell: Shell) -> None:
    """The price of the quick start."""
    price = ("--input-price", "10.0", "--output-price", "30.0")
    shell("pricing", "add", "--provider", "openai", "--model", "gpt-4", *price)
