"""`cost-ops demo`: the platform with sample data, ready to be tried."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.session import Session, pass_session

if TYPE_CHECKING:
    from cost_ops.settings import Settings

FOLDER = ".run"
ORGANIZATION = "demo"


@click.command(cls=Command, examples=("cost-ops demo", "cost-ops demo --port 9090"))
@click.option("--port", type=click.IntRange(1, 65_535), default=8080, show_default=True, help="port to listen on")
@pass_session
def demo(session: Session, /, *, port: int) -> None:
    """Start a server with 90 days of sample usage. The ledger is kept in .run and used again next time."""
    from cost_ops.cli.errors import Refused
    from cost_ops.cli.server import port_is_free, serve

    if not port_is_free("127.0.0.1", port):
        raise Refused(
            f"Something listens on port {port} already (another demo?). Stop it, or choose another port: "
            f"`cost-ops demo --port {port + 1}`."
        )
    folder = Path(FOLDER)
    url = f"sqlite:{folder / 'cost-ops.db'}"
    settings = session.settings
    settings = replace(
        settings,
        database=replace(settings.database, url=url),
        server=replace(settings.server, bind="127.0.0.1", port=port, workers=1),
    )
    key = _ready(settings, folder, quiet=session.output.quiet)
    click.echo(_welcome(port, url, key))
    serve(settings)


def _ready(settings: Settings, folder: Path, *, quiet: bool) -> str:
    """The demo's key, its ledger made where it is not there."""
    from cost_ops.cli.setup import prepare

    key_file = folder / "key"
    if key_file.is_file() and (folder / "cost-ops.db").is_file():
        _bring_up_to_date(settings)
        return key_file.read_text(encoding="utf-8").strip()
    folder.mkdir(exist_ok=True)
    if not quiet:
        click.echo("Making a ledger with 90 days of sample usage; this takes a few seconds, once …", err=True)
    prepared = prepare(settings, ORGANIZATION, seed=True, quiet=quiet)
    key = prepared.key or _another_key(settings)
    _keep_secret(key_file, key)
    return key


def _bring_up_to_date(settings: Settings) -> None:
    from cost_ops.bootstrap import migrate, open_application

    application = open_application(settings)
    try:
        current = application.storage.status().migrated
    finally:
        application.close()
    if not current:
        migrate(settings.database.url, row_security=settings.database.row_level_security)


def _another_key(settings: Settings) -> str:
    """A new key where the ledger is there but the file with its key was lost."""
    from cost_ops.bootstrap import open_application
    from cost_ops.domain.access import OWNER
    from cost_ops.services import access

    application = open_application(settings)
    try:
        return access.create_key(application.context(OWNER), ORGANIZATION, name="demo").secret
    finally:
        application.close()


def _keep_secret(path: Path, secret: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secret + "\n")
    os.chmod(path, 0o600)


def _welcome(port: int, url: str, key: str) -> str:
    base = f"http://127.0.0.1:{port}"
    usage = (
        f'{{"organization_id": "{ORGANIZATION}", "provider": "openai", "model_id": "gpt-4", '
        '"input_tokens": 1000, "output_tokens": 500}'
    )
    return f"""
LLM Cost Ops is starting on {base} (stop it with Ctrl-C).
API key of the organisation {ORGANIZATION!r}: {key}

Worth trying, in another terminal:

  curl -X POST {base}/api/v1/usage -H "Authorization: Bearer {key}" \\
    -H "Content-Type: application/json" -d '{usage}'

  curl "{base}/api/v1/costs?group_by=model&range=last-30-days" -H "Authorization: Bearer {key}"

  {_program()} query --range last-30-days --group-by project --database-url {url}
"""


def _program() -> str:
    """How this program is called from here: by name where it is on the PATH, else by its place beside Python."""
    beside = Path(sys.executable).parent / "cost-ops"
    found = shutil.which("cost-ops")
    if found is not None or not beside.is_file():
        return "cost-ops"
    return os.path.relpath(beside)
