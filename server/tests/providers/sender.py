"""Whoever sends what a provider returned: an organisation of its own on a running server with the catalogue's prices."""

import json
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from tests.api.running import Answer, Server
from tests.providers.worked import worked_amounts

MOMENT = "2026-11-02T12:00:00Z"
"""When the calls were made: the catalogue's rates of that day are the worked amounts'."""

YEAR = {"start_date": "2026-01-01T00:00:00Z", "end_date": "2027-01-01T00:00:00Z"}


@dataclass
class Sender:
    """An organisation and its key."""

    server: Server
    organization_id: str
    key: str

    def send(self, record: dict[str, Any]) -> Answer:
        """One record, as a user's program writes it: what JSON does not know becomes text."""
        whole = {"organization_id": self.organization_id, "timestamp": MOMENT, **record}
        return self.server.post("usage", json.dumps(whole, default=str).encode(), key=self.key)

    def costs_as_worked(self, name: str, **record: Any) -> dict[str, Any]:
        """Send a record, hold its cost against the worked amount in every step, and return its proof."""
        answer = self.send(record)
        assert answer.status == 201, answer.text
        assert Decimal(answer.body["data"]["cost"]["total_cost"]) == worked_amounts()[name].total
        return self.proved_as_worked(name, answer.body["data"]["usage_id"])

    def proved_as_worked(self, name: str, usage_id: str) -> dict[str, Any]:
        """The proof of a record, whose buckets, rates, products and total are the worked ones."""
        worked, proof = worked_amounts()[name], self.proof(usage_id)
        assert (proof["usage"]["status"], proof["agrees"], proof["discrepancies"]) == ("computed", True, [])
        assert {
            line["meter"]: (
                _exact(line["quantity"]),
                _exact(line["rate_price"]) / line["rate_per"],
                _exact(line["amount"]),
            )
            for line in proof["lines"]
        } == {line.meter: (line.quantity, line.price / line.per, line.amount) for line in worked.lines}
        assert Decimal(proof["recomputed_cost"]) == worked.total
        return proof

    def proof(self, usage_id: str) -> dict[str, Any]:
        """How a record's amount comes about."""
        found: dict[str, Any] = self.server.get(f"usage/{usage_id}/explain", key=self.key).body["data"]
        return found

    def totals(self) -> tuple[int, Decimal]:
        """How many calls were recorded, and what they cost."""
        data = self.server.get("costs", params=YEAR, key=self.key).body["data"]
        return data["requests"], Decimal(data["total_cost"])


def _exact(number: Any) -> Decimal:
    return Decimal(str(number))


def reads_as_worked(name: str, proof: dict[str, Any]) -> bool:
    """Whether a proof says of every bucket that it came from where the worked amount takes it."""
    came = {(one["meter"], _exact(one["quantity"])): one["path"] for one in proof["fields"]}
    lines = [line for line in worked_amounts()[name].lines if line.terms]
    return all(came.get((line.meter, line.quantity), "").endswith(f".{line.terms[0].path}") for line in lines)
