"""The simplest delivery: each record is sent where it is tracked, and waited for."""

from __future__ import annotations

import json
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Callable, Optional

if TYPE_CHECKING:
    from llm_cost_ops.client import CostOpsClient


class DirectDelivery:
    """Sends at once, on the calling thread: for tests and scripts of a few calls."""

    def __init__(self, client: CostOpsClient) -> None:
        self._client = client
        self.listeners: list[Callable[[list[bytes], list[dict[str, Any]], bool], None]] = []

    def put(self, record: bytes, key: bytes, at_ns: int) -> None:
        """Send a record now."""
        fields = json.loads(record)
        fields.setdefault("organization_id", self._client.settings.organization_id)
        fields.setdefault("timestamp", datetime.fromtimestamp(at_ns / 1e9, timezone.utc).isoformat())
        fields.setdefault("idempotency_key", key.hex())
        answer = self._client.request(
            "POST", "usage/batch", params={"details": True}, json={"records": [fields]}, repeatable=True
        )
        for listener in self.listeners:
            listener([record], answer["data"]["results"], True)

    def flush(self, timeout: Optional[float] = None) -> bool:
        """There is nothing that waits."""
        return True

    def close(self, timeout: Optional[float] = None) -> None:
        """There is nothing that waits."""
