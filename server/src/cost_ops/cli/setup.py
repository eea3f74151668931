"""Making a ledger ready: schema, catalogue, first organisation and key, sample data."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from cost_ops.bootstrap import Application, migrate, sync_catalogue
from cost_ops.cli.direct.backend import open_ready
from cost_ops.cli.progress import Progress
from cost_ops.domain.access import OWNER
from cost_ops.services import access, history, organizations, samples, usage

if TYPE_CHECKING:
    from cost_ops.interfaces.context import Context
    from cost_ops.settings import Settings

DEFAULT_ORGANIZATION = "default"
_BATCH = 4000


@dataclass(slots=True)
class Prepared:
    """What a set-up found and made. `key` is the new key; None where the organisation had one."""

    organization_id: str
    key: str | None = None
    made: list[str] = field(default_factory=list)
    found: list[str] = field(default_factory=list)


def prepare(
    settings: Settings, organization_id: str, *, seed: bool, catalogue: bool = True, quiet: bool = False
) -> Prepared:
    """Bring a database to where it can be used; what exists stays as it is. Raises Unavailable, InvalidInput."""
    prepared = Prepared(organization_id)
    revision = migrate(settings.database.url, row_security=settings.database.row_level_security)
    prepared.made.append(f"schema {revision}")
    application = open_ready(settings)
    try:
        ctx = application.context(OWNER)
        if catalogue:
            _import_catalogue(application, ctx, prepared)
        _first_organization(ctx, prepared)
        if seed:
            _record_samples(application, ctx, prepared, quiet=quiet)
    finally:
        application.close()
    return prepared


def _import_catalogue(application: Application, ctx: Context, prepared: Prepared) -> None:
    outcome = sync_catalogue(application, ctx)
    added = len(outcome.plan.added_rows)
    if added:
        prepared.made.append(f"{added:,} catalogue prices")
    else:
        prepared.found.append("the catalogue's prices")


def _first_organization(ctx: Context, prepared: Prepared) -> None:
    known = organizations.exists(ctx, prepared.organization_id)
    organizations.ensure(ctx, prepared.organization_id)
    (prepared.found if known else prepared.made).append(f"organisation {prepared.organization_id}")
    keys = [key for key in access.list_keys(ctx, prepared.organization_id) if key.usable_at(ctx.clock())]
    if keys:
        prepared.found.append(f"key key_{keys[0].key_id} (its secret was shown when it was made)")
        return
    new = access.create_key(ctx, prepared.organization_id, name="first key")
    prepared.key = new.secret
    prepared.made.append(f"key key_{new.key.key_id}")


def _record_samples(application: Application, ctx: Context, prepared: Prepared, *, quiet: bool) -> None:
    if _has_usage(ctx, prepared.organization_id):
        prepared.found.append("usage: no sample data was added")
        return
    book = application.books.refresh()
    submissions = samples.sample_usage(prepared.organization_id, now=application.clock(), names=book.names)
    done = 0
    with Progress("Recording sample data", 29_000, hidden=quiet) as progress:
        while batch := list(islice(submissions, _BATCH)):
            usage.record(ctx, [usage.Batch([usage.price(ctx, book, one) for one in batch])])
            done += len(batch)
            progress.to(done)
    prepared.made.append(f"{done:,} records of sample usage over {samples.DAYS} days")


def _has_usage(ctx: Context, organization_id: str) -> bool:
    page = history.page(ctx, organization_id, history.HistoryQuery(page_size=1))
    return bool(page.records)
