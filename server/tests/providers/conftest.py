"""The providers' own clients against servers on this machine, and nothing beyond it."""

import ipaddress
import socket
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from cost_ops.bootstrap import sync_catalogue
from cost_ops.domain.access import OWNER
from tests.api.running import Server, migrated, opened, ready_server
from tests.postgres_server import fresh_database
from tests.providers.fake_providers import running_providers

pytest.register_assert_rewrite("tests.providers.sender")
from tests.providers.sender import Sender  # noqa: E402  (after its assertions were made to explain themselves)

_SETTINGS = {
    "ANTHROPIC_LOG": None,
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "not-a-secret",
    "AWS_SESSION_TOKEN": None,
    "AWS_PROFILE": None,
    "AWS_CONFIG_FILE": "/dev/null",
    "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_BEARER_TOKEN_BEDROCK": None,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_MAX_ATTEMPTS": "1",
    "GOOGLE_API_KEY": None,
    "GEMINI_API_KEY": None,
    "GOOGLE_GENAI_USE_VERTEXAI": None,
    "LANGCHAIN_TRACING_V2": "false",
    "LANGSMITH_TRACING": "false",
    "NO_PROXY": "*",
    "OPENAI_BASE_URL": None,
    "OPENAI_ORG_ID": None,
    "OPENAI_PROJECT_ID": None,
    "OTEL_EXPORTER_OTLP_ENDPOINT": None,
    "OTEL_SDK_DISABLED": None,
}
_ORGANIZATIONS = count(1)


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    """No client finds a way out: neither by its settings nor, if one tries all the same, through a socket."""
    for name, value in _SETTINGS.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    connect, look_up = socket.socket.connect, socket.getaddrinfo

    def connect_here(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            _refuse_beyond(address[0])
        connect(self, address)

    def look_up_here(host: Any, *where: Any, **how: Any) -> Any:
        _refuse_beyond(host)
        return look_up(host, *where, **how)

    monkeypatch.setattr(socket.socket, "connect", connect_here)
    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)


def _refuse_beyond(host: Any) -> None:
    name = host.decode() if isinstance(host, bytes) else host
    if name in (None, "localhost"):
        return
    try:
        here = ipaddress.ip_address(name).is_loopback
    except ValueError:
        here = False
    if not here:
        raise OSError(f"a test tried to reach {name}")


@pytest.fixture(scope="session")
def providers() -> Iterator[str]:
    """The address of the providers."""
    with running_providers() as url:
        yield url


@pytest.fixture(scope="session")
def sqlite_ledger(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URL of a SQLite ledger with the catalogue."""
    return with_catalogue(migrated(tmp_path_factory.mktemp("providers")))


@pytest.fixture(scope="session")
def postgres_ledger(postgres_url: str, postgres_template: str) -> Iterator[str]:
    """The URL of a PostgreSQL ledger with the catalogue."""
    with fresh_database(postgres_url, template_url=postgres_template) as url:
        yield with_catalogue(url)


def with_catalogue(url: str) -> str:
    application = opened(url)
    try:
        sync_catalogue(application, application.context(OWNER))
    finally:
        application.close()
    return url


@pytest.fixture(scope="session", params=["sqlite", "postgres"])
def priced_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """A server with the catalogue's prices, on each database."""
    with ready_server(request.getfixturevalue(f"{request.param}_ledger")) as server:
        yield server


@pytest.fixture
def sender(priced_server: Server) -> Sender:
    """An organisation that nobody else uses."""
    organization_id = f"org-providers-{next(_ORGANIZATIONS)}"
    return Sender(priced_server, organization_id, priced_server.make_key(organization_id))
