"""`cost-ops doctor`: is everything set up, and if not, what to do."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

import rich_click as click

from cost_ops.cli.options import Command
from cost_ops.cli.session import Session, current_context, pass_session

if TYPE_CHECKING:
    from cost_ops.bootstrap import Application
    from cost_ops.interfaces.context import Context
    from cost_ops.interfaces.storage import StorageStatus
    from cost_ops.settings import Settings

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `advice` says what to do where it is not ok."""

    name: str
    level: Level
    found: str
    advice: str = ""


@click.command(cls=Command, examples=("cost-ops doctor", "cost-ops doctor --database-url sqlite:cost-ops.db"))
@pass_session
def doctor(session: Session) -> None:
    """Check the set-up, line by line, and say what to do. The exit code is 1 where something fails."""
    from cost_ops.cli.output import Column, Table

    checks = list(_checks(session))
    rows = [(c.level.upper() if c.level != "ok" else c.level, c.name, c.found) for c in checks]
    advice = [f"{c.level.upper()} {c.name}: {c.advice}" for c in checks if c.advice]
    table = Table((Column(""), Column("check"), Column("found")), rows)
    session.output.show([asdict(c) for c in checks], table, *advice)
    if any(c.level == "fail" for c in checks):
        current_context().exit(1)


def _checks(session: Session) -> Iterator[Check]:
    from cost_ops.domain.errors import CostOpsError

    yield _python()
    settings = session.settings
    yield Check("configuration", "ok", settings.path or "no file; environment, options and defaults")
    yield _port(settings)
    if session.is_remote:
        yield _server(session)
        return
    if settings.notifications.smtp_host:
        yield _mail(settings)
    if not settings.auth.jwt_secret:
        advice = "set [auth] jwt_secret where people log in: without it, who reads the database can sign tokens"
        yield Check("tokens", "warn", "signed with keys from the database alone", advice)
    try:
        yield from _database(settings)
    except CostOpsError as error:
        yield Check("database", "fail", "not usable", error.message)


def _python() -> Check:
    return Check("Python", "ok", platform.python_version())


def _mail(settings: Settings) -> Check:
    import socket

    mail = settings.notifications
    where = f"{mail.smtp_host}:{mail.smtp_port}"
    try:
        socket.create_connection((mail.smtp_host, mail.smtp_port), timeout=5).close()
    except OSError as error:
        advice = "check [notifications] smtp_host and smtp_port"
        return Check("mail", "warn", f"{where} does not answer: {error}", advice)
    if not settings.server.public_url:
        advice = "set [server] public_url: links in letters begin with it, and now lead to this machine only"
        return Check("mail", "warn", f"{where} answers", advice)
    return Check("mail", "ok", f"{where} answers; links begin with {settings.server.public_url}")


def _port(settings: Settings) -> Check:
    from cost_ops.cli.server import port_is_free

    where = f"{settings.server.bind}:{settings.server.port}"
    if port_is_free(settings.server.bind, settings.server.port):
        return Check("port", "ok", f"{where} is free for `cost-ops server`")
    advice = "fine if that is your cost-ops server; otherwise set [server] port, or use --port"
    return Check("port", "warn", f"something listens on {where}", advice)


def _server(session: Session) -> Check:
    url = session.settings.defaults.api_url
    session.backend.usage.default_organization(None)
    return Check("server", "ok", f"{url} answers, and takes the key")


def _database(settings: Settings) -> Iterator[Check]:
    from cost_ops.bootstrap import open_application
    from cost_ops.cli.database import masked
    from cost_ops.domain.access import OWNER

    application = open_application(settings)
    try:
        status = application.storage.status()
        yield Check("database", "ok", f"{status.engine} {status.version} at {masked(settings.database.url)}")
        yield _schema(status)
        if status.migrated:
            yield _limits(application)
            ctx = application.context(OWNER)
            for check in (_isolation, _partitions, _size, _catalogue, _unpriced, _rollups, _jobs, _secrets, _clock):
                yield from check(application, ctx, status)
    finally:
        application.close()


def _schema(status: StorageStatus) -> Check:
    if status.migrated:
        return Check("schema", "ok", f"revision {status.schema_revision}")
    advice = "run `cost-ops migrate`" if status.schema_revision else "run `cost-ops init`"
    return Check(
        "schema", "fail", status.schema_revision or "no tables", f"{advice}; this program needs {status.schema_head}"
    )


def _limits(application: Application) -> Check:
    """Whether requests can be counted."""
    from cost_ops.domain.errors import CostOpsError

    settings = application.settings.limits
    if not settings.enabled:
        return Check("limits", "warn", "off", "organisations are not held to their plans; see [limits] enabled")
    try:
        return Check("limits", "ok", f"requests are counted in {application.permits.check()}")
    except CostOpsError as error:
        return Check("limits", "fail", f"not kept: requests are {_UNCOUNTED[settings.when_unavailable]}", error.message)


_UNCOUNTED = {"allow": "let in without counting", "refuse": "refused"}


def _secrets(application: Application, ctx: Context, status: StorageStatus) -> Iterator[Check]:  # noqa: ARG001
    """Whether secrets of channels can be read by whoever has the database, and by us."""
    from cost_ops.domain.errors import CostOpsError

    try:
        protected = application.notification_tools().vault.is_protected()
    except CostOpsError as error:
        yield Check("channel secrets", "fail", "cannot be read", error.message)
        return
    if not protected:
        advice = "set [notifications] secret_key (openssl rand -base64 32): who has the database can read them"
        yield Check("channel secrets", "warn", "their key lies beside them", advice)


def _isolation(application: Application, ctx: Context, status: StorageStatus) -> Iterator[Check]:
    """Whether the database itself keeps organisations apart."""
    del ctx
    if status.engine == "sqlite":
        return
    name, found = "row-level security", status.isolation
    if found is None:
        mode = application.settings.database.row_level_security
        yield Check(name, "warn", mode, "organisations are kept apart by the program alone; see [database]")
    elif found.role is None:
        yield Check(name, "warn", "not in force", f"{found.problem}: {found.advice}")
    elif found.bypassing:
        advice = "connect as a user that owns the tables and is neither a superuser nor has BYPASSRLS"
        yield Check(name, "warn", f"as {found.role}; the connecting user is above it", advice)
    else:
        yield Check(name, "ok", f"organisations' work is done as {found.role}")


def _partitions(application: Application, ctx: Context, status: StorageStatus) -> Iterator[Check]:
    del application, ctx
    if status.engine == "sqlite":
        return
    yield Check("partitions", "ok", "made three months ahead by the job partitions.make")


def _size(application: Application, ctx: Context, status: StorageStatus) -> Iterator[Check]:
    del ctx, status
    sizes = application.storage.statistics()
    records, size = sizes.get("usage_records", 0), sizes.get("total_bytes", 0)
    yield Check("size", "ok", f"{records:,} records, {size / 1e6:,.1f} MB")


def _catalogue(application: Application, ctx: Context, status: StorageStatus) -> Iterator[Check]:
    from cost_ops.services import pricing

    del status
    prices = pricing.catalogue_timelines(ctx)
    if not prices:
        yield Check("catalogue", "warn", "no published prices", "run `cost-ops pricing sync-latest`")
        return
    newest = max((p.created_at for p in prices if p.created_at is not None), default=None)
    age = (application.clock() - newest).days if newest else 0
    found = f"{len(prices):,} prices, the newest imported {age} days ago"
    if age > 90:
        yield Check("catalogue", "warn", found, "update the program, then run `cost-ops pricing sync-latest`")
    else:
        yield Check("catalogue", "ok", found)


def _unpriced(application: Application, ctx: Context, status: StorageStatus) -> Iterator[Check]:
    from cost_ops.services import pricing

    del application, status
    found = pricing.unpriced(ctx, None)
    requests = sum(model.requests for _, model in found)
    if requests:
        advice = "`cost-ops pricing unpriced` lists the models; `cost-ops pricing add` prices them"
        yield Check("unpriced usage", "warn", f"{requests:,} requests of {len(found)} models", advice)
    else:
        yield Check("unpriced usage", "ok", "none")


def _rollups(application: Application, ctx: Context, status: StorageStatus) -> Iterator[Check]:
    """Whether the kept sums of the last seven days are those of the records."""
    from dataclasses import replace

    from cost_ops.domain.costs import CostQuery
    from cost_ops.domain.periods import parse_zone, preset_range
    from cost_ops.services import costs

    del status
    zone = parse_zone("UTC")
    span = preset_range("last-7-days", now=application.clock(), zone=zone)
    question = CostQuery(span=span, zone=zone, group_by=("provider", "model"))
    kept, true = costs.query(ctx, None, question), costs.query(ctx, None, replace(question, from_records=True))
    if (kept.totals, kept.rows) == (true.totals, true.rows):
        yield Check("rollups", "ok", "the sums of the last 7 days are those of the records")
    else:
        yield Check(
            "rollups", "fail", "sums of the last 7 days differ from the records", "run `cost-ops verify --repair`"
        )


def _jobs(application: Application, ctx: Context, status: StorageStatus) -> Iterator[Check]:
    """Whether anybody does the background jobs, and whether some failed for good."""
    from cost_ops.services import jobs

    del status
    found = jobs.backlog(ctx)
    minutes = int(found.lag(application.clock()).total_seconds()) // 60
    if minutes >= _OVERDUE_MINUTES:
        advice = "start the server with [jobs] in_server, or `cost-ops worker`; `cost-ops worker --once` does them now"
        yield Check("jobs", "warn", f"{found.due:,} due, the oldest for {minutes:,} minutes", advice)
    elif found.dead:
        advice = "`cost-ops jobs list --status dead` says why; `cost-ops jobs retry ID` tries again"
        yield Check("jobs", "warn", f"{found.dead:,} failed for good", advice)
    else:
        yield Check("jobs", "ok", f"{found.due:,} due, {found.running:,} running")


_OVERDUE_MINUTES = 5


def _clock(application: Application, ctx: Context, status: StorageStatus) -> Iterator[Check]:
    """Whether the newest usage lies ahead of this machine's clock."""
    from datetime import timedelta

    from cost_ops.domain.costs import CostQuery
    from cost_ops.domain.periods import TimeRange, format_instant
    from cost_ops.services import costs

    del status
    now = application.clock()
    newest = costs.query(ctx, None, CostQuery(span=TimeRange(now, now + timedelta(hours=1)))).data_through
    if newest is not None and newest > now + timedelta(minutes=10):
        advice = "usage from the future: check this machine's clock and those of the senders (NTP)"
        yield Check("clock", "warn", f"{format_instant(now)}, the newest usage is of {format_instant(newest)}", advice)
    else:
        yield Check("clock", "ok", format_instant(now))
