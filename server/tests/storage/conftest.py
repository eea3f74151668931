"""The suite runs on both real databases: `storage` is a migrated, empty one that the test alone uses."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from cost_ops.interfaces.storage import Storage
from cost_ops.storage import migrate, open_storage

ENGINES = ("sqlite", "postgres")


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "ledger.db"
    migrate(f"sqlite:{path}")
    return path


@pytest.fixture
def sqlite_database(sqlite_template: Path, tmp_path: Path) -> str:
    return f"sqlite:{shutil.copy(sqlite_template, tmp_path / 'ledger.db')}"


@pytest.fixture(params=ENGINES)
def database_url(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue(f"{request.param}_database"))


@pytest.fixture
def storage(database_url: str) -> Iterator[Storage]:
    opened = open_storage(database_url, pool_size=6)
    yield opened
    opened.close()


@pytest.fixture
def postgres_storage(postgres_database: str) -> Iterator[Storage]:
    opened = open_storage(postgres_database, pool_size=6)
    yield opened
    opened.close()


@pytest.fixture
def sqlite_storage(sqlite_database: str) -> Iterator[Storage]:
    opened = open_storage(sqlite_database, pool_size=6)
    yield opened
    opened.close()
