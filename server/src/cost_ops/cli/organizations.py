"""`cost-ops organizations`: tenants, their plans, and how often they may ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import rich_click as click

from cost_ops.cli.options import Group
from cost_ops.cli.session import Session, pass_session

if TYPE_CHECKING:
    from cost_ops.cli.output import Table

_LIMITS = ("requests_per_hour", "burst", "concurrency")
_NAMED = {"requests_per_hour": "an hour", "burst": "a minute", "concurrency": "at once"}
_ANY = "none"


@click.group(
    cls=Group,
    examples=(
        "cost-ops organizations list",
        "cost-ops organizations add org-123 --plan developer",
        "cost-ops organizations update org-123 --requests-per-hour 5000",
        "cost-ops organizations show org-123",
    ),
)
def organizations() -> None:
    """Organisations: their plans (free, developer, professional, enterprise), and limits of their own.

    A self-hosted installation starts everyone on enterprise, which has no limits.
    """


@organizations.command("list", examples=("cost-ops organizations list", "cost-ops organizations list --output json"))
@pass_session
def list_organizations(session: Session) -> None:
    """List organisations with their plans and limits."""
    from cost_ops.cli.output import Column, Table

    found = session.backend.organizations.search()
    columns = [Column(name) for name in ("id", "name", "plan", *_NAMED.values(), "limits from")]
    rows = [
        (one["organization_id"], one["name"], one["plan"], *map(_limit_text, _limits(one)), one["limits_from"])
        for one in found
    ]
    session.output.show(found, Table(columns, rows))


@organizations.command(examples=("cost-ops organizations show", "cost-ops organizations show org-123"))
@click.argument("organization_id", required=False)
@pass_session
def show(session: Session, /, *, organization_id: str | None) -> None:
    """Show an organisation's plan and limits, and how much of them is used now."""
    backend = session.backend
    named = organization_id or session.organization
    identity = backend.usage.default_organization(named)
    if identity is None:
        raise click.UsageError("say which organisation: cost-ops organizations show ORGANIZATION_ID")
    found = backend.organizations.limits(identity)
    session.output.show(found, _about(found), *([_use(found)] if found["windows"] else ["No limit."]))


_QUOTA = (
    click.option("--name", metavar="TEXT", help="what people call it"),
    click.option("--plan", metavar="NAME", help="free, developer, professional or enterprise"),
    click.option("--requests-per-hour", metavar="N", help="in place of the plan's; none: any number"),
    click.option("--burst", metavar="N", help="requests a minute, in place of the plan's; none: any number"),
    click.option("--concurrency", metavar="N", help="requests at once in each process; none: any number"),
)


def _quota_options(command: Any) -> Any:
    for option in reversed(_QUOTA):
        command = option(command)
    return command


@organizations.command(
    examples=(
        "cost-ops organizations add org-123 --name Example",
        "cost-ops organizations add org-456 --plan developer --burst 200",
    )
)
@click.argument("organization_id")
@_quota_options
@pass_session
def add(session: Session, /, *, organization_id: str, **given: str | None) -> None:
    """Create an organisation. One that exists stays as it is."""
    made = session.backend.organizations.add(organization_id, _fields(given))
    if not made.pop("created"):
        session.output.notice(f"{organization_id} exists; `cost-ops organizations update` changes it.")
    session.output.show(made, _about(made))


@organizations.command(
    examples=(
        "cost-ops organizations update org-123 --plan professional",
        "cost-ops organizations update org-123 --requests-per-hour 5000 --burst none",
        "cost-ops organizations update org-123 --plan-limits",
    )
)
@click.argument("organization_id")
@_quota_options
@click.option("--plan-limits", is_flag=True, help="the plan's limits again, none of its own")
@pass_session
def update(session: Session, /, *, organization_id: str, plan_limits: bool, **given: str | None) -> None:
    """Change an organisation's name, plan or limits. Running servers hold to it within seconds."""
    fields = _fields(given)
    if plan_limits and "limits" in fields:
        raise click.UsageError("give either --plan-limits or limits of its own, not both")
    if plan_limits:
        fields["limits"] = None
    if not fields:
        raise click.UsageError("say what to change: --plan, --requests-per-hour, --burst, --concurrency, --name …")
    changed = session.backend.organizations.change(organization_id, fields)
    session.output.show(changed, _about(changed))


def _fields(given: Mapping[str, str | None]) -> dict[str, Any]:
    """The API's fields from options."""
    limits = {name: _limit(name, text) for name in _LIMITS if (text := given[name]) is not None}
    fields: dict[str, Any] = {name: given[name] for name in ("name", "plan") if given[name] is not None}
    return fields | ({"limits": limits} if limits else {})


def _limit(name: str, text: str) -> int | None:
    if text.lower() == _ANY:
        return None
    if text.isascii() and text.isdigit():
        return int(text)
    option = f"--{name.replace('_', '-')}"
    raise click.BadParameter(f"must be a whole number or none, got {text[:40]!r}", param_hint=f"'{option}'")


def _limits(document: Mapping[str, Any]) -> Sequence[int | None]:
    return [document["limits"][name] for name in _LIMITS]


def _limit_text(limit: int | None) -> str:
    return "any" if limit is None else f"{limit:,}"


def _about(document: Mapping[str, Any]) -> Table:
    from cost_ops.cli.output import Column, Table

    rows = [
        ("name", document["name"]),
        ("plan", document["plan"]),
        ("features", ", ".join(document["features"]) or "none"),
        *((f"requests {_NAMED[n]}", _limit_text(v)) for n, v in zip(_LIMITS, _limits(document), strict=True)),
        ("limits from", f"the {document['limits_from']}"),
    ]
    return Table((Column(document["organization_id"]), Column("")), rows)


def _use(document: Mapping[str, Any]) -> Table:
    from cost_ops.cli.output import Column, Table, count

    rows = [(f"requests {_NAMED[w['limit']]}", w["used"], w["remaining"], w["resets_at"]) for w in document["windows"]]
    return Table([Column("limit"), count("used"), count("left"), Column("begins anew at")], rows)
