"""The moment at which these tests stand; no test looks at the clock."""

from datetime import UTC, datetime

TODAY = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
