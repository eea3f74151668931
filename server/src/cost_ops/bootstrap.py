"""The one place that chooses implementations and wires them together."""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, partial
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from cost_ops.catalog import PROVIDER_NAMES
from cost_ops.domain.access import Principal
from cost_ops.domain.errors import invalid
from cost_ops.domain.extraction import ShapeBook
from cost_ops.domain.pricebook import PriceBook, ProviderNames
from cost_ops.interfaces.clock import Clock, system_clock
from cost_ops.interfaces.context import Context, IngestRules
from cost_ops.interfaces.limits import PermitStore
from cost_ops.interfaces.login import LoginTools, Mailer
from cost_ops.interfaces.notifications import NotificationTools
from cost_ops.interfaces.storage import Storage
from cost_ops.services import price_reviews, pricing, repricing, settling
from cost_ops.services.price_reviews import Decided
from cost_ops.services.settling import Settled
from cost_ops.settings import Settings

if TYPE_CHECKING:
    from cost_ops.catalog import Prepared, SyncPlan
    from cost_ops.domain.reprice_runs import RepriceRequest, RepriceRun
    from cost_ops.notifiers.outbox import Outbox
    from cost_ops.notifiers.smtp import SmtpAccount


MAIL_SECONDS = 6.0
"""How long a mail server may take for one answer: a message needs several, and is somebody else's after a minute."""


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


def provider_names() -> ProviderNames:
    """How providers are written."""
    return PROVIDER_NAMES


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
    permits: PermitStore
    """Where requests are counted against limits."""

    login_tools: LoginTools
    outbox: Outbox
    """What is done when nobody waits for it."""

    notification_tools: Callable[[], NotificationTools]
    """What channels are told with, made at first use and then the same."""

    @property
    def shapes(self) -> ShapeBook:
        """How providers' payloads are read."""
        return usage_shapes()

    def context(self, principal: Principal, request_id: str | None = None, address: str | None = None) -> Context:
        """The context of one caller; `request_id` and `address` stand in the audit events of what is done."""
        rules = IngestRules(self.settings.ingest.strict, self.settings.ingest.future_tolerance_secs)
        return Context(
            self.storage, self.books, self.clock, secrets.randbits, principal, self.shapes, rules, request_id, address
        )

    def close(self) -> None:
        """Let go of the database."""
        self.outbox.close()
        self.permits.close()
        self.storage.close()


def open_application(settings: Settings, clock: Clock = system_clock) -> Application:
    """Open the configured database. Raises Unavailable, InvalidInput for an impossible URL."""
    from cost_ops.notifiers.outbox import Outbox
    from cost_ops.storage import open_redis_permits, open_storage

    storage = open_storage(
        settings.database.url,
        pool_size=settings.database.pool_size,
        pgbouncer=settings.database.pgbouncer,
        row_security=settings.database.row_level_security,
    )
    redis_url = settings.limits.redis_url
    permits = open_redis_permits(redis_url) if redis_url else storage.permit_store()
    outbox = Outbox()
    tools = login_tools(settings, clock, outbox)
    check_secret_key(settings)
    notifying = cache(partial(notification_tools, settings, storage, clock))
    return Application(settings, storage, Books(storage), clock, permits, tools, outbox, notifying)


def check_secret_key(settings: Settings) -> None:
    """Raises InvalidInput where the key for secrets of channels is set to something that is none."""
    from cost_ops.credentials.encryption import master_key

    master_key(settings.notifications.secret_key)


def notification_tools(settings: Settings, storage: Storage, clock: Clock) -> NotificationTools:
    """What channels are checked, kept and told with."""
    from cost_ops.credentials.encryption import StoredKeyVault
    from cost_ops.notifiers.apprise_channel import AppriseSender
    from cost_ops.notifiers.email_channel import EmailSender
    from cost_ops.notifiers.pagerduty import PagerDutySender
    from cost_ops.notifiers.slack import SlackSender
    from cost_ops.notifiers.smtp import MailServer
    from cost_ops.notifiers.teams import TeamsSender
    from cost_ops.notifiers.webhook import WebhookSender

    told = settings.notifications
    private, account = told.allow_private_addresses, _smtp_account(settings)
    return NotificationTools(
        vault=StoredKeyVault(storage, clock, told.secret_key),
        senders={
            "webhook": WebhookSender(clock, private=private),
            "email": EmailSender(None if account is None else MailServer(account, clock, timeout_seconds=MAIL_SECONDS)),
            "slack": SlackSender(private=private),
            "teams": TeamsSender(private=private),
            "pagerduty": PagerDutySender(private=private),
            "apprise": AppriseSender(private=private),
        },
        group_wait=timedelta(seconds=told.group_wait_secs),
    )


def login_tools(settings: Settings, clock: Clock, outbox: Outbox) -> LoginTools:
    """What log-ins are made with. Raises InvalidInput for a public URL that is none."""
    from cost_ops.credentials import Argon2Passwords, JoseTokens

    return LoginTools(
        passwords=Argon2Passwords(),
        signer=JoseTokens(settings.auth.jwt_secret),
        mailer=_mailer(settings, clock),
        public_url=_public_url(settings),
        post=outbox.post,
    )


def _mailer(settings: Settings, clock: Clock) -> Mailer | None:
    from cost_ops.notifiers.smtp import SmtpMailer

    account = _smtp_account(settings)
    return None if account is None else SmtpMailer(account, clock)


def _smtp_account(settings: Settings) -> SmtpAccount | None:
    from cost_ops.notifiers.smtp import SmtpAccount

    mail = settings.notifications
    if not mail.smtp_host:
        return None
    sender = mail.smtp_from or f"LLM Cost Ops <cost-ops@{mail.smtp_host}>"
    return SmtpAccount(mail.smtp_host, mail.smtp_port, mail.smtp_user, mail.smtp_password, mail.smtp_security, sender)


def _public_url(settings: Settings) -> str:
    url = settings.server.public_url.rstrip("/") or f"http://{settings.server.bind}:{settings.server.port}"
    if not url.startswith(("https://", "http://")) or any(mark in url for mark in " ?#\r\n\t\"'<>"):
        message = f"server.public_url must be like https://costs.example.com, got {url[:80]!r}"
        raise invalid("server.public_url", "invalid_url", message)
    return url


def migrate(url: str, to: str = "head", row_security: Literal["auto", "on", "off"] = "auto") -> str:
    """Bring the schema of a database to a revision, and its row-level security; the revision it is at now."""
    from cost_ops.storage import migrate as migrate_storage

    return migrate_storage(url, to=to, row_security=row_security)


class SourceName(NamedTuple):
    """A source of prices as someone names it: PATH, URL, `litellm=…`, or `genai-prices`; and its hash, if known."""

    text: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class SyncOutcome:
    """A catalogue sync: what was prepared, and what came of it (nothing where it was a dry run)."""

    prepared: Prepared
    applied: bool
    priced_records: int

    @property
    def plan(self) -> SyncPlan:
        """What is written."""
        return self.prepared.plan

    def to_json(self) -> dict[str, Any]:
        """The diff."""
        return self.prepared.to_json()


def sync_catalogue(
    application: Application,
    ctx: Context,
    *,
    sources: Sequence[SourceName] = (),
    accept: bool | Collection[str] = False,
    provider: str | None = None,
    dry_run: bool = False,
    over_http: bool = False,
) -> SyncOutcome:
    """Import catalogue prices from the named sources, or from the installed package; only what is new is written.

    `over_http`: no files of this machine are read, and URLs into its network only where the settings permit them.
    """
    from cost_ops.catalog import parse_source, prepare, read_sources

    named = [parse_source(source.text, source.sha256) for source in sources]
    private = not over_http or application.settings.pricing.allow_private_sources
    stored, reviews = pricing.catalogue_timelines(ctx), price_reviews.known(ctx)
    read = read_sources(named, files=not over_http, private=private)
    prepared = prepare(read, stored=stored, reviews=reviews, now=ctx.clock(), accept=accept, provider=provider)
    if dry_run:
        return SyncOutcome(prepared, False, 0)
    plan = prepared.plan
    change = pricing.CatalogueChange(plan.added_rows, plan.ended, prepared.merged.data.aliases, prepared.news)
    return SyncOutcome(prepared, True, pricing.apply_sync(ctx, change))


def accept_price_review(ctx: Context, review_id: str, opinion: int | None = None) -> tuple[Decided, int]:
    """Apply what a review holds back, and price what waited for a price: how many records."""
    decided = price_reviews.accept(ctx, review_id, opinion)
    return decided, pricing.price_waiting(ctx, None)


def settle_contracts(
    ctx: Context, organization_id: str | None, *, month: int | None = None, dry_run: bool = False
) -> list[Settled]:
    """Settle the months of contracts with volume tiers (see `services.settling`), re-pricing here and now."""

    def reprice(organization: str, request: RepriceRequest) -> RepriceRun:
        return repricing.work(ctx, repricing.start(ctx, organization, request))

    return settling.settle(ctx, organization_id, reprice, month=month, dry_run=dry_run)
