"""A server as a ledger."""

from __future__ import annotations

from cost_ops.cli.remote.auth import RemoteKeys
from cost_ops.cli.remote.changes import RemoteChanges
from cost_ops.cli.remote.client import Client
from cost_ops.cli.remote.contracts import RemoteContracts
from cost_ops.cli.remote.costs import RemoteCosts
from cost_ops.cli.remote.currencies import RemoteCurrencies
from cost_ops.cli.remote.pricing import RemotePricing
from cost_ops.cli.remote.repricing import RemoteRepricing
from cost_ops.cli.remote.usage import RemoteUsage


class RemoteBackend:
    """A server. Raises InvalidInput for an impossible URL; nothing is sent yet."""

    def __init__(self, url: str, key: str) -> None:
        """Get ready to ask."""
        client = Client(url, key)
        self.usage = RemoteUsage(client)
        self.costs = RemoteCosts(client)
        self.pricing = RemotePricing(client)
        self.contracts = RemoteContracts(client)
        self.changes = RemoteChanges(client)
        self.repricing = RemoteRepricing(client)
        self.currencies = RemoteCurrencies(client)
        self.keys = RemoteKeys(client)

    def close(self) -> None:
        """Nothing is kept open."""
