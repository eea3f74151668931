"""What commands need of a ledger, be it a database or a server: one Protocol, two implementations.

Results are documents in the shapes of the HTTP API, with Decimals for amounts and prices.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from cost_ops.cli.access_backend import AccessBackend
    from cost_ops.cli.alerts_backend import AlertsBackend
    from cost_ops.cli.audit_backend import AuditBackend
    from cost_ops.cli.budgets_backend import BudgetsBackend
    from cost_ops.cli.channels_backend import ChannelsBackend
    from cost_ops.cli.jobs_backend import JobsBackend
    from cost_ops.cli.leases_backend import LeasesBackend
    from cost_ops.cli.organizations_backend import OrganizationsBackend
    from cost_ops.cli.people_backend import LoginBackend, MembersBackend
    from cost_ops.domain.costs import CostQuery, Filter
    from cost_ops.domain.exchange import ExchangeRate
    from cost_ops.domain.periods import TimeRange
    from cost_ops.domain.reprice_runs import RepriceRequest

Document = dict[str, Any]


class Taken(NamedTuple):
    """What became of one record: `usage_id` is None in a dry run; `problems` says why it was refused."""

    status: str
    cost: Decimal | None = None
    currency: str | None = None
    usage_id: str | None = None
    replayed: bool = False
    problems: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class PriceSearch:
    """Which prices to list. Without `everything` only those valid now."""

    provider: str | None = None
    model_id: str | None = None
    everything: bool = False
    limit: int = 50


class SourceGiven(NamedTuple):
    """A source of prices: PATH, URL, `litellm=…` or `genai-prices`, and the hash its content must have."""

    text: str
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class SyncWanted:
    """What to import. No sources: what is installed. `accept` names models whose large changes are applied too."""

    sources: tuple[SourceGiven, ...] = ()
    accept: tuple[str, ...] = ()
    provider: str | None = None
    dry_run: bool = False


@dataclass(frozen=True, slots=True)
class ReviewSearch:
    """Which price reviews to list. `status` None: all."""

    status: str | None = "open"
    kind: str | None = None
    provider: str | None = None
    limit: int = 50


class UsageBackend(Protocol):
    """Recording usage and reading it back."""

    def default_organization(self, named: str | None) -> str | None:
        """The organisation of records that name none: the one named here, else the only one there is."""

    def ingest(self, records: Sequence[Mapping[str, Any]], *, dry_run: bool) -> list[Taken]:
        """Record usage given as flat fields; one outcome each, in order. A dry run writes nothing."""

    def stream(
        self, organization_id: str | None, span: TimeRange | None, filters: Sequence[Filter]
    ) -> Iterator[Document]:
        """All records of a range, oldest first, in constant memory."""

    def explain(self, organization_id: str | None, usage_id: str) -> Document:
        """Everything behind one record's amount."""


class CostsBackend(Protocol):
    """Cost questions."""

    def query(self, organization_id: str | None, query: CostQuery) -> Document:
        """The answer; `organizations` in it names whom it covers."""


class PricingBackend(Protocol):
    """Prices. An organisation of None means the installation's prices."""

    def search(self, organization_id: str | None, wanted: PriceSearch) -> tuple[list[Document], int]:
        """Visible prices, and how many there are in all."""

    def get(self, organization_id: str | None, price_id: str) -> Document:
        """One price."""

    def effective(self, organization_id: str | None, provider: str, model_id: str, at: datetime | None) -> Document:
        """The price of a call at an instant (now by default), with `found_by`."""

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """Add a price given in the API's fields; `ended` and `priced_records` say what followed."""

    def revise(self, organization_id: str | None, price_id: str, fields: Mapping[str, Any]) -> Document:
        """A new version of a price, answered as by `add`."""

    def end(self, organization_id: str | None, price_id: str, at: datetime | None) -> Document:
        """End a price now or at an instant."""

    def sync(self, wanted: SyncWanted) -> Document:
        """Import catalogue prices: the diff, `applied` and `priced_records`."""

    def reviews(self, wanted: ReviewSearch) -> tuple[list[Document], int]:
        """Prices that wait for a person, and how many there are in all."""

    def review(self, review_id: str) -> Document:
        """One of them."""

    def accept_review(self, review_id: str, opinion: int | None) -> Document:
        """Apply what waits: the review, `price` and `priced_records`."""

    def dismiss_review(self, review_id: str) -> Document:
        """Leave the price as it is: the review."""

    def history(self, organization_id: str | None, provider: str | None, model_id: str) -> list[Document]:
        """The prices of a model over time, each with `holds_from`, `holds_to` and `found_by`."""

    def unpriced(self, organization_id: str | None) -> list[Document]:
        """Usage without a price, by organisation and model, with an estimate of what it costs."""


class ContractsBackend(Protocol):
    """Contracts of organisations."""

    def add(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new contract given in the API's fields."""

    def search(self, organization_id: str | None, *, current: bool) -> list[Document]:
        """Contracts of an organisation, or of all; `current`: only those valid now."""

    def end(self, organization_id: str | None, contract_id: str, at: datetime | None) -> Document:
        """End a contract now or at an instant."""

    def settle(self, organization_id: str | None, month: int | None, *, dry_run: bool) -> Document:
        """Settle the months of contracts with volume tiers: `months`, each with `before` and `after`."""


Watch = Callable[[int, int], None]
"""Told how much is done, and how much there is."""


class RepricingBackend(Protocol):
    """Costing recorded usage again. `watch` is told of the progress of long work."""

    def dry_run(self, organization_id: str | None, request: RepriceRequest, watch: Watch) -> Document:
        """What would change, by day and model."""

    def run(self, organization_id: str | None, request: RepriceRequest, watch: Watch) -> Document:
        """Begin a run; it comes back finished."""

    def resume(self, organization_id: str | None, number: int, watch: Watch) -> Document:
        """Take up a run that stopped; it comes back finished."""


class CurrenciesBackend(Protocol):
    """Exchange rates of the installation."""

    def add(self, rates: Sequence[ExchangeRate], *, replace: bool) -> Document:
        """Import rates; what was added, unchanged, replaced and kept."""

    def search(
        self, *, base: str | None, quote: str | None, first: date | None, last: date | None, limit: int
    ) -> tuple[list[Document], int]:
        """Stored rates, newest first, and how many there are in all."""

    def effective(self, base: str, quote: str, day: date | None) -> Document:
        """How one currency becomes another on a UTC day, today by default."""


class ChangesBackend(Protocol):
    """Correcting usage, and erasing people."""

    def correct(self, organization_id: str | None, usage_id: str, fields: Mapping[str, Any], reason: str) -> Document:
        """Put fields in place of a record's own: the record as `data`, `revision` and `changed`."""

    def erase(self, organization_id: str | None, user_id: str, tags: Sequence[str], *, dry_run: bool) -> Document:
        """Take what tells of a person out of their usage."""


class KeysBackend(Protocol):
    """API keys. The document of a new key has the whole of it as `key`."""

    def create(self, organization_id: str | None, fields: Mapping[str, Any]) -> Document:
        """A new key from `name`, `kind`, `permissions`, `projects` and `expires_at`."""

    def search(self, organization_id: str | None) -> list[Document]:
        """Keys, newest first."""

    def describe(self, key_id: str) -> Document:
        """One key."""

    def update(self, key_id: str, fields: Mapping[str, Any]) -> Document:
        """Change `add_permissions`, `remove_permissions`, `projects`, `name`, `expires_at`."""

    def rotate(self, key_id: str, fields: Mapping[str, Any]) -> Document:
        """A new key in a key's place; `overlap_seconds` says how long the old one works on."""

    def revoke(self, key_id: str) -> Document:
        """Turn a key off for good."""


class Backend(Protocol):
    """A ledger."""

    @property
    def usage(self) -> UsageBackend:
        """Usage records."""

    @property
    def costs(self) -> CostsBackend:
        """Cost questions."""

    @property
    def pricing(self) -> PricingBackend:
        """Prices."""

    @property
    def contracts(self) -> ContractsBackend:
        """Contracts."""

    @property
    def repricing(self) -> RepricingBackend:
        """Costing usage again."""

    @property
    def currencies(self) -> CurrenciesBackend:
        """Exchange rates."""

    @property
    def changes(self) -> ChangesBackend:
        """Corrections and erasure."""

    @property
    def budgets(self) -> BudgetsBackend:
        """Budgets."""

    @property
    def leases(self) -> LeasesBackend:
        """What is reserved of budgets."""

    @property
    def alerts(self) -> AlertsBackend:
        """Alerts of budgets."""

    @property
    def audit(self) -> AuditBackend:
        """The audit trail."""

    @property
    def jobs(self) -> JobsBackend:
        """Background jobs."""

    @property
    def keys(self) -> KeysBackend:
        """API keys."""

    @property
    def access(self) -> AccessBackend:
        """Roles, policies, projects, teams."""

    @property
    def organizations(self) -> OrganizationsBackend:
        """Organisations, their plans and limits."""

    @property
    def members(self) -> MembersBackend:
        """People of an organisation."""

    @property
    def login(self) -> LoginBackend:
        """Who one is, passwords, signing keys."""

    @property
    def webhooks(self) -> ChannelsBackend:
        """Webhooks."""

    @property
    def channels(self) -> ChannelsBackend:
        """Where people are told."""

    def close(self) -> None:
        """Let go of connections."""
