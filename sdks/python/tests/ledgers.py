"""A real ledger for the SDK to talk to: a server on this machine, and an organisation of it that one test has to itself."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any

from tests.api.running import Server, migrated, ready_server
from tests.providers.conftest import with_catalogue
from tests.providers.sender import Sender

from llm_cost_ops import CostOpsClient

_ORGANIZATIONS = count(1)
YEARS = {"start_date": "2020-01-01T00:00:00Z", "end_date": "2100-01-01T00:00:00Z"}


@dataclass
class Ledger:
    """An organisation that nobody else uses, and its key."""

    server: Server
    organization_id: str
    key: str

    @property
    def url(self) -> str:
        return self.server.url

    def client(self, **settings: Any) -> CostOpsClient:
        """A client of this organisation."""
        return CostOpsClient(
            **{"api_key": self.key, "base_url": self.url, "organization_id": self.organization_id, **settings}
        )

    def records(self) -> list[dict[str, Any]]:
        """What stands in the ledger, oldest first (at most 100)."""
        found = self.server.get("usage/history", params={"page_size": 100}, key=self.key).body["data"]
        return list(reversed(found))

    def totals(self) -> tuple[int, Decimal]:
        """How many calls stand there, and what they cost."""
        data = self.server.get("costs", params=YEARS, key=self.key).body["data"]
        return data["requests"], Decimal(data["total_cost"])

    def proved_as_worked(self, case: str, usage_id: str) -> dict[str, Any]:
        """The proof of a record, which says in every bucket, rate and product what `docs/explanation/worked-amounts.md` does."""
        return Sender(self.server, self.organization_id, self.key).proved_as_worked(case, usage_id)


@contextmanager
def running_ledger(folder: Any, **settings: Any) -> Iterator[Server]:
    """A server on a new SQLite ledger with the catalogue's prices."""
    with ready_server(with_catalogue(migrated(folder)), **settings) as server:
        yield server


def new_organization(server: Server) -> Ledger:
    """An organisation of its own, with a key that may do everything in it."""
    organization_id = f"org-sdk-{next(_ORGANIZATIONS)}"
    return Ledger(server, organization_id, server.make_key(organization_id))
