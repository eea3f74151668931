"""A server as a ledger."""

from __future__ import annotations

from cost_ops.cli.remote.access import RemoteAccess
from cost_ops.cli.remote.alerts import RemoteAlerts
from cost_ops.cli.remote.audit import RemoteAudit
from cost_ops.cli.remote.auth import RemoteKeys
from cost_ops.cli.remote.budgets import RemoteBudgets
from cost_ops.cli.remote.changes import RemoteChanges
from cost_ops.cli.remote.channels import RemoteChannels
from cost_ops.cli.remote.client import Client
from cost_ops.cli.remote.contracts import RemoteContracts
from cost_ops.cli.remote.costs import RemoteCosts
from cost_ops.cli.remote.currencies import RemoteCurrencies
from cost_ops.cli.remote.jobs import RemoteJobs
from cost_ops.cli.remote.leases import RemoteLeases
from cost_ops.cli.remote.organizations import RemoteOrganizations
from cost_ops.cli.remote.people import RemoteLogin, RemoteMembers
from cost_ops.cli.remote.pricing import RemotePricing
from cost_ops.cli.remote.repricing import RemoteRepricing
from cost_ops.cli.remote.tokens import LoginTokens
from cost_ops.cli.remote.usage import RemoteUsage


class RemoteBackend:
    """A server. Raises InvalidInput for an impossible URL; nothing is sent yet."""

    def __init__(self, url: str, key: str) -> None:
        """Get ready to ask."""
        client = Client(url, key, tokens=LoginTokens(url))
        self.usage = RemoteUsage(client)
        self.costs = RemoteCosts(client)
        self.pricing = RemotePricing(client)
        self.contracts = RemoteContracts(client)
        self.changes = RemoteChanges(client)
        self.audit = RemoteAudit(client)
        self.budgets = RemoteBudgets(client)
        self.leases = RemoteLeases(client)
        self.alerts = RemoteAlerts(client)
        self.webhooks = RemoteChannels(client, "/webhooks")
        self.channels = RemoteChannels(client, "/channels")
        self.repricing = RemoteRepricing(client)
        self.currencies = RemoteCurrencies(client)
        self.jobs = RemoteJobs(client)
        self.keys = RemoteKeys(client)
        self.access = RemoteAccess(client)
        self.organizations = RemoteOrganizations(client)
        self.members = RemoteMembers(client)
        self.login = RemoteLogin(client)

    def close(self) -> None:
        """Nothing is kept open."""
