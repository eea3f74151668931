"""Calls of a provider's client while it is tracked: a client of the ledger, and what left the program, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from keeping import Kept
from sent_at_once import DirectDelivery

from ledgers import Ledger
from llm_cost_ops import instrument, uninstrument

MARKER = "mustneverleave"
QUESTION = f"How cold is it in Oslo? {MARKER}"
MESSAGES = [{"role": "user", "content": QUESTION}]


class Tracked:
    """What a test asks after its calls."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.client = ledger.client()
        self.kept = Kept(DirectDelivery(self.client))
        self.client.tracker.delivery = self.kept
        self.failures: list[BaseException] = []
        self.client.tracker.failed = self.failures.append  # type: ignore[method-assign]

    def cost_as_worked(self, case: str, calls: int = 1) -> list[dict[str, Any]]:
        """Assert that these calls stand in the ledger at their worked amounts, and that no content left."""
        assert self.failures == []
        records = self.ledger.records()
        assert len(records) == calls, self.kept.records
        for record in records:
            self.ledger.proved_as_worked(case, record["usage_id"])
        assert all(word not in record for record in self.kept.records for word in (MARKER.encode(), b"Oslo", b"Cold"))
        return records

    def nothing(self) -> None:
        """Assert that nothing was tracked, and nothing failed."""
        assert (self.kept.records, self.failures) == ([], [])


@contextmanager
def tracking(ledger: Ledger, package: str, **how: Any) -> Iterator[Tracked]:
    """All calls of a package are tracked in the block."""
    tracked = Tracked(ledger)
    instrument(tracked.client, only=[package], **how)
    try:
        yield tracked
    finally:
        uninstrument()
        tracked.client.close()
