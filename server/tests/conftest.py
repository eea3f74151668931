"""What every test may ask for: a real PostgreSQL, a real Redis, and Hypothesis in a profile that suits the run."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import settings

from tests.postgres_server import PostgresServer, PostgresUnavailableError, fresh_database, running_server
from tests.redis_server import RedisServer, running_redis

# No deadline: a test does not depend on speed. `--hypothesis-profile=thorough` looks longer.
settings.register_profile("local", deadline=None, print_blob=True)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True, database=None)
settings.register_profile("thorough", settings.get_profile("local"), max_examples=2_000)
settings.load_profile("ci" if os.environ.get("CI") else "local")

_POSTGRES = pytest.StashKey[PostgresServer]()


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Start the server once: in the controller, which tells the xdist workers where it is."""
    config = session.config
    if (worker := getattr(config, "workerinput", None)) is not None:
        config.stash[_POSTGRES] = PostgresServer(**worker["postgres"])
        return
    stack = ExitStack()
    config.add_cleanup(stack.close)
    try:
        config.stash[_POSTGRES] = stack.enter_context(running_server())
    except PostgresUnavailableError as error:
        raise pytest.UsageError(str(error)) from error


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tell an xdist worker where the server is."""
    node.workerinput["postgres"] = asdict(node.config.stash[_POSTGRES])


def pytest_report_header(config: pytest.Config) -> str:
    """Name the server in the header."""
    return str(config.stash[_POSTGRES])


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print what tests have to say beside that they passed: their property `says`."""
    for report in terminalreporter.stats.get("passed", ()):
        for name, text in getattr(report, "user_properties", ()):
            if name == "says" and report.when == "call":
                terminalreporter.write_line(text)


@pytest.fixture(scope="session")
def postgres_url(pytestconfig: pytest.Config) -> str:
    """A superuser's URL of the session's PostgreSQL."""
    return pytestconfig.stash[_POSTGRES].url


@pytest.fixture(scope="session")
def postgres_template(postgres_url: str) -> Iterator[str]:
    """The URL of a migrated database, made once per worker, to copy from."""
    from cost_ops.bootstrap import migrate

    with fresh_database(postgres_url) as url:
        migrate(url)
        yield url


@pytest.fixture
def postgres_database(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """The URL of a migrated database that this test alone uses."""
    with fresh_database(postgres_url, template_url=postgres_template) as url:
        yield url


@pytest.fixture(scope="session")
def redis_server() -> Iterator[RedisServer]:
    """A Redis that all tests of a worker share; it is started when the first one asks."""
    with running_redis() as server:
        yield server
