"""A reader's machine: a folder with a ledger, `cost-ops` on the path, and a server on a free port where one is needed."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple, Protocol

import pytest

from cost_ops.domain.access import OWNER
from cost_ops.services import access
from tests import postgres_server
from tests.docs.samples import Shell
from tests.scenarios.running_ledger import RunningServer, open_ledger, prepare_ledger

ORGANIZATION = "org-123"
DOCUMENTED_ADDRESSES = (
    "http://127.0.0.1:8080",
    "http://localhost:8080",
    "https://api.llm-cost-ops.example.com",
    "https://api.llm-cost-ops.dev",
)
LEDGER = "cost-ops.db"

_SQLITE3 = """#!{python}
import sqlite3, sys
path, command = sys.argv[1:3]
connection = sqlite3.connect(path)
word, _, target = command.partition(" ")
if word == ".backup":
    with sqlite3.connect(target.strip()) as copy:
        connection.backup(copy)
else:
    for row in connection.execute(command):
        print("|".join("" if value is None else str(value) for value in row))
    connection.commit()
"""


class Machine(Protocol):
    """Makes a shell in a folder with a ledger; `served` starts a server on it, with further `settings`."""

    def __call__(self, *, served: bool = False, settings: Mapping[str, object] | None = None) -> Shell: ...


class FilledLedger(NamedTuple):
    """A SQLite ledger with the catalogue and one organisation, a key of that, and an admin key."""

    path: Path
    key: str
    admin_key: str


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `cost-ops`, as an installation puts it on the path, and `sqlite3` where the machine has none."""
    folder = tmp_path_factory.mktemp("bin")
    _program(folder / "cost-ops", f'#!/bin/sh\nexec "{sys.executable}" -m cost_ops.cli.main "$@"\n')
    _program(folder / "python3", f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    if shutil.which("sqlite3") is None:
        _program(folder / "sqlite3", _SQLITE3.format(python=sys.executable))
    return folder


def _program(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


@pytest.fixture(scope="session")
def filled_ledger(tmp_path_factory: pytest.TempPathFactory) -> FilledLedger:
    """A ledger to copy from."""
    path = tmp_path_factory.mktemp("ledger") / LEDGER
    key = prepare_ledger(f"sqlite:{path}", ORGANIZATION)
    application = open_ledger(f"sqlite:{path}")
    try:
        admin = access.create_key(application.context(OWNER), None, name="operator", kind="admin").secret
    finally:
        application.close()
    return FilledLedger(path, key, admin)


@pytest.fixture
def machine(programs: Path, filled_ledger: FilledLedger, tmp_path: Path) -> Iterator[Machine]:
    with ExitStack() as stack:
        yield lambda *, served=False, settings=None: equipped(
            stack, programs, filled_ledger, tmp_path, served=served, settings=settings
        )


def equipped(
    stack: ExitStack,
    programs: Path,
    ledger: FilledLedger,
    folder: Path,
    *,
    served: bool,
    settings: Mapping[str, object] | None = None,
) -> Shell:
    """A shell in a folder with a copy of the ledger, and until the stack ends a server on it where one is wanted."""
    shutil.copyfile(ledger.path, folder / LEDGER)
    variables = {"KEY": ledger.key, "API_KEY": ledger.key, "ADMIN_KEY": ledger.admin_key}
    variables["XDG_CONFIG_HOME"] = str(folder / ".config")
    replacements = serve(stack, f"sqlite:{LEDGER}", folder, settings) if served else {}
    return Shell(folder, environment(programs) | variables, {"YOUR_API_KEY": ledger.key} | replacements)


def environment(programs: Path) -> dict[str, str]:
    """The variables of a reader who has set nothing."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("COST_OPS_") and k != "DATABASE_URL"}
    path = os.pathsep.join((str(programs), str(postgres_server.find_binaries()), kept.get("PATH", os.defpath)))
    return kept | {"PATH": path, "COLUMNS": "100", "LC_ALL": "C.UTF-8", "NO_COLOR": "1"}


def serve(stack: ExitStack, url: str, folder: Path, settings: Mapping[str, object] | None = None) -> dict[str, str]:
    """Start a server in a folder until the stack ends; documented addresses → its own."""
    server = RunningServer(url, folder / "server.log", settings=settings)
    server.start()
    stack.callback(server.stop)
    return addresses(server.port)


def addresses(port: int) -> dict[str, str]:
    """Documented addresses → the one of a port."""
    return dict.fromkeys(DOCUMENTED_ADDRESSES, f"http://127.0.0.1:{port}")
