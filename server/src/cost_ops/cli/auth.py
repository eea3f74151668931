"""`cost-ops auth`: API keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session

KINDS = ("live", "test", "admin")


@click.group(
    cls=Group,
    examples=(
        'cost-ops auth create-key --organization org-123 --name "New Key"',
        "cost-ops auth list-keys",
        "cost-ops auth revoke-key key_123",
    ),
)
def auth() -> None:
    """API keys: make, look at, change and revoke them. A key is shown once, when it is made."""


def _names(text: str | None) -> list[str] | None:
    return None if text is None else [name.strip() for name in text.split(",") if name.strip()]


def _expiry(text: str | None) -> Any:
    from cost_ops.cli.prices import utc_instant

    return utc_instant(text, "expires")


@auth.command(
    "create-key",
    examples=(
        'cost-ops auth create-key --organization org-123 --name "New Key"',
        "cost-ops auth create-key --name reader --permissions costs:read,usage:read --expires 2026-12-31",
        "cost-ops auth create-key --name operator --kind admin",
    ),
)
@click.option("--name", required=True, metavar="NAME", help="what the key is for")
@click.option("--kind", type=click.Choice(KINDS), default="live", show_default=True, help="admin: all organisations")
@click.option("--permissions", metavar="A,B", help="all of the organisation's where left out")
@click.option("--expires", metavar="TIME", help="a date or an RFC 3339 time")
@pass_session
def create_key(session: Session, /, *, name: str, kind: str, permissions: str | None, expires: str | None) -> None:
    """Make a key and show it, this once. An organisation named for the first time is created."""
    organization = None
    if kind != "admin":
        organization = session.backend.usage.default_organization(session.organization)
        if organization is None:
            raise click.UsageError("name the organisation of the key with --organization")
    fields = {"name": name, "kind": kind, "permissions": _names(permissions), "expires_at": _expiry(expires)}
    created = session.backend.keys.create(organization, {k: v for k, v in fields.items() if v is not None})
    _show(session, created)
    session.output.notice("Keep the key now: it is not stored and cannot be shown again.")


@auth.command("describe-key", examples=("cost-ops auth describe-key key_123",))
@click.argument("key_id")
@pass_session
def describe_key(session: Session, /, *, key_id: str) -> None:
    """Show a key: its organisation, permissions, and whether it is in use."""
    _show(session, session.backend.keys.describe(key_id))


@auth.command(
    "update-key",
    examples=(
        'cost-ops auth update-key key_123 --add-permissions "usage:write,costs:read"',
        "cost-ops auth update-key key_123 --remove-permissions pricing:write --name reader",
    ),
)
@click.argument("key_id")
@click.option("--add-permissions", metavar="A,B", help="grant these")
@click.option("--remove-permissions", metavar="A,B", help="take these away")
@click.option("--name", metavar="NAME", help="call it so")
@click.option("--expires", metavar="TIME", help="a date or an RFC 3339 time")
@pass_session
def update_key(
    session: Session,
    /,
    *,
    key_id: str,
    add_permissions: str | None,
    remove_permissions: str | None,
    name: str | None,
    expires: str | None,
) -> None:
    """Change a key's permissions, name or expiry."""
    fields = {
        "add_permissions": _names(add_permissions),
        "remove_permissions": _names(remove_permissions),
        "name": name,
        "expires_at": _expiry(expires),
    }
    given = {k: v for k, v in fields.items() if v}
    if not given:
        raise click.UsageError("say what to change: --add-permissions, --remove-permissions, --name or --expires")
    _show(session, session.backend.keys.update(key_id, given))


@auth.command("list-keys", examples=("cost-ops auth list-keys", "cost-ops auth list-keys --organization org-123"))
@pass_session
def list_keys(session: Session) -> None:
    """List keys, newest first; revoked ones too."""
    from cost_ops.cli.output import Column, Table

    found = session.backend.keys.search(session.organization)
    columns = [Column(name) for name in ("id", "name", "organisation", "kind", "permissions", "created", "state")]
    rows = [
        (k["id"], k["name"], k["organization_id"], k["kind"], len(k["permissions"]), k["created_at"][:10], _state(k))
        for k in found
    ]
    session.output.show(
        found, Table(columns, rows) if rows else "There are no keys; `cost-ops auth create-key` makes one."
    )


@auth.command("revoke-key", examples=("cost-ops auth revoke-key key_123",))
@click.argument("key_id")
@pass_session
def revoke_key(session: Session, /, *, key_id: str) -> None:
    """Turn a key off for good. Servers stop taking it within seconds."""
    revoked = session.backend.keys.revoke(key_id)
    _show(session, revoked)


def _state(key: Mapping[str, Any]) -> str:
    from cost_ops.cli.question import now
    from cost_ops.domain.periods import parse_instant

    if key["revoked_at"]:
        return "revoked"
    expires = key["expires_at"]
    return "expired" if expires and parse_instant(expires, "expires_at") <= now() else "active"


def _show(session: Session, key: Mapping[str, Any]) -> None:
    from cost_ops.cli.output import Column, Table

    rows = [
        *([("key", key["key"])] if key.get("key") else []),
        ("id", key["id"]),
        ("name", key["name"]),
        ("organisation", key["organization_id"] or "all (admin)"),
        ("kind", key["kind"]),
        ("permissions", ", ".join(key["permissions"])),
        ("created", key["created_at"]),
        ("expires", key["expires_at"] or "never"),
        ("state", _state(key)),
    ]
    session.output.show(key, Table((Column("API key"), Column("")), rows))
