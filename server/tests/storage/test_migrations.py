"""The schema: from nothing, again, back and forth."""

from __future__ import annotations

from pathlib import Path

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, inspect

import cost_ops.storage
from cost_ops.domain.errors import InvalidInput, Unavailable
from cost_ops.storage import migrate, open_storage
from cost_ops.storage.revision import SCHEMA_HEAD
from cost_ops.storage.tables import metadata
from tests.postgres_server import fresh_database
from tests.storage.builders import new, organize, store


@pytest.fixture(params=["sqlite", "postgres"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path):
    if request.param == "sqlite":
        yield f"sqlite:{tmp_path / 'new folder' / 'a%20b?.db'}".replace("?", "x")
        return
    with fresh_database(request.getfixturevalue("postgres_url")) as url:
        yield url


def test_an_empty_database_is_brought_to_the_head_and_back(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "new folder").mkdir()
    for _ in range(2):
        assert migrate(empty_url) == SCHEMA_HEAD
    storage = open_storage(empty_url)
    assert storage.status().migrated
    organize(storage, "acme")
    store(storage, [new()])
    storage.close()
    assert migrate(empty_url, "base") == ""
    storage = open_storage(empty_url)
    status = storage.status()
    assert (status.schema_revision, status.migrated) == (None, False)
    with pytest.raises(Unavailable, match="cost-ops migrate"), storage.ledger("acme"):
        pass
    storage.close()
    assert migrate(empty_url, "head") == SCHEMA_HEAD
    storage = open_storage(empty_url)
    organize(storage, "acme")
    store(storage, [new()])
    assert storage.statistics()["usage_records"] == 1
    storage.close()


def test_an_older_schema_is_brought_up_with_what_it_holds(empty_url: str, tmp_path: Path) -> None:
    (tmp_path / "new folder").mkdir()
    migrate(empty_url, "head")
    storage = open_storage(empty_url)
    organize(storage, "acme")
    store(storage, [new()])
    storage.close()
    assert migrate(empty_url, "0001") == "0001"
    storage = open_storage(empty_url)
    assert not storage.status().migrated
    storage.close()
    assert migrate(empty_url, "head") == SCHEMA_HEAD
    storage = open_storage(empty_url)
    assert storage.statistics()["usage_records"] == 1
    storage.close()


def test_an_unknown_revision_is_refused(empty_url: str) -> None:
    with pytest.raises(InvalidInput, match="0001"):
        migrate(empty_url, "9999")


def test_the_schema_has_the_columns_that_statements_name(database_url: str) -> None:
    address = cost_ops.storage.parse_url(database_url)
    if address.engine == "sqlite":
        engine = create_engine(f"sqlite:///{address.target}")
    else:
        engine = create_engine(address.target.replace("postgresql://", "postgresql+psycopg://"))
    schema = inspect(engine)
    for table in metadata.sorted_tables:
        stored = {c["name"]: c["nullable"] for c in schema.get_columns(table.name)}
        assert stored.keys() == set(table.columns.keys()), table.name
        key = schema.get_pk_constraint(table.name)["constrained_columns"]
        assert set(key) == {c.name for c in table.primary_key}, table.name
        optional = {c.name for c in table.columns if c.nullable}
        assert {name for name, nullable in stored.items() if nullable and name not in key} == optional, table.name
    assert set(schema.get_table_names()) - {"alembic_version"} == {t.name for t in metadata.sorted_tables}
    engine.dispose()


def test_the_head_that_the_program_names_is_the_last_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(cost_ops.storage.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_current_head() == SCHEMA_HEAD


def test_importing_storage_imports_no_driver() -> None:
    import subprocess
    import sys

    code = "import sys, cost_ops.storage; print({'sqlalchemy', 'psycopg', 'alembic', 'sqlite3'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
