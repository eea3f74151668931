"""The one place that chooses implementations and wires them together."""

from __future__ import annotations

import secrets
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cost_ops.catalog import PROVIDER_NAMES
from cost_ops.domain.access import Principal
from cost_ops.domain.extraction import ShapeBook
from cost_ops.domain.pricebook import PriceBook
from cost_ops.interfaces.clock import Clock, system_clock
from cost_ops.interfaces.context import Context, IngestRules
from cost_ops.interfaces.storage import Storage
from cost_ops.services import pricing
from cost_ops.settings import Settings

if TYPE_CHECKING:
    from cost_ops.catalog import SyncPlan


class Books:
    """Holds the process's price book and loads a new one when the database's version moved."""

    def __init__(self, storage: Storage) -> None:
        """Nothing is read before it is needed."""
        self._storage = storage
        self._lock = threading.Lock()
        self._book: PriceBook | None = None

    def current(self) -> PriceBook:
        """The newest book known here."""
        return self._book if self._book is not None else self.refresh()

    def refresh(self) -> PriceBook:
        """The book as it stands in the database."""
        with self._lock, self._storage.installation() as installation:
            version = installation.price_version()
            if self._book is None or self._book.version != version:
                self._book = PriceBook(
                    installation.book_prices(),
                    aliases=installation.aliases(),
                    contracts=installation.contracts.list(),
                    names=PROVIDER_NAMES,
                    version=version,
                )
            return self._book


def usage_shapes() -> ShapeBook:
    """The usage shapes that we know."""
    from cost_ops.catalog.usage_shapes import load_shapes

    return load_shapes()


@dataclass(frozen=True, slots=True)
class Application:
    """An opened installation."""

    settings: Settings
    storage: Storage
    books: Books
    clock: Clock

    @property
    def shapes(self) -> ShapeBook:
        """How providers' payloads are read."""
        return usage_shapes()

    def context(self, principal: Principal) -> Context:
        """The context of one caller."""
        rules = IngestRules(self.settings.ingest.strict, self.settings.ingest.future_tolerance_secs)
        return Context(self.storage, self.books, self.clock, secrets.randbits, principal, self.shapes, rules)

    def close(self) -> None:
        """Let go of the database."""
        self.storage.close()


def open_application(settings: Settings, clock: Clock = system_clock) -> Application:
    """Open the configured database. Raises Unavailable, InvalidInput for an impossible URL."""
    from cost_ops.storage import open_storage

    storage = open_storage(
        settings.database.url, pool_size=settings.database.pool_size, pgbouncer=settings.database.pgbouncer
    )
    return Application(settings, storage, Books(storage), clock)


def migrate(url: str, to: str = "head") -> str:
    """Bring the schema of a database to a revision; the one it is at now."""
    from cost_ops.storage import migrate as migrate_storage

    return migrate_storage(url, to=to)


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """A catalogue sync: the plan, and what came of it (nothing where it was a dry run)."""

    plan: SyncPlan
    applied: bool
    priced_records: int


def sync_catalogue(
    application: Application, ctx: Context, *, source: str | None = None, accept: bool = False, dry_run: bool = False
) -> SyncOutcome:
    """Import catalogue prices from the installed package or a file; only what is new is written."""
    from cost_ops.catalog import load_catalogue, plan_sync

    data = load_catalogue(source)
    plan = plan_sync(pricing.catalogue_timelines(ctx), data, now=application.clock(), accept=accept)
    if dry_run:
        return SyncOutcome(plan, False, 0)
    change = pricing.CatalogueChange(plan.added_rows, plan.ended, data.aliases)
    return SyncOutcome(plan, True, pricing.apply_sync(ctx, change))
