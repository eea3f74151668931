"""Audit events on both databases: what is stored is what is read, and what was touched by hand is found."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from cost_ops.domain.audit import Action, AuditEvent
from cost_ops.domain.audit_chain import ChainCheck, FaultKind, Head, Verdict
from cost_ops.domain.periods import from_us
from cost_ops.interfaces.changes import AuditPlace
from cost_ops.interfaces.storage import Storage
from cost_ops.storage import migrate, open_storage
from cost_ops.storage.database import Database
from tests.postgres_server import fresh_database
from tests.storage.builders import NOW, new, organize, store
from tests.storage.conftest import ENGINES

EVENTS = 12


def event(n: int = 0, **fields: Any) -> AuditEvent:
    at = NOW + timedelta(seconds=n)
    given: dict[str, Any] = {"action": Action.KEY_CREATED, "resource": f"key_{n}", "actor": "owner", "at": at}
    return AuditEvent(**(given | fields))


def add(storage: Storage, organization_id: str | None, *events: AuditEvent) -> None:
    if organization_id is None:
        with storage.installation() as installation:
            for one in events:
                installation.audit.add(one)
        return
    with storage.ledger(organization_id) as ledger:
        for one in events:
            ledger.audit.add(one)


def verdict(storage: Storage, chain: str) -> Verdict:
    with storage.installation() as installation:
        audit = installation.audit
        check = ChainCheck(chain, audit.head(chain))
        for one in audit.stream(chain):
            check.see(one)
        return check.close(audit.head(chain))


def told(storage: Storage, chain: str = "acme") -> list[tuple[FaultKind, int | None]]:
    return [(fault.kind, fault.sequence) for fault in verdict(storage, chain).faults]


def by_hand(storage: Storage, *statements: str) -> None:
    """What somebody with the database in their hands does."""
    assert isinstance(storage, Database)
    with storage.transaction() as tx:
        for statement in statements:
            tx.write(text(statement.replace(":", r"\:")))


def is_postgres(storage: Storage) -> bool:
    return storage.status().engine == "postgresql"


@pytest.fixture
def filled(storage: Storage) -> Storage:
    """Twelve events of an organisation between some of another and of the installation."""
    organize(storage, "acme", "other")
    for n in range(1, EVENTS + 1):
        add(storage, "acme", event(n, detail={"b": n, "a": {"z": [1, "2", None, True]}}))
        add(storage, None if n % 2 else "other", event(n))
    return storage


def test_chains_are_numbered_and_linked_each_by_itself(filled: Storage) -> None:
    with filled.installation() as installation:
        audit = installation.audit
        assert audit.chains() == ["", "acme", "other"]
        found = list(audit.stream("acme"))
        assert [e.sequence for e in found] == list(range(1, EVENTS + 1))
        assert audit.head("acme") == Head(EVENTS, found[-1].hash)
        assert [e.sequence for e in audit.stream("acme", after=10)] == [11, 12]
        assert len({e.hash for chain in audit.chains() for e in audit.stream(chain)}) == EVENTS * 2
    assert [told(filled, chain) for chain in ("", "acme", "other")] == [[], [], []]


def test_a_bound_repository_knows_its_own_events_only(filled: Storage) -> None:
    with filled.ledger("other") as ledger:
        assert ledger.audit.chains() == ["other"]
        assert {e.organization_id for e in ledger.audit.stream("acme")} == {"other"}
        assert ledger.audit.head("acme") == ledger.audit.head("other")
        assert ledger.audit.page()[1] == EVENTS // 2


SEARCHES: tuple[dict[str, Any], ...] = (
    {"actor": "key1"},
    {"address": "10.0.0.9"},
    {"resource": "GET /x"},
    {"action": "access.refused"},
)


def test_pages_and_filters(filled: Storage) -> None:
    add(filled, "acme", event(99, action=Action.REFUSED, actor="key1", address="10.0.0.9", resource="GET /x"))
    with filled.ledger("acme") as ledger, filled.installation() as installation:
        for audit in (ledger.audit, installation.audit):
            for search in SEARCHES:
                events, total = audit.page(**search)
                assert ([e.actor for e in events], total) == (["key1"], 1)
            assert audit.page(actor="nobody") == ([], 0)
            everything, total = audit.page(limit=100)
            assert len(everything) == total
            walked: list[AuditEvent] = []
            before = None
            while page := audit.page(limit=5, before=before)[0]:
                walked += page
                before = AuditPlace(page[-1].sequence, page[-1].number or 0)
            assert walked == everything
            assert audit.page(limit=5, offset=5)[0] == everything[5:10]
        start, end = (int((NOW + timedelta(seconds=n)).timestamp()) * 1_000_000 for n in (3, 6))
        events, _ = ledger.audit.page(start_us=start, end_us=end)
        assert [e.sequence for e in events] == [5, 4, 3]


SET = "UPDATE audit_events SET {} WHERE chain = 'acme' AND sequence = 5"
CHANGES = {
    "actor": "actor = 'somebody'",
    "at": "at = '2020-01-01 00:00:00+00'",
    "detail": """detail = '{"b": 6, "a": {"z": [1, "2", null, true]}}'""",
    "detail in part": """detail = '{"b": 5, "a": {"z": [1, "2", null, false]}}'""",
    "no detail": "detail = NULL",
    "empty detail": "detail = '{}'",
    "null detail": "detail = 'null'",
    "detail of another kind": "detail = '[1]'",
    "an endless number": """detail = '{"b": 1e400}'""",
    "a number of many digits": """detail = '{"b": %s}'""" % ("1" * 5_000),
    "deep detail": "detail = '%s'" % ('{"a":' * 5_000 + "1" + "}" * 5_000),
    "organisation": "organization_id = 'other'",
    "no organisation": "organization_id = NULL",
    "address": "address = '10.1.1.1'",
    "long hash": "hash = {}",
    "no hash": "hash = {}",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_row_that_was_changed_by_hand_is_found(filled: Storage, change: str) -> None:
    postgres = is_postgres(filled)
    if "hash = {}" in change:
        number = 33 if change is CHANGES["long hash"] else 0
        change = f"hash = decode(repeat('ff', {number}), 'hex')" if postgres else f"hash = zeroblob({number})"
    elif not postgres:
        change = change.replace("'2020-01-01 00:00:00+00'", "1577836800000000")
    by_hand(filled, SET.format("{}").replace("{}", change))
    assert told(filled) == [(FaultKind.CHANGED, 5)]
    assert verdict(filled, "acme").faults[0].number == 9
    assert told(filled, "other") == []


HOSTILE_SQLITE = {
    "text as instant": ("at = 'yesterday'", "at"),
    "a part of a microsecond": ("at = at + 0.25", "at"),
    "an instant beyond all": ("at = 9000000000000000000", "at"),
    "broken text": ("actor = CAST(x'ff00fe' AS TEXT)", "actor"),
    "bytes as text": ("resource = x'ff'", "resource"),
    "no JSON": ("detail = '{'", "detail"),
    "bytes as JSON": ("detail = x'ff'", "detail"),
}
HOSTILE_POSTGRES = {
    "never": ("at = '-infinity'", "at"),
    "for ever": ("at = 'infinity'", "at"),
    "a far year": ("at = '20000-01-01'", "at"),
    "before Christ": ("at = '0044-03-15 BC'", "at"),
}


@pytest.mark.parametrize("what", HOSTILE_SQLITE)
def test_values_that_sqlite_takes_and_nobody_can_read(sqlite_storage: Storage, what: str) -> None:
    _check_hostile(sqlite_storage, *HOSTILE_SQLITE[what])


@pytest.mark.parametrize("what", HOSTILE_POSTGRES)
def test_values_that_postgresql_takes_and_python_cannot_hold(postgres_storage: Storage, what: str) -> None:
    _check_hostile(postgres_storage, *HOSTILE_POSTGRES[what])


def _check_hostile(storage: Storage, change: str, column: str) -> None:
    organize(storage, "acme")
    add(storage, "acme", *(event(n, detail={"n": n}) for n in range(EVENTS)))
    by_hand(storage, SET.format(change))
    assert told(storage) == [(FaultKind.CHANGED, 5)]
    with storage.ledger("acme") as ledger:
        (touched,) = [e for e in ledger.audit.page(limit=100)[0] if e.sequence == 5]
    assert touched.unreadable == (column,)


def test_nulls_that_were_forced_in_are_found(filled: Storage) -> None:
    if is_postgres(filled):
        columns = ("actor", "hash", "sequence", "chain", "at")
        by_hand(filled, *(f"ALTER TABLE audit_events ALTER {column} DROP NOT NULL" for column in columns))
    else:
        by_hand(
            filled,
            "PRAGMA writable_schema = ON",
            "UPDATE sqlite_schema SET sql = replace(sql, ' NOT NULL', '') WHERE name = 'audit_events'",
        )
        filled.close()
    for sequence, column in ((2, "actor"), (4, "hash"), (6, "sequence"), (8, "chain"), (10, "at")):
        by_hand(filled, f"UPDATE audit_events SET {column} = NULL WHERE chain = 'acme' AND sequence = {sequence}")
    found = told(filled)
    assert found[:2] == [(FaultKind.INSERTED, 0), (FaultKind.INSERTED, 8)]
    assert found[2:] == [
        (FaultKind.CHANGED, 2),
        (FaultKind.CHANGED, 4),
        (FaultKind.MISSING, 6),
        (FaultKind.MISSING, 8),
        (FaultKind.CHANGED, 10),
    ]


def test_missing_added_and_cut_off_rows_are_found(filled: Storage) -> None:
    copied = "chain, organization_id, at, actor, action, resource, hash"
    by_hand(
        filled,
        "DELETE FROM audit_events WHERE chain = 'acme' AND sequence = 3",
        "DELETE FROM audit_events WHERE chain = 'acme' AND sequence > 10",
        "DROP INDEX audit_events_in_chain",
        f"INSERT INTO audit_events (sequence, {copied}) SELECT sequence, {copied} FROM audit_events"
        " WHERE chain = 'acme' AND sequence = 7",
        "DELETE FROM audit_chains WHERE chain = 'other'",
        "UPDATE audit_chains SET length = 4 WHERE chain = ''",
    )
    assert told(filled) == [(FaultKind.MISSING, 3), (FaultKind.INSERTED, 7), (FaultKind.CUT_OFF, 12)]
    assert told(filled, "other") == [(FaultKind.HEAD, 6)]
    assert told(filled, "")[-1] == (FaultKind.INSERTED, 6)


def test_a_head_that_cannot_be_read_fits_nothing(sqlite_storage: Storage) -> None:
    organize(sqlite_storage, "acme")
    add(sqlite_storage, "acme", event(1))
    by_hand(sqlite_storage, "UPDATE audit_chains SET length = 'one', head = 'x'")
    assert told(sqlite_storage) == [(FaultKind.INSERTED, 1)]


def test_a_stream_goes_over_pages(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cost_ops.storage.sql.audit._STREAM_ROWS", 3)
    organize(storage, "acme")
    add(storage, "acme", *map(event, range(10)))
    by_hand(storage, "DELETE FROM audit_events WHERE sequence = 6")
    with storage.ledger("acme") as ledger:
        assert [e.sequence for e in ledger.audit.stream("acme")] == [1, 2, 3, 4, 5, 7, 8, 9, 10]


TEXTS = st.text(st.characters(), max_size=20)
DETAILS = st.dictionaries(
    TEXTS,
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats()
        | st.decimals()
        | TEXTS
        | st.sampled_from([10**400, -(2**63), 2**63 - 1, 2**63, 1e5, 1.0, -0.0, "\x00", "\ud800", "\U0001f600", "é"]),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
        max_leaves=8,
    ),
    max_size=5,
)
INSTANTS = st.integers(86_400_000_000, 7_258_118_400_000_000).map(from_us)
GIVEN = st.builds(
    AuditEvent,
    action=st.sampled_from(Action),
    resource=TEXTS,
    actor=TEXTS,
    at=INSTANTS,
    request_id=st.none() | TEXTS,
    address=st.none() | TEXTS,
    detail=st.none() | DETAILS,
)


@pytest.fixture(scope="module", params=ENGINES)
def lasting(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path, postgres_url: str
) -> Iterator[Storage]:
    """A ledger that many examples share."""
    if request.param == "sqlite":
        url = f"sqlite:{tmp_path_factory.mktemp('audit') / 'ledger.db'}"
        migrate(url)
        opened = open_storage(url)
        organize(opened, "acme")
        yield opened
        opened.close()
        return
    with fresh_database(postgres_url) as url:
        migrate(url)
        opened = open_storage(url)
        organize(opened, "acme")
        yield opened
        opened.close()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(st.lists(GIVEN, min_size=1, max_size=5))
def test_what_is_stored_is_read_back_and_verifies(lasting: Storage, events: list[AuditEvent]) -> None:
    with lasting.ledger("acme") as ledger:
        head = ledger.audit.head("acme") or Head(0, b"")
    add(lasting, "acme", *events)
    with lasting.ledger("acme") as ledger:
        check = ChainCheck("acme", None, _last=head, _before=(head.hash,))
        found = list(ledger.audit.stream("acme", after=head.sequence))
        for one in found:
            check.see(one)
        assert check.close(ledger.audit.head("acme")).faults == ()
    assert [(e.at, e.unreadable) for e in found] == [(e.at, ()) for e in events]


def test_writers_at_once_keep_every_chain_whole(storage: Storage) -> None:
    names = ["acme", "other", "third"]
    organize(storage, *names)
    begin = threading.Barrier(8)

    def write(worker: int) -> None:
        begin.wait()
        for n in range(15):
            add(storage, names[0], event(n, actor=f"w{worker}"), event(n))
            add(storage, names[(worker + n) % 3], event(n))
            mixed = [event(n, organization_id=name) for name in (names if worker % 2 else names[::-1])]
            add(storage, None, *mixed, event(n))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(8)))
    verdicts = [verdict(storage, chain) for chain in ("", *names)]
    assert all(one.whole for one in verdicts)
    assert sum(one.events for one in verdicts) == 8 * 15 * (2 + 1 + 4)


def test_ingest_does_not_wait_for_a_chain(postgres_storage: Storage) -> None:
    organize(postgres_storage, "acme")
    add(postgres_storage, "acme", event())
    assert isinstance(postgres_storage, Database)
    with postgres_storage.transaction() as holder:
        holder.rows(text("SELECT * FROM audit_chains FOR UPDATE"))
        stored = store(postgres_storage, [new("acme", key="k")])
        assert len(stored) == 1
        with postgres_storage.ledger("acme") as ledger:
            assert ledger.usage.get(stored[0].submission.timestamp_us, stored[0].uid) is not None


def test_events_of_an_older_schema_are_put_into_chains(database_url: str) -> None:
    details: list[Any] = [None, {"b": 1, "a": [1.5, 1e5, "é\U0001f600", None]}, {}, {"0.10": {"x": -0.0}}]
    migrate(database_url, "0002")
    storage = open_storage(database_url)
    organize_old = "INSERT INTO organizations (organization_id, name, created_at) VALUES ('acme', 'a', {})"
    by_hand(storage, organize_old.format("now()" if is_postgres(storage) else "0"))
    assert isinstance(storage, Database)
    at = "to_timestamp(:at / 1e6)" if is_postgres(storage) else ":at"
    insert = "INSERT INTO audit_events (organization_id, at, actor, action, resource, request_id, detail)"
    with storage.transaction() as tx:
        for n in range(24):
            detail = details[n % 4]
            values = {
                "owner": "acme" if n % 3 else None,
                "at": 1_750_000_000_000_000 + n,
                "request": None if n % 5 else f"req-{n}",
                "detail": None if detail is None else json.dumps(detail),
            }
            cast = "CAST(:detail AS JSONB)" if is_postgres(storage) else ":detail"
            tx.write(
                text(f"{insert} VALUES (:owner, {at}, 'owner', 'prices.added', 'price-{n}', :request, {cast})"), values
            )
    storage.close()
    migrate(database_url)
    storage = open_storage(database_url)
    for chain, count in (("acme", 16), ("", 8)):
        found = verdict(storage, chain)
        assert (found.faults, found.events) == ((), count)
    add(storage, "acme", event(1))
    assert verdict(storage, "acme").head.sequence == 17
    assert told(storage) == []
    storage.close()
