"""What leaves a program, kept for a test to look at."""

from __future__ import annotations

from typing import Any

import pytest

from llm_cost_ops import CostOpsClient


class Kept:
    """A delivery that keeps what passes through it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.records: list[bytes] = []

    def put(self, record: bytes, key: bytes, at_ns: int) -> None:
        self.records.append(record)
        self.inner.put(record, key, at_ns)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


def kept_failures(client: CostOpsClient, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What of ours fails from here on, as it comes."""
    failures: list[str] = []
    failed = client.tracker.failed

    def keep(error: BaseException) -> None:
        failures.append(f"{type(error).__name__}: {error}")
        failed(error)

    monkeypatch.setattr(client.tracker, "failed", keep)
    return failures
