"""`cost-ops auth`: API keys; with those of `cli.login`, log-ins."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import rich_click as click

from cost_ops.cli import login
from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session

KINDS = ("live", "test", "admin")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@click.group(
    cls=Group,
    examples=(
        'cost-ops auth create-key --organization org-123 --name "New Key"',
        "cost-ops auth list-keys",
        "cost-ops auth rotate-key key_123 --overlap 24h",
        "cost-ops auth revoke-key key_123",
    ),
)
def auth() -> None:
    """API keys: make, look at, change and revoke them. A key is shown once, when it is made."""


for _command in login.COMMANDS:
    auth.add_command(_command)


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
        "cost-ops auth create-key --name chatbot --permissions usage:write,usage:read,costs:read --projects chatbot",
        "cost-ops auth create-key --name operator --kind admin",
    ),
)
@click.option("--name", required=True, metavar="NAME", help="what the key is for")
@click.option("--kind", type=click.Choice(KINDS), default="live", show_default=True, help="admin: all organisations")
@click.option("--permissions", metavar="A,B", help="all of the organisation's where left out")
@click.option("--projects", metavar="A,B", help="bind it to usage of these projects; the whole organisation otherwise")
@click.option("--expires", metavar="TIME", help="a date or an RFC 3339 time")
@pass_session
def create_key(
    session: Session,
    /,
    *,
    name: str,
    kind: str,
    permissions: str | None,
    projects: str | None,
    expires: str | None,
) -> None:
    """Make a key and show it, this once. An organisation named for the first time is created."""
    organization = None
    if kind != "admin":
        organization = session.backend.usage.default_organization(session.organization)
        if organization is None:
            raise click.UsageError("name the organisation of the key with --organization")
    fields = {
        "name": name,
        "kind": kind,
        "permissions": _names(permissions),
        "projects": _names(projects),
        "expires_at": _expiry(expires),
    }
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
        "cost-ops auth update-key key_123 --projects chatbot,search",
    ),
)
@click.argument("key_id")
@click.option("--add-permissions", metavar="A,B", help="grant these")
@click.option("--remove-permissions", metavar="A,B", help="take these away")
@click.option("--projects", metavar="A,B", help="bind it to these projects, in place of those it has")
@click.option("--all-projects", is_flag=True, help="bind it to none: the whole organisation")
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
    projects: str | None,
    all_projects: bool,
    name: str | None,
    expires: str | None,
) -> None:
    """Change a key's permissions, projects, name or expiry."""
    if projects is not None and all_projects:
        raise click.UsageError("give either --projects or --all-projects, not both")
    fields = {
        "add_permissions": _names(add_permissions),
        "remove_permissions": _names(remove_permissions),
        "name": name,
        "expires_at": _expiry(expires),
    }
    given: dict[str, Any] = {k: v for k, v in fields.items() if v}
    if projects is not None or all_projects:
        given["projects"] = _names(projects) or []
    if not given:
        message = "say what to change: --add-permissions, --remove-permissions, --projects, --name or --expires"
        raise click.UsageError(message)
    _show(session, session.backend.keys.update(key_id, given))


@auth.command(
    "rotate-key",
    examples=("cost-ops auth rotate-key key_123", "cost-ops auth rotate-key key_123 --overlap 0"),
)
@click.argument("key_id")
@click.option("--overlap", metavar="TIME", default="24h", show_default=True, help="how long the old key works on")
@click.option("--expires", metavar="TIME", help="end of the new key; by default as long as the old one was made for")
@pass_session
def rotate_key(session: Session, /, *, key_id: str, overlap: str, expires: str | None) -> None:
    """Make a new key with the same permissions and projects, and show it, this once. The old key ends later."""
    fields: dict[str, Any] = {"overlap_seconds": _seconds(overlap)}
    if expires is not None:
        fields["expires_at"] = _expiry(expires)
    _show(session, session.backend.keys.rotate(key_id, fields))
    session.output.notice("Keep the key now: it is not stored and cannot be shown again.")


def _seconds(text: str) -> int:
    """A length of time such as 24h, 30m, 7d; without a unit it is seconds."""
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "s")
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise click.BadParameter(f"a time is a number with s, m, h or d, got {text[:40]!r}", param_hint="'--overlap'")
    return int(number) * _UNITS[unit]


@auth.command("list-keys", examples=("cost-ops auth list-keys", "cost-ops auth list-keys --organization org-123"))
@pass_session
def list_keys(session: Session) -> None:
    """List keys, newest first; revoked ones too."""
    from cost_ops.cli.output import Column, Table

    found = session.backend.keys.search(session.organization)
    columns = [Column(name) for name in ("id", "name", "organisation", "kind", "may", "created", "last used", "state")]
    rows = [
        (
            k["id"],
            k["name"],
            k["organization_id"],
            k["kind"],
            _reach(k),
            k["created_at"][:10],
            (k["last_used_at"] or "never")[:10],
            _state(k),
        )
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
        return "replaced" if key["replaced_by"] else "revoked"
    expires = key["expires_at"]
    if expires and parse_instant(expires, "expires_at") <= now():
        return "replaced" if key["replaced_by"] else "expired"
    return "ends soon" if key["replaced_by"] else "active"


def _reach(key: Mapping[str, Any]) -> str:
    """How much a key may: how many permissions, in how many projects where it is bound to some."""
    held, projects = len(key["permissions"]), len(key["projects"])
    return f"{held} in {projects} project{'s' if projects > 1 else ''}" if projects else str(held)


def _show(session: Session, key: Mapping[str, Any]) -> None:
    from cost_ops.cli.output import Column, Table

    rows = [
        *([("key", key["key"])] if key.get("key") else []),
        ("id", key["id"]),
        ("name", key["name"]),
        ("organisation", key["organization_id"] or "all (admin)"),
        ("kind", key["kind"]),
        ("permissions", ", ".join(key["permissions"])),
        ("projects", ", ".join(key["projects"]) or "all"),
        ("created", f"{key['created_at']} by {key['created_by'] or 'owner'}"),
        ("expires", key["expires_at"] or "never"),
        ("last used", key["last_used_at"] or "never"),
        *([("replaced by", key["replaced_by"])] if key["replaced_by"] else []),
        ("state", _state(key)),
    ]
    session.output.show(key, Table((Column("API key"), Column("")), rows))
