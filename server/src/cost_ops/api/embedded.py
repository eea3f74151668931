"""The ledger inside another program: the same application, without a server process and without a network.

The Python SDK finds `open_ledger` by the entry point group `llm_cost_ops.local`, and so imports nothing of ours.
Whoever opened the ledger runs `app` on an event loop, its lifespan included, and closes it after.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from cost_ops.api.app import create_app
from cost_ops.api.gateway import AsgiApp
from cost_ops.bootstrap import Application, migrate, open_application, sync_catalogue
from cost_ops.domain.access import ADMIN, OWNER, PERMISSIONS, Principal
from cost_ops.domain.errors import invalid
from cost_ops.logs import use_program_logging
from cost_ops.services import organizations
from cost_ops.settings import Settings
from cost_ops.settings_sections import DatabaseSettings

if sys.platform != "win32":
    import fcntl


@dataclass(frozen=True, slots=True)
class EmbeddedLedger:
    """An opened ledger."""

    app: AsgiApp
    close: Callable[[], None]


def open_ledger(path: str, organization_id: str, key: str) -> EmbeddedLedger:
    """The ledger in a SQLite file, which is made, brought to the newest schema and given the catalogue's prices.

    `key` is what its requests bear: good in this process, as long as it lives, and kept nowhere. Settings of the server
    (its file, its environment) are not read, and no background jobs run. Raises Unavailable, InvalidInput.
    """
    use_program_logging()
    file = _file(path)
    settings = replace(Settings(), database=DatabaseSettings(url=f"sqlite:{file}"))
    with _alone_in(file.parent):
        migrate(settings.database.url)
        application = open_application(settings)
        try:
            _prepare(application, organization_id)
        except BaseException:
            application.close()
            raise
    try:
        # Who holds the file holds the installation; the organisation is the one that was named.
        holder = Principal(organization_id, None, frozenset({*PERMISSIONS, ADMIN}), owner=True)
        app = create_app(application, known={key: holder})
    except BaseException:
        application.close()
        raise
    return EmbeddedLedger(app, application.close)


def _file(path: str) -> Path:
    if not path or path == ":memory:" or "?" in path or "\0" in path:
        raise invalid("path", "invalid_value", f"the ledger must be a file without '?' in its name, got {path[:80]!r}")
    file = Path(path).expanduser().absolute()
    if not file.parent.is_dir():
        raise invalid("path", "not_found", f"there is no folder {file.parent}")
    return file


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """Take turns with others who open a ledger in this folder: two cannot make the same file ready at once."""
    if sys.platform == "win32":
        yield
        return
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _prepare(application: Application, organization_id: str) -> None:
    ctx = application.context(OWNER)
    plan = sync_catalogue(application, ctx, dry_run=True).plan
    if plan.added_rows or plan.ended:
        sync_catalogue(application, ctx)
    organizations.ensure(ctx, organization_id)
