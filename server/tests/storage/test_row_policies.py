"""Setting row-level security up: by users that may and users that may not, again, at once, in copies."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import psycopg
import pytest

from cost_ops.domain.errors import Unavailable
from cost_ops.interfaces.storage import Isolation, Storage
from cost_ops.storage import migrate, open_storage
from cost_ops.storage.row_policies import set_up
from cost_ops.storage.row_rules import RULES
from tests.postgres_server import fresh_database
from tests.storage.builders import new, organize, store

Owner = Callable[..., str]


@pytest.fixture
def superuser(postgres_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(postgres_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def owner(postgres_url: str, superuser: psycopg.Connection[Any]) -> Iterator[Owner]:
    """A function that makes a user with a database of its own; the database's URL as that user."""
    with ExitStack() as stack:
        made: list[str] = []

        def make(options: str = "", *, name: str | None = None) -> str:
            user = name or f"owner_{uuid4().hex[:10]}"
            if name is None:
                superuser.execute(f"CREATE ROLE {user} LOGIN PASSWORD 'secret' {options}")
                made.append(user)
            url = stack.enter_context(fresh_database(postgres_url))
            superuser.execute(f"ALTER DATABASE {urlsplit(url).path[1:]} OWNER TO {user}")
            return as_user(url, user)

        yield make
        stack.close()
        for user in made:
            superuser.execute(f"DROP ROLE IF EXISTS {user}_tenant")
            superuser.execute(f"DROP ROLE {user}")


def as_user(url: str, user: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit(parts._replace(netloc=f"{user}:secret@{host}"))


def user_of(url: str) -> str:
    return str(urlsplit(url).username)


def isolation_of(url: str, **options: Any) -> Isolation | None:
    storage = open_storage(url, pool_size=1, **options)
    try:
        return storage.status().isolation
    finally:
        storage.close()


def role_in_ledger(storage: Storage) -> str:
    organize(storage, "acme")
    with storage.ledger("acme") as ledger:
        found = ledger._tx.raw.execute("SELECT current_user").fetchone()  # type: ignore[attr-defined]
    return str(found[0])


def opened_role(url: str, **options: Any) -> str:
    storage = open_storage(url, pool_size=1, **options)
    try:
        return role_in_ledger(storage)
    finally:
        storage.close()


def test_a_user_that_may_make_roles_sets_it_up_alone(owner: Owner) -> None:
    url = owner("CREATEROLE")
    assert migrate(url) == migrate(url, row_security="on")
    assert isolation_of(url, row_security="on") == Isolation(f"{user_of(url)}_tenant")
    assert opened_role(url) == f"{user_of(url)}_tenant"
    assert opened_role(url, row_security="off") == user_of(url)
    assert isolation_of(url, row_security="off") is None


def test_a_user_that_may_not_is_told_what_a_superuser_runs(owner: Owner, superuser: psycopg.Connection[Any]) -> None:
    url = owner()
    migrate(url)
    found = isolation_of(url)
    assert found is not None
    assert (found.role, found.problem) == (None, f"there is no role {user_of(url)}_tenant")
    assert opened_role(url) == user_of(url), "it works without"
    for refused in (lambda: migrate(url, row_security="on"), lambda: isolation_of(url, row_security="on")):
        with pytest.raises(Unavailable, match="row_level_security is on, but there is no role"):
            refused()
    with pytest.raises(Unavailable, match="as a superuser"):
        opened_role(url, row_security="on")
    [advised] = re.findall("`(CREATE .*?)`", found.advice)
    superuser.execute(advised)
    again = isolation_of(url)
    assert again is not None
    assert "cost-ops migrate" in again.advice
    migrate(url)
    assert isolation_of(url, row_security="on") == Isolation(f"{user_of(url)}_tenant")


def test_a_role_that_the_user_is_no_member_of_is_not_used(owner: Owner, superuser: psycopg.Connection[Any]) -> None:
    url = owner()
    superuser.execute(f"CREATE ROLE {user_of(url)}_tenant NOLOGIN")
    migrate(url)
    found = isolation_of(url)
    assert found is not None
    assert found.problem == f"{user_of(url)} is no member of {user_of(url)}_tenant"
    [advised] = re.findall("`(GRANT .*?)`", found.advice)
    superuser.execute(advised)
    migrate(url)
    assert isolation_of(url) == Isolation(f"{user_of(url)}_tenant")


@pytest.mark.parametrize("power", ["SUPERUSER", "BYPASSRLS", "LOGIN", "CREATEROLE", "IN ROLE pg_monitor"])
def test_a_role_that_may_more_is_not_used(owner: Owner, superuser: psycopg.Connection[Any], power: str) -> None:
    url = owner()
    superuser.execute(f"CREATE ROLE {user_of(url)}_tenant {power}")
    superuser.execute(f"GRANT {user_of(url)}_tenant TO {user_of(url)}")
    migrate(url)
    found = isolation_of(url)
    assert found is not None
    assert found.role is None
    assert "more than it should" in found.problem


def test_a_superuser_is_known_to_be_above_it(postgres_database: str) -> None:
    found = isolation_of(postgres_database)
    assert found is not None
    assert found.bypassing
    assert found.role is not None


def test_databases_of_one_owner_are_set_up_at_once(owner: Owner, postgres_url: str) -> None:
    first = owner("CREATEROLE")
    urls = [first, *(owner(name=user_of(first)) for _ in range(3))]
    for url in urls:
        migrate(url, row_security="off")
    begin = Barrier(2 * len(urls))

    def one(url: str) -> Isolation:
        with psycopg.connect(url, autocommit=True) as connection:
            begin.wait(60)
            return set_up(connection, 1)

    with ThreadPoolExecutor(2 * len(urls)) as pool:
        found = list(pool.map(one, [*urls, *urls]))
    assert set(found) == {Isolation(f"{user_of(first)}_tenant")}
    assert {opened_role(url) for url in urls} == {f"{user_of(first)}_tenant"}


def test_a_rule_that_is_missing_or_old_is_put_right(postgres_database: str) -> None:
    role = opened_role(postgres_database)
    for damage in (
        "DROP POLICY cost_ops_tenant ON usage_records",
        "ALTER TABLE usage_records DISABLE ROW LEVEL SECURITY",
        "COMMENT ON POLICY cost_ops_tenant ON prices IS 'of an older program'",
        f"REVOKE ALL ON audit_events FROM {role}",
    ):
        with psycopg.connect(postgres_database, autocommit=True) as connection:
            connection.execute(damage)
        found = isolation_of(postgres_database)
        assert found is not None
        assert (found.role, "cost-ops migrate" in found.advice) == (None, True)
        assert opened_role(postgres_database) != role
        migrate(postgres_database)
        assert opened_role(postgres_database) == role


def test_again_changes_nothing(postgres_database: str) -> None:
    def policies() -> list[Any]:
        with psycopg.connect(postgres_database) as connection:
            return connection.execute("SELECT oid, polname FROM pg_policy ORDER BY oid").fetchall()

    before = policies()
    migrate(postgres_database)
    assert policies() == before
    assert len(before) >= 2 * len(RULES)


def test_others_see_what_they_saw(postgres_database: str, superuser: psycopg.Connection[Any]) -> None:
    storage = open_storage(postgres_database)
    organize(storage, "acme", "other")
    store(storage, [new("acme"), new("other")])
    storage.close()
    reader = f"reader_{uuid4().hex[:10]}"
    superuser.execute(f"CREATE ROLE {reader} NOLOGIN")
    try:
        with psycopg.connect(postgres_database) as connection:
            connection.execute(f"GRANT SELECT ON usage_records, rollups TO {reader}")
            connection.execute(f"SET ROLE {reader}")
            assert connection.execute("SELECT count(*) FROM usage_records").fetchone() == (2,)
            connection.rollback()
    finally:
        superuser.execute(f"DROP ROLE {reader}")


def test_tables_in_the_users_own_schema_are_found(owner: Owner) -> None:
    url = owner("CREATEROLE")
    with psycopg.connect(url) as connection:
        connection.execute(f"CREATE SCHEMA AUTHORIZATION {user_of(url)}")
    migrate(url, row_security="on")
    storage = open_storage(url, pool_size=1, row_security="on")
    organize(storage, "acme")
    store(storage, [new("acme")])
    with storage.ledger("acme") as ledger:
        assert len(ledger.usage.page(start_us=None, end_us=None, filters=[], limit=9)) == 1
    assert role_in_ledger(storage) == f"{user_of(url)}_tenant"
    storage.close()


def test_a_user_that_takes_on_the_owner_goes_back_to_it(owner: Owner, superuser: psycopg.Connection[Any]) -> None:
    """As with short-lived users that a vault hands out: they log in, and become the owner by default."""
    url = owner("CREATEROLE")
    migrate(url, row_security="on")
    guest = f"guest_{uuid4().hex[:10]}"
    superuser.execute(f"CREATE ROLE {guest} LOGIN PASSWORD 'secret' IN ROLE {user_of(url)}")
    superuser.execute(f"ALTER ROLE {guest} SET role = '{user_of(url)}'")
    try:
        storage = open_storage(as_user(url, guest), pool_size=1, row_security="on")
        assert role_in_ledger(storage) == f"{user_of(url)}_tenant"
        with storage.installation() as installation:
            found = installation._tx.raw.execute("SELECT current_user").fetchone()  # type: ignore[attr-defined]
        assert found == (user_of(url),)
        storage.close()
    finally:
        superuser.execute(f"DROP ROLE {guest}")


def test_a_role_that_goes_while_it_is_used_is_missed_once(owner: Owner, superuser: psycopg.Connection[Any]) -> None:
    url = owner("CREATEROLE")
    migrate(url)
    storage = open_storage(url, pool_size=1)
    assert role_in_ledger(storage) == f"{user_of(url)}_tenant"
    superuser.execute(f"REVOKE {user_of(url)}_tenant FROM {user_of(url)} CASCADE")
    with pytest.raises(Unavailable, match="can no longer be used"):
        role_in_ledger(storage)
    assert role_in_ledger(storage) == user_of(url)
    storage.close()


def test_a_database_that_changes_hands_changes_roles(
    owner: Owner, postgres_url: str, superuser: psycopg.Connection[Any]
) -> None:
    url, heir = owner("CREATEROLE"), user_of(owner("CREATEROLE"))
    migrate(url)
    with psycopg.connect(urlunsplit(urlsplit(postgres_url)._replace(path=urlsplit(url).path))) as connection:
        connection.execute(f"REASSIGN OWNED BY {user_of(url)} TO {heir}")
    inherited = as_user(url, heir)
    found = isolation_of(inherited)
    assert found is not None
    assert found.problem == f"there is no role {heir}_tenant"
    migrate(inherited, row_security="on")
    assert opened_role(inherited) == f"{heir}_tenant"
    superuser.execute(f"DROP ROLE {user_of(url)}_tenant")  # nothing depends on it any more


def test_an_older_schema_has_no_policies(postgres_database: str) -> None:
    migrate(postgres_database, "0002")
    with psycopg.connect(postgres_database) as connection:
        assert connection.execute("SELECT count(*) FROM pg_policy").fetchone() == (0,)
    migrate(postgres_database)
    assert opened_role(postgres_database).endswith("_tenant")
