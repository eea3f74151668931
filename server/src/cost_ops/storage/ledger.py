"""The units of work of an organisation and of the installation."""

from __future__ import annotations

from collections.abc import Sequence

from cost_ops.domain.access import Organization
from cost_ops.domain.pricebook import Alias
from cost_ops.domain.prices import Price
from cost_ops.interfaces.alerts import AlertDirectory, AlertRepository
from cost_ops.interfaces.budgets import BudgetRepository, LeaseRepository
from cost_ops.interfaces.changes import AuditRepository, RepriceRunRepository, RetentionRepository, RevisionRepository
from cost_ops.interfaces.jobs import JobRepository
from cost_ops.interfaces.login import AttemptRepository
from cost_ops.interfaces.notifications import (
    ChannelDirectory,
    ChannelRepository,
    DataKeyRepository,
    DeliveryQueue,
    DeliveryRepository,
    OutboxQueue,
    OutboxRepository,
)
from cost_ops.interfaces.people import ApiKeyRepository, CredentialRepository, PeopleRepository
from cost_ops.interfaces.price_reviews import PriceReviewRepository
from cost_ops.interfaces.storage import CostRepository, PriceRepository, UsageRepository
from cost_ops.interfaces.terms import ContractRepository, ExchangeRateRepository
from cost_ops.storage.sql import organizations, prices, projects
from cost_ops.storage.sql.alerts import StoredAlertDirectory, StoredAlerts
from cost_ops.storage.sql.api_keys import StoredApiKeys
from cost_ops.storage.sql.attempts import StoredAttempts
from cost_ops.storage.sql.audit import StoredAudit
from cost_ops.storage.sql.budgets import StoredBudgets
from cost_ops.storage.sql.channels import StoredChannelDirectory, StoredChannels
from cost_ops.storage.sql.contracts import StoredContracts
from cost_ops.storage.sql.costs import StoredCosts
from cost_ops.storage.sql.credentials import StoredCredentials
from cost_ops.storage.sql.data_keys import StoredDataKeys
from cost_ops.storage.sql.deliveries import StoredDeliveries
from cost_ops.storage.sql.delivery_queue import StoredDeliveryQueue
from cost_ops.storage.sql.exchange_rates import StoredExchangeRates
from cost_ops.storage.sql.jobs import StoredJobs
from cost_ops.storage.sql.leases import StoredLeases
from cost_ops.storage.sql.outbox import StoredOutbox, StoredOutboxQueue
from cost_ops.storage.sql.people import StoredPeople
from cost_ops.storage.sql.price_reviews import StoredPriceReviews
from cost_ops.storage.sql.prices import StoredPrices
from cost_ops.storage.sql.reprice_runs import StoredRepriceRuns
from cost_ops.storage.sql.retention import StoredRetention
from cost_ops.storage.sql.revisions import StoredRevisions
from cost_ops.storage.sql.usage import StoredUsage
from cost_ops.storage.transaction import Transaction


class StoredLedger:
    """The unit of work of one organisation."""

    def __init__(self, tx: Transaction, organization_id: str, number: int) -> None:
        self._tx = tx
        self._number = number
        self.organization_id = organization_id
        usage = StoredUsage(tx, organization_id, number)
        self.usage: UsageRepository = usage
        self.costs: CostRepository = StoredCosts(tx, organization_id, number, usage)
        self.prices: PriceRepository = StoredPrices(tx, organization_id)
        self.contracts: ContractRepository = StoredContracts(tx, organization_id)
        self.api_keys: ApiKeyRepository = StoredApiKeys(tx, organization_id)
        self.people: PeopleRepository = StoredPeople(tx, organization_id)
        self.reprice_runs: RepriceRunRepository = StoredRepriceRuns(tx, organization_id)
        self.revisions: RevisionRepository = StoredRevisions(tx, organization_id, number)
        self.audit: AuditRepository = StoredAudit(tx, organization_id)
        self.budgets: BudgetRepository = StoredBudgets(tx, organization_id, number)
        self.alerts: AlertRepository = StoredAlerts(tx, organization_id)
        self.outbox: OutboxRepository = StoredOutbox(tx, organization_id)
        self.channels: ChannelRepository = StoredChannels(tx, organization_id)
        self.deliveries: DeliveryRepository = StoredDeliveries(tx, organization_id)

    def project_ids(self) -> list[str]:
        """The projects seen so far."""
        return projects.ids(self._tx, self._number)


class StoredInstallation:
    """The unit of work of the installation's owner."""

    def __init__(self, tx: Transaction) -> None:
        self._tx = tx
        self.prices: PriceRepository = StoredPrices(tx, None)
        self.contracts: ContractRepository = StoredContracts(tx, None)
        self.exchange_rates: ExchangeRateRepository = StoredExchangeRates(tx)
        self.api_keys: ApiKeyRepository = StoredApiKeys(tx, None)
        self.credentials: CredentialRepository = StoredCredentials(tx)
        self.attempts: AttemptRepository = StoredAttempts(tx)
        self.audit: AuditRepository = StoredAudit(tx, None)
        self.leases: LeaseRepository = StoredLeases(tx)
        self.alerts: AlertDirectory = StoredAlertDirectory(tx)
        self.outbox: OutboxQueue = StoredOutboxQueue(tx)
        self.channels: ChannelDirectory = StoredChannelDirectory(tx)
        self.deliveries: DeliveryQueue = StoredDeliveryQueue(tx)
        self.data_keys: DataKeyRepository = StoredDataKeys(tx)
        self.jobs: JobRepository = StoredJobs(tx)
        self.retention: RetentionRepository = StoredRetention(tx)
        self.price_reviews: PriceReviewRepository = StoredPriceReviews(tx)

    def organizations(self) -> list[Organization]:
        """All organisations by id."""
        return organizations.all_of(self._tx)

    def organization(self, organization_id: str) -> Organization | None:
        """One organisation."""
        return organizations.get(self._tx, organization_id)

    def add_organization(self, organization: Organization) -> None:
        """Create an organisation; nothing happens where it exists."""
        organizations.add(self._tx, {organization.organization_id: organization.name}, organization.created_at)

    def rename_organization(self, organization_id: str, name: str) -> None:
        """Put a name in place of the old one."""
        organizations.rename(self._tx, organization_id, name)

    def book_prices(self) -> list[Price]:
        """Every price of every layer and organisation."""
        return prices.all_of(self._tx)

    def aliases(self) -> list[Alias]:
        """The catalogue's other names of models."""
        return prices.aliases(self._tx)

    def replace_aliases(self, aliases: Sequence[Alias]) -> None:
        """Put new aliases in place of all old ones."""
        prices.replace_aliases(self._tx, aliases)

    def price_version(self) -> int:
        """The version of the price book."""
        return prices.book_version(self._tx)
