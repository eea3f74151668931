"""Opening a database, and what commands do with it."""

from __future__ import annotations

from cost_ops.bootstrap import Application, open_application
from cost_ops.cli.direct.access import DirectAccess
from cost_ops.cli.direct.alerts import DirectAlerts
from cost_ops.cli.direct.audit import DirectAudit
from cost_ops.cli.direct.auth import DirectKeys
from cost_ops.cli.direct.budgets import DirectBudgets
from cost_ops.cli.direct.changes import DirectChanges
from cost_ops.cli.direct.channels import DirectChannels
from cost_ops.cli.direct.contracts import DirectContracts
from cost_ops.cli.direct.costs import DirectCosts
from cost_ops.cli.direct.currencies import DirectCurrencies
from cost_ops.cli.direct.jobs import DirectJobs
from cost_ops.cli.direct.leases import DirectLeases
from cost_ops.cli.direct.organizations import DirectOrganizations
from cost_ops.cli.direct.people import DirectLogin, DirectMembers
from cost_ops.cli.direct.pricing import DirectPricing
from cost_ops.cli.direct.repricing import DirectRepricing
from cost_ops.cli.direct.usage import DirectUsage
from cost_ops.domain.access import OWNER
from cost_ops.domain.errors import Unavailable
from cost_ops.domain.notifications import ChannelKind
from cost_ops.interfaces.storage import StorageStatus
from cost_ops.services.channels import PEOPLE_KINDS
from cost_ops.settings import Settings


class DirectBackend:
    """An opened database with an up-to-date schema. Raises Unavailable with what to do where it has none."""

    def __init__(self, settings: Settings) -> None:
        """Open the database and look at its schema."""
        self.application = open_ready(settings)
        self.context = self.application.context(OWNER)
        self.usage = DirectUsage(self.context)
        self.costs = DirectCosts(self.context)
        self.pricing = DirectPricing(self.application, self.context)
        self.contracts = DirectContracts(self.context)
        self.changes = DirectChanges(self.context)
        self.audit = DirectAudit(self.context)
        self.budgets = DirectBudgets(self.application, self.context)
        self.leases = DirectLeases(self.application, self.context)
        self.alerts = DirectAlerts(self.context)
        self.webhooks = DirectChannels(self.application, self.context, (ChannelKind.WEBHOOK,))
        self.channels = DirectChannels(self.application, self.context, PEOPLE_KINDS)
        self.repricing = DirectRepricing(self.context)
        self.currencies = DirectCurrencies(self.context)
        self.jobs = DirectJobs(self.application, self.context)
        self.keys = DirectKeys(self.context)
        self.access = DirectAccess(self.context)
        self.organizations = DirectOrganizations(self.context, self.application.permits)
        self.members = DirectMembers(self.application, self.context)
        self.login = DirectLogin(self.application, self.context)

    def close(self) -> None:
        """Close the database."""
        self.application.close()


def open_ready(settings: Settings) -> Application:
    """The opened database. Raises Unavailable where it is missing, empty, or of another version."""
    application = open_application(settings)
    try:
        status = application.storage.status()
        if not status.migrated:
            raise Unavailable(_schema_message(status))
    except BaseException:
        application.close()
        raise
    return application


def _schema_message(status: StorageStatus) -> str:
    if status.schema_revision is None:
        return (
            "The database has no tables of LLM Cost Ops yet; run `cost-ops init` (or `cost-ops migrate`) with its URL."
        )
    return (
        f"The database's schema is at {status.schema_revision}, this program needs {status.schema_head}; run "
        "`cost-ops migrate`, or update the program where the database is the newer one."
    )
