"""The PostgreSQL that the other tests use is a real one, and each test's database is its own."""

import os
import re
import subprocess
import sys

import psycopg
import pytest

from tests.postgres_server import BINARIES_VARIABLE, URL_VARIABLE, fresh_database, running_server


def rows(url, statement):
    with psycopg.connect(url) as connection:
        return connection.execute(statement).fetchall()


def test_a_real_server_answers(postgres_url):
    [(version,)] = rows(postgres_url, "SELECT version()")
    assert re.match(r"PostgreSQL \d+\.\d+.* compiled by ", version)


def test_a_database_is_a_copy_of_its_template_and_gone_afterwards(postgres_url):
    with fresh_database(postgres_url) as template_url:
        with psycopg.connect(template_url) as connection:
            connection.execute("CREATE TABLE sample AS SELECT 42 AS answer")
        with fresh_database(postgres_url, template_url=template_url) as url:
            assert rows(url, "SELECT answer FROM sample") == [(42,)]
    with pytest.raises(psycopg.OperationalError, match="does not exist"):
        psycopg.connect(url)


def test_a_database_with_an_open_connection_is_dropped_all_the_same(postgres_url):
    with fresh_database(postgres_url) as url:
        connection = psycopg.connect(url)
    with pytest.raises(psycopg.OperationalError):
        connection.execute("SELECT 1")
    connection.close()


@pytest.mark.parametrize(
    ("variable", "value", "advice"),
    [
        (BINARIES_VARIABLE, "/nowhere", "Install Debian's `postgresql` package"),
        (
            URL_VARIABLE,
            "postgresql://user:secret@127.0.0.1:1/postgres",
            "No PostgreSQL answers at postgresql://127",
        ),
    ],
)
def test_without_a_server_the_run_fails_and_says_what_to_do(variable, value, advice):
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", __file__]
    environment = {**os.environ, URL_VARIABLE: "", variable: value}
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == pytest.ExitCode.USAGE_ERROR
    assert advice in run.stderr
    assert "secret" not in run.stderr


def test_a_server_that_was_started_is_stopped_and_leaves_nothing(monkeypatch):
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    with running_server() as server:
        [(folder,)] = rows(server.url, "SHOW data_directory")
    assert not os.path.exists(folder)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(server.url)
