"""`cost-ops config`: settings and the file they stand in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session


@click.group(
    cls=Group,
    examples=(
        "cost-ops config show",
        "cost-ops config set database.url postgresql://user:password@localhost:5432/costops",
        "cost-ops config get database.url",
    ),
)
def config() -> None:
    """Settings. The file cost-ops.toml < environment (COST_OPS_DATABASE_URL) < options."""


@config.command(examples=("cost-ops config show", "cost-ops config show --output yaml"))
@pass_session
def show(session: Session) -> None:
    """Show all settings as they hold now; secrets are masked."""
    from cost_ops.cli.output import Column, Table
    from cost_ops.settings import KEYS, describe

    settings = session.settings
    document = {key: _shown(settings, key) for key in KEYS}
    rows = [(key, value if value != "" else None, describe(key)) for key, value in document.items()]
    file = f"File: {settings.path or 'none; `cost-ops config set KEY VALUE` makes cost-ops.toml here'}"
    table = Table((Column("setting"), Column("value"), Column("")), rows)
    session.output.show(
        {"file": settings.path, "settings": document},
        file,
        table,
        rows=[{"setting": key, "value": value} for key, value in document.items()],
    )


@config.command(examples=("cost-ops config get database.url",))
@click.argument("key")
@pass_session
def get(session: Session, /, *, key: str) -> None:
    """Show one setting; a secret is masked."""
    from cost_ops.settings import get_value

    get_value(session.settings, key)
    value = _shown(session.settings, key)
    session.output.show({key: value}, str(value).lower() if isinstance(value, bool) else str(value))


@config.command(
    "set",
    examples=(
        "cost-ops config set defaults.organization org-123",
        "cost-ops config set cache.enable false",
    ),
)
@click.argument("key")
@click.argument("value")
@pass_session
def set_value(session: Session, /, *, key: str, value: str) -> None:
    """Write a setting to the configuration file; comments and order stay. Makes ./cost-ops.toml where there is none."""
    import os

    from cost_ops.settings import FILE_NAME, find_file, is_secret, read_value

    typed = read_value(key, value)
    path = find_file(session.options.get("config"), os.environ) or Path(FILE_NAME)
    _write(path, key, typed)
    shown = "***" if is_secret(key) else value
    session.output.show({"file": str(path), key: shown}, f"{key} = {shown} in {path}")


def _write(path: Path, key: str, value: Any) -> None:
    import os

    import tomlkit

    from cost_ops.settings import is_secret

    new = not path.exists()
    document = tomlkit.document() if new else tomlkit.parse(path.read_text(encoding="utf-8"))
    section, name = key.split(".")
    if section not in document:
        document[section] = tomlkit.table()
    document[section][name] = value
    temporary = path.with_name(f".{path.name}.new")
    temporary.write_text(tomlkit.dumps(document), encoding="utf-8")
    if not new:
        os.chmod(temporary, path.stat().st_mode & 0o777)
    if is_secret(key) or "@" in str(value):
        os.chmod(temporary, 0o600)
    temporary.replace(path)


def _shown(settings: Any, key: str) -> Any:
    from cost_ops.cli.database import masked
    from cost_ops.settings import get_value, is_secret

    value = get_value(settings, key)
    if is_secret(key):
        return "***" if value else ""
    return masked(value) if key == "database.url" else value
