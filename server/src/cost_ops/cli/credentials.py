"""Tokens of this user, one file per server in their configuration folder, readable by nobody else."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cost_ops.cli.errors import Refused

_EARLY = timedelta(seconds=30)
_PRIVATE_FILE, _PRIVATE_FOLDER = 0o600, 0o700


@dataclass(frozen=True, slots=True)
class StoredLogin:
    """Who is logged in to a server, and with what. `expires_at` is the access token's, RFC 3339."""

    url: str
    email: str
    organization_id: str
    session_id: str
    expires_at: str
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)

    def usable_at(self, now: datetime) -> bool:
        """Whether the access token is good for a while yet."""
        try:
            return now + _EARLY < datetime.fromisoformat(self.expires_at)
        except (ValueError, TypeError):
            return False


def login_of(url: str, answered: Mapping[str, Any]) -> StoredLogin:
    """What is stored of a server's answer to a log-in or a refresh."""
    return StoredLogin(
        url=normal_url(url),
        email=answered["user"]["email"],
        organization_id=answered["organization_id"],
        session_id=answered["session_id"],
        expires_at=answered["expires_at"],
        access_token=answered["access_token"],
        refresh_token=answered["refresh_token"],
    )


def normal_url(url: str) -> str:
    """A server's address as files are named after it: no path of the API, no slash at the end, host in lower case."""
    parts = urlsplit(url.rstrip("/").removesuffix("/api/v1"))
    return f"{parts.scheme.lower()}://{parts.netloc.lower()}{parts.path.rstrip('/')}"


def path_of(url: str) -> Path:
    """The file with the tokens for a server."""
    return _folder() / f"{sha256(normal_url(url).encode()).hexdigest()[:24]}.json"


def _folder() -> Path:
    configured = os.environ.get("XDG_CONFIG_HOME") or (os.environ.get("APPDATA") if sys.platform == "win32" else None)
    home = Path(configured) if configured else Path(os.environ.get("HOME") or Path.home()) / ".config"
    return home / "cost-ops" / "logins"


def read(url: str) -> StoredLogin | None:
    """The log-in to a server; None where there is none. Raises Refused where others could read or plant the file."""
    path = path_of(url)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0))
    except FileNotFoundError:
        return None
    with os.fdopen(descriptor, encoding="utf-8") as file:
        about = os.fstat(file.fileno())
        if sys.platform != "win32" and (about.st_mode & 0o077 or about.st_uid != os.geteuid()):
            raise Refused(f"others can read {path}, which holds tokens; remove it and log in again")
        try:
            found = StoredLogin(**json.load(file))
        except (ValueError, TypeError):
            return None
    return found if found.url == normal_url(url) else None


def write(login: StoredLogin) -> Path:
    """Store a log-in: whole or not at all, and never readable by others."""
    path = path_of(login.url)
    path.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=".login-")  # made with mode 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(asdict(login), file)
        Path(name).chmod(_PRIVATE_FILE)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return path


def forget(url: str) -> bool:
    """Remove the log-in to a server; whether there was one."""
    try:
        path_of(url).unlink()
    except FileNotFoundError:
        return False
    return True


@contextmanager
def locked(url: str) -> Iterator[None]:
    """One process at a time: of two that present the same refresh token the server would end the session of both."""
    path = path_of(url).with_suffix(".lock")
    path.parent.mkdir(mode=_PRIVATE_FOLDER, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, _PRIVATE_FILE)
    try:
        _lock(descriptor)
        yield
    finally:
        os.close(descriptor)


def _lock(descriptor: int) -> None:
    if sys.platform == "win32":
        import msvcrt

        msvcrt.locking(descriptor, msvcrt.LK_LOCK, 1)
    else:
        import fcntl

        fcntl.flock(descriptor, fcntl.LOCK_EX)


def now() -> datetime:
    """This moment."""
    return datetime.now(UTC)
