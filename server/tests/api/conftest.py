"""A running server with a price for gpt-4; on SQLite, and for a few tests on both databases."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.api.running import PRICE, Server, migrated, ready_server


@pytest.fixture
def ledger(tmp_path: Path) -> str:
    """The URL of a fresh SQLite ledger."""
    return migrated(tmp_path)


@pytest.fixture
def server(ledger: str) -> Iterator[Server]:
    """A fresh ledger behind HTTP, with the seed's price for gpt-4."""
    with ready_server(ledger) as running:
        assert running.post("pricing", PRICE).status == 201
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for tests that change nothing that others see."""
    with ready_server(migrated(tmp_path_factory.mktemp("shared"))) as running:
        assert running.post("pricing", PRICE).status == 201
        yield running


@pytest.fixture(params=["sqlite", "postgres"])
def any_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A fresh ledger on each database."""
    url = request.getfixturevalue("ledger" if request.param == "sqlite" else "postgres_database")
    with ready_server(url) as running:
        yield running
