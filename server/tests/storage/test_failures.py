"""When the database is away, busy or wrong: it is said, and nothing is half written."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from pathlib import Path

import psycopg
import pytest

from cost_ops.domain.errors import InvalidInput, Unavailable
from cost_ops.interfaces.storage import Storage
from cost_ops.storage import migrate, open_storage
from cost_ops.storage.address import parse_url
from tests.storage.builders import NOON, new, organize, refs, store


def test_a_deleted_file_is_missed_and_a_restored_one_is_found(sqlite_storage: Storage, tmp_path: Path) -> None:
    organize(sqlite_storage, "acme")
    store(sqlite_storage, [new()])
    sqlite_storage.close()
    backup = shutil.copy(tmp_path / "ledger.db", tmp_path / "backup.db")
    store(sqlite_storage, [new()])
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()
    for _ in range(2):
        with pytest.raises(Unavailable, match="no database file"):
            store(sqlite_storage, [new()])
        with pytest.raises(Unavailable, match=r"ledger\.db"), sqlite_storage.ledger("acme"):
            pass
    shutil.copy(backup, tmp_path / "ledger.db")
    with sqlite_storage.ledger("acme") as ledger:
        assert len(ledger.usage.page(start_us=None, end_us=None, filters=[], limit=9)) == 1
    store(sqlite_storage, [new()])


def test_a_locked_file_is_unavailable_after_a_while(sqlite_database: str, tmp_path: Path) -> None:
    storage = open_storage(sqlite_database, timeout_seconds=0.2)
    organize(storage, "acme")
    with sqlite3.connect(tmp_path / "ledger.db", isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Unavailable, match="busy"):
            store(storage, [new()])
        with storage.ledger("acme") as ledger:  # readers do not care
            assert ledger.usage.page(start_us=None, end_us=None, filters=[], limit=9) == []
        with pytest.raises(Unavailable, match="busy"), storage.ledger("acme") as ledger:
            ledger.prices.bump_version()
    other.close()
    store(storage, [new()])
    storage.close()


def test_writers_of_one_process_take_turns(sqlite_database: str) -> None:
    storage = open_storage(sqlite_database, timeout_seconds=0.2)
    organize(storage, "acme")
    with storage.recorder(), pytest.raises(Unavailable, match="busy"), storage.ledger("acme") as ledger:
        ledger.prices.bump_version()
    with storage.ledger("acme") as ledger:
        ledger.prices.bump_version()
    storage.close()


def test_a_reader_never_waits_for_a_writer(storage: Storage) -> None:
    organize(storage, "acme")
    with storage.recorder() as recorder:
        recorder.append([new()])
        with storage.ledger("acme") as ledger:
            assert ledger.usage.page(start_us=None, end_us=None, filters=[], limit=9) == []


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_text("not a database at all, but a file of some length " * 40)
    storage = open_storage(f"sqlite:{path}")
    with pytest.raises(Unavailable, match=r"notes\.db"):
        storage.status()
    storage.close()


def test_a_full_disk_is_said(sqlite_storage: Storage) -> None:
    organize(sqlite_storage, "acme")
    many = [new(tags={"k": "v" * 200}, at=NOON + n) for n in range(2_000)]

    def fill() -> None:
        with sqlite_storage.recorder() as recorder:
            raw = recorder._tx.raw  # type: ignore[attr-defined]
            raw.execute(f"PRAGMA max_page_count = {raw.execute('PRAGMA page_count').fetchone()[0]}")
            recorder.append(many)

    with pytest.raises(Unavailable, match="full"):
        fill()
    sqlite_storage.close()
    store(sqlite_storage, [new()])
    assert sqlite_storage.statistics()["usage_records"] == 1


def test_an_unreachable_server_is_unavailable() -> None:
    storage = open_storage("postgresql://nobody@127.0.0.1:1/costops?connect_timeout=2")
    with pytest.raises(Unavailable, match="cannot reach the database"):
        storage.status()
    with pytest.raises(Unavailable, match="cannot reach the database"):
        migrate("postgresql://nobody@127.0.0.1:1/costops?connect_timeout=2")
    storage.close()


def test_a_missing_database_is_named(postgres_url: str) -> None:
    storage = open_storage(postgres_url.replace("/postgres?", "/no_such_database?"))
    with pytest.raises(Unavailable, match="no_such_database"):
        storage.status()
    storage.close()


def test_a_lost_connection_is_replaced(postgres_database: str, postgres_storage: Storage) -> None:
    organize(postgres_storage, "acme")

    def terminate() -> None:
        with psycopg.connect(postgres_database, autocommit=True) as other:
            others = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            other.execute(f"SELECT pg_terminate_backend(pid) {others}".encode())
            while other.execute(f"SELECT 1 {others}".encode()).fetchone():
                pass

    terminate()  # while idle: nobody notices
    store(postgres_storage, [new()])

    def lose_it_midway() -> None:
        with postgres_storage.recorder() as recorder:
            recorder.append([new()])
            terminate()
            recorder.append([new()])

    with pytest.raises(Unavailable):
        lose_it_midway()
    with postgres_storage.ledger("acme") as ledger:
        assert len(ledger.usage.page(start_us=None, end_us=None, filters=[], limit=9)) == 1


def test_a_statement_that_takes_too_long_is_stopped(postgres_database: str) -> None:
    storage = open_storage(postgres_database, timeout_seconds=0.3)
    with pytest.raises(Unavailable, match="stopped the statement"), storage.installation() as installation:
        installation._tx.raw.execute("SELECT pg_sleep(5)")  # type: ignore[attr-defined]
    storage.close()


def test_a_used_up_pool_is_unavailable(postgres_database: str) -> None:
    storage = open_storage(postgres_database, pool_size=1, timeout_seconds=0.2)
    with storage.installation(), pytest.raises(Unavailable, match="pool_size"), storage.installation():
        pass
    storage.close()


def test_behind_pgbouncer_nothing_is_prepared(postgres_database: str) -> None:
    storage = open_storage(postgres_database, pgbouncer=True, pool_size=1)
    organize(storage, "acme")
    stored = store(storage, [new()])
    for _ in range(12):
        with storage.ledger("acme") as ledger:
            assert ledger.usage.get(*refs(stored)[0]) is not None
            prepared = ledger._tx.raw.execute("SELECT count(*) FROM pg_prepared_statements")  # type: ignore[attr-defined]
            assert prepared.fetchone() == (0,)
    storage.close()


def test_broken_text_is_the_callers_fault(storage: Storage) -> None:
    organize(storage, "acme")
    with pytest.raises(InvalidInput, match="unicode"):
        store(storage, [new(user_id="half \ud800")])
    store(storage, [new()])


def test_threads_share_a_storage(storage: Storage) -> None:
    organize(storage, "acme")
    store(storage, [new(at=NOON + n) for n in range(20)])
    found: list[int] = []

    def read() -> None:
        for _ in range(10):
            with storage.ledger("acme") as ledger:
                found.append(len(ledger.usage.page(start_us=None, end_us=None, filters=[], limit=99)))

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [20] * 80


def test_statistics_say_what_is_there(storage: Storage) -> None:
    organize(storage, "acme", "other")
    store(storage, [new(at=NOON + n) for n in range(5)] + [new("other")])
    found = storage.statistics()
    assert found["usage_records"] == 6
    assert found["usage_records_bytes"] > 0
    assert found["rollups_bytes"] > 0
    assert found["total_bytes"] >= found["usage_records_bytes"] + found["rollups_bytes"]


@pytest.mark.parametrize(
    ("url", "target"),
    [
        ("sqlite:cost-ops.db", "cost-ops.db"),
        ("sqlite://cost-ops.db", "cost-ops.db"),
        ("sqlite:///cost-ops.db", "cost-ops.db"),
        ("sqlite:///data/cost-ops.db?mode=rwc", "data/cost-ops.db"),
        ("sqlite:////data/cost-ops.db", "/data/cost-ops.db"),
        ("sqlite:/data/cost-ops.db", "/data/cost-ops.db"),
        ("postgresql://u:p@h:5432/d", "postgresql://u:p@h:5432/d"),
    ],
)
def test_the_usual_urls_are_understood(url: str, target: str) -> None:
    assert parse_url(url).target == target


@pytest.mark.parametrize(
    ("url", "hint"),
    [
        ("postgres://localhost/costops", "postgresql://user:password@localhost:5432/costops"),
        ("mysql://localhost/costops", "sqlite:cost-ops.db"),
        ("cost-ops.db", "sqlite:cost-ops.db"),
        ("sqlite:", "name a file"),
        ("sqlite::memory:", "name a file"),
    ],
)
def test_other_urls_are_refused_with_the_right_form(url: str, hint: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        open_storage(url)
    assert hint in str(refused.value)


def test_a_password_is_not_shown() -> None:
    assert "secret" not in repr(parse_url("postgresql://u:secret@h/d"))
