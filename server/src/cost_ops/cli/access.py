"""`cost-ops access`: why something is allowed or refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, current_context, pass_session


@click.group(cls=Group, examples=("cost-ops access explain usage:read --key key_123",))
def access() -> None:
    """Why a key or a person may do something, or may not."""


@access.command(
    examples=(
        "cost-ops access explain usage:read --key key_123",
        "cost-ops access explain costs:read --user ana@example.com --project chatbot --tag environment=production",
        "cost-ops access explain pricing:write --user ana@example.com --at 2026-03-01T22:00:00Z --address 192.0.2.7",
    )
)
@click.argument("permission")
@click.option("--key", metavar="KEY", help="an API key, by its id")
@click.option("--user", metavar="EMAIL", help="a person, by e-mail address or id")
@click.option("--project", metavar="ID", help="for usage of this project")
@click.option("--tag", "tags", metavar="KEY=VALUE", multiple=True, help="for usage with this tag; repeatable")
@click.option("--at", metavar="TIME", help="at this time (a date or an RFC 3339 time); now by default")
@click.option("--address", metavar="IP", help="from this address")
@pass_session
def explain(session: Session, /, *, permission: str, tags: tuple[str, ...], **given: str | None) -> None:
    """Say whether PERMISSION is allowed, for which usage, and why: every step, and what would have to change.

    Without --key and --user it is about whoever asks. The exit code is 1 where it is refused.
    """
    from cost_ops.cli.access_backend import AccessAsked
    from cost_ops.cli.prices import utc_instant

    asked = AccessAsked(
        permission,
        key=given["key"],
        user=given["user"],
        project=given["project"],
        tags=_tags(tags),
        at=utc_instant(given["at"], "at"),
        address=given["address"],
    )
    found = session.backend.access.explain(session.organization, asked)
    _show(session, found)
    if not found["allowed"]:
        current_context().exit(1)


def _tags(texts: Sequence[str]) -> Mapping[str, str]:
    found = {}
    for text in texts:
        key, mark, value = text.partition("=")
        if not mark or not key:
            raise click.BadParameter(f"a tag is KEY=VALUE, got {text[:40]!r}", param_hint="'--tag'")
        found[key] = value
    return found


def _show(session: Session, found: Mapping[str, Any]) -> None:
    from cost_ops.cli.output import Column, Table

    who, asked = found["who"], found["asked"]
    about = [
        ("who", who["name"]),
        ("organisation", who["organization_id"] or "all"),
        ("plan", who["plan"]),
        ("when", found["at"]),
        ("from", found["address"] or "not said"),
        *([("usage asked about", ", ".join(f"{k} {v}" for k, v in sorted(asked.items())))] if asked else []),
    ]
    steps = [(step["what"], step["verdict"], step["why"]) for step in found["steps"]]
    verdict = "allowed" if found["allowed"] else "REFUSED"
    parts: list[Any] = [
        Table((Column(f"{found['permission']}: {verdict}"), Column("")), about),
        Table((Column("looked at"), Column("says"), Column("why")), steps),
        f"{found['reason']}.",
    ]
    if found["to_change"]:
        parts.append("What would have to change:\n" + "\n".join(f"  - {way}" for way in found["to_change"]))
    session.output.show(found, *parts, rows=found["steps"])
