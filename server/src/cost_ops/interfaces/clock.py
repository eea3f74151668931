"""The clock, passed in so that time is a value in tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current instant as an aware UTC datetime."""


def system_clock() -> datetime:
    """The machine's clock."""
    return datetime.now(UTC)
