"""`cost-ops init`, `migrate`, `partitions` and `verify`: the database itself."""

from __future__ import annotations

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.session import Session, current_context, pass_session


@click.command(
    cls=Command,
    examples=(
        "cost-ops init --database-url sqlite:cost-ops.db",
        "cost-ops init --database-url postgresql://user:password@localhost:5432/costops --organization org-123",
        "cost-ops init --seed",
    ),
)
@click.option("--seed", is_flag=True, help="record 90 days of believable sample usage")
@click.option("--no-catalogue", is_flag=True, help="do not import published prices")
@pass_session
def init(session: Session, /, *, seed: bool, no_catalogue: bool) -> None:
    """Make a database ready: schema, published prices, the first organisation and its key. Safe to run again."""
    from cost_ops.cli.setup import DEFAULT_ORGANIZATION, prepare

    _refuse_remote(session)
    settings = session.settings
    prepared = prepare(
        settings,
        session.organization or DEFAULT_ORGANIZATION,
        seed=seed,
        catalogue=not no_catalogue,
        quiet=session.output.quiet,
    )
    document = {
        "database": masked(settings.database.url),
        "organization_id": prepared.organization_id,
        "key": prepared.key,
        "made": prepared.made,
        "found": prepared.found,
    }
    lines = [f"The ledger at {document['database']} is ready: {', '.join(prepared.made)}."]
    if prepared.found:
        lines.append(f"Already there: {', '.join(prepared.found)}.")
    if prepared.key:
        lines.append(f"API key of {prepared.organization_id} (shown this once): {prepared.key}")
    session.output.show(document, *lines, *_next_steps(session))


def _next_steps(session: Session) -> list[str]:
    """Three commands that go on from here; with the database's URL, unless it is what would be used anyway."""
    from cost_ops.settings import load_settings

    url = session.options.get("database_url")
    configured = load_settings(path=session.options.get("config")).database.url
    suffix = f" --database-url {url}" if url and url != configured else ""
    return [
        "Next:",
        f"  cost-ops ingest --file usage.json{suffix}",
        f"  cost-ops query --range last-7-days{suffix}",
        f"  cost-ops server{suffix}",
    ]


@click.command(
    cls=Command,
    examples=(
        "cost-ops migrate --database-url postgresql://user:pass@localhost/costops",
        "cost-ops migrate --to base",
    ),
)
@click.option("--to", default="head", show_default=True, metavar="REVISION", help="a schema revision, head or base")
@click.option("--yes", is_flag=True, help="do not ask before `--to base`, which removes all data")
@pass_session
def migrate(session: Session, /, *, to: str, yes: bool) -> None:
    """Bring the database's schema to this program's version; again changes nothing."""
    from cost_ops.bootstrap import migrate as migrate_database

    _refuse_remote(session)
    url = session.settings.database.url
    if to == "base" and not yes:
        click.confirm(f"This removes all data from {masked(url)}. Go on?", abort=True, err=True)
    revision = migrate_database(url, to, session.settings.database.row_level_security)
    told = (
        f"The schema of {masked(url)} is at revision {revision}." if revision else f"{masked(url)} has no schema now."
    )
    session.output.show({"database": masked(url), "revision": revision or None}, told)


@click.command(cls=Command, examples=("cost-ops partitions", "cost-ops partitions --months 6"))
@click.option("--months", type=click.IntRange(0, 120), default=3, show_default=True, help="how many months ahead")
@pass_session
def partitions(session: Session, /, *, months: int) -> None:
    """Make the monthly partitions ahead of time (PostgreSQL); for a scheduler, once a day."""
    from cost_ops.cli.direct.backend import open_ready
    from cost_ops.domain.access import OWNER
    from cost_ops.services import upkeep

    _refuse_remote(session)
    application = open_ready(session.settings)
    try:
        made = upkeep.make_partitions(application.context(OWNER), months)
    finally:
        application.close()
    told = f"Made {', '.join(made)}." if made else f"All partitions for the next {months} months are there."
    session.output.show({"made": made}, told, rows=[{"partition": name} for name in made])


@click.command(cls=Command, examples=("cost-ops verify", "cost-ops verify --organization org-123 --repair"))
@click.option("--repair", is_flag=True, help="sum wrong rollups anew from the records")
@pass_session
def verify(session: Session, /, *, repair: bool) -> None:
    """Check that the kept sums are what the records add up to. Reads every record; the exit code is 1 if not."""
    from cost_ops.cli.direct.backend import open_ready
    from cost_ops.cli.output import Column, Table, count
    from cost_ops.domain.access import OWNER
    from cost_ops.services import upkeep

    _refuse_remote(session)
    application = open_ready(session.settings)
    try:
        checks = upkeep.check_rollups(application.context(OWNER), session.organization, repair=repair)
    finally:
        application.close()
    document = [
        {"organization_id": c.organization_id, "differences": list(c.differences), "repaired": c.repaired}
        for c in checks
    ]
    rows = [(c.organization_id, len(c.differences), _verdict(bool(c.differences), c.repaired)) for c in checks]
    details = [f"{c.organization_id}: {text}" for c in checks for text in c.differences[:10]]
    session.output.show(
        document, Table((Column("organisation"), count("differences"), Column("state")), rows), *details
    )
    if any(c.differences and not c.repaired for c in checks):
        session.output.notice("`cost-ops verify --repair` sums them anew from the records.")
        current_context().exit(1)


def _verdict(differs: bool, repaired: bool) -> str:
    if not differs:
        return "rollups and records agree"
    return "repaired" if repaired else "wrong"


def _refuse_remote(session: Session) -> None:
    if session.is_remote:
        raise click.UsageError("this works on a database only; name it with --database-url")


def masked(url: str) -> str:
    """A database URL without its password."""
    head, mark, rest = url.partition("://")
    credentials, at, host = rest.rpartition("@")
    if not mark or not at or ":" not in credentials:
        return url
    return f"{head}://{credentials.partition(':')[0]}:***@{host}"
