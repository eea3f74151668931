"""Monthly partitions on PostgreSQL: there when they are needed, whoever made them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cost_ops.domain.errors import Unavailable
from cost_ops.domain.identity import parse_usage_id
from cost_ops.domain.periods import DAY_US, to_us
from cost_ops.interfaces.recording import Lost
from cost_ops.interfaces.storage import Correction, Storage
from cost_ops.storage import migrate, open_storage
from cost_ops.storage.partitions import Stretch, gaps, parse_bounds
from tests.storage.builders import NOON, NOW, contribution, new, organize, store

# As docs print them: the FAQ's and the troubleshooting guide's.
FAQ_PARTITION = """
CREATE TABLE usage_records_2025_11 PARTITION OF usage_records
FOR VALUES FROM ('2025-11-01') TO ('2025-12-01');
"""
PRINTED_SQL = (
    "CREATE INDEX idx_usage_org_time ON usage_records(organization_id, timestamp DESC);",
    "CREATE INDEX idx_usage_provider ON usage_records(provider);",
    "CREATE INDEX idx_usage_org_timestamp\n   ON usage_records(organization_id, timestamp);",
    "CREATE INDEX idx_usage_provider_model\n   ON usage_records(provider, model_id);",
    "ANALYZE usage_records;",
    "ANALYZE cost_records;",
)


def at(*when: int) -> int:
    return to_us(datetime(*when, tzinfo=UTC))  # type: ignore[misc,arg-type]


@pytest.fixture
def user(postgres_database: str) -> Iterator[psycopg.Connection[Any]]:
    """Somebody at psql, whose session is in the server's time zone (not UTC)."""
    with psycopg.connect(postgres_database, autocommit=True) as connection:
        yield connection


def partitions(user: psycopg.Connection[Any], table: str = "usage_records") -> dict[str, int]:
    names = user.execute(
        "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = %s::regclass ORDER BY 1", [table]
    ).fetchall()
    return {name: user.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for (name,) in names}  # type: ignore[index]


def test_partitions_come_with_the_records_that_need_them(
    postgres_storage: Storage, user: psycopg.Connection[Any]
) -> None:
    organize(postgres_storage, "acme")
    assert partitions(user) == {}
    store(
        postgres_storage,
        [new(at=at(2024, 12, 31, 23, 59, 59, 999_999)), new(at=at(2025, 1, 1)), new(at=at(2025, 3, 31, 23))],
    )
    assert partitions(user) == {"usage_records_2024_12": 1, "usage_records_2025_01": 1, "usage_records_2025_03": 1}
    assert partitions(user, "cost_records") == {}
    with postgres_storage.ledger("acme") as ledger:
        [first, *_] = ledger.usage.stream(start_us=None, end_us=None, filters=[])
        timestamp_us, uid = parse_usage_id(first.usage_id)
        ledger.costs.correct([Correction(timestamp_us, uid, "invoiced", "USD", 1, None, "bill")], NOW)
    assert partitions(user, "cost_records") == {"cost_records_2024_12": 1}


def test_partitions_are_made_ahead_once(postgres_storage: Storage, user: psycopg.Connection[Any]) -> None:
    made = postgres_storage.make_partitions(2, datetime(2025, 11, 30, 23, 59, tzinfo=UTC))
    expected = ["2025_11", "2025_12", "2026_01"]
    assert made == [f"{table}_{month}" for table in ("usage_records", "cost_records") for month in expected]
    assert postgres_storage.make_partitions(2, datetime(2025, 11, 1, tzinfo=UTC)) == []
    assert postgres_storage.make_partitions(3, datetime(2025, 11, 1, tzinfo=UTC)) == [
        "usage_records_2026_02",
        "cost_records_2026_02",
    ]


def test_a_file_has_no_partitions(sqlite_storage: Storage) -> None:
    assert sqlite_storage.make_partitions(2, NOW) == []


def test_the_printed_partition_works_and_is_used(
    postgres_database: str, postgres_storage: Storage, user: psycopg.Connection[Any]
) -> None:
    user.execute("SET TIME ZONE 'UTC'")
    user.execute(FAQ_PARTITION)
    organize(postgres_storage, "acme")
    store(postgres_storage, [new(at=at(2025, 11, 1)), new(at=at(2025, 11, 30, 23, 59, 59, 999_999))])
    assert partitions(user) == {"usage_records_2025_11": 2}


def test_a_partition_in_another_time_zone_is_used_and_completed(
    postgres_storage: Storage, user: psycopg.Connection[Any]
) -> None:
    user.execute("SET TIME ZONE 'Asia/Kathmandu'")
    user.execute(FAQ_PARTITION)
    organize(postgres_storage, "acme")
    store(postgres_storage, [new(at=at(2025, 10, 31, 18, 15)), new(at=at(2025, 11, 30, 18, 15))])
    store(postgres_storage, [new(at=at(2025, 10, 31, 18, 14)), new(at=at(2025, 12, 1))])
    assert partitions(user) == {
        "usage_records_2025_10": 1,
        "usage_records_2025_11": 1,
        "usage_records_2025_11_2": 1,
        "usage_records_2025_12": 1,
    }
    with postgres_storage.ledger("acme") as ledger:
        assert ledger.costs.rollup_differences() == []


def test_a_table_that_has_the_name_already_is_left_alone(
    postgres_storage: Storage, user: psycopg.Connection[Any]
) -> None:
    user.execute("CREATE TABLE usage_records_2025_06 (note text)")
    organize(postgres_storage, "acme")
    store(postgres_storage, [new(at=NOON)])
    assert partitions(user) == {"usage_records_2025_06_2": 1}


def test_indexes_made_later_hold_for_partitions_to_come(
    postgres_storage: Storage, user: psycopg.Connection[Any]
) -> None:
    organize(postgres_storage, "acme")
    store(postgres_storage, [new(at=NOON)])
    for statement in PRINTED_SQL:
        user.execute(statement.encode())
    store(postgres_storage, [new(at=NOON + 60 * DAY_US)])
    found = user.execute("SELECT count(*) FROM pg_index WHERE indrelid = 'usage_records_2025_08'::regclass").fetchone()
    assert found == (6,)


def test_the_printed_statements_work_on_a_file(sqlite_database: str, sqlite_storage: Storage) -> None:
    import sqlite3

    organize(sqlite_storage, "acme")
    store(sqlite_storage, [new(at=NOON)])
    with sqlite3.connect(sqlite_database.removeprefix("sqlite:")) as connection:
        for statement in PRINTED_SQL:
            connection.execute(statement)
        query = "SELECT organization_id, timestamp, provider, model_id FROM usage_records"
        assert connection.execute(query).fetchall() == [("acme", NOON, "openai", "gpt-4")]
    connection.close()
    store(sqlite_storage, [new(at=NOON + 5)])


def test_a_dropped_partition_is_made_again(postgres_storage: Storage, user: psycopg.Connection[Any]) -> None:
    organize(postgres_storage, "acme")
    store(postgres_storage, [new(at=NOON)])
    user.execute("DROP TABLE usage_records_2025_06")
    with pytest.raises(Lost):
        store(postgres_storage, [new(at=NOON)])
    store(postgres_storage, [new(at=NOON)])
    assert partitions(user) == {"usage_records_2025_06": 1}


def test_replicas_make_the_same_partition_side_by_side(
    postgres_database: str, postgres_storage: Storage, user: psycopg.Connection[Any]
) -> None:
    organize(postgres_storage, "acme")
    replicas = [open_storage(postgres_database, pool_size=1) for _ in range(4)]
    failures: list[BaseException] = []

    def record(replica: Storage, first_month: int) -> None:
        try:
            for month in range(5):
                record = new(at=at(2025, (first_month + month) % 5 + 1, 3))
                with replica.recorder() as recorder:
                    recorder.append([record])
                    recorder.fold([contribution(record)])
        except BaseException as error:  # noqa: BLE001 (shown by the test)
            failures.append(error)

    threads = [threading.Thread(target=record, args=(replica, n)) for n, replica in enumerate(replicas)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for replica in replicas:
        replica.close()
    assert failures == []
    assert partitions(user) == {f"usage_records_2025_0{month}": 4 for month in range(1, 6)}


def test_without_a_schema_the_message_says_what_to_do(postgres_database: str, postgres_storage: Storage) -> None:
    migrate(postgres_database, "base")
    with pytest.raises(Unavailable, match="cost-ops migrate"):
        postgres_storage.make_partitions(1, NOW)


_stretches = st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=6).map(
    lambda found: [Stretch(start, start + length) for start, length in found]
)


@given(taken=_stretches, start=st.integers(0, 30), length=st.integers(1, 15))
def test_gaps_and_what_is_taken_make_up_the_whole(taken: list[Stretch], start: int, length: int) -> None:
    wanted = Stretch(start, start + length)
    found = gaps(wanted, taken)
    instants = set(range(*wanted))
    covered = {n for stretch in taken for n in range(*stretch)}
    assert {n for stretch in found for n in range(*stretch)} == instants - covered
    assert sum(end - begin for begin, end in found) == len(instants - covered)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "FOR VALUES FROM ('2025-11-01 00:00:00+00') TO ('2025-12-01 00:00:00+00')",
            (at(2025, 11, 1), at(2025, 12, 1)),
        ),
        ("FOR VALUES FROM ('2025-11-01 05:45:00+05:45') TO (MAXVALUE)", (at(2025, 11, 1), 2**63)),
        ("FOR VALUES FROM (MINVALUE) TO ('2025-12-01 00:00:00.5+00')", (-(2**63), at(2025, 12, 1) + 500_000)),
        ("DEFAULT", (-(2**63), 2**63)),
    ],
)
def test_bounds_are_read_from_the_catalogue(text: str, expected: tuple[int, int]) -> None:
    assert parse_bounds(text) == expected


def test_a_batch_that_the_database_gave_up_for_another_is_done_again(postgres_storage: Storage) -> None:
    for failure in (psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure):
        with pytest.raises(Lost), postgres_storage.recorder():
            raise failure
        with pytest.raises(Unavailable), postgres_storage.installation():
            raise failure
